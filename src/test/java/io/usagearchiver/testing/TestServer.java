package io.usagearchiver.testing;

import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import org.testcontainers.postgresql.PostgreSQLContainer;

/**
 * The PostgreSQL of a test run: the one of the system property {@value #URL_PROPERTY} (a superuser's JDBC URL), else a
 * container where a Docker socket is, else the embedded binaries. Started once a JVM.
 */
final class TestServer {
    static final String URL_PROPERTY = "usagearchiver.test.jdbcUrl";
    /** Of the embedded binaries, such as 17.11.0. */
    static final String VERSION_PROPERTY = "usagearchiver.test.postgres";

    private static final Path MEMORY = Path.of("/dev/shm");
    private static final long ENOUGH = 4L << 30;

    private static final String URL = start();

    private TestServer() {}

    /** A superuser's connection to a database of a server, or to the one of its URL if {@code database} is null. */
    static Connection superuser(String server, String database) throws SQLException {
        return DriverManager.getConnection(database == null ? server : withDatabase(server, database));
    }

    static String superuserUrl() {
        return URL;
    }

    /** The JDBC URL of a database of a server, without user and password. */
    static String url(String server, String database) {
        return withDatabase(server, database).replaceFirst("\\?.*", "");
    }

    private static String withDatabase(String server, String database) {
        return server.replaceFirst("^(jdbc:postgresql://[^/]+/)[^?]*", "$1" + database);
    }

    static String major(String version) {
        return version.replaceFirst("\\D.*", "");
    }

    private static String start() {
        String given = System.getProperty(URL_PROPERTY);
        if (given != null) {
            return given;
        }
        if (System.getenv("DOCKER_HOST") != null || Files.exists(Path.of("/var/run/docker.sock"))) {
            return container();
        }
        try {
            // Closed with the JVM: it registers a hook.
            EmbeddedPostgres postgres = EmbeddedPostgres.builder()
                    .setDataDirectory(dataDirectory())
                    .setServerConfig("max_connections", "200")
                    .setServerConfig("autovacuum", "off")
                    .setServerConfig("max_wal_size", "256MB")
                    .setServerConfig("listen_addresses", "127.0.0.1")
                    .start();
            return postgres.getJdbcUrl("postgres", "postgres");
        } catch (IOException | RuntimeException e) {
            throw new IllegalStateException(
                    "The embedded PostgreSQL did not start. Where it says \"cannot be run as root\", user namespaces are"
                            + " forbidden: run as another user, or give a superuser's JDBC URL with -D"
                            + URL_PROPERTY + "=jdbc:postgresql://HOST/DATABASE?user=USER&password=PASSWORD",
                    e);
        }
    }

    /** In memory, where there is plenty of it: nearly every test has a database made, of 300 files, and dropped. */
    private static Path dataDirectory() throws IOException {
        boolean inMemory =
                Files.isWritable(MEMORY) && Files.getFileStore(MEMORY).getUsableSpace() > ENOUGH;
        Path parent = inMemory ? MEMORY : Path.of(System.getProperty("java.io.tmpdir"));
        return Files.createTempDirectory(parent, "usage-archiver-postgres");
    }

    @SuppressWarnings("resource") // Testcontainers ends it with the JVM
    private static String container() {
        PostgreSQLContainer container =
                new PostgreSQLContainer("postgres:" + major(System.getProperty(VERSION_PROPERTY)));
        container.setCommand("postgres", "-c", "fsync=off", "-c", "autovacuum=off", "-c", "max_connections=200");
        container.start();
        return container.getJdbcUrl() + (container.getJdbcUrl().contains("?") ? "&" : "?") + "user="
                + container.getUsername() + "&password=" + container.getPassword();
    }
}
