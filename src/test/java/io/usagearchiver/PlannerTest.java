package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ch.qos.logback.classic.Level;
import io.usagearchiver.internal.inspect.PlanWarnings;
import io.usagearchiver.testing.CapturedLog;
import io.usagearchiver.testing.TappedConnections;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.List;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a sweep would do, told by the least-privileged role. */
class PlannerTest {
    private static final String HOT = "public.model_usage_details";

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    @Test
    void expired_rows_are_counted_by_month_and_by_age_column() {
        insert(1, 7, "timestamp '2020-01-31 23:59:59.999999'", "timestamp '2019-01-01'");
        insert(11, 5, "timestamp '2020-02-01'", "timestamp '2019-01-01'");
        insert(21, 3, "null::timestamp", "timestamp '2020-02-29 12:00'");
        insert(31, 2, "timestamp '-infinity'", "timestamp '2019-01-01'");
        insert(41, 4, "timezone('UTC', now())", "timestamp '2019-01-01'");

        Plan plan = plan(17);

        Plan.Backlog backlog = plan.backlog();
        assertThat(backlog.rows()).isEqualTo(17);
        assertThat(backlog.exact()).isTrue();
        assertThat(backlog.oldestAge()).isEqualTo("-infinity");
        assertThat(backlog.months())
                .containsExactly(
                        new Plan.Month("-infinity", 2), new Plan.Month("2020-01", 7), new Plan.Month("2020-02", 8));
        assertThat(backlog.branches())
                .containsExactly(
                        new Plan.AgeBranch("completed_at", "ix_model_usage_details_completed_at", 14),
                        new Plan.AgeBranch("created_at", "ix_model_usage_details_created_at", 3));
        assertThat(backlog.tableBytes()).isEqualTo(db.number("SELECT pg_table_size('model_usage_details')"));
        assertThat(backlog.bytes()).isPositive().isLessThanOrEqualTo(backlog.tableBytes());
        assertThat(plan.batches()).isEqualTo(2);
        assertThat(plan.allowsSweep()).isTrue();
        assertThat(plan.schemaDifferences()).isEmpty();
        assertThat(plan.missingGrants()).isEmpty();
        assertThat(plan.table()).isEqualTo(HOT);
        assertThat(plan.archive()).isEqualTo(HOT + "_archive");
        assertThat(plan.role()).isEqualTo(TestDatabase.ARCHIVER);
    }

    @Test
    void what_is_counted_is_what_a_sweep_moves() {
        insert(1, 2500, "timestamp '2020-01-01' + i * interval '1 hour'", "timestamp '2020-01-01'");
        insert(3001, 250, "null::timestamp", "timestamp '2020-01-01' + (i - 3000) * interval '1 day'");
        Plan plan = plan(10_000);

        SweepResult result = archiver().sweep();

        assertThat(plan.backlog().rows()).isEqualTo(result.rowsMoved());
        assertThat(plan.batches()).isEqualTo(result.batches());
        assertThat(Duration.between(plan.cutoff(), result.cutoff())).isBetween(Duration.ZERO, Duration.ofMinutes(1));
        assertThat(plan(10).backlog().rows()).isZero();
        assertThat(plan(10).backlog().oldestAge()).isNull();
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 100, 11_999})
    void more_than_the_limit_are_the_planners_estimate(long limit) {
        String month = "timestamp '2020-01-01' + i % 3 * interval '1 month'";
        insert(1, 9000, month, month);
        insert(10_001, 3000, "null::timestamp", month);
        insert(20_001, 9000, "timezone('UTC', now())", "timezone('UTC', now())");
        insert(30_001, 3000, "null::timestamp", "timezone('UTC', now())");
        db.execute("ANALYZE model_usage_details");

        Plan plan = plan(limit);

        Plan.Backlog backlog = plan.backlog();
        Percentage near = Percentage.withPercentage(15);
        assertThat(backlog.exact()).isFalse();
        assertThat(backlog.rows()).isCloseTo(12_000, near);
        assertThat(backlog.oldestAge()).isEqualTo("2020-01-01 00:00:00");
        assertThat(backlog.months()).extracting(Plan.Month::month).containsExactly("2020-01", "2020-02", "2020-03");
        assertThat(backlog.months()).allSatisfy(of -> assertThat(of.rows()).isCloseTo(4000, near));
        assertThat(backlog.branches().get(1).rows()).isCloseTo(3000, near);
        assertThat(plan.batches()).isBetween(11L, 14L);
        assertThat((double) backlog.bytes() / backlog.tableBytes()).isBetween(0.4, 0.6);
        assertThat(plan(12_000).backlog().exact()).isTrue();
    }

    @Test
    void rows_that_are_older_than_ten_years_of_months_are_estimated_together() {
        insert(1, 1000, "timestamp '2001-01-01'", "timestamp '2001-01-01'");
        insert(2001, 1000, "timestamp '2020-01-01'", "timestamp '2001-01-01'");
        db.execute("ANALYZE model_usage_details");
        List<Plan.Month> months = plan(10).backlog().months();
        assertThat(months).hasSize(2);
        assertThat(months.get(0).month()).startsWith("before 201");
        assertThat(months.get(1).month()).isEqualTo("2020-01");
        assertThat(months).allSatisfy(month -> assertThat(month.rows()).isBetween(900L, 1100L));
    }

    @ParameterizedTest
    @CsvSource({"completed_at, 0", "created_at, 1"})
    void without_its_index_a_branch_is_told_and_nothing_is_counted(String column, int branch) {
        insert(1, 2000, "timestamp '2020-01-01'", "timestamp '2019-01-01'");
        db.execute("DROP INDEX ix_model_usage_details_" + column + "; ANALYZE model_usage_details");
        Plan plan = plan(10_000);
        assertThat(plan.backlog().branches().get(branch).index()).isNull();
        assertThat(plan.backlog().branches().get(1 - branch).index()).startsWith("ix_");
        assertThat(plan.backlog().exact()).isFalse();
        assertThat(plan.backlog().rows()).isBetween(1900L, 2100L);
        assertThat(plan.overlap()).isNull();
        assertThat(plan.verdict()).isEqualTo(Plan.Verdict.NOT_ALL_KNOWN);
    }

    @Test
    void an_index_that_begins_with_the_age_serves() {
        db.execute("DROP INDEX ix_model_usage_details_completed_at;"
                + " CREATE INDEX other ON model_usage_details (completed_at, id)");
        assertThat(plan(10).backlog().branches().get(0).index()).isEqualTo("other");
    }

    @Test
    void rows_that_the_archive_holds_are_told_apart() {
        insert(1, 30, "timestamp '2020-01-01' + i * interval '1 hour'", "timestamp '2020-01-01'");
        insert(101, 2, "null::timestamp", "timestamp '2020-01-01'");
        insert(201, 1, "timezone('UTC', now())", "timestamp '2020-01-01'");
        db.execute(
                "INSERT INTO model_usage_details_archive SELECT * FROM model_usage_details WHERE id <= 28 OR id > 100;"
                        + " UPDATE model_usage_details_archive SET model_name = 'other' WHERE id <= 25 OR id > 101");

        Plan.Overlap overlap = plan(1000).overlap();

        assertThat(overlap.looked()).isEqualTo(32);
        assertThat(overlap.identical()).isEqualTo(4);
        assertThat(overlap.different()).isEqualTo(26);
        assertThat(overlap.differentIds()).hasSize(20).startsWith("1", "2").endsWith("20");
        assertThat(plan(3).overlap()).isEqualTo(new Plan.Overlap(3, 0, 3, List.of("1", "2", "3")));
        SweepResult result = archiver().sweep();
        assertThat(result.rowsAlreadyArchived()).isEqualTo(overlap.identical());
        assertThat(result.rowsInConflict()).isEqualTo(overlap.different());
    }

    @Test
    void the_duration_is_that_of_past_sweeps() {
        insert(1, 600, "timestamp '2020-01-01'", "timestamp '2020-01-01'");
        assertThat(plan(1000).pace()).isNull();
        assertThat(plan(1000).duration()).isNull();
        pastSweep("DRAINED", "ARCHIVE", 9_999_999, 1); // too long ago
        for (int sweep = 0; sweep < 9; sweep++) {
            pastSweep("DRAINED", "ARCHIVE", 1000, 10);
        }
        pastSweep("SUPERSEDED", "ARCHIVE", 2000, 20);
        pastSweep("DRAINED", "ARCHIVE", 0, 0);
        pastSweep("DRAINED", "RESTORE", 1_000_000, 1);
        pastSweep("RUNNING", "ARCHIVE", 1_000_000, 1);

        Plan plan = plan(1000);

        assertThat(plan.pace()).isEqualTo(new Plan.Pace(10, 100.0));
        assertThat(plan.duration()).isEqualTo(Duration.ofSeconds(6));
        assertThat(plan.warnings())
                .anySatisfy(warning -> assertThat(warning)
                        .startsWith("sweep 14 is RUNNING on node since 2026-01-01 00:00 UTC: ")
                        .endsWith("takes over from it"));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            SELECT ON model_usage_details                      | SELECT ON public.model_usage_details
            DELETE ON model_usage_details                      | DELETE ON public.model_usage_details
            UPDATE (updated_at) ON model_usage_details         | UPDATE (updated_at) ON public.model_usage_details
            SELECT ON model_usage_details_archive              | SELECT ON public.model_usage_details_archive
            INSERT ON model_usage_details_archive              | INSERT ON public.model_usage_details_archive
            UPDATE (updated_at) ON model_usage_details_archive | UPDATE (updated_at) ON public.model_usage_details_archive
            SELECT ON usage_archive_sweep                      | SELECT ON public.usage_archive_sweep
            INSERT (node, cutoff) ON usage_archive_sweep       | INSERT (node, cutoff) ON public.usage_archive_sweep
            UPDATE (batches) ON usage_archive_sweep            | UPDATE (batches) ON public.usage_archive_sweep
            INSERT ON usage_archive_sweep                      | INSERT (table_name, state, node, fired_by, cutoff, \
            started_at, finished_at, direction, live_until) ON public.usage_archive_sweep
            UPDATE ON usage_archive_sweep                      | UPDATE (state, batches, rows_moved, \
            rows_already_archived, rows_in_conflict, rows_rejected, last_batch_at, finished_at, message, live_until) \
            ON public.usage_archive_sweep
            SELECT ON usage_archive_hold                       | SELECT ON public.usage_archive_hold
            USAGE ON SCHEMA public                             | USAGE ON SCHEMA public
            """)
    void a_right_that_is_missing_is_told_by_its_grant(String revoked, String missing) {
        insert(1, 3, "timestamp '2020-01-01'", "timestamp '2020-01-01'");
        db.execute("REVOKE " + revoked + " FROM " + TestDatabase.ARCHIVER);
        if (revoked.contains("SCHEMA")) {
            db.execute("REVOKE USAGE ON SCHEMA public FROM PUBLIC");
        }
        Plan plan = plan(10);
        assertThat(plan.missingGrants()).containsExactly("GRANT " + missing + " TO " + TestDatabase.ARCHIVER);
        assertThat(plan.schemaDifferences()).isEmpty();
        assertThat(plan.allowsSweep()).isFalse();

        plan.missingGrants().forEach(db::execute);
        assertThat(plan(10).allowsSweep()).isTrue();
        assertThat(archiver().sweep().rowsMoved()).isEqualTo(3);
    }

    @Test
    void a_limit_of_the_lag_of_replicas_asks_for_a_right_of_its_own() {
        ArchiveSettings settings =
                ArchiveSettings.defaults().withPace(Pace.full().withMaxReplicaLag(Duration.ofSeconds(10)));
        Plan plan = new Planner(TestedPair.USAGE, db.archiver(), settings).plan(10, new StopSignal());
        assertThat(plan.missingGrants()).containsExactly("GRANT pg_monitor TO " + TestDatabase.ARCHIVER);
    }

    @Test
    void what_cannot_be_read_is_left_out_and_the_rest_is_told() {
        db.execute("REVOKE SELECT ON model_usage_details FROM " + TestDatabase.ARCHIVER);
        Plan plan = plan(10);
        assertThat(plan.backlog()).isNull();
        assertThat(plan.batches()).isNull();
        assertThat(plan.overlap()).isNull();
        assertThat(plan.warnings()).isNotEmpty();
    }

    @Test
    void all_that_keeps_a_sweep_from_the_tables_is_told() {
        insert(1, 3, "timestamp '2020-01-01'", "timestamp '2020-01-01'");
        db.execute("ALTER TABLE model_usage_details_archive DROP COLUMN operation;"
                + " ALTER TABLE model_usage_details_archive ALTER COLUMN user_id SET NOT NULL");
        Plan plan = plan(10);
        assertThat(plan.schemaDifferences()).hasSizeGreaterThan(1);
        assertThatThrownBy(() -> archiver().sweep())
                .isInstanceOfSatisfying(
                        SchemaDriftException.class,
                        drift -> assertThat(plan.schemaDifferences()).isEqualTo(drift.differences()));
        assertThat(plan.allowsSweep()).isFalse();
        assertThat(plan.backlog().rows()).isEqualTo(3);
        assertThat(plan.overlap()).isNull();
    }

    @Tag(TestedPair.OF_CODE)
    @ParameterizedTest
    @ValueSource(strings = {"model_usage_details", "model_usage_details_archive", "usage_archive_sweep"})
    void a_table_that_is_missing_is_told(String table) {
        db.execute("DROP TABLE " + table + " CASCADE");
        Plan plan = plan(10);
        assertThat(plan.schemaDifferences())
                .anySatisfy(difference -> assertThat(difference).contains("public." + table + " does not exist"));
        assertThat(plan.missingGrants()).isEmpty();
        assertThat(plan.allowsSweep()).isFalse();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            CREATE TRIGGER t AFTER UPDATE ON model_usage_details FOR EACH ROW EXECUTE FUNCTION f() | public.model_usage_details has trigger t, which no sweep fires
            CREATE TRIGGER t AFTER INSERT ON model_usage_details_archive FOR EACH STATEMENT EXECUTE FUNCTION f() | public.model_usage_details_archive has trigger t, which fires in each batch
            CREATE TABLE bill (usage_id integer REFERENCES model_usage_details) | public.bill refers to public.model_usage_details by bill_usage_id_fkey: rows of that which it names are rejected and stay where they are
            CREATE TABLE model (id integer PRIMARY KEY); ALTER TABLE model_usage_details_archive ADD CONSTRAINT m FOREIGN KEY (model_id) REFERENCES model | public.model_usage_details_archive refers to public.model by m: rows whose target is gone are rejected and stay hot
            ALTER TABLE model_usage_details SET (autovacuum_enabled = off) | autovacuum is off for public.model_usage_details: dead rows stay after a sweep, and statistics grow old
            ALTER TABLE model_usage_details_archive SET (autovacuum_enabled = false) | autovacuum is off for public.model_usage_details_archive: dead rows stay after a sweep, and statistics grow old
            """)
    void what_may_slow_a_sweep_down_or_keep_rows_back_is_a_warning(String change, String warning) {
        db.execute("CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'");
        assertThat(plan(10).warnings()).doesNotContain(warning);
        db.execute(change);
        Plan plan = plan(10);
        assertThat(plan.warnings()).contains(warning);
        assertThat(plan.allowsSweep()).isTrue();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            CREATE TABLE bill (usage_id integer REFERENCES model_usage_details) | public.bill | usage_id | CREATE INDEX CONCURRENTLY ON public.bill (usage_id)
            CREATE TABLE bill ("Usage" integer REFERENCES model_usage_details, n integer); CREATE INDEX ON bill (n, "Usage") | public.bill | "Usage" | CREATE INDEX CONCURRENTLY ON public.bill ("Usage")
            CREATE TABLE bill (usage_id integer REFERENCES model_usage_details); CREATE INDEX ON bill (usage_id) WHERE usage_id > 7 | public.bill | usage_id | CREATE INDEX CONCURRENTLY ON public.bill (usage_id)
            CREATE TABLE bill (usage_id integer REFERENCES model_usage_details); CREATE INDEX ON bill USING brin (usage_id) | public.bill | usage_id | CREATE INDEX CONCURRENTLY ON public.bill (usage_id)
            CREATE UNIQUE INDEX two ON model_usage_details (id, model_name); ALTER TABLE model_usage_details ADD UNIQUE USING INDEX two; CREATE TABLE bill (name varchar(255), usage_id integer, FOREIGN KEY (usage_id, name) REFERENCES model_usage_details (id, model_name)); CREATE INDEX ON bill (usage_id) | public.bill | usage_id, name | CREATE INDEX CONCURRENTLY ON public.bill (usage_id, name)
            CREATE TABLE bill (usage_id integer REFERENCES model_usage_details) PARTITION BY LIST (usage_id); CREATE TABLE bill_1 PARTITION OF bill FOR VALUES IN (1) | public.bill | usage_id | CREATE INDEX ON public.bill (usage_id)
            """)
    void a_table_that_refers_to_the_hot_one_without_an_index_is_a_warning_with_the_index_to_make(
            String change, String table, String columns, String index) {
        db.execute(change);
        assertThat(unindexed())
                .hasSize(1)
                .allMatch(warning -> warning.startsWith(table + " refers to public.model_usage_details by ")
                        && warning.contains(" and has no index on (" + columns
                                + "): each row that a sweep deletes reads all of " + table + "; " + index));

        db.execute(index.replace("CONCURRENTLY ", ""));

        assertThat(unindexed()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "CREATE INDEX ON bill (usage_id) WHERE usage_id IS NOT NULL",
                "CREATE INDEX ON bill USING hash (usage_id)",
                "CREATE INDEX ON bill (usage_id, n) INCLUDE (n)",
                "ALTER TABLE bill ADD PRIMARY KEY (usage_id)",
            })
    void an_index_that_serves_a_reference_is_no_warning(String index) {
        db.execute("CREATE TABLE bill (usage_id integer REFERENCES model_usage_details, n integer)");
        assertThat(unindexed()).hasSize(1);
        db.execute(index);
        assertThat(unindexed()).isEmpty();
    }

    /** As after a dump of the hot table of another moment was restored. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "ALTER TABLE model_usage_details ALTER id DROP DEFAULT; DROP SEQUENCE model_usage_details_id_seq;"
                        + " ALTER TABLE model_usage_details ALTER id ADD GENERATED BY DEFAULT AS IDENTITY"
            })
    void a_sequence_that_stands_behind_the_archives_largest_key_is_a_warning(String kind) {
        db.execute(kind + "; SELECT setval('model_usage_details_id_seq', 5)");
        insert(900, 1, "timestamp '2020-01-01'", "timestamp '2020-01-01'");
        archiver().sweep();
        insert(1, 3, "timestamp '2020-01-01'", "timestamp '2020-01-01'");
        assertThat(sequences())
                .containsExactly("the hot table's largest key 3 is less than the archive's, 900: if sequence"
                        + " public.model_usage_details_id_seq stands there, new rows get keys that the archive has; GRANT"
                        + " SELECT ON SEQUENCE public.model_usage_details_id_seq TO usage_archiver lets plan see it");

        db.execute("GRANT SELECT ON SEQUENCE model_usage_details_id_seq TO usage_archiver");
        String behind =
                "sequence public.model_usage_details_id_seq stands at 5, behind the archive's largest key 900: new"
                        + " rows get keys that the archive has, and stay hot in conflict; SELECT"
                        + " setval('public.model_usage_details_id_seq', 900)";
        assertThat(sequences()).containsExactly(behind);
        try (CapturedLog log = new CapturedLog()) {
            archiver().sweep();
            assertThat(log.messages(Level.WARN, "io.usagearchiver.Archiving")).containsExactly(HOT + ": " + behind);
        }

        db.execute(behind.substring(behind.indexOf("SELECT")));
        assertThat(sequences()).isEmpty();
        try (CapturedLog log = new CapturedLog()) {
            archiver().sweep();
            assertThat(log.messages(Level.WARN, "io.usagearchiver.Archiving")).isEmpty();
        }
    }

    @Test
    void a_sequence_that_goes_on_behind_the_archive_is_no_warning() {
        db.execute(
                "INSERT INTO model_usage_details (model_name, date, prompt_token_count, completion_token_count, created_at,"
                        + " updated_at) SELECT 'm', '2020-01-01', 1, 1, '2020-01-01', '2020-01-01' FROM generate_series(1, 5)");
        archiver().sweep();
        assertThat(sequences()).isEmpty();
        db.execute("GRANT SELECT ON SEQUENCE model_usage_details_id_seq TO usage_archiver");
        assertThat(sequences()).isEmpty();
    }

    private List<String> sequences() {
        return plan(10).warnings().stream()
                .filter(warning -> warning.contains("sequence"))
                .toList();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            CREATE UNIQUE INDEX other ON model_usage_details_archive (date)                                | has unique index public.other besides its key: rows that it refuses stay hot
            CREATE UNIQUE INDEX other ON model_usage_details_archive (abs(id))                             | has unique index public.other besides its key: rows that it refuses stay hot
            ALTER TABLE model_usage_details_archive ADD CONSTRAINT "No" CHECK (id > 5)                     | has CHECK "No", which public.model_usage_details has not: rows that it refuses stay hot
            CREATE UNIQUE INDEX other ON model_usage_details_archive (id) INCLUDE (date)                   |
            ALTER TABLE model_usage_details ADD CHECK (id > 5); ALTER TABLE model_usage_details_archive ADD CHECK (id > 5) |
            """)
    void what_the_archive_asks_of_a_row_more_than_the_hot_table_is_a_warning(String change, String warning) {
        db.execute(change);
        assertThat(plan(10).warnings().stream().filter(told -> told.contains("that it refuses")))
                .containsExactlyElementsOf(warning == null ? List.of() : List.of(HOT + "_archive " + warning));
    }

    private List<String> unindexed() {
        return plan(10).warnings().stream()
                .filter(warning -> warning.contains("no index"))
                .toList();
    }

    /** The server of these tests has autovacuum off, unless it was given. */
    @Test
    void autovacuum_that_is_off_for_the_server_is_a_warning() {
        boolean off = db.strings("SHOW autovacuum").get(0).equals("off");
        assertThat(plan(10).warnings().stream().anyMatch(warning -> warning.contains("off for the whole server")))
                .isEqualTo(off);
    }

    @Test
    void snapshots_that_are_open_for_long_are_a_warning() throws SQLException {
        try (Connection own = db.connectAsArchiver();
                Connection other = db.connectAsOwner()) {
            for (Connection connection : List.of(own, other)) {
                connection.setAutoCommit(false);
                TestDatabase.execute(connection, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT 1");
            }
            int ownPid = pid(own);
            int otherPid = pid(other);
            assertThat(plan(10).warnings()).noneMatch(warning -> warning.contains("snapshot"));
            Plan old = planOlderThan(Duration.ZERO, Long.MAX_VALUE);
            assertThat(old.warnings())
                    .anyMatch(warning -> warning.matches("session " + ownPid + " \\(usage_archiver, .*\\) has held a"
                            + " snapshot open for 00:00:\\d\\d: .*"))
                    .noneMatch(warning -> warning.contains("session " + otherPid));
            // Since when others' are open it may not know, but how many transactions ago.
            assertThat(old.seesOtherSessions()).isFalse();
            assertThat(planOlderThan(Duration.ofHours(1), 0).warnings())
                    .anyMatch(warning -> warning.matches("session " + otherPid + " .* over \\d+ transactions: .*"));

            db.execute("GRANT pg_monitor TO " + TestDatabase.ARCHIVER);
            try {
                Plan seeing = planOlderThan(Duration.ZERO, Long.MAX_VALUE);
                assertThat(seeing.seesOtherSessions()).isTrue();
                assertThat(seeing.warnings())
                        .anyMatch(warning -> warning.matches("session " + otherPid + " .* open for 00:00:\\d\\d: .*"));
            } finally {
                db.execute("REVOKE pg_monitor FROM " + TestDatabase.ARCHIVER);
            }
        }
    }

    @Test
    void nothing_is_changed_and_a_read_only_session_does() {
        insert(1, 100, "timestamp '2020-01-01'", "timestamp '2020-01-01'");
        db.execute("INSERT INTO model_usage_details_archive SELECT * FROM model_usage_details WHERE id < 10");
        List<String> statements = new ArrayList<>();
        ConnectionSource readOnly = () -> {
            Connection connection = db.connectAsArchiver();
            TestDatabase.execute(connection, "SET default_transaction_read_only = on");
            return connection;
        };
        // Whoever writes, takes a transaction id.
        String nextTransaction = "SELECT pg_snapshot_xmax(pg_current_snapshot())";
        TestDatabase.awaitQuiet();
        List<String> before = db.strings(nextTransaction);

        Plan plan = new Planner(
                        TestedPair.USAGE,
                        new TappedConnections(readOnly, (sql, connection) -> statements.add(sql)),
                        ArchiveSettings.defaults())
                .plan(1000, new StopSignal());

        assertThat(db.strings(nextTransaction)).isEqualTo(before);
        assertThat(plan.backlog().rows()).isEqualTo(100);
        assertThat(plan.overlap().identical()).isEqualTo(9);
        assertThat(plan.verdict()).isEqualTo(Plan.Verdict.REFUSED);
        assertThat(plan.schemaDifferences())
                .singleElement()
                .asString()
                .contains("default_transaction_read_only, set by the pool or the URL");
        statements.removeIf("select pg_catalog.pg_backend_pid()"::equals);
        // Whether the session may write is asked where it could; all else in a transaction that never may.
        int asked = statements.indexOf(TappedConnections.COMMIT);
        assertThat(statements.subList(0, asked)).hasSize(2);
        assertThat(statements.get(asked + 1)).contains("repeatable read, read only");
        assertThat(statements.stream().filter(TappedConnections.COMMIT::equals)).hasSize(2);
    }

    @Test
    void a_negative_limit_is_refused() {
        assertThatThrownBy(() -> plan(-1)).hasMessage("countLimit = -1: must not be negative");
    }

    private Plan plan(long countLimit) {
        return new Planner(TestedPair.USAGE, db.archiver(), ArchiveSettings.defaults())
                .plan(countLimit, new StopSignal());
    }

    private Plan planOlderThan(Duration open, long transactions) {
        return new Planner(
                        TestedPair.USAGE,
                        db.archiver(),
                        ArchiveSettings.defaults(),
                        new PlanWarnings.Thresholds(open, transactions, Duration.ofDays(1), Long.MAX_VALUE))
                .plan(10, new StopSignal());
    }

    private Archiver archiver() {
        return Archiver.builder(TestedPair.USAGE, db.archiver()).build();
    }

    private void insert(int firstId, int rows, String completedAt, String createdAt) {
        db.insertUsage("SELECT i, " + completedAt + ", " + createdAt + " FROM generate_series(" + firstId + ", "
                + (firstId + rows - 1) + ") i");
    }

    /** A ledger row; of one that has ended, the end is long after its last batch. */
    private void pastSweep(String state, String direction, long rows, int seconds) {
        LocalDateTime start = LocalDateTime.parse("2026-01-01T00:00");
        db.execute("INSERT INTO usage_archive_sweep (table_name, state, node, fired_by, cutoff, direction, rows_moved,"
                + " started_at, last_batch_at, finished_at) VALUES ('" + HOT + "', '" + state + "', 'node', 'test',"
                + " '2025-01-01', '" + direction + "', " + rows + ", '" + start + "', '" + start.plusSeconds(seconds)
                + "', " + (state.equals("RUNNING") ? "NULL" : "'" + start.plusDays(1) + "'") + ")");
    }

    private static int pid(Connection connection) throws SQLException {
        return connection.unwrap(org.postgresql.PGConnection.class).getBackendPID();
    }
}
