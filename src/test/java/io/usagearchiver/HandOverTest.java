package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Level;
import io.usagearchiver.testing.Calls;
import io.usagearchiver.testing.CapturedLog;
import io.usagearchiver.testing.Rival;
import io.usagearchiver.testing.TappedConnections;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.UsageRows;
import java.sql.Connection;
import java.time.Duration;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jooq.impl.DSL;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Whole partitions that become the archive's, and all that is in the way of it: then their rows move as any others. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class HandOverTest {
    private static final int ROWS = 200;
    private static final String OLD = "at < '2025-01-01'";

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    private final Calls calls = Calls.of(db);
    private CapturedLog log;

    @BeforeEach
    void three_months_and_another() {
        calls.create(ROWS);
    }

    private SweepResult sweep() {
        return sweep(db.archiver());
    }

    private SweepResult sweep(ConnectionSource connections) {
        try (CapturedLog captured = new CapturedLog()) {
            log = captured;
            return Calls.archiver(connections).build().sweep();
        }
    }

    private List<String> reasons() {
        return log.messages(Level.WARN, "io.usagearchiver.HandOver");
    }

    /** Does something once, before the first statement that contains a text is sent. */
    private ConnectionSource before(String statement, Runnable does) {
        AtomicBoolean done = new AtomicBoolean();
        return new TappedConnections(db.archiver(), (sql, connection) -> {
            if (sql.contains(statement) && done.compareAndSet(false, true)) {
                does.run();
            }
        });
    }

    /** A month for which the archive has a partition, so that its rows can move one by one. */
    private void makePartition(int month) {
        db.execute("SET ROLE " + TestDatabase.ARCHIVER + "; CREATE TABLE IF NOT EXISTS call_archive_" + month
                + " PARTITION OF call_archive " + Calls.bounds(2024, month) + "; RESET ROLE");
    }

    private void assertRowByRow(String partition, String reason) {
        assertThat(reasons()).anySatisfy(line -> assertThat(line).contains(partition + " goes row by row: ", reason));
        assertThat(calls.partitions("call")).contains(partition);
        calls.assertNothingLeftBehind();
    }

    @Test
    void whole_partitions_become_the_archives_with_exact_counts() {
        String files = "SELECT relname || ' ' || oid || ' ' || pg_relation_filepath(oid) FROM pg_class"
                + " WHERE relname ~ '^call_2024' AND relkind IN ('r', 'i') ORDER BY 1";
        List<String> before = db.strings(files);

        SweepResult sweep = sweep();

        assertThat(reasons()).isEmpty();
        assertThat(sweep.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(sweep.rowsMoved()).isEqualTo(3L * ROWS);
        assertThat(sweep.batches()).isEqualTo(3);
        calls.assertArchived(OLD);
        calls.assertNothingLost();
        calls.assertNothingLeftBehind();
        assertThat(calls.partitions("call")).containsExactly("call_2026_06");
        assertThat(calls.partitions("call_archive")).isEqualTo(Calls.EXPIRED);
        assertThat(db.strings(files)).isEqualTo(before);
        assertThat(log.messages(Level.INFO, "io.usagearchiver.HandOver"))
                .hasSize(3)
                .first()
                .asString()
                .contains("partition public.call_2024_01 handed over to public.call_archive with 200 rows");
        assertThat(sweep().rowsMoved()).isZero();
    }

    @Test
    void they_stay_where_nobody_has_asked_for_it() {
        makePartition(1);
        makePartition(2);
        makePartition(3);

        Calls.archiver(db.archiver())
                .settings(ArchiveSettings.defaults())
                .build()
                .sweep();

        calls.assertArchived(OLD);
        assertThat(calls.partitions("call")).containsAll(Calls.EXPIRED);
    }

    @Test
    void plan_tells_of_missing_partitions_by_whether_they_may_come_along() {
        String forAll =
                "public.call_archive has no partition for rows of 2024-01, 2024-02, 2024-03: a sweep leaves them hot,"
                        + " rejected; CREATE TABLE … PARTITION OF public.call_archive …";
        assertThat(new Planner(Calls.PAIR, db.archiver(), ArchiveSettings.defaults())
                        .plan(1000, new StopSignal())
                        .warnings())
                .containsOnlyOnce(forAll);

        db.execute("CREATE RULE r AS ON UPDATE TO call_2024_02 DO NOTHING");
        assertThat(plan().warnings())
                .containsOnlyOnce(
                        "public.call_archive has no partition for rows of 2024-02: a sweep leaves them hot, rejected;"
                                + " CREATE TABLE … PARTITION OF public.call_archive …",
                        "public.call_archive has no partition of their own for rows of 2024-01, 2024-03: none is needed for a"
                                + " partition of the hot table that is handed over as a whole, which a sweep finds out; where it"
                                + " moves row by row, they need one, or a default one");

        db.execute("ALTER TABLE call OWNER TO postgres; GRANT ALL ON call TO " + TestDatabase.ARCHIVER);
        assertThat(plan().warnings()).containsOnlyOnce(forAll);
    }

    @Test
    void the_history_tells_how_many_were_handed_over_and_what_kept_others() {
        String message = "SELECT message FROM usage_archive_sweep ORDER BY sweep_id DESC LIMIT 1";
        makePartition(2);
        db.execute(
                "CREATE RULE r AS ON UPDATE TO call_2024_02 DO NOTHING; INSERT INTO call_archive SELECT id, at, done, 'other'"
                        + " FROM call_2024_02 WHERE id = 7");
        sweep();
        assertThat(db.strings(message))
                .containsExactly("2 partitions handed over\nrow by row: public.call_2024_02: it has rules of its own");

        calls.create(1);
        db.execute("SET ROLE " + TestDatabase.ARCHIVER + "; "
                + IntStream.rangeClosed(1, 13)
                        .mapToObj(day -> "CREATE TABLE call_day_" + day
                                + " PARTITION OF call FOR VALUES FROM ('2023-01-" + day
                                + "') TO ('2023-01-" + (day + 1) + "'); CREATE RULE r AS ON UPDATE TO call_day_" + day
                                + " DO NOTHING; INSERT INTO call VALUES (1, '2023-01-" + day + "', NULL, 'note'); ")
                        .collect(Collectors.joining())
                + "RESET ROLE");
        sweep();
        assertThat(db.strings(message).get(0).lines().limit(13))
                .startsWith("3 partitions handed over", "row by row: public.call_day_1: it has rules of its own")
                .endsWith(
                        "row by row: public.call_day_10: it has rules of its own",
                        "row by row: 3 more, see the log",
                        "rejected by the archive, or by what refers to the row:");

        calls.create(ROWS);
        db.execute("ALTER TABLE call OWNER TO postgres; GRANT ALL ON call TO " + TestDatabase.ARCHIVER);
        sweep();
        assertThat(db.strings(message).get(0))
                .startsWith("row by row: all partitions: usage_archiver does not own public.call: GRANT")
                .contains("\nrejected by the archive, or by what refers to the row:\n");
    }

    @Test
    void an_identity_of_the_hot_table_stays_there_and_a_generated_column_keeps_all_from_it() {
        makePartition(1);
        makePartition(2);
        makePartition(3);
        db.execute("ALTER TABLE call ALTER id ADD GENERATED BY DEFAULT AS IDENTITY");
        sweep();
        assertThat(reasons()).isEmpty();
        calls.assertArchived(OLD);
        assertThat(
                        db.strings(
                                "SELECT attidentity FROM pg_attribute WHERE attrelid = 'call_2024_01'::regclass AND attname = 'id'"))
                .containsExactly("");

        calls.create(ROWS);
        makePartition(1);
        makePartition(2);
        makePartition(3);
        db.execute(
                "ALTER TABLE call ADD twice bigint GENERATED ALWAYS AS (id * 2) STORED; ALTER TABLE call_archive ADD twice bigint;"
                        + " DROP TABLE original; CREATE TABLE original AS TABLE call");
        sweep();
        assertRowByRow("call_2024_01", "column twice is another one than in public.call_archive");
        calls.assertArchived(OLD);
    }

    @Test
    void listeners_hear_of_a_partition_as_of_a_batch() {
        List<String> moved = new ArrayList<>();
        Calls.archiver(db.archiver())
                .listener(new SweepListener() {
                    @Override
                    public void batchCommitted(SweepProgress progress) {
                        moved.add(progress.rowsMoved() + " since " + progress.oldestAgeLeft());
                        assertThat(progress.expiredEstimate()).isNotNull();
                        assertThat(progress.text()).doesNotContain("null");
                    }
                })
                .build()
                .sweep();

        assertThat(moved)
                .containsExactly(
                        "200 since 2024-01-01 00:00:00",
                        "400 since 2024-02-01 00:00:00",
                        "600 since 2024-03-01 00:00:00");
    }

    @Test
    void a_row_that_is_completed_late_keeps_its_partition_hot_and_the_others_move_one_by_one() {
        makePartition(2);
        db.execute("UPDATE call SET done = '2026-06-01' WHERE at = '2024-02-01 00:00:07';"
                + " DROP TABLE original; CREATE TABLE original AS TABLE call");

        SweepResult sweep = sweep();

        assertRowByRow("call_2024_02", "it has rows that stay hot");
        calls.assertArchived("coalesce(done, at) < '2025-01-01'");
        assertThat(sweep.rowsMoved()).isEqualTo(3L * ROWS - 1);
        assertThat(calls.partitions("call_archive")).contains("call_2024_01", "call_archive_2", "call_2024_03");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "UPDATE call SET done = '2026-06-01' WHERE at = '2024-01-01 00:00:07'",
                "INSERT INTO call VALUES (7000, '2024-01-03', '2026-06-02', 'new')"
            })
    void a_row_that_becomes_young_after_all_were_looked_at_is_seen_under_the_lock(String change) {
        makePartition(1);

        SweepResult sweep = sweep(before(
                " in share mode",
                () -> db.execute(change + "; DROP TABLE original; CREATE TABLE original AS TABLE call")));

        assertRowByRow("call_2024_01", "a row of it was changed meanwhile");
        calls.assertArchived("coalesce(done, at) < '2025-01-01'");
        calls.assertNothingLost();
        assertThat(sweep.stopReason()).isEqualTo(StopReason.DRAINED);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "DELETE FROM call WHERE at = '2024-01-01 00:00:07' | 599",
                "INSERT INTO call VALUES (7000, '2024-01-03', '2024-01-04', 'new') | 601",
                "UPDATE call SET note = 'last' WHERE at < '2024-02-01' AND id < 30 | 600"
            })
    void what_others_do_to_old_rows_until_the_lock_moves_with_them_and_is_counted(String change, long rows) {
        SweepResult sweep = sweep(before(
                " in share mode",
                () -> db.execute(change + "; DROP TABLE original; CREATE TABLE original AS TABLE call")));

        assertThat(reasons()).isEmpty();
        assertThat(sweep.rowsMoved()).isEqualTo(rows);
        calls.assertArchived(OLD);
        calls.assertNothingLost();
    }

    @Test
    void who_wants_to_write_to_it_meanwhile_is_let_through_and_his_rows_move_with_it() {
        CompletableFuture<?>[] writer = {null};
        AtomicBoolean waited = new AtomicBoolean();
        String waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'call_2024_01'::regclass";

        // Names no partition, so that PostgreSQL locks all of them.
        SweepResult sweep = sweep(before("select count(*), count(*) filter", () -> {
            writer[0] = CompletableFuture.runAsync(
                    () -> new Rival(db, "UPDATE call SET note = 'last' WHERE id = 7").commitAndClose());
            await().atMost(Duration.ofSeconds(20)).until(() -> db.number(waits) == 1);
            waited.set(true);
        }));

        assertThat(waited).isTrue();

        writer[0].join();
        db.execute("UPDATE original SET note = 'last' WHERE id = 7");
        assertThat(reasons()).isEmpty();
        assertThat(sweep.rowsMoved()).isEqualTo(3L * ROWS);
        calls.assertArchived(OLD);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {") and not coalesce(", " in share mode", "select count(*), count(*) filter", "lock table only"})
    void a_hold_that_is_set_meanwhile_counts(String statement) {
        makePartition(1);
        RowFilter week =
                RowFilter.ages(LocalDateTime.parse("2024-01-01T00:00:30"), LocalDateTime.parse("2024-01-01T00:01:00"));

        SweepResult sweep = sweep(before(
                statement,
                () -> Archiver.builder(Calls.PAIR, db.restorer())
                        .build()
                        .holds()
                        .hold(week, null, "audit")));

        assertThat(sweep.stopReason()).isEqualTo(StopReason.DRAINED);
        assertRowByRow("call_2024_01", "it has rows that stay hot");
        calls.assertArchived(
                OLD + " AND NOT coalesce(done, at) BETWEEN '2024-01-01 00:00:30' AND '2024-01-01 00:00:59'");
        calls.assertNothingLost();
    }

    @Test
    void rows_that_do_not_meet_the_condition_of_the_pair_keep_their_partition_hot() {
        makePartition(3);
        try (CapturedLog captured = new CapturedLog()) {
            log = captured;
            Archiver.builder(Calls.PAIR.where(DSL.condition("note <> 'note 9' or at < '2024-03-01'")), db.archiver())
                    .clock(UsageRows.clockAt(LocalDateTime.parse("2026-06-15T12:00")))
                    .settings(ArchiveSettings.defaults().withHandOver(true))
                    .build()
                    .sweep();
        }

        assertRowByRow("call_2024_03", "it has rows that stay hot");
        calls.assertArchived(OLD + " AND (note <> 'note 9' OR at < '2024-03-01')");
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void a_key_that_the_archive_has_already_is_compared_row_by_row(boolean another) {
        makePartition(1);
        db.execute("INSERT INTO call_archive SELECT * FROM call WHERE at = '2024-01-01 00:00:07'");
        if (another) {
            db.execute("UPDATE call_archive SET note = 'other'");
        }

        SweepResult sweep = sweep();

        assertRowByRow("call_2024_01", "public.call_archive has rows within its bounds");
        assertThat(sweep.rowsMoved()).isEqualTo(3L * ROWS - 1);
        assertThat(sweep.rowsAlreadyArchived()).isEqualTo(another ? 0 : 1);
        assertThat(sweep.rowsInConflict()).isEqualTo(another ? 1 : 0);
        if (!another) {
            calls.assertArchived(OLD);
        }
    }

    @Test
    void an_empty_partition_that_was_made_ahead_makes_room() {
        makePartition(2);

        assertThat(sweep().rowsMoved()).isEqualTo(3L * ROWS);

        assertThat(reasons()).isEmpty();
        calls.assertArchived(OLD);
        assertThat(calls.partitions("call_archive")).isEqualTo(Calls.EXPIRED);
        assertThat(db.strings("SELECT to_regclass('call_archive_2')")).containsExactly((String) null);
    }

    @Test
    void a_partition_that_was_made_ahead_and_gets_a_row_meanwhile_stays() {
        makePartition(2);

        sweep(before(
                "lock table only public.call_archive_2",
                () -> db.execute("INSERT INTO call_archive VALUES (9999, '2024-02-02', NULL, 'own');"
                        + " INSERT INTO original VALUES (9999, '2024-02-02', NULL, 'own')")));

        assertRowByRow("call_2024_02", "call_archive_2, of the same bounds, has rows");
        calls.assertArchived(OLD);
    }

    @Test
    void the_archive_may_have_a_default_partition_and_what_is_in_it_counts() {
        db.execute("SET ROLE " + TestDatabase.ARCHIVER + "; CREATE TABLE call_rest PARTITION OF call_archive DEFAULT;"
                + " CREATE TABLE call_hot_rest PARTITION OF call DEFAULT; RESET ROLE;"
                + " INSERT INTO call_archive SELECT * FROM call WHERE at = '2024-02-01 00:00:07'");

        SweepResult sweep = sweep();

        assertRowByRow("call_2024_02", "public.call_archive has rows within its bounds");
        calls.assertArchived(OLD);
        assertThat(sweep.rowsMoved()).isEqualTo(3L * ROWS - 1);
        assertThat(calls.partitions("call_archive")).containsExactly("call_2024_01", "call_2024_03", "call_rest");
    }

    @Test
    void a_large_default_partition_is_not_read_under_a_lock() {
        db.execute("SET ROLE " + TestDatabase.ARCHIVER
                + "; CREATE TABLE call_rest PARTITION OF call_archive DEFAULT; RESET ROLE;"
                + " INSERT INTO call_archive SELECT i, '2019-01-01', NULL, repeat('x', 200) FROM generate_series(1, 40000) i;"
                + " INSERT INTO original SELECT * FROM call_archive");

        sweep();

        assertRowByRow("call_2024_02", "PostgreSQL would read all of the default partition public.call_rest");
        calls.assertArchived(OLD);
    }

    @ParameterizedTest
    @ValueSource(strings = {"call", "call_2024_01"})
    void a_reader_that_takes_long_is_waited_for_in_short_turns_only(String table) throws Exception {
        makePartition(1);
        makePartition(2);
        makePartition(3);
        try (Rival reader = new Rival(db, "SELECT count(*) FROM ONLY " + table)) {
            sweep();
        }

        assertRowByRow("call_2024_01", "canceling statement due to lock timeout");
        calls.assertArchived(OLD);
        assertThat(calls.partitions("call_archive").contains("call_2024_02")).isEqualTo(table.equals("call_2024_01"));
    }

    @Test
    void indexes_that_the_archive_has_are_built_before() {
        db.execute(
                "SET ROLE " + TestDatabase.ARCHIVER + "; CREATE INDEX call_archive_brin ON call_archive USING brin (at)"
                        + " WITH (pages_per_range = 16); CREATE INDEX ON call_archive (note, id DESC); RESET ROLE");

        sweep();

        assertThat(reasons()).isEmpty();
        calls.assertArchived(OLD);
        calls.assertNothingLeftBehind();
        assertThat(db.strings(
                        "SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = 'call_2024_01'::regclass"
                                + " AND indexrelid::regclass::text LIKE 'usage_archiver%' ORDER BY 1"))
                .hasSize(2)
                .anySatisfy(index -> assertThat(index).contains("USING brin (at) WITH (pages_per_range='16')"))
                .anySatisfy(index -> assertThat(index).contains("(note, id DESC)"));
        assertThat(db.number("SELECT count(*) FROM pg_inherits WHERE inhparent = 'call_archive_brin'::regclass"))
                .isEqualTo(3);
    }

    @Test
    void an_index_is_built_on_a_connection_that_begins_transactions_by_itself() {
        db.execute("SET ROLE " + TestDatabase.ARCHIVER + "; CREATE INDEX ON call_archive (note); RESET ROLE");

        sweep(() -> {
            Connection connection = db.connectAsArchiver();
            connection.setAutoCommit(false);
            return connection;
        });

        assertThat(reasons()).isEmpty();
        calls.assertArchived(OLD);
        calls.assertNothingLeftBehind();
    }

    @Test
    void an_index_that_others_keep_from_being_built_in_time_is_in_the_way() throws Exception {
        db.execute("SET ROLE " + TestDatabase.ARCHIVER + "; CREATE INDEX ON call_archive (note); RESET ROLE");
        makePartition(1);
        makePartition(2);
        makePartition(3);
        SweepResult sweep;
        // PostgreSQL waits for all whose snapshot is older than the index.
        try (Rival rival = new Rival(db, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM call");
                CapturedLog captured = new CapturedLog()) {
            log = captured;
            sweep = Calls.archiver(db.archiver())
                    .settings(ArchiveSettings.defaults()
                            .withHandOver(true)
                            .withTimeouts(Duration.ofMillis(100), Duration.ofMillis(200), Duration.ofSeconds(10))
                            .withRetryTimeout(Duration.ofSeconds(10)))
                    .build()
                    .sweep();
            rival.commit();
        }

        assertThat(sweep.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(reasons())
                .anySatisfy(line -> assertThat(line).contains("call_2024_01 goes row by row: ", "canceling statement"));
        calls.assertArchived(OLD);
    }

    @Test
    void an_index_that_an_interrupted_try_has_left_is_built_anew() {
        db.execute("SET ROLE " + TestDatabase.ARCHIVER + "; CREATE INDEX ON call_archive (note); RESET ROLE");
        String name = "usage_archiver_"
                + db.strings("SELECT 'call_2024_01'::regclass::oid || '_'"
                                + " || 'call_archive_note_idx'::regclass::oid")
                        .get(0);
        db.execute(
                "SET ROLE " + TestDatabase.ARCHIVER + "; CREATE INDEX " + name + " ON call_2024_01 (note); RESET ROLE;"
                        + " UPDATE pg_index SET indisvalid = false WHERE indexrelid = '" + name + "'::regclass");

        sweep();

        assertThat(reasons()).isEmpty();
        calls.assertNothingLeftBehind();
        calls.assertArchived(OLD);
    }

    @Test
    void what_an_interrupted_try_has_left_is_used() {
        db.execute("ALTER TABLE call_2024_01 ADD CONSTRAINT usage_archiver_hand_over CHECK (id > 0) NOT VALID;"
                + " ALTER TABLE call_2024_02 ADD CONSTRAINT usage_archiver_hand_over CHECK (at IS NOT NULL AND"
                + " at >= '2024-02-01' AND at < '2024-03-01')");

        sweep();

        assertThat(reasons()).isEmpty();
        calls.assertArchived(OLD);
        calls.assertNothingLeftBehind();
    }

    @ParameterizedTest
    @ValueSource(strings = {"SELECT", "CREATE VIEW reader AS SELECT id FROM call_2024_01"})
    void what_an_interrupted_try_has_left_goes_where_no_row_is_left(String obstacle) {
        db.execute(obstacle
                + "; ALTER TABLE call_2024_01 ADD CONSTRAINT usage_archiver_hand_over CHECK (at IS NOT NULL) NOT VALID;"
                + " ALTER TABLE call_2024_02 ADD CONSTRAINT usage_archiver_hand_over CHECK (at IS NOT NULL AND"
                + " at >= '2024-02-01' AND at < '2024-03-01'); DELETE FROM call WHERE at < '2024-03-01'");

        sweep();

        assertThat(calls.partitions("call")).contains("call_2024_01", "call_2024_02");
        calls.assertNothingLeftBehind();
    }

    @Test
    void rights_that_are_granted_at_the_same_time_are_revoked_as_all_others() {
        CompletableFuture<?>[] granting = {null};

        // Before PostgreSQL 18, GRANT takes no lock of the table: who updates the same row of the catalog waits for it,
        // and is refused then.
        sweep(before(" in row exclusive mode", () -> {
            Rival rival = new Rival(db, "GRANT SELECT ON call_2024_01 TO PUBLIC");
            granting[0] = CompletableFuture.runAsync(() -> {
                try {
                    await().pollInterval(Duration.ofMillis(2))
                            .until(() -> db.number("SELECT count(*) FROM pg_locks WHERE NOT granted") > 0);
                } finally {
                    rival.commitAndClose();
                }
            });
        }));

        granting[0].join();
        assertThat(reasons()).isEmpty();
        assertThat(calls.partitions("call_archive")).isEqualTo(Calls.EXPIRED);
        assertThat(
                        db.strings(
                                "SELECT grantee FROM pg_class, aclexplode(relacl) WHERE relname = 'call_2024_01' AND grantee = 0"))
                .isEmpty();
        calls.assertArchived(OLD);
    }

    @Test
    void what_would_mean_something_else_in_the_archive_does_not_go_there() {
        db.execute("CREATE SEQUENCE numbers; ALTER TABLE call ALTER id SET DEFAULT nextval('numbers');"
                + " ALTER TABLE call_2024_01 ALTER id SET DEFAULT nextval('numbers'); GRANT ALL ON call_2024_01 TO PUBLIC;"
                + " GRANT UPDATE (note) ON call_2024_01 TO " + TestDatabase.RESTORER);

        sweep();

        assertThat(calls.partitions("call_archive")).contains("call_2024_01");
        assertThat(db.strings(
                        "SELECT grantee::regrole FROM pg_class, aclexplode(relacl) WHERE relname = 'call_2024_01'"))
                .containsOnly(TestDatabase.ARCHIVER);
        assertThat(db.strings(
                        "SELECT attname FROM pg_attribute WHERE attrelid = 'call_2024_01'::regclass AND (atthasdef"
                                + " OR attacl IS NOT NULL)"))
                .isEmpty();
        db.execute("DROP SEQUENCE numbers CASCADE");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "ALTER TABLE call_2024_01 OWNER TO postgres | usage_archiver does not own it",
                "CREATE TRIGGER t AFTER UPDATE ON call_2024_01 FOR EACH ROW EXECUTE FUNCTION nothing() | it has trigger t of its own",
                "CREATE RULE r AS ON UPDATE TO call_2024_01 DO NOTHING | it has rules of its own",
                "ALTER TABLE call_2024_01 ENABLE ROW LEVEL SECURITY | it has row security of its own",
                "CREATE VIEW january AS TABLE call_2024_01 | january reads it by its name",
                "CREATE TABLE bill (id bigint, at timestamp, FOREIGN KEY (id, at) REFERENCES call_2024_01) | foreign keys refer to it",
                "ALTER TABLE call_2024_01 ADD FOREIGN KEY (id) REFERENCES numbered | foreign keys refer to it, or are of it",
                "ALTER TABLE call_archive ADD CONSTRAINT positive CHECK (id > 0) | it lacks CHECK positive of public.call_archive",
                "CREATE UNIQUE INDEX ON call_archive (at, id) | it lacks index public.call_archive_at_id_idx",
                "CREATE INDEX ON call_archive (lower(note)) | it lacks index public.call_archive_lower_idx",
                "CREATE PUBLICATION p FOR TABLE call_2024_01 | a publication tells subscribers of single rows only",
                "DROP TABLE call_archive_1; CREATE TABLE call_archive_1 PARTITION OF call_archive FOR VALUES FROM ('2023-01-01')"
                        + " TO ('2024-01-20'); CREATE TABLE call_archive_0 PARTITION OF call_archive FOR VALUES FROM ('2024-01-20')"
                        + " TO ('2024-02-01') | its bounds overlap those of public.call_archive_"
            })
    void what_is_in_the_way_of_one_partition_is_told_and_planned_and_its_rows_move_one_by_one(
            String change, String reason) {
        makePartition(1);
        makePartition(2);
        makePartition(3);
        db.execute(
                "CREATE OR REPLACE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
                        + " DROP TABLE IF EXISTS numbered; CREATE TABLE numbered AS SELECT i::bigint AS id FROM generate_series(1, 7000) i; ALTER TABLE numbered ADD PRIMARY KEY (id)");
        db.execute(change);
        try {
            Plan plan = plan();

            SweepResult sweep = sweep();

            assertThat(reasons())
                    .anySatisfy(line -> assertThat(line).contains("call_2024_01 goes row by row: ", reason));
            calls.assertArchived(OLD);
            assertThat(sweep.stopReason()).isEqualTo(StopReason.DRAINED);
            assertThat(calls.partitions("call")).contains("call_2024_01");
            if (!reason.contains("index")) {
                assertThat(plan.warnings())
                        .anySatisfy(line -> assertThat(line).contains("call_2024_01 goes row by row: ", reason));
            }
        } finally {
            db.execute("DROP TABLE IF EXISTS bill; DROP PUBLICATION IF EXISTS p; DROP TABLE call, numbered CASCADE;"
                    + " DROP FUNCTION nothing() CASCADE");
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "ALTER TABLE call OWNER TO postgres; GRANT ALL ON call TO usage_archiver | usage_archiver does not own public.call: GRANT",
                "ALTER TABLE call_archive OWNER TO postgres; GRANT ALL ON call_archive TO usage_archiver"
                        + " | usage_archiver does not own public.call_archive: GRANT",
                "CREATE PUBLICATION p FOR TABLE call | a publication tells subscribers of single rows only",
                "ALTER DATABASE DB SET deadlock_timeout = '150ms' | deadlock_timeout is, or may be, less than 200 ms"
            })
    void what_is_in_the_way_of_all_partitions_is_told_once(String change, String reason) {
        makePartition(1);
        makePartition(2);
        makePartition(3);
        db.execute(change.replace("DB", db.name()));
        try {
            Plan plan = plan();

            sweep();

            assertThat(reasons()).singleElement().asString().contains("all partitions go row by row: ", reason);
            calls.assertArchived(OLD);
            assertThat(calls.partitions("call")).containsAll(Calls.EXPIRED);
            if (!reason.contains("deadlock")) {
                assertThat(plan.warnings()).anySatisfy(line -> assertThat(line).contains(reason));
            }
        } finally {
            db.execute("DROP PUBLICATION IF EXISTS p; ALTER DATABASE " + db.name() + " RESET deadlock_timeout");
        }
    }

    @Test
    void a_partition_that_may_get_new_rows_by_its_bounds_stays_though_all_its_rows_have_expired() {
        db.execute("SET ROLE " + TestDatabase.ARCHIVER
                + "; CREATE TABLE call_2025 PARTITION OF call FOR VALUES FROM ('2025-01-01')"
                + " TO ('2026-01-01'); CREATE TABLE call_archive_2025 PARTITION OF call_archive FOR VALUES FROM ('2025-01-01')"
                + " TO ('2026-01-01'); RESET ROLE; INSERT INTO call VALUES (1, '2025-01-02', NULL, 'old');"
                + " INSERT INTO original VALUES (1, '2025-01-02', NULL, 'old')");

        String reason = "partition public.call_2025 goes row by row: the cutoff is within its bounds";
        assertThat(plan().warnings()).anyMatch(line -> line.startsWith(reason));

        sweep();

        assertThat(reasons()).singleElement().asString().contains(reason);
        calls.assertArchived("at < '2025-05-15'");
        assertThat(calls.partitions("call")).containsExactly("call_2025", "call_2026_06");
    }

    @Test
    void rows_of_a_partition_that_was_handed_over_are_restored_one_by_one() {
        sweep();
        Archiver restorer = Archiver.builder(Calls.PAIR, db.restorer()).build();
        RowFilter january =
                RowFilter.ages(LocalDateTime.parse("2024-01-01T00:00"), LocalDateTime.parse("2024-01-01T00:01"));

        RestoreResult refused = restorer.restore(january, null, "audit", new StopSignal());
        assertThat(refused.counts().rowsRejected()).isEqualTo(30);
        db.execute(
                "SET ROLE " + TestDatabase.ARCHIVER
                        + "; CREATE TABLE call_again PARTITION OF call FOR VALUES FROM ('2024-01-01') TO ('2024-01-02'); RESET ROLE");
        RestoreResult restored = restorer.restore(january, null, "audit", new StopSignal());

        assertThat(restored.counts().rowsMoved()).isEqualTo(30);
        assertThat(restored.counts().rowsRejected()).isZero();
        calls.assertArchived(OLD + " AND NOT coalesce(done, at) < '2024-01-01 00:01'");
    }

    @Test
    void a_sweep_that_is_asked_to_stop_does_so_before_the_next_partition() {
        StopSignal stop = new StopSignal();

        SweepResult sweep = Calls.archiver(db.archiver())
                .listener(UsageRows.afterBatch(1, stop::request))
                .build()
                .sweep(stop);

        assertThat(sweep.stopReason()).isEqualTo(StopReason.INTERRUPTED);
        assertThat(sweep.rowsMoved()).isEqualTo(ROWS);
        calls.assertArchived("at < '2024-02-01'");
    }

    private Plan plan() {
        return new Planner(Calls.PAIR, db.archiver(), ArchiveSettings.defaults().withHandOver(true))
                .plan(1000, new StopSignal());
    }
}
