package consumer;

import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;

/**
 * A database of its own for a consumer: on the server of the system property {@value #URL_PROPERTY} (a superuser's JDBC
 * URL), else on an embedded one, which lives as long as it.
 */
public final class Database implements AutoCloseable {
    /** The system property that names a server. */
    public static final String URL_PROPERTY = "usagearchiver.test.jdbcUrl";

    /** The role that has nothing but the grants of {@code sql/}, and its password. */
    public static final String ROLE = "usage_archiver";

    private final EmbeddedPostgres embedded;
    private final String server;
    private final String name = "consumer_" + ProcessHandle.current().pid();
    private final Connection owner;

    private Database(EmbeddedPostgres embedded, String server) throws SQLException {
        this.embedded = embedded;
        this.server = server;
        try (Connection connection = DriverManager.getConnection(server)) {
            execute(connection, "CREATE DATABASE " + name);
            execute(
                    connection,
                    "DO $$ BEGIN CREATE ROLE " + ROLE + " LOGIN PASSWORD '" + ROLE
                            + "'; EXCEPTION WHEN duplicate_object OR unique_violation THEN END $$");
        }
        owner = DriverManager.getConnection(ownersUrl());
    }

    /** A database without any table. */
    public static Database empty() throws IOException, SQLException {
        String given = System.getProperty(URL_PROPERTY, "");
        if (!given.isEmpty()) {
            return new Database(null, given);
        }
        EmbeddedPostgres embedded = EmbeddedPostgres.builder()
                .setServerConfig("listen_addresses", "127.0.0.1")
                .start();
        return new Database(embedded, embedded.getJdbcUrl("postgres", "postgres"));
    }

    /** A database with all that the files of the library's jar make, for a scheduler of this name. */
    public static Database withSql(String scheduler) throws IOException, SQLException {
        Database database = empty();
        database.executeSql(
                scheduler,
                "01-usage-tables.sql",
                "02-ledger.sql",
                "03-quartz-tables.sql",
                "04-grants.sql",
                "05-quartz-grants.sql");
        return database;
    }

    /** Executes files of the library's jar as the owner, for a scheduler of this name. */
    public void executeSql(String scheduler, String... files) {
        for (String file : files) {
            execute(resource("/sql/" + file).replace(":\"role\"", ROLE).replace(":'scheduler'", "'" + scheduler + "'"));
        }
    }

    private static String resource(String path) {
        try (InputStream in = Database.class.getResourceAsStream(path)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The JDBC URL, without user and password. */
    public String url() {
        return ownersUrl().replaceFirst("\\?.*", "");
    }

    /** The JDBC URL with the user and password of the owner of the tables. */
    public String ownersUrl() {
        return server.replaceFirst("^(jdbc:postgresql://[^/]+/)[^?]*", "$1" + name);
    }

    /** A new connection of the owner of the tables. */
    public Connection connectAsOwner() throws SQLException {
        return DriverManager.getConnection(ownersUrl());
    }

    /** A new connection of the least-privileged role. */
    public Connection connectAsArchiver() throws SQLException {
        return DriverManager.getConnection(url(), ROLE, ROLE);
    }

    /** Executes statements as the owner. */
    public void execute(String sql) {
        try {
            execute(owner, sql);
        } catch (SQLException e) {
            throw new IllegalStateException(sql, e);
        }
    }

    static void execute(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    /** The first column of all rows of a query, as PostgreSQL writes them. */
    public List<String> strings(String sql) {
        try (Statement statement = owner.createStatement();
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

    /** The number that a query gives. */
    public long number(String sql) {
        return Long.parseLong(strings(sql).get(0));
    }

    /** Inserts usage rows: {@code count} with ids from {@code first} on, that were completed so long ago. */
    public void insertUsage(int first, int count, String interval) {
        execute("""
                INSERT INTO model_usage_details (id, model_name, date, prompt_token_count, completion_token_count,
                  completed, completed_at, created_at, updated_at)
                SELECT i, 'model', now(), i, i, true, t, t, t
                FROM generate_series(%d, %d) i, (SELECT timezone('UTC', now()) - interval '%s') AS ages (t)""".formatted(first, first + count - 1, interval));
    }

    @Override
    public void close() throws IOException, SQLException {
        owner.close();
        if (embedded != null) {
            embedded.close();
            return;
        }
        try (Connection connection = DriverManager.getConnection(server)) {
            execute(connection, "DROP DATABASE " + name + " WITH (FORCE)");
        }
    }
}
