package io.usagearchiver.peers;

import static org.awaitility.Awaitility.await;

import io.usagearchiver.testing.TestDatabase;
import io.zonky.test.db.postgres.util.LinuxUtils;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** Debian's PgBouncer in front of the server of a test database, as a process of its own on a port of the loopback. */
final class PgBouncer implements AutoCloseable {
    private static final String PROGRAM = "/usr/sbin/pgbouncer";

    private final Path directory;
    private final int port;
    private final String database;
    private Process process;

    /**
     * Starts it.
     *
     * @param settings lines of its section {@code pgbouncer}, such as {@code pool_mode = transaction}
     */
    PgBouncer(TestDatabase db, String... settings) {
        database = db.name();
        try {
            directory = Files.createTempDirectory("usage-archiver-pgbouncer");
            port = freePort();
            String server = db.url().replaceFirst("^jdbc:postgresql://([^:/]+):(\\d+)/.*", "host=$1 port=$2");
            List<String> users = List.of(TestDatabase.ARCHIVER, TestDatabase.RESTORER);
            Files.writeString(
                    directory.resolve("users"),
                    String.join(
                            "",
                            users.stream()
                                    .map(user -> "\"" + user + "\" \"" + user + "\"\n")
                                    .toList()));
            Files.writeString(directory.resolve("pgbouncer.ini"), """
                    [databases]
                    * = %s
                    [pgbouncer]
                    listen_addr = 127.0.0.1
                    listen_port = %d
                    unix_socket_dir =
                    auth_type = trust
                    auth_file = %s
                    %s
                    """.formatted(
                            server, port, directory.resolve("users"), String.join("\n", settings)));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        try {
            start();
        } catch (RuntimeException e) {
            close();
            throw e;
        }
    }

    /** Whether it is 1.21 or later. */
    static boolean knowsPreparedStatements() {
        try {
            Process version = new ProcessBuilder(PROGRAM, "--version").start();
            Matcher told = Pattern.compile("PgBouncer (\\d+)\\.(\\d+)")
                    .matcher(new String(version.getInputStream().readAllBytes(), StandardCharsets.UTF_8));
            if (!told.lookingAt()) {
                throw new IllegalStateException(PROGRAM + " does not tell its version");
            }
            int major = Integer.parseInt(told.group(1));
            return major > 1 || (major == 1 && Integer.parseInt(told.group(2)) >= 21);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The JDBC URL of the database through it, without user and password. */
    String url() {
        return "jdbc:postgresql://127.0.0.1:" + port + "/" + database;
    }

    /** Starts it, after {@link #terminate}. Returns when it takes connections. */
    void start() {
        try {
            List<String> command = new ArrayList<>();
            if (LinuxUtils.isUnshareAvailable()) {
                // It refuses to run as root.
                command.addAll(List.of("unshare", "-U"));
            }
            command.addAll(List.of(PROGRAM, directory.resolve("pgbouncer.ini").toString()));
            process = new ProcessBuilder(command)
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.appendTo(log().toFile()))
                    .start();
            // Also where the tests are broken off.
            Runtime.getRuntime().addShutdownHook(new Thread(process::destroyForcibly));
            await("PgBouncer takes connections").until(() -> {
                if (!process.isAlive()) {
                    throw new IllegalStateException("PgBouncer did not start:\n" + Files.readString(log()));
                }
                try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
                    return socket.isConnected();
                } catch (IOException e) {
                    return false;
                }
            });
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** SIGTERM, which ends it at once, with all connections. Returns when it has ended. */
    void terminate() {
        process.destroy();
        process.onExit().join();
    }

    private Path log() {
        return directory.resolve("log");
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0)) {
            return socket.getLocalPort();
        }
    }

    @Override
    public void close() {
        process.destroyForcibly().onExit().join();
        try (Stream<Path> files = Files.walk(directory)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
