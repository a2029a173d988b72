package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.usagearchiver.internal.jdbc.TransactionLimits;
import io.usagearchiver.testing.SlowPath;
import io.usagearchiver.testing.TappedConnections;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a sweep reads does not grow with the hot table, whatever the planner knows of it. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class PlanTest {
    private static final String HOT_KEY = "model_usage_details_pkey";
    private static final String ARCHIVE_KEY = "model_usage_details_archive_pkey";

    @AutoClose
    private final TestDatabase small = TestDatabase.create();

    @AutoClose
    private final TestDatabase large = TestDatabase.create();

    @BeforeAll
    void rows_over_24_months_of_which_a_twentieth_never_completed() {
        insert(small, 1_000);
        insert(large, 200_000);
    }

    @ParameterizedTest
    @CsvSource({"false, true", "true, true", "false, false", "true, false"})
    void each_statement_uses_its_index(boolean analyzed, boolean fast) throws SQLException {
        setAnalyzed(analyzed);
        Set<String> statements = statementsOfASweep(fast);
        // Pages, further pages, probes and locks of two branches; the copy, the proof, the deletion and the count. On
        // the fast
        // path, there is one page and one lock for the row that is there already.
        assertThat(statements.stream().filter(sql -> !isOfStretches(sql))).hasSize(fast ? 8 : 12);
        // Pages and further pages of two branches; a first stretch, one with two ends and the last one of each.
        assertThat(statements.stream().filter(PlanTest::isOfStretches)).hasSize(fast ? 10 : 0);
        assertIndexes(statements, large);
        // Few rows, and an index that the planner may like better: keys are to be looked up all the same.
        assertIndexes(statements, small);
    }

    /** The server prepares a statement at its fifth execution; ten sweeps on one connection are past that. */
    @ParameterizedTest
    @ValueSource(ints = {1, 10})
    void a_sweep_with_nothing_to_do_reads_as_few_blocks_of_many_rows_as_of_few(int sweeps) throws SQLException {
        setAnalyzed(false);
        long ofFew = blocksRead(small, sweeps);
        long ofMany = blocksRead(large, sweeps);
        assertThat(ofFew).isPositive().isLessThanOrEqualTo(60L * sweeps);
        // An index of 200,000 entries has one level more, and each branch goes down one.
        assertThat(ofMany - ofFew).isBetween(0L, 2L * sweeps);
    }

    private static void assertIndexes(Set<String> statements, TestDatabase db) throws SQLException {
        try (Connection connection = db.connectAsArchiver()) {
            TestDatabase.execute(
                    connection,
                    "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_index_scan_size = 0;"
                            + " SET min_parallel_table_scan_size = 0");
            connection.setAutoCommit(false);
            for (String sql : statements) {
                boolean page = byAge(sql);
                boolean stretch = sql.startsWith("with ");
                ArchiveSettings settings = ArchiveSettings.defaults();
                TestDatabase.execute(
                        connection,
                        (page ? TransactionLimits.page(settings) : TransactionLimits.batch(settings))
                                .sql(connection.getMetaData().getDatabaseMajorVersion()));
                String plan = plan(connection, sql);
                connection.rollback();

                assertThat(indexes(plan)).as(sql + "\n" + plan).isEqualTo(expectedIndexes(sql));
                assertThat(withoutPublications(plan))
                        .doesNotContain("Seq Scan", "Bitmap", "Gather")
                        .doesNotContainPattern("(?m)^[ >-]*Sort$");
                // Also of the catalog, which has as many rows as others have tables.
                assertThat(plan).doesNotContainPattern("Index (Only )?Scan [^\n]*\n(?! *Index Cond: )");
                if (indexes(plan).isEmpty()) {
                    assertThat(plan).contains("Tid Scan");
                }
                if (stretch) {
                    assertThat(plan).as(sql).containsPattern("Index Cond: .*_at < ");
                    assertThat(plan.contains("_at > ")).as(sql + plan).isEqualTo(sql.contains("_at\" > "));
                }
                if (page) {
                    assertThat(plan)
                            .as(sql)
                            .containsPattern(
                                    "Index Cond: .*_at < .*" + (sql.contains(") > (") ? " AND .*_at >= " : ""));
                }
            }
        }
    }

    private static void insert(TestDatabase db, int rows) {
        db.insertUsage("""
                SELECT i, CASE WHEN i %% 20 <> 0 THEN created + interval '1 second' END, created
                FROM (SELECT i, timestamp '2024-01-01' + i * interval '2 years' / %1$d FROM generate_series(1, %1$d) i)
                  AS usage (i, created)""".formatted(rows));
    }

    /** Lets the planner know the hot tables, or takes back all that it knows. It never knows the archive. */
    private void setAnalyzed(boolean analyzed) {
        for (TestDatabase db : List.of(small, large)) {
            setAnalyzed(db, analyzed);
        }
    }

    private static void setAnalyzed(TestDatabase db, boolean analyzed) {
        db.execute(
                analyzed
                        ? "ANALYZE model_usage_details"
                        : "DELETE FROM pg_statistic WHERE starelid = 'model_usage_details'::regclass;"
                                + " UPDATE pg_class SET reltuples = -1, relpages = 0, relallvisible = 0"
                                + " WHERE oid = 'model_usage_details'::regclass");
        assertThat(db.number("SELECT count(*) FROM pg_stats WHERE tablename = 'model_usage_details'"))
                .isEqualTo(analyzed ? 29 : 0);
    }

    /** The statements on the pair and the count of a real sweep that has further pages in both branches, and a proof. */
    private static Set<String> statementsOfASweep(boolean fast) {
        Set<String> statements = Collections.synchronizedSet(new LinkedHashSet<>());
        try (TestDatabase db = TestDatabase.create();
                SlowPath path = new SlowPath(!fast)) {
            String age = "timestamp '2020-01-01' + i * interval '1 s'";
            db.insertUsage(
                    "SELECT i, CASE WHEN i > 102 THEN " + age + " END, " + age + " FROM generate_series(1, 204) i");
            db.execute("INSERT INTO model_usage_details_archive SELECT * FROM model_usage_details WHERE id = 1");
            ConnectionSource recorded = new TappedConnections(db.archiver(), (sql, connection) -> {
                if (sql.contains("\"model_usage_details") || sql.contains("\"rows_moved\" + ")) {
                    statements.add(TappedConnections.withoutLimits(sql));
                }
            });
            Archiver.builder(TestedPair.USAGE, recorded)
                    .settings(ArchiveSettings.defaults().withBatchSize(2)) // so a page is 100 rows
                    .build()
                    .sweep();
        }
        return statements;
    }

    /** Whether it looks for stretches of time, or moves one. */
    private static boolean isOfStretches(String sql) {
        return sql.startsWith("with ") || sql.contains("\"numbered\"");
    }

    /** Whether it is a page of candidates, or the probe whether any is left. */
    private static boolean byAge(String sql) {
        return sql.startsWith("select") && sql.contains(" order by ");
    }

    private static Set<String> expectedIndexes(String sql) {
        if (sql.contains(" for share ") || sql.contains(" for update ")) {
            return Set.of(ARCHIVE_KEY, HOT_KEY);
        }
        if (sql.startsWith("update \"public\".\"usage_archive_sweep\"")) {
            return Set.of("usage_archive_sweep_pkey");
        }
        String byAge = "ix_model_usage_details_" + (sql.contains("num_nonnulls") ? "created_at" : "completed_at");
        if (sql.startsWith("with ")) {
            return Set.of(byAge, "usage_archive_sweep_pkey");
        }
        if (byAge(sql)) {
            return Set.of(byAge);
        }
        // The copy and the deletion find their rows where they were locked.
        return Set.of();
    }

    /** The generic plan of a statement, which its binds have no part in. */
    static String plan(Connection connection, String sql) throws SQLException {
        AtomicInteger binds = new AtomicInteger();
        String numbered = Pattern.compile("\\?").matcher(sql).replaceAll(bind -> "\\$" + binds.incrementAndGet());
        try (Statement statement = connection.createStatement()) {
            statement.execute("PREPARE explained AS " + numbered);
            String nulls = String.join(", ", Collections.nCopies(binds.get(), "NULL"));
            StringBuilder plan = new StringBuilder();
            try (ResultSet lines = statement.executeQuery("EXPLAIN (COSTS OFF) EXECUTE explained (" + nulls + ")")) {
                while (lines.next()) {
                    plan.append(lines.getString(1)).append('\n');
                }
            }
            statement.execute("DEALLOCATE explained");
            return plan.toString();
        }
    }

    /** The catalog's list of publications is short, and no index serves a look at all of it. */
    static String withoutPublications(String plan) {
        return plan.replace("Seq Scan on pg_publication p", "");
    }

    /** The indexes of a plan but those of the catalog. */
    static Set<String> indexes(String plan) {
        Set<String> indexes = new TreeSet<>();
        Matcher using = Pattern.compile(" using (?!pg_)(\\S+)").matcher(plan);
        while (using.find()) {
            indexes.add(using.group(1));
        }
        return indexes;
    }

    /** Blocks of the hot table, the archive and the ledger that sweeps on one connection read. */
    static long blocksRead(TestDatabase db, int sweeps) throws SQLException {
        String blocks = """
                SELECT sum(heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit)
                FROM pg_statio_user_tables WHERE schemaname = 'public' AND relname NOT LIKE 'qrtz%'""";
        TestDatabase.awaitQuiet();
        awaitArchiverSessionsEnd(db);
        db.execute("SELECT pg_stat_force_next_flush()"); // what the inserts have read
        long before = db.number(blocks);
        try (Connection connection = db.connectAsArchiver()) {
            Archiver archiver = Archiver.builder(TestedPair.USAGE, TappedConnections.keptOpen(connection))
                    .clock(Clock.fixed(Instant.parse("2025-01-01T00:00:00Z"), ZoneOffset.UTC))
                    .build();
            for (int sweep = 0; sweep < sweeps; sweep++) {
                SweepResult result = archiver.sweep();
                assertThat(result.stopReason()).isEqualTo(StopReason.DRAINED);
                assertThat(result.rowsMoved()).isZero();
            }
        }
        awaitArchiverSessionsEnd(db);
        return db.number(blocks) - before;
    }

    /** Waits for the archiver's sessions: one that ends reports what it has read, and then leaves. */
    static void awaitArchiverSessionsEnd(TestDatabase db) {
        await().pollInterval(Duration.ofMillis(10))
                .until(() -> db.number("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                                + " AND usename = '" + TestDatabase.ARCHIVER + "'")
                        == 0);
    }
}
