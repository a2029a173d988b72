package io.usagearchiver.testing;

import io.zonky.test.db.postgres.util.LinuxUtils;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** {@code pg_ctl} of the embedded binaries, for servers that are stopped and started apart from their library. */
public final class PgCtl {
    private final Path program;

    private PgCtl(Path program) {
        this.program = program;
    }

    /** The one beside the program of a server that has run on a data directory. */
    public static PgCtl ofServerOn(Path data) {
        try {
            // The server's own command line, which begins with the path of its program.
            String command = Files.readString(data.resolve("postmaster.opts")).split(" ", 2)[0];
            return new PgCtl(Path.of(command).resolveSibling("pg_ctl"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The one of a directory of programs. */
    public static PgCtl in(Path programs) {
        return new PgCtl(programs.resolve("pg_ctl"));
    }

    /** Starts a server on a data directory. Returns when it takes connections. */
    public void start(Path data, int port, List<String> settings) {
        run(
                data,
                "start",
                "-l",
                data.resolve("server.log").toString(),
                "-o",
                "-p " + port + " -c " + String.join(" -c ", settings));
    }

    /** Stops it in a mode of pg_ctl. Returns when it is gone. */
    public void stop(Path data, String mode) {
        run(data, "stop", "-m", mode);
    }

    private void run(Path data, String... action) {
        try {
            List<String> arguments = new ArrayList<>();
            if (LinuxUtils.isUnshareAvailable()) {
                // PostgreSQL refuses to run as root.
                arguments.addAll(List.of("unshare", "-U"));
            }
            arguments.add(program.toString());
            arguments.addAll(List.of("-D", data.toString(), "-w", "-t", "60"));
            arguments.addAll(List.of(action));
            Path output = data.resolve("pg_ctl.log");
            int exitCode = new ProcessBuilder(arguments)
                    .redirectErrorStream(true)
                    .redirectOutput(output.toFile())
                    .start()
                    .waitFor();
            if (exitCode != 0) {
                throw new IllegalStateException(arguments + ": " + exitCode + "\n" + Files.readString(output));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }
}
