package io.usagearchiver.testing;

import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;

/**
 * A PostgreSQL of its own that keeps what it has acknowledged ({@code fsync} and {@code synchronous_commit} are on), with
 * one database made from {@code sql/}. It can be crashed and started again on the same data.
 */
public final class FaultServer implements AutoCloseable {
    private static final String DATABASE = "usage";
    private static final List<String> SETTINGS = List.of(
            "fsync=on",
            "synchronous_commit=on",
            "full_page_writes=on",
            "autovacuum=on",
            "max_connections=200",
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=");

    private final List<String> settings = new ArrayList<>(SETTINGS);
    private final Path data;
    private final EmbeddedPostgres postgres;
    private final int port;

    /** Starts it, with further settings, each as {@code name=value}. */
    public FaultServer(String... further) {
        settings.addAll(List.of(further));
        try {
            data = Files.createTempDirectory("usage-archiver-postgres");
            EmbeddedPostgres.Builder builder = EmbeddedPostgres.builder().setDataDirectory(data);
            for (String setting : settings) {
                String[] parts = setting.split("=", -1);
                builder.setServerConfig(parts[0], parts[1]);
            }
            postgres = builder.start();
            port = postgres.getPort();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        try (Connection server = connect("postgres")) {
            for (String role : List.of(TestDatabase.ARCHIVER, TestDatabase.RESTORER)) {
                TestDatabase.execute(server, "CREATE ROLE " + role + " LOGIN PASSWORD '" + role + "'");
            }
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
        recreateDatabase();
    }

    /** Makes the database anew: the tables of {@code sql/}, empty. Ends the sessions that use the old one. */
    public void recreateDatabase() {
        try (Connection server = connect("postgres")) {
            TestDatabase.execute(server, "DROP DATABASE IF EXISTS " + DATABASE + " WITH (FORCE)");
            TestDatabase.execute(server, "CREATE DATABASE " + DATABASE);
            try (Connection database = connect()) {
                for (String sql : TestDatabase.scripts()) {
                    TestDatabase.execute(database, sql);
                }
            }
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    /** The JDBC URL of the database, without user and password. */
    public String url() {
        return url(DATABASE);
    }

    private String url(String database) {
        return "jdbc:postgresql://127.0.0.1:" + port + "/" + database;
    }

    /** A new connection of the superuser that owns the tables. */
    public Connection connect() throws SQLException {
        return connect(DATABASE);
    }

    /** The port that it listens on. */
    public int port() {
        return port;
    }

    private Connection connect(String database) throws SQLException {
        return DriverManager.getConnection(url(database), "postgres", "");
    }

    /** Executes statements as the superuser. */
    public void execute(String sql) {
        try (Connection connection = connect()) {
            TestDatabase.execute(connection, sql);
        } catch (SQLException e) {
            throw new IllegalStateException(sql, e);
        }
    }

    /** The first column of all rows of a query by the superuser, as PostgreSQL writes them. */
    public List<String> strings(String sql) {
        try (Connection connection = connect();
                Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery(sql)) {
            List<String> values = new ArrayList<>();
            while (rows.next()) {
                values.add(rows.getString(1));
            }
            return values;
        } catch (SQLException e) {
            throw new IllegalStateException(sql, e);
        }
    }

    /** The number that a query by the superuser gives. */
    public long number(String sql) {
        return Long.parseLong(strings(sql).get(0));
    }

    /** Crashes it: no checkpoint, no answer to anybody. Returns when it is gone. */
    public void stopImmediately() {
        PgCtl.ofServerOn(data).stop(data, "immediate");
    }

    /** Starts it again on the same data and port. Returns when it takes connections. */
    public void startAgain() {
        PgCtl.ofServerOn(data).start(data, port, settings);
    }

    /** Stops it and deletes its data. */
    @Override
    public void close() throws IOException {
        postgres.close();
    }
}
