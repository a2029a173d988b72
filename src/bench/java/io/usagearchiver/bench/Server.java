package io.usagearchiver.bench;

import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;

/**
 * The PostgreSQL that is measured: embedded, or a server that was given. Databases are copies of templates, so that each
 * run begins with the same files. All that it makes is dropped when it closes.
 */
final class Server implements AutoCloseable {
    private static final Map<String, String> SETTINGS = Map.of(
            "shared_preload_libraries", "pg_stat_statements",
            "fsync", "on",
            "synchronous_commit", "on",
            "full_page_writes", "on",
            "autovacuum", "on",
            "shared_buffers", "1GB",
            "max_wal_size", "8GB",
            "maintenance_work_mem", "256MB",
            "max_connections", "50",
            "listen_addresses", "127.0.0.1");

    private final String url;
    private final AutoCloseable process;
    private final String prefix = "usage_bench_" + ProcessHandle.current().pid();
    private final String password = UUID.randomUUID().toString();
    private final Map<String, Database> templates = new TreeMap<>();
    private int count;

    private Server(String url, AutoCloseable process) throws SQLException {
        this.url = url;
        this.process = process;
        execute("CREATE ROLE " + role() + " LOGIN PASSWORD '" + password + "'");
    }

    /** An embedded server with its data in a directory, and with the settings of a production server. */
    static Server embedded(Path directory) throws IOException, SQLException {
        Files.createDirectories(directory);
        EmbeddedPostgres.Builder builder = EmbeddedPostgres.builder().setDataDirectory(directory);
        SETTINGS.forEach(builder::setServerConfig);
        try {
            EmbeddedPostgres postgres = builder.start();
            return new Server(postgres.getJdbcUrl("postgres", "postgres"), postgres);
        } catch (IllegalStateException e) {
            throw new IllegalStateException(
                    "The embedded PostgreSQL did not start. If its log says \"cannot be run as root\", user namespaces are"
                            + " forbidden here: run the benchmark as another user, or give a server by -Dbench.url",
                    e);
        }
    }

    /** A server that runs already, by a superuser's JDBC URL. */
    static Server at(String url) throws SQLException {
        return new Server(url, () -> {});
    }

    /** The role that moves rows: it has nothing but the grants of {@code sql/}. */
    String role() {
        return prefix;
    }

    String password() {
        return password;
    }

    /** A new database without tables. */
    Database create() throws SQLException {
        String name = prefix + "_" + ++count;
        execute("CREATE DATABASE " + name);
        return new Database(this, name);
    }

    /** A copy of a database that holds these rows, which is made the first time. */
    Database copy(Usage usage) throws SQLException, IOException {
        Database template = templates.get(usage.databaseName());
        if (template == null) {
            template = create();
            template.load(usage);
            templates.put(usage.databaseName(), template);
        }
        String name = prefix + "_" + ++count;
        execute("CREATE DATABASE " + name + " TEMPLATE " + template.name() + " STRATEGY file_copy");
        return new Database(this, name);
    }

    /** Drops all templates, to make room. */
    void dropTemplates() throws SQLException {
        for (Database template : templates.values()) {
            template.close();
        }
        templates.clear();
    }

    void drop(String database) throws SQLException {
        execute("DROP DATABASE IF EXISTS " + database + " WITH (FORCE)");
    }

    Connection superuser(String database) throws SQLException {
        return DriverManager.getConnection(urlOf(database, true));
    }

    /** The JDBC URL of a database, with the superuser's parameters or without. */
    String urlOf(String database, boolean asSuperuser) {
        String other = url.replaceFirst("^(jdbc:postgresql://[^/]+/)[^?]*", "$1" + database);
        return asSuperuser ? other : other.replaceFirst("\\?.*", "");
    }

    /** The version and the settings that matter. */
    Map<String, String> describe() throws SQLException {
        Map<String, String> settings = new TreeMap<>();
        try (Connection connection = DriverManager.getConnection(url);
                Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery("""
                        SELECT name, current_setting(name) FROM pg_settings WHERE name IN ('server_version', 'fsync',
                          'synchronous_commit', 'full_page_writes', 'autovacuum', 'shared_buffers', 'max_wal_size',
                          'maintenance_work_mem', 'checkpoint_timeout', 'wal_level', 'shared_preload_libraries')""")) {
            while (row.next()) {
                settings.put(row.getString(1), row.getString(2));
            }
        }
        return settings;
    }

    private void execute(String sql) throws SQLException {
        try (Connection connection = DriverManager.getConnection(url);
                Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    @Override
    public void close() throws Exception {
        try (process) {
            dropTemplates();
            execute("DROP ROLE " + role());
        }
    }
}
