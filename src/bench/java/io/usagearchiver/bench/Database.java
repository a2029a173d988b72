package io.usagearchiver.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;

/** A database of the benchmark; dropped when it closes. */
final class Database implements AutoCloseable {
    private final Server server;
    private final String name;

    Database(Server server, String name) {
        this.server = server;
        this.name = name;
    }

    String name() {
        return name;
    }

    /** The JDBC URL, without user and password. */
    String url() {
        return server.urlOf(name, false);
    }

    String role() {
        return server.role();
    }

    String password() {
        return server.password();
    }

    /** A connection of the role that moves rows. */
    Connection connect() throws SQLException {
        return DriverManager.getConnection(url(), role(), password());
    }

    /** A connection of the tables' owner, as an application has. */
    Connection connectAsOwner() throws SQLException {
        return server.superuser(name);
    }

    /** Executes statements as the owner. */
    void execute(String sql) throws SQLException {
        try (Connection connection = connectAsOwner();
                Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    /** The first column of all rows that a query by the owner gives, a line each. */
    String column(String sql) throws SQLException {
        try (Connection connection = connectAsOwner();
                Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery(sql)) {
            List<String> values = new ArrayList<>();
            while (rows.next()) {
                values.add(rows.getString(1));
            }
            return String.join("\n", values);
        }
    }

    /** The columns of the one row that a query by the owner gives. */
    List<String> row(String sql) throws SQLException {
        try (Connection connection = connectAsOwner();
                Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery(sql)) {
            rows.next();
            List<String> values = new ArrayList<>();
            for (int column = 1; column <= rows.getMetaData().getColumnCount(); column++) {
                values.add(rows.getString(column));
            }
            return values;
        }
    }

    /** Makes the tables and fills them: indexes last, as is fastest. */
    void load(Usage usage) throws SQLException, IOException {
        String tables = script("01-usage-tables.sql");
        execute(tables);
        execute("""
                DO $$ DECLARE index regclass; BEGIN
                  FOR index IN SELECT indexrelid FROM pg_index JOIN pg_class c ON c.oid = indexrelid
                    WHERE c.relname LIKE 'ix_model_usage_details%' LOOP EXECUTE 'DROP INDEX ' || index; END LOOP; END $$""");
        execute(usage.load());
        execute(tables);
        execute(script("02-ledger.sql"));
        execute(script("04-grants.sql").replace(":\"role\"", role()));
        vacuum("model_usage_details");
        if (usage.archived() > 0) {
            vacuum("model_usage_details_archive");
        }
    }

    /** Does what autovacuum would have done some time later. */
    void vacuum(String table) throws SQLException {
        execute("VACUUM (ANALYZE) " + table);
    }

    static String script(String file) throws IOException {
        return Files.readString(Path.of("sql", file));
    }

    /** Waits for the sessions of the role to be gone: only then all that they did is in the statistics. */
    void awaitSessionsEnd() throws SQLException, InterruptedException {
        while (!row("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = '" + role()
                        + "'")
                .get(0)
                .equals("0")) {
            Thread.sleep(10);
        }
    }

    @Override
    public void close() throws SQLException {
        server.drop(name);
    }
}
