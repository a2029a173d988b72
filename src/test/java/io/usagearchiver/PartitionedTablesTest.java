package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Level;
import io.usagearchiver.internal.jdbc.TransactionLimits;
import io.usagearchiver.testing.CapturedLog;
import io.usagearchiver.testing.NoticedConnections;
import io.usagearchiver.testing.SlowPath;
import io.usagearchiver.testing.TappedConnections;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import io.usagearchiver.testing.UsageRows;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.time.Duration;
import java.time.LocalDateTime;
import java.time.YearMonth;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.jooq.Record;
import org.jooq.TableField;
import org.jooq.impl.DSL;
import org.jooq.impl.SQLDataType;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A hot table and an archive of a partition for each month from 2019 to 2021, call_2019_01 and call_archive_2019_01 and so on,
 * with ten rows for each of them, the cutoff being in 2025. {@link AnyPairTest} has pairs that are partitioned by something else.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class PartitionedTablesTest {
    private static final int MONTHS = 36;
    private static final int ROWS = 10 * MONTHS;
    private static final YearMonth FIRST = YearMonth.of(2019, 1);
    private static final LocalDateTime NOW = LocalDateTime.parse("2026-06-15T12:00");

    private static final ForeignTable HOT = new ForeignTable("public", "call");
    private static final TableField<Record, Long> ID = HOT.column("id", SQLDataType.BIGINT);
    private static final TableField<Record, LocalDateTime> AT = HOT.column("at", SQLDataType.LOCALDATETIME);
    private static final ArchivePair<?> PAIR =
            TestedPair.of(ArchivePair.of(HOT, HOT.twin("public", "call_archive"), List.of(ID, AT), AT));

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    private boolean changed;

    @BeforeEach
    void three_years_in_partitions() {
        changed = false;
        db.execute(
                "DO $$ DECLARE t regclass; BEGIN FOR t IN SELECT oid FROM pg_class WHERE relname ~ '^call' AND relkind IN"
                        + " ('r', 'p') AND NOT relispartition LOOP EXECUTE format('DROP TABLE %s CASCADE', t); END LOOP; END $$;"
                        + " DROP SCHEMA IF EXISTS aside CASCADE; CREATE SCHEMA aside;"
                        + " TRUNCATE usage_archive_sweep, usage_archive_hold, usage_archive_baseline");
        for (String table : List.of("call", "call_archive")) {
            db.execute("CREATE TABLE " + table + " (id bigint, at timestamp, note text, PRIMARY KEY (id, at))"
                    + " PARTITION BY RANGE (at); CREATE INDEX ON " + table + " (at)");
            for (int month = 0; month < MONTHS; month++) {
                db.execute(partition(table, FIRST.plusMonths(month)));
            }
            db.execute("GRANT SELECT, INSERT, DELETE, UPDATE (at) ON " + table + " TO " + TestDatabase.ARCHIVER + ", "
                    + TestDatabase.RESTORER);
        }
        db.execute("CREATE OR REPLACE FUNCTION alter_row() RETURNS trigger LANGUAGE plpgsql AS"
                + " 'BEGIN NEW.note := ''altered''; RETURN NEW; END'");
        insert("timestamp '2019-01-01' + i * interval '3 days'", ROWS);
    }

    private static String partition(String table, YearMonth month) {
        return "CREATE TABLE " + name(table, month) + " PARTITION OF " + table + bounds(month);
    }

    private static String name(String table, YearMonth month) {
        return table + "_" + month.toString().replace('-', '_');
    }

    private static String bounds(YearMonth month) {
        return " FOR VALUES FROM ('" + month + "-01') TO ('" + month.plusMonths(1) + "-01')";
    }

    private void insert(String at, int rows) {
        db.execute("INSERT INTO call SELECT i, " + at + ", 'note ' || i FROM generate_series(1, " + rows + ") i;"
                + " DROP TABLE IF EXISTS original; CREATE TABLE original AS TABLE call");
    }

    private Archiver.Builder archiver(int batchSize) {
        return Archiver.builder(PAIR, db.archiver())
                .clock(UsageRows.clockAt(NOW))
                .settings(ArchiveSettings.defaults().withBatchSize(batchSize));
    }

    private Plan plan() {
        return new Planner(PAIR, db.archiver(), ArchiveSettings.defaults()).plan(1000, new StopSignal());
    }

    private void assertArchived(String condition) {
        assertThat(db.strings("SELECT c::text FROM call_archive c ORDER BY id"))
                .isEqualTo(db.strings("SELECT c::text FROM original c WHERE " + condition + " ORDER BY id"));
        assertThat(db.strings("SELECT c::text FROM call c ORDER BY id"))
                .isEqualTo(db.strings("SELECT c::text FROM original c WHERE NOT (" + condition + ") ORDER BY id"));
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void rows_go_from_their_partitions_into_those_of_the_archive_and_back(boolean slowly) {
        try (SlowPath slow = new SlowPath(slowly)) {
            assertThat(archiver(25).build().sweep().stopReason()).isEqualTo(StopReason.DRAINED);
            assertArchived("true");
            assertThat(db.number("SELECT count(DISTINCT tableoid) FROM call_archive"))
                    .isEqualTo(MONTHS);

            Archiver restorer = Archiver.builder(PAIR, db.restorer())
                    .settings(ArchiveSettings.defaults().withBatchSize(25))
                    .build();
            RowFilter year =
                    RowFilter.ages(LocalDateTime.parse("2020-01-01T00:00"), LocalDateTime.parse("2021-01-01T00:00"));
            assertThat(restorer.restore(year, null, "audit", new StopSignal())
                            .counts()
                            .rowsMoved())
                    .isBetween(120L, 123L);
            assertArchived("at < '2020-01-01' OR at >= '2021-01-01'");
        }
    }

    /** Of two partitions, rows are stored at the same places. */
    @Test
    void a_row_that_cannot_move_keeps_no_other_one_from_it_and_is_not_taken_for_one_of_another_partition() {
        db.execute("INSERT INTO call_archive SELECT id, at, CASE WHEN id % 20 = 0 THEN note ELSE 'other' END FROM call"
                + " WHERE id % 10 = 0");

        SweepResult sweep = archiver(25).build().sweep();

        assertThat(sweep.rowsMoved()).isEqualTo(ROWS * 9 / 10);
        assertThat(sweep.rowsAlreadyArchived()).isEqualTo(ROWS / 20);
        assertThat(sweep.rowsInConflict()).isEqualTo(ROWS / 20);
        assertThat(db.strings("SELECT id FROM call ORDER BY id"))
                .isEqualTo(IntStream.rangeClosed(1, ROWS)
                        .filter(id -> id % 20 == 10)
                        .mapToObj(String::valueOf)
                        .toList());
        assertThat(new Verifier(PAIR, db::connectAsOwner, ArchiveSettings.defaults())
                        .verify(Duration.ofMinutes(1), cost -> {}, new StopSignal())
                        .different())
                .isEqualTo(ROWS / 20);
    }

    /** A slice and a page have no business in others. */
    @Test
    void each_partition_is_read_for_its_own_slices_only() {
        int sliceRows = 10;
        insert("timestamp '2019-01-15' + (i % 36) * interval '1 month' + i * interval '1 second'", 36 * 10 * sliceRows);
        db.execute("DELETE FROM original");

        archiver(sliceRows).build().sweep();

        PlanTest.awaitArchiverSessionsEnd(db);
        // Ten slices, or one more for the rows that were there before, that of the next month, pages and the last look.
        assertThat(db.number("SELECT max(idx_scan) FROM pg_stat_user_tables WHERE relname ~ '^call_\\d{4}'"))
                .isBetween(10L, 40L);
    }

    @Test
    void a_page_comes_from_one_partition_after_another_and_is_sorted_nowhere() throws SQLException {
        Set<String> pages = Collections.synchronizedSet(new LinkedHashSet<>());
        ConnectionSource recorded = new TappedConnections(db.archiver(), (sql, connection) -> {
            if (sql.contains(" order by ") && sql.contains("\"call\"") && !sql.contains("sampled_")) {
                pages.add(sql);
            }
        });
        Archiver.builder(PAIR, recorded)
                .settings(ArchiveSettings.defaults().withBatchSize(1))
                .build()
                .sweep();
        assertThat(pages).isNotEmpty();
        for (String sql : pages) {
            try (Connection connection = db.connectAsArchiver()) {
                connection.setAutoCommit(false);
                TestDatabase.execute(
                        connection,
                        TransactionLimits.page(ArchiveSettings.defaults())
                                .sql(connection.getMetaData().getDatabaseMajorVersion()));
                assertThat(PlanTest.plan(connection, sql))
                        .as(sql)
                        .contains("Append", "Subplans Removed: ")
                        .doesNotContain("Merge Append", "Sort", "Seq Scan");
            }
        }
    }

    /** As the server itself explains what it has executed. */
    @Test
    void a_slice_of_a_sweep_leaves_all_partitions_but_its_own_out_when_it_runs() {
        db.execute("ALTER DATABASE " + db.name() + " SET session_preload_libraries = 'auto_explain'; ALTER DATABASE "
                + db.name() + " SET auto_explain.log_min_duration = 0; ALTER DATABASE " + db.name()
                + " SET auto_explain.log_analyze = on; ALTER DATABASE " + db.name()
                + " SET auto_explain.log_level = notice");
        List<String> slices = Collections.synchronizedList(new ArrayList<>());
        try {
            Archiver.builder(PAIR, new NoticedConnections(db.archiver(), notice -> {
                        if (notice.contains("Delete on ") && notice.contains("with \"moved\"")) {
                            slices.add(notice);
                        }
                    }))
                    .clock(UsageRows.clockAt(NOW))
                    .settings(ArchiveSettings.defaults().withBatchSize(5))
                    .build()
                    .sweep();
        } finally {
            db.execute("ALTER DATABASE " + db.name() + " RESET ALL");
        }
        assertArchived("true");
        assertThat(slices).hasSizeGreaterThanOrEqualTo(ROWS / 5);
        for (String slice : slices) {
            Matcher removed = Pattern.compile("Subplans Removed: (\\d+)").matcher(slice);
            assertThat(removed.find()).as(slice).isTrue();
            // A slice may begin in one month and end in the next.
            assertThat(Integer.parseInt(removed.group(1))).as(slice).isBetween(MONTHS - 2, MONTHS - 1);
        }
        assertThat(slices).anyMatch(slice -> slice.contains("Subplans Removed: " + (MONTHS - 1)));
    }

    @ParameterizedTest
    @ValueSource(ints = {7, 1000})
    void a_row_without_a_partition_in_the_archive_stays_hot_by_name_until_there_is_one(int batchSize) {
        db.execute("DROP TABLE call_archive_2020_02");
        String missing = "at >= '2020-02-01' AND at < '2020-03-01'";
        long rows = db.number("SELECT count(*) FROM call WHERE " + missing);

        SweepResult sweep = archiver(batchSize).build().sweep();

        assertThat(sweep.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(sweep.rowsRejected()).isEqualTo(rows);
        assertThat(sweep.rejectedIds()).hasSize((int) rows).allMatch(key -> key.contains("\"2020-02-"));
        assertArchived("NOT (" + missing + ")");
        assertThat(db.strings("SELECT message FROM usage_archive_sweep").get(0))
                .contains(": ERROR: no partition of relation \"call_archive\" found for row (make the one that has the"
                        + " values in its key, or a DEFAULT one: CREATE TABLE … PARTITION OF …)");

        db.execute(partition("call_archive", YearMonth.of(2020, 2)));
        assertThat(archiver(batchSize).build().sweep().rowsMoved()).isEqualTo(rows);
        assertArchived("true");
    }

    @Test
    void a_row_without_a_partition_in_the_hot_table_stays_archived() {
        archiver(100).build().sweep();
        db.execute("DROP TABLE call_2020_02");

        RestoreResult restored = Archiver.builder(PAIR, db.restorer())
                .build()
                .restore(
                        RowFilter.ages(
                                LocalDateTime.parse("2020-02-25T00:00"), LocalDateTime.parse("2020-03-05T00:00")),
                        null,
                        "audit",
                        new StopSignal());

        assertThat(restored.counts().rejectedIds()).isNotEmpty().allMatch(key -> key.contains("\"2020-02-2"));
        assertArchived("at < '2020-03-01' OR at >= '2020-03-05'");
    }

    @Test
    void plan_and_sweep_tell_of_months_that_only_a_default_partition_takes() {
        db.execute("DROP TABLE call_archive_2020_02, call_archive_2021_05;"
                + " CREATE TABLE call_archive_rest PARTITION OF call_archive DEFAULT");
        String warning = "public.call_archive has none but its default partition for rows of 2020-02, 2021-05: they go"
                + " there, and have to be moved out of it before one of their own can be made";

        assertThat(plan().warnings()).containsOnlyOnce(warning);
        try (CapturedLog log = new CapturedLog()) {
            assertThat(archiver(100).build().sweep().rowsMoved()).isEqualTo(ROWS);
            assertThat(log.messages(Level.WARN, "io.usagearchiver.Archiving"))
                    .containsExactly("public.call: " + warning);
        }
        assertArchived("true");
        assertThat(db.number("SELECT count(*) FROM call_archive_rest")).isBetween(18L, 22L);
    }

    @Test
    void plan_tells_for_which_months_the_archive_has_no_partition_also_of_those_that_expire_next() {
        db.execute("CREATE TABLE call_young PARTITION OF call DEFAULT; DROP TABLE call_archive_2020_02;"
                + " INSERT INTO call SELECT 1000 + i, now() at time zone 'UTC' - i * interval '14 days'"
                + " FROM generate_series(0, 29) i");
        List<String> months = db.strings("SELECT DISTINCT to_char(at, 'YYYY-MM') FROM call WHERE id > 1000"
                + " AND at < now() at time zone 'UTC' - interval '12 months' ORDER BY 1");

        assertThat(months).hasSizeBetween(2, 3);
        assertThat(plan().warnings())
                .containsOnlyOnce(
                        "public.call_archive has no partition for rows of 2020-02, " + String.join(", ", months)
                                + ": a sweep leaves them hot, rejected; CREATE TABLE … PARTITION OF public.call_archive …");
    }

    @Test
    void plan_tells_of_what_partitions_of_the_archive_may_refuse() {
        db.execute("ALTER TABLE call_archive_2020_02 ADD CONSTRAINT short CHECK (length(note) < 100),"
                + " ALTER note SET NOT NULL; CREATE UNIQUE INDEX one_note ON call_archive_2020_02 (note)");

        assertThat(plan().warnings())
                .containsOnlyOnce(
                        "public.call_archive_2020_02 has CHECK short, which public.call has not: rows that it refuses stay"
                                + " hot",
                        "public.call_archive_2020_02 has column note NOT NULL, which public.call_archive has not: rows that"
                                + " it refuses stay hot",
                        "public.call_archive_2020_02 has unique index public.one_note besides its key: rows that it"
                                + " refuses stay hot");
        db.execute("UPDATE call SET note = 'x' || repeat('y', 100) WHERE at::date = '2020-02-01'");
        assertThat(archiver(1000).build().sweep().rowsRejected())
                .isEqualTo(db.number("SELECT count(*) FROM call"))
                .isLessThanOrEqualTo(1);
    }

    @Test
    void the_backlog_is_estimated_and_sized_by_the_partitions() {
        db.execute("ANALYZE call, call_archive");
        Plan plan = plan();
        assertThat(plan.backlog().rows()).isEqualTo(ROWS);
        assertThat(plan.backlog().tableBytes())
                .isEqualTo(db.number("SELECT sum(pg_table_size(relid)) FROM pg_partition_tree('call')"))
                .isPositive();
        assertThat(plan.backlog().branches()).extracting(Plan.AgeBranch::index).containsExactly("call_at_idx");
        Plan estimated = new Planner(PAIR, db.archiver(), ArchiveSettings.defaults()).plan(10, new StopSignal());
        assertThat(estimated.backlog().exact()).isFalse();
        assertThat(estimated.backlog().rows()).isBetween(ROWS / 2L, ROWS * 2L);

        long[] expected = {-1};
        SweepListener listener = new SweepListener() {
            @Override
            public void batchCommitted(SweepProgress progress) {
                Long rows = progress.expiredEstimate();
                expected[0] = rows == null ? -1 : rows;
            }
        };
        archiver(100).listener(listener).build().sweep();
        assertThat(expected[0]).isBetween(ROWS / 2L, ROWS * 2L);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "CREATE TABLE call_2022_01 PARTITION OF call FOR VALUES FROM ('2022-01-01') TO ('2022-02-01');"
                        + " INSERT INTO call VALUES (1001, '2022-01-01')",
                "ALTER TABLE call DETACH PARTITION call_2021_11",
                "DELETE FROM call_2021_11; DROP TABLE call_2021_11",
                "ALTER TABLE call_archive DETACH PARTITION call_archive_2019_01",
                "ALTER TABLE call_archive DETACH PARTITION call_archive_2021_12;"
                        + " ALTER TABLE call_archive ATTACH PARTITION call_archive_2021_12"
                        + " FOR VALUES FROM ('2021-12-01') TO ('2022-01-01')",
                "CREATE TABLE call_archive_rest PARTITION OF call_archive DEFAULT",
                "CREATE TABLE aside.more (LIKE call); INSERT INTO aside.more SELECT 2000 + i, '2022-01-02'"
                        + " FROM generate_series(1, 50) i; ALTER TABLE call ATTACH PARTITION aside.more DEFAULT;"
                        + " CREATE TABLE call_archive_rest PARTITION OF call_archive DEFAULT"
            })
    void partitions_that_come_or_go_in_mid_sweep_do_not_end_it(String change) {
        // All rows that there are by then, wherever they are.
        String everything = "SELECT id FROM call UNION ALL SELECT id FROM call_archive";
        List<String> rows = new ArrayList<>();

        SweepResult sweep = archiver(10)
                .listener(after(3, () -> {
                    db.execute(change);
                    rows.addAll(db.strings(everything));
                }))
                .build()
                .sweep();

        assertThat(changed).isTrue();
        assertThat(sweep.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(db.strings(everything)).containsExactlyInAnyOrderElementsOf(rows);
        boolean hasPartition = !change.contains("2022_01");
        assertThat(db.number("SELECT count(*) FROM call")).isEqualTo(hasPartition ? 0 : 1);
        assertThat(sweep.rowsRejected()).isEqualTo(hasPartition ? 0 : 1);
    }

    private SweepListener after(int batches, Runnable action) {
        return UsageRows.afterBatch(batches, () -> {
            changed = true;
            action.run();
        });
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '~', textBlock = """
            CREATE TRIGGER t BEFORE INSERT ON call_archive_2021_12 FOR EACH ROW EXECUTE FUNCTION alter_row() | archive public.call_archive has partition public.call_archive_2021_12 with trigger t, which acts on each INSERT; drop or disable it
            ALTER TABLE call_archive_2021_12 ENABLE TRIGGER sleeping | archive public.call_archive has partition public.call_archive_2021_12 with trigger sleeping, which acts on each INSERT; drop or disable it
            CREATE TRIGGER t BEFORE DELETE ON call_2021_12 FOR EACH ROW EXECUTE FUNCTION alter_row() | hot public.call has partition public.call_2021_12 with trigger t, which acts on DELETE; drop or disable it
            ALTER TABLE call_archive_2021_12 SET UNLOGGED | archive public.call_archive has partition public.call_archive_2021_12, which is unlogged: a crash empties it; each must be a permanent table, ordinary or partitioned itself
            CREATE TABLE aside.bill (id bigint, at timestamp, FOREIGN KEY (id, at) REFERENCES call_2021_12 ON DELETE CASCADE) | hot public.call has partition public.call_2021_12, which is referenced by bill_id_at_fkey of aside.bill on delete cascade: moving a row would change other rows; it must be ON DELETE NO ACTION or RESTRICT
            CREATE PUBLICATION p FOR TABLE call_2021_12; ALTER TABLE call_2021_12 REPLICA IDENTITY NOTHING | hot public.call publishes deletes, which PostgreSQL refuses: ERROR: cannot delete from table "call_2021_12" because it does not have a replica identity and publishes deletes; see its replica identity, and the row filter and column list of its publications
            """)
    void a_partition_that_is_altered_in_mid_sweep_ends_it_before_the_next_batch(String change, String difference) {
        db.execute(
                "CREATE TRIGGER harmless BEFORE UPDATE ON call_archive_2021_12 FOR EACH ROW EXECUTE FUNCTION alter_row();"
                        + " CREATE TRIGGER sleeping BEFORE INSERT ON call_archive_2021_12 FOR EACH ROW EXECUTE FUNCTION alter_row();"
                        + " ALTER TABLE call_archive_2021_12 DISABLE TRIGGER sleeping;"
                        + " CREATE TRIGGER harmless BEFORE UPDATE ON call_2021_12 FOR EACH ROW EXECUTE FUNCTION alter_row()");
        try {
            SchemaDriftException drift = catchThrowableOfType(
                    SchemaDriftException.class,
                    () -> archiver(10)
                            .listener(after(3, () -> db.execute(change)))
                            .build()
                            .sweep());

            assertThat(drift.differences()).containsExactly(difference);
            assertThat(db.number("SELECT rows_moved FROM usage_archive_sweep")).isEqualTo(30);
        } finally {
            db.execute("DROP PUBLICATION IF EXISTS p");
        }
    }

    /** The statement sees the catalog as it was when it began, and a partition's lock comes with its first row. */
    @Test
    void a_trigger_that_comes_while_a_slice_is_being_deleted_alters_no_row() throws Exception {
        db.execute(
                "CREATE OR REPLACE FUNCTION public.slow(bigint) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN"
                        + " IF $1 = 1 AND current_query() LIKE '%\"moved\" as %' THEN PERFORM pg_sleep(0.3); END IF; RETURN true; END $$");
        ArchivePair<?> slow = PAIR.where(DSL.condition("public.slow({0})", DSL.field(DSL.name("id"))));
        CompletableFuture<Void> creation = CompletableFuture.runAsync(() -> {
            await().pollInterval(Duration.ofMillis(2))
                    .until(() -> db.number("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
                                    + " AND datname = current_database()")
                            > 0);
            db.execute(
                    "CREATE TRIGGER t BEFORE INSERT ON call_archive_2019_01 FOR EACH ROW EXECUTE FUNCTION alter_row()");
        });

        SchemaDriftException drift = catchThrowableOfType(
                SchemaDriftException.class,
                () -> Archiver.builder(slow, db.archiver()).build().sweep());

        creation.get(1, TimeUnit.MINUTES);
        assertThat(drift.differences()).hasSize(1);
        assertArchived("false");
    }

    @Test
    void no_update_is_lost_that_moves_a_row_into_another_partition() throws Exception {
        AtomicBoolean done = new AtomicBoolean();
        long[] updates = new long[ROWS + 1];
        CompletableFuture<Void> writer = CompletableFuture.runAsync(() -> {
            Random random = new Random(1);
            try (Connection connection = db.connectAsOwner();
                    PreparedStatement update = connection.prepareStatement(
                            "UPDATE call SET note = note || '+', at = timestamp '2019-01-01' + ? * interval '1 day' WHERE id = ?")) {
                while (!done.get()) {
                    int id = 1 + random.nextInt(ROWS);
                    update.setInt(1, random.nextInt(1000));
                    update.setLong(2, id);
                    updates[id] += update.executeUpdate();
                }
            } catch (SQLException e) {
                throw new AssertionError(e);
            }
        });
        await().until(() -> db.number("SELECT count(*) FROM call WHERE note LIKE '%+'") > 20);

        assertThat(archiver(5).build().sweep().rowsMoved()).isPositive();
        done.set(true);
        writer.get(1, TimeUnit.MINUTES);
        archiver(5).build().sweep();

        assertThat(db.strings("SELECT length(note) - length(rtrim(note, '+')) FROM call_archive ORDER BY id"))
                .isEqualTo(IntStream.rangeClosed(1, ROWS)
                        .mapToObj(id -> String.valueOf(updates[id]))
                        .toList());
        assertThat(db.number("SELECT count(*) FROM call")).isZero();
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void a_table_that_becomes_a_partitioned_one_in_mid_sweep_is_swept_on_and_so_is_one_that_was(boolean first) {
        String partitioned =
                "ALTER TABLE call RENAME TO call_whole; CREATE TABLE call (LIKE call_whole, PRIMARY KEY (id, at))"
                        + " PARTITION BY RANGE (at); CREATE INDEX ON call (at); ALTER TABLE call ATTACH PARTITION call_whole DEFAULT;"
                        + " GRANT ALL ON call TO PUBLIC";
        String whole =
                "ALTER TABLE call DETACH PARTITION call_whole; DROP TABLE call; ALTER TABLE call_whole RENAME TO call";
        db.execute("CREATE TABLE call_rows AS TABLE call; DROP TABLE call CASCADE;"
                + " CREATE TABLE call (LIKE call_rows, PRIMARY KEY (id, at)); CREATE INDEX ON call (at);"
                + " INSERT INTO call TABLE call_rows; DROP TABLE call_rows; GRANT ALL ON call TO PUBLIC");
        if (first) {
            db.execute(partitioned);
        }

        SweepResult sweep = archiver(10)
                .listener(after(3, () -> db.execute(first ? whole : partitioned)))
                .build()
                .sweep();

        assertThat(changed).isTrue();
        assertThat(sweep.rowsMoved()).isEqualTo(ROWS);
        assertThat(sweep.stopReason()).isEqualTo(StopReason.DRAINED);
        assertArchived("true");
    }
}
