package io.usagearchiver.testing;

import static org.awaitility.Awaitility.await;

import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/**
 * A PostgreSQL of its own with a streaming replica, {@value #REPLICA}, whose replay can be paused, and with one database
 * made from {@code sql/}.
 */
public final class ReplicatedServer implements AutoCloseable {
    /** What the primary calls the replica. */
    public static final String REPLICA = "replica_one";

    private static final String DATABASE = "usage";
    /** No fewer connections than the embedded server had at first: a replica insists on that. */
    private static final List<String> SETTINGS = List.of(
            "fsync=off",
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "max_connections=300",
            "max_prepared_transactions=5");

    private final Path data;
    private final Path replicaData;
    private final EmbeddedPostgres postgres;
    private final int port;
    private final int replicaPort;

    /** Starts both. The replica is made by copying the data of the stopped primary: there is no pg_basebackup. */
    public ReplicatedServer() {
        try {
            data = Files.createTempDirectory("usage-archiver-primary");
            replicaData = Files.createTempDirectory("usage-archiver-replica");
            postgres = EmbeddedPostgres.builder().setDataDirectory(data).start();
            port = postgres.getPort();
            replicaPort = freePort();
            PgCtl pgCtl = PgCtl.ofServerOn(data);
            pgCtl.stop(data, "fast");
            copy(data, replicaData);
            Files.createFile(replicaData.resolve("standby.signal"));
            Files.writeString(
                    replicaData.resolve("postgresql.auto.conf"),
                    "primary_conninfo = 'host=127.0.0.1 port=" + port + " user=postgres application_name=" + REPLICA
                            + "'\n");
            pgCtl.start(data, port, SETTINGS);
            pgCtl.start(replicaData, replicaPort, SETTINGS);
            try (Connection server = connect(port, "postgres")) {
                for (String role : List.of(TestDatabase.ARCHIVER, TestDatabase.RESTORER)) {
                    TestDatabase.execute(server, "CREATE ROLE " + role + " LOGIN PASSWORD '" + role + "'");
                }
                TestDatabase.execute(server, "CREATE DATABASE " + DATABASE);
            }
            for (String sql : TestDatabase.scripts()) {
                execute(sql);
            }
            awaitReplay();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    /** The JDBC URL of the primary's database, without user and password. */
    public String url() {
        return url(port, DATABASE);
    }

    /** The same of the replica's. */
    public String replicaUrl() {
        return url(replicaPort, DATABASE);
    }

    /** A connection of the least-privileged role to the primary. */
    public Connection connectAsArchiver() throws SQLException {
        return DriverManager.getConnection(url(port, DATABASE), TestDatabase.ARCHIVER, TestDatabase.ARCHIVER);
    }

    /** A connection of the least-privileged role to the replica. */
    public Connection connectAsArchiverToReplica() throws SQLException {
        return DriverManager.getConnection(url(replicaPort, DATABASE), TestDatabase.ARCHIVER, TestDatabase.ARCHIVER);
    }

    /** Executes a statement as the owner on the replica, outside of its database. */
    public void executeOnReplica(String sql) {
        try (Connection connection = connect(replicaPort, "postgres")) {
            TestDatabase.execute(connection, sql);
        } catch (SQLException e) {
            throw new IllegalStateException(sql, e);
        }
    }

    /** Executes statements as the owner on the primary. */
    public void execute(String sql) {
        try (Connection connection = connect(port, DATABASE)) {
            TestDatabase.execute(connection, sql);
        } catch (SQLException e) {
            throw new IllegalStateException(sql, e);
        }
    }

    /** The first column of the first row of a query by the owner on the primary, as PostgreSQL writes it. */
    public String string(String sql) {
        return string(port, DATABASE, sql);
    }

    /** The same on the replica. */
    public String replicaString(String sql) {
        return string(replicaPort, DATABASE, sql);
    }

    /** Waits until the replica has replayed all that the primary has written by now. */
    public void awaitReplay() {
        String written = string("SELECT pg_current_wal_lsn()");
        await("the replica has replayed")
                .until(() -> "t"
                        .equals(string("SELECT bool_and(replay_lsn >= '" + written + "') FROM pg_stat_replication")));
    }

    /** Makes the replica receive without replaying. */
    public void pauseReplay() {
        string(replicaPort, "postgres", "SELECT pg_wal_replay_pause()");
    }

    /** Makes the replica replay what it has received, and go on. */
    public void resumeReplay() {
        string(replicaPort, "postgres", "SELECT pg_wal_replay_resume()");
    }

    private static String string(int port, String database, String sql) {
        try (Connection connection = connect(port, database);
                Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery(sql)) {
            row.next();
            return row.getString(1);
        } catch (SQLException e) {
            throw new IllegalStateException(sql, e);
        }
    }

    private static Connection connect(int port, String database) throws SQLException {
        return DriverManager.getConnection(url(port, database), "postgres", "");
    }

    private static String url(int port, String database) {
        return "jdbc:postgresql://127.0.0.1:" + port + "/" + database;
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0)) {
            return socket.getLocalPort();
        }
    }

    private static void copy(Path from, Path to) throws IOException {
        try (Stream<Path> files = Files.walk(from)) {
            for (Path file : files.toList()) {
                // Also the permissions: PostgreSQL refuses a directory that others may read.
                Files.copy(
                        file,
                        to.resolve(from.relativize(file)),
                        StandardCopyOption.COPY_ATTRIBUTES,
                        StandardCopyOption.REPLACE_EXISTING);
            }
        }
    }

    /** Stops both and deletes their data. */
    @Override
    public void close() throws IOException {
        PgCtl.ofServerOn(data).stop(replicaData, "immediate");
        postgres.close();
        try (Stream<Path> files = Files.walk(replicaData)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }
}
