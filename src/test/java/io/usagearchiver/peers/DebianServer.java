package io.usagearchiver.peers;

import io.usagearchiver.testing.PgCtl;
import io.zonky.test.db.postgres.util.LinuxUtils;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/** Debian's PostgreSQL 15, for which Debian has extensions that the embedded binaries lack, on a port of the loopback. */
final class DebianServer implements AutoCloseable {
    /** Where its programs are, those of extensions among them. */
    static final Path PROGRAMS = Path.of("/usr/lib/postgresql/15/bin");

    private final Path data;
    private final int port;

    DebianServer() {
        try {
            data = Files.createTempDirectory("usage-archiver-debian");
            port = freePort();
            initialize();
            PgCtl.in(PROGRAMS)
                    .start(
                            data,
                            port,
                            List.of(
                                    "fsync=off",
                                    "synchronous_commit=off",
                                    "autovacuum=off",
                                    "listen_addresses=127.0.0.1",
                                    "unix_socket_directories="));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void initialize() throws IOException {
        List<String> command = new ArrayList<>();
        if (LinuxUtils.isUnshareAvailable()) {
            // It refuses to run as root.
            command.addAll(List.of("unshare", "-U"));
        }
        command.addAll(List.of(
                PROGRAMS.resolve("initdb").toString(),
                "--pgdata=" + data,
                "--username=postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--no-sync"));
        Program.run(command);
    }

    /** A superuser's JDBC URL. */
    String superuserUrl() {
        return "jdbc:postgresql://127.0.0.1:" + port + "/postgres?user=postgres";
    }

    int port() {
        return port;
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0)) {
            return socket.getLocalPort();
        }
    }

    /** Stops it and deletes its data. */
    @Override
    public void close() throws IOException {
        PgCtl.in(PROGRAMS).stop(data, "immediate");
        try (Stream<Path> files = Files.walk(data)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }
}
