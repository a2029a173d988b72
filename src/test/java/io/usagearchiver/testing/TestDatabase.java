package io.usagearchiver.testing;

import io.usagearchiver.ConnectionSource;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A database of its own for a test, made from the files of {@code sql/}, with a role that has nothing but their grants.
 * Sessions of that role are in the time zone Asia/Kolkata.
 */
public final class TestDatabase implements AutoCloseable {
    /** The role that has nothing but the grants of {@code sql/}, and its password. */
    public static final String ARCHIVER = "usage_archiver";

    /** The role that takes rows back and sets holds, with nothing but the grants of {@code sql/} for it, and its password. */
    public static final String RESTORER = "usage_restorer";

    private static final String TEMPLATE =
            "usage_template_" + ProcessHandle.current().pid();
    private static final AtomicInteger COUNT = new AtomicInteger();

    /** Makes the next database while a test uses its own, and drops the last one: either takes a tenth of a second. */
    private static final ExecutorService BESIDE_THE_TEST = Executors.newFixedThreadPool(2, task -> {
        Thread thread = new Thread(task, "databases");
        thread.setDaemon(true);
        return thread;
    });

    private static @Nullable CompletableFuture<String> spare;
    private static CompletableFuture<?> lastDrop = CompletableFuture.completedFuture(null);
    private static boolean templateMade;

    private final String server;
    private final String name;
    private final boolean onOtherServer;
    private final Connection owner;

    private TestDatabase(String server, String name, boolean onOtherServer) throws SQLException {
        this.server = server;
        this.name = name;
        this.onOtherServer = onOtherServer;
        this.owner = TestServer.superuser(server, name);
    }

    /** A database with the usage tables, the ledger, Quartz's tables and the grants. */
    public static TestDatabase create() {
        try {
            return new TestDatabase(superuserUrl(), takeSpare(), false);
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    private static synchronized String takeSpare() throws SQLException {
        makeTemplate();
        String name = spare != null ? spare.join() : copyOf(TEMPLATE);
        spare = CompletableFuture.supplyAsync(() -> copyOf(TEMPLATE), BESIDE_THE_TEST);
        return name;
    }

    /** Waits until no database is made or dropped, which makes other sessions look again at what they know of the catalog. */
    public static synchronized void awaitQuiet() {
        lastDrop.join();
        if (spare != null) {
            spare.join();
        }
    }

    /** A database without any table. */
    public static TestDatabase empty() {
        try {
            makeTemplate();
            return new TestDatabase(superuserUrl(), copyOf("template1"), false);
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    private static String copyOf(String template) {
        String name = "usage_test_" + ProcessHandle.current().pid() + "_" + COUNT.incrementAndGet();
        executeOn(superuserUrl(), "CREATE DATABASE " + name + " TEMPLATE " + template);
        return name;
    }

    /** What {@link #create} gives, on another server. */
    public static TestDatabase createOn(String superuserUrl) {
        String name = "usage_test_" + COUNT.incrementAndGet();
        try {
            make(superuserUrl, name);
            return new TestDatabase(superuserUrl, name, true);
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    private static synchronized void makeTemplate() throws SQLException {
        if (!templateMade) {
            make(superuserUrl(), TEMPLATE);
            templateMade = true;
        }
    }

    private static void make(String superuserUrl, String name) throws SQLException {
        try (Connection server = TestServer.superuser(superuserUrl, null)) {
            for (String role : List.of(ARCHIVER, RESTORER)) {
                execute(
                        server,
                        "DO $$ BEGIN CREATE ROLE " + role + " LOGIN PASSWORD '" + role
                                + "'; EXCEPTION WHEN duplicate_object THEN END $$");
            }
            execute(server, "DROP DATABASE IF EXISTS " + name);
            execute(server, "CREATE DATABASE " + name);
        }
        try (Connection database = TestServer.superuser(superuserUrl, name)) {
            for (String sql : scripts()) {
                execute(database, sql);
            }
        }
    }

    /** The numbered files of {@code sql/} in the order in which they are applied, psql's variables replaced. */
    public static List<String> scripts() {
        try (Stream<Path> files = Files.list(Path.of("sql"))) {
            List<String> scripts = new ArrayList<>();
            for (Path file : files.filter(f -> f.getFileName().toString().matches("\\d.*"))
                    .sorted()
                    .toList()) {
                scripts.add(Files.readString(file)
                        .replace(":\"role\"", file.endsWith("06-restore-grants.sql") ? RESTORER : ARCHIVER)
                        .replace(":'scheduler'", "'" + SCHEDULER + "'"));
            }
            return scripts;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Makes the tables of {@code sql/examples} as well, with their grants. */
    public void addExamples() {
        executeExamples("metered-usage", "resource-events");
        grantExamples();
    }

    /** The grants of {@code sql/examples} alone, on tables that somebody else has made. */
    public void grantExamples() {
        executeExamples("grants", "restore-grants");
    }

    private void executeExamples(String... files) {
        try {
            for (String file : files) {
                execute(Files.readString(Path.of("sql", "examples", file + ".sql"))
                        .replace(":\"role\"", file.startsWith("restore") ? RESTORER : ARCHIVER));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The scheduler's name for which the lock rows are there. */
    public static final String SCHEDULER = "UsageArchiver";

    /** A superuser's JDBC URL of the server of all tests. */
    public static String superuserUrl() {
        return TestServer.superuserUrl();
    }

    /** The JDBC URL, without user and password. */
    public String url() {
        return TestServer.url(server, name);
    }

    /** The name of the database. */
    public String name() {
        return name;
    }

    /** A new connection of the superuser that owns the tables. */
    public Connection connectAsOwner() throws SQLException {
        return TestServer.superuser(server, name);
    }

    /** A new connection of the least-privileged role, in the time zone Asia/Kolkata. */
    public Connection connectAsArchiver() throws SQLException {
        Connection connection = DriverManager.getConnection(url(), ARCHIVER, ARCHIVER);
        execute(connection, "SET TIME ZONE 'Asia/Kolkata'");
        return connection;
    }

    /** Connections of the role that takes rows back, in the time zone Asia/Kolkata. */
    public ConnectionSource restorer() {
        return () -> {
            Connection connection = DriverManager.getConnection(url(), RESTORER, RESTORER);
            execute(connection, "SET TIME ZONE 'Asia/Kolkata'");
            return connection;
        };
    }

    /** {@link #connectAsArchiver} as a source. */
    public ConnectionSource archiver() {
        return this::connectAsArchiver;
    }

    /** Has each batch take as long at least, so that a sweep is not over before what a test does to it. */
    public void slowBatches(Duration least) {
        execute("CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep("
                + least.toMillis() / 1000.0 + "); RETURN NULL; END $$;"
                + " CREATE TRIGGER slow BEFORE INSERT ON model_usage_details_archive"
                + " FOR EACH STATEMENT EXECUTE FUNCTION slow()");
    }

    /** Executes statements as the owner. */
    public void execute(String sql) {
        try {
            execute(owner, sql);
        } catch (SQLException e) {
            throw new IllegalStateException(sql, e);
        }
    }

    /** The first column of all rows of a query by the owner, as PostgreSQL writes them. */
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

    /** The number that a query by the owner gives. */
    public long number(String sql) {
        return Long.parseLong(strings(sql).get(0));
    }

    /** Executes statements on a connection. */
    public static void execute(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    /**
     * Inserts usage rows with the given ids and ages, all other columns filled from the id; every tenth column value is
     * null where a column allows it.
     *
     * @param rows a query that gives id, completed_at and created_at
     */
    public void insertUsage(String rows) {
        execute("""
                INSERT INTO model_usage_details (id, user_id, user_name, model_id, model_name, model_route_id,
                  model_route_name, owner_principal_id, consumer_principal_id, provider_id, provider_name, provider_type,
                  cluster_id, cluster_name, api_key_id, api_key_name, access_key, api_key_is_custom, date,
                  prompt_token_count, completion_token_count, prompt_cached_token_count, completed, operation, started_at,
                  completed_at, created_at, updated_at, deleted_at)
                SELECT id, nullif(id % 10, 0), 'user ' || id % 10, id % 7, 'model ' || id % 7, id % 5, 'route ' || id % 5,
                  id % 3, nullif(id % 11, 1), id % 2, 'provider', 'type', 1, 'cluster', nullif(id % 13, 2), 'key', 'access',
                  id % 2 = 0, date '2020-01-01' + id % 1000, id * 3::bigint, id * 2::bigint, id % 100, id % 4 <> 0, 'chat',
                  c - interval '1 second', c, d, coalesce(c, d), CASE WHEN id % 17 = 0 THEN d END
                FROM (:rows) AS source (id, c, d)""".replace(":rows", rows));
    }

    /** Has it dropped; on the server of all tests soon, and what prevents that fails the next one's end. */
    @Override
    public void close() {
        try {
            owner.close();
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
        String drop = "DROP DATABASE IF EXISTS " + name + " WITH (FORCE)";
        if (onOtherServer) {
            executeOn(server, drop);
            return;
        }
        synchronized (TestDatabase.class) {
            CompletableFuture<?> before = lastDrop;
            lastDrop = CompletableFuture.runAsync(() -> executeOn(server, drop), BESIDE_THE_TEST);
            before.join();
        }
    }

    private static void executeOn(String server, String sql) {
        try (Connection superuser = TestServer.superuser(server, null)) {
            execute(superuser, sql);
        } catch (SQLException e) {
            throw new IllegalStateException(sql, e);
        }
    }
}
