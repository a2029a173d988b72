package io.usagearchiver.demo;

import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * Shows the archiver at work: an embedded PostgreSQL with two years of usage rows, and a cluster of two nodes, each a JVM
 * of its own, from the repository's {@code quartz.properties}. Exits with 0 only if the archiver moved what it should
 * and no row was lost, doubled or changed.
 */
public final class Demo {
    private static final int ROWS = 200_000;
    private static final String ROLE = "usage_archiver";
    private static final Path DIRECTORY = Path.of("target", "demo");
    private static final long PATIENCE_NANOS = TimeUnit.MINUTES.toNanos(3);

    private final List<Process> processes = new ArrayList<>();
    private final String url;
    private final Path config;

    private Demo(String url) throws IOException {
        this.url = url;
        this.config = writeConfig();
    }

    /** Runs the demo. */
    public static void main(String[] args) throws Exception {
        Files.createDirectories(DIRECTORY);
        boolean right;
        say("Starting an embedded PostgreSQL ...");
        try (EmbeddedPostgres postgres = startPostgres()) {
            Demo demo = new Demo("jdbc:postgresql://localhost:" + postgres.getPort() + "/postgres");
            Runtime.getRuntime().addShutdownHook(new Thread(demo::killNodes));
            try {
                right = demo.run();
            } finally {
                demo.killNodes();
            }
        }
        System.exit(right ? 0 : 1);
    }

    private boolean run() throws Exception {
        try (Connection owner = DriverManager.getConnection(url, "postgres", "postgres")) {
            execute(owner, "CREATE ROLE " + ROLE + " LOGIN PASSWORD '" + ROLE + "'");
            say("Creating the tables: usage-archiver init ...");
            Process init = start(
                    "init.log",
                    "init",
                    "--data-source=owner",
                    "--role=" + ROLE,
                    "--with-usage-tables",
                    "--with-quartz-tables");
            if (init.waitFor() != 0) {
                throw new IllegalStateException("init failed:\n" + Files.readString(DIRECTORY.resolve("init.log")));
            }
            say("Loading %,d usage rows of the last 24 months, 5 %% of them never completed ...", ROWS);
            load(owner);
            say("Starting two nodes of a Quartz cluster; the startup sweep runs on one of them ...");
            Process one = start("node-1.log", "node");
            Process two = start("node-2.log", "node");
            boolean swept = watch(owner, one, two);
            boolean stopped = stop(one) & stop(two);
            return report(owner) && swept && stopped;
        }
    }

    private static EmbeddedPostgres startPostgres() throws IOException {
        try {
            return EmbeddedPostgres.builder()
                    .setServerConfig("listen_addresses", "localhost")
                    .start();
        } catch (IllegalStateException e) {
            throw new IllegalStateException(
                    "The embedded PostgreSQL did not start. If its log says \"cannot be run as root\", user namespaces"
                            + " are forbidden here: run the demo as another user.",
                    e);
        }
    }

    /** The repository's sample with this database, and a data source for the owner of the tables. */
    private Path writeConfig() throws IOException {
        Properties properties = new Properties();
        try (InputStream in = Files.newInputStream(Path.of("quartz.properties"))) {
            properties.load(in);
        }
        for (String name : List.of("quartz", "archive", "owner")) {
            String prefix = "org.quartz.dataSource." + name + ".";
            properties.setProperty(prefix + "driver", "org.postgresql.Driver");
            properties.setProperty(prefix + "URL", url);
        }
        properties.setProperty("org.quartz.dataSource.owner.user", "postgres");
        Path file = DIRECTORY.resolve("quartz.properties");
        try (OutputStream out = Files.newOutputStream(file)) {
            properties.store(out, "The repository's quartz.properties with the demo's database");
        }
        return file;
    }

    private static void load(Connection owner) throws SQLException {
        execute(owner, """
                INSERT INTO model_usage_details (user_id, user_name, model_id, model_name, provider_id, provider_name,
                  api_key_id, api_key_name, date, prompt_token_count, completion_token_count, completed, operation,
                  started_at, completed_at, created_at, updated_at)
                SELECT i % 50, 'user ' || i % 50, i % 7, 'model ' || i % 7, 1, 'provider', i % 90, 'key ' || i % 90,
                  arrived, 10 + i % 3000, i % 900, done IS NOT NULL, 'chat_completions',
                  arrived, done, arrived, coalesce(done, arrived)
                FROM (SELECT i, arrived, CASE WHEN i % 20 <> 0 THEN arrived + i % 30 * interval '1.07 s' END AS done
                  FROM (SELECT i, timezone('UTC', now()) - interval '24 months' * (1 - i / $rows$.0) AS arrived
                    FROM generate_series(1, $rows$) AS i) AS times) AS requests""".replace("$rows$", String.valueOf(ROWS)));
        execute(owner, "CREATE TABLE before_the_sweep AS TABLE model_usage_details");
    }

    /** Shows the ledger's counts until both nodes are up, their startup sweep has run and none is running. */
    private static boolean watch(Connection owner, Process one, Process two) throws SQLException, InterruptedException {
        long start = System.nanoTime();
        long shown = -1;
        while (System.nanoTime() - start < PATIENCE_NANOS) {
            if (!one.isAlive() || !two.isAlive()) {
                say("A node has ended; see target/demo/node-1.log and node-2.log");
                return false;
            }
            long moved = number(owner, "SELECT coalesce(sum(rows_moved), 0) FROM usage_archive_sweep");
            if (moved != shown) {
                shown = moved;
                say("  %5.1f s  %,7d rows moved", (System.nanoTime() - start) / 1e9, moved);
            }
            if (number(owner, """
                            SELECT count(*) FROM usage_archive_sweep WHERE finished_at IS NOT NULL
                              AND (SELECT count(*) FROM qrtz_scheduler_state) = 2
                              AND NOT EXISTS (SELECT FROM qrtz_triggers WHERE trigger_name LIKE '%.startup')
                              AND NOT EXISTS (SELECT FROM qrtz_fired_triggers WHERE state = 'EXECUTING')""") > 0) {
                return true;
            }
            TimeUnit.MILLISECONDS.sleep(500);
        }
        say("The sweep is not done after %d minutes; see target/demo", TimeUnit.NANOSECONDS.toMinutes(PATIENCE_NANOS));
        return false;
    }

    private static boolean report(Connection owner) throws SQLException {
        say("");
        say("The ledger:");
        say("  %5s  %-9s  %10s  %8s  %8s  %s", "sweep", "state", "rows moved", "batches", "seconds", "cutoff (UTC)");
        try (Statement statement = owner.createStatement();
                ResultSet row = statement.executeQuery("""
                        SELECT sweep_id, state, rows_moved, batches, extract(epoch FROM finished_at - started_at),
                          cutoff::text FROM usage_archive_sweep ORDER BY sweep_id""")) {
            while (row.next()) {
                say(
                        "  %5d  %-9s  %,10d  %,8d  %8.1f  %s",
                        row.getLong(1),
                        row.getString(2),
                        row.getLong(3),
                        row.getLong(4),
                        row.getDouble(5),
                        row.getString(6));
            }
        }
        say("The tables:");
        say("  model_usage_details          %,7d rows", number(owner, "SELECT count(*) FROM model_usage_details"));
        say(
                "  model_usage_details_archive  %,7d rows",
                number(owner, "SELECT count(*) FROM model_usage_details_archive"));
        say("");
        boolean right = check(owner, "Every row is there once, with the content it had", """
                SELECT count(*) FROM (
                  SELECT * FROM before_the_sweep EXCEPT ALL
                  (SELECT * FROM model_usage_details UNION ALL SELECT * FROM model_usage_details_archive)) AS lost""");
        right &= check(owner, "No row is there that was not before, or twice", """
                SELECT count(*) FROM (
                  (SELECT * FROM model_usage_details UNION ALL SELECT * FROM model_usage_details_archive)
                  EXCEPT ALL SELECT * FROM before_the_sweep) AS doubled""");
        right &= check(owner, "What was expired is archived, and nothing else", """
                SELECT count(*) FROM before_the_sweep AS b
                WHERE (coalesce(completed_at, created_at) < (SELECT max(cutoff) FROM usage_archive_sweep))
                  <> EXISTS (SELECT FROM model_usage_details_archive AS a WHERE a.id = b.id)""");
        right &= check(owner, "The ledger counts what the archive holds", """
                SELECT abs((SELECT count(*) FROM model_usage_details_archive)
                  - (SELECT sum(rows_moved) FROM usage_archive_sweep))""");
        right &= check(owner, "Something was moved", """
                SELECT CASE WHEN EXISTS (SELECT FROM model_usage_details_archive) THEN 0 ELSE 1 END""");
        return right;
    }

    /** Prints a check; its query counts what contradicts it. */
    private static boolean check(Connection owner, String what, String faults) throws SQLException {
        long count = number(owner, faults);
        say("  %-6s %s", count == 0 ? "ok" : "WRONG:", count == 0 ? what : what + " (" + count + " exceptions)");
        return count == 0;
    }

    private Process start(String log, String command, String... more) throws IOException {
        List<String> line = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                "-Dlogback.configurationFile=src/cli/resources/logback.xml",
                "-Dorg.jooq.no-logo=true",
                "-Dorg.jooq.no-tips=true",
                "io.usagearchiver.cli.Main",
                command,
                "--config=" + config));
        Stream.of(more).forEach(line::add);
        Process process = new ProcessBuilder(line)
                .redirectErrorStream(true)
                .redirectOutput(DIRECTORY.resolve(log).toFile())
                .start();
        processes.add(process);
        return process;
    }

    /** Ends a node as an operator would, by SIGTERM. */
    private static boolean stop(Process node) throws InterruptedException {
        node.destroy();
        boolean ended = node.waitFor(10, TimeUnit.SECONDS) && node.exitValue() == 0;
        if (!ended) {
            say("A node did not stop in order");
        }
        return ended;
    }

    private void killNodes() {
        processes.forEach(Process::destroyForcibly);
    }

    private static void execute(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    private static long number(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery(sql)) {
            row.next();
            return row.getLong(1);
        }
    }

    private static void say(String format, Object... values) {
        System.out.println(String.format(format, values));
    }
}
