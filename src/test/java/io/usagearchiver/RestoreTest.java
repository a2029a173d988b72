package io.usagearchiver;

import static io.usagearchiver.generated.Tables.MODEL_USAGE_DETAILS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;

import io.usagearchiver.testing.Rival;
import io.usagearchiver.testing.TappedConnections;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import io.usagearchiver.testing.UsageRows;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Clock;
import java.time.Duration;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import org.jooq.impl.DSL;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Restores, by the role for it, of 30 rows that a sweep has archived; one more row is not expired. */
class RestoreTest {
    private static final LocalDateTime UNTIL = LocalDateTime.parse("2100-01-01T00:00");
    private static final String REASON = "audit";
    private static final RowFilter ALL = RowFilter.ids("1", null);
    private static final String EXPIRED = "id <= 30";

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    private final UsageRows rows = new UsageRows(db);

    /** Ages are minutes of 2024-01-01; every third row never completed, every tenth has no user. */
    @BeforeEach
    void archived_rows() {
        rows.replace("SELECT i, CASE WHEN i % 3 <> 0 THEN timestamp '2024-01-01' + i * interval '1 minute' END,"
                + " timestamp '2024-01-01' + i * interval '1 minute' FROM generate_series(1, 30) i"
                + " UNION ALL SELECT 31, null, timestamp '2100-01-01'");
        rows.archiver(7).build().sweep();
        rows.assertMoved(EXPIRED);
    }

    @Test
    void what_only_sweeps_may_ask_of_rows_is_not_asked_by_a_restore() {
        db.execute("CREATE FUNCTION settled(integer) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT true';"
                + " REVOKE EXECUTE ON FUNCTION settled FROM PUBLIC; GRANT EXECUTE ON FUNCTION settled TO "
                + TestDatabase.ARCHIVER);
        ArchivePair<?> pair = TestedPair.USAGE.where(DSL.condition("public.settled({0})", MODEL_USAGE_DETAILS.ID));

        RestoreResult result = Archiver.builder(pair, db.restorer())
                .build()
                .restore(RowFilter.ids("1", "10"), UNTIL, REASON, new StopSignal());

        assertThat(result.counts().rowsMoved()).isEqualTo(10);
    }

    @ParameterizedTest
    @CsvSource(nullValues = "-", textBlock = """
            2024-01-01T00:10, 2024-01-01T00:20, -, -, -, -, id >= 10 AND id < 20
            2024-01-01T00:25, -, -, -, -, -, id >= 25
            -, 2024-01-01T00:03, -, -, -, -, id < 3
            -, -, 5, 9, -, -, id BETWEEN 5 AND 9
            -, -, -, -, 7, -, user_id = 7
            -, -, -, -, -, 3, model_id = 3
            2024-01-01T00:05, -, -, 20, 7, 0, id = 7
            """)
    void rows_that_match_come_back_and_stay_until_the_hold_ends(
            LocalDateTime from, LocalDateTime to, String minId, String maxId, Long user, Long model, String matching) {
        RowFilter filter = new RowFilter(from, to, minId, maxId, user, model);
        long matches = db.number("SELECT count(*) FROM original WHERE id <= 30 AND (" + matching + ")");

        RestoreResult result = rows.restorer(2).build().restore(filter, UNTIL, REASON, new StopSignal());

        assertThat(result.counts().stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(result.counts().rowsMoved()).isEqualTo(matches);
        assertThat(result.counts().batches()).isBetween((matches + 1) / 2, (matches + 1) / 2 + 1);
        assertThat(result.hold())
                .isEqualTo(rows.archiver().build().holds().list().get(0));
        assertThat(result.hold().filter()).isEqualTo(filter);
        assertThat(rows.ledger("concat_ws(' ', direction, state, rows_moved, cutoff = started_at"
                        + " OR started_at - cutoff < interval '1 minute')"))
                .isEqualTo("RESTORE DRAINED " + matches + " t");
        String stillArchived = "id <= 30 AND (" + matching + ") IS NOT TRUE";
        rows.assertMoved(stillArchived);

        SweepResult sweep = rows.archiver(7).build().sweep();
        assertThat(sweep.stopReason()).isEqualTo(StopReason.DRAINED);
        rows.assertMoved(stillArchived);

        db.execute("UPDATE usage_archive_hold SET hold_until = timezone('UTC', now())");
        assertThat(rows.archiver(7).build().sweep().rowsMoved()).isEqualTo(matches);
        rows.assertMoved(EXPIRED);
    }

    @Test
    void a_restore_and_then_a_sweep_after_the_holds_end_bring_both_tables_back_byte_for_byte() {
        String image = "SELECT 'hot ' || h::text FROM model_usage_details h UNION ALL"
                + " SELECT 'archive ' || a::text FROM model_usage_details_archive a ORDER BY 1";
        List<String> before = db.strings(image);

        Hold hold = restore(ALL).hold();
        assertThat(db.number("SELECT count(*) FROM model_usage_details_archive"))
                .isZero();
        rows.assertAllHot();
        rows.restorer(1).build().holds().release(hold.id());
        rows.archiver(7).build().sweep();

        assertThat(db.strings(image)).hasSize(31).isEqualTo(before);
    }

    @Test
    void rows_whose_id_is_hot_with_other_content_stay_archived_and_are_listed() {
        db.execute("INSERT INTO model_usage_details SELECT * FROM model_usage_details_archive WHERE id IN (3, 7, 8);"
                + " UPDATE model_usage_details SET operation = 'other' WHERE id IN (3, 7)");

        RestorePreview preview = rows.restorer(1).build().previewRestore(ALL);
        SweepResult counts = restore(ALL).counts();

        assertThat(preview).isEqualTo(new RestorePreview(30, 1, 2, List.of("3", "7")));
        assertThat(preview.restorable()).isEqualTo(27);
        assertThat(counts.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(counts.rowsMoved()).isEqualTo(27);
        assertThat(counts.rowsAlreadyArchived()).isEqualTo(1);
        assertThat(counts.rowsInConflict()).isEqualTo(2);
        assertThat(counts.conflictingIds()).containsExactlyInAnyOrder("3", "7");
        assertThat(db.strings("SELECT id FROM model_usage_details_archive ORDER BY 1"))
                .containsExactly("3", "7");
        assertThat(db.strings("SELECT id || operation FROM model_usage_details WHERE id IN (3, 7) ORDER BY 1"))
                .containsExactly("3other", "7other");
        db.execute("DELETE FROM model_usage_details WHERE id IN (3, 7);"
                + " INSERT INTO model_usage_details SELECT * FROM model_usage_details_archive");
        restore(ALL);
        rows.assertAllHot();
    }

    @Test
    void rows_that_the_hot_table_refuses_stay_archived_and_are_listed_with_its_reason() {
        db.execute("ALTER TABLE model_usage_details ADD CONSTRAINT few CHECK (id <> 9 AND id <> 20)");

        SweepResult counts = restore(ALL).counts();

        assertThat(counts.rowsMoved()).isEqualTo(28);
        assertThat(counts.rejectedIds()).containsExactlyInAnyOrder("9", "20");
        assertThat(rows.ledger("message"))
                .startsWith("rejected by the hot table, or by what refers to the row:")
                .contains("\"few\"");
        rows.assertMoved("id IN (9, 20)");
    }

    @Test
    void an_insert_of_the_same_id_that_is_not_committed_yet_is_waited_for_and_left_alone() throws Exception {
        try (Rival application = new Rival(
                db,
                "INSERT INTO model_usage_details SELECT * FROM"
                        + " model_usage_details_archive WHERE id = 5; UPDATE model_usage_details SET operation = 'x' WHERE id = 5")) {
            CompletableFuture<SweepResult> restore = start(() -> restore(ALL).counts());
            application.awaitWaiting(TestDatabase.RESTORER, 1, "insert into %model_usage_details%");
            application.commit();

            assertThat(restore.get().conflictingIds()).containsExactly("5");
        }
        assertThat(db.strings("SELECT operation FROM model_usage_details WHERE id = 5"))
                .containsExactly("x");
        assertThat(db.strings("SELECT id FROM model_usage_details_archive")).containsExactly("5");
    }

    @Test
    void a_preview_changes_nothing() {
        String everything = "SELECT count(*) || ' ' || max(xmin::text) FROM model_usage_details_archive UNION ALL"
                + " SELECT count(*) || ' ' || max(xmin::text) FROM model_usage_details UNION ALL"
                + " SELECT count(*) || ' ' || max(xmin::text) FROM usage_archive_sweep UNION ALL"
                + " SELECT count(*)::text FROM usage_archive_hold";
        List<String> before = db.strings(everything);
        RowFilter day =
                RowFilter.ages(LocalDateTime.parse("2024-01-01T00:10"), LocalDateTime.parse("2024-01-01T00:20"));

        assertThat(rows.restorer(1).build().previewRestore(day)).isEqualTo(new RestorePreview(10, 0, 0, List.of()));

        assertThat(db.strings(everything)).isEqualTo(before);
    }

    @Test
    void the_hold_is_committed_before_the_first_row_moves() {
        AtomicReference<List<String>> holds = new AtomicReference<>();
        ConnectionSource tapped = new TappedConnections(db.restorer(), (sql, connection) -> {
            if (sql.contains("insert into \"public\".\"model_usage_details\"")) {
                holds.compareAndSet(null, db.strings("SELECT hold_until FROM usage_archive_hold"));
            }
        });
        Archiver.builder(TestedPair.USAGE, tapped).build().restore(ALL, UNTIL, REASON, new StopSignal());
        assertThat(holds.get()).containsExactly("2100-01-01 00:00:00");
    }

    @Test
    void a_restore_whose_opening_was_committed_without_an_answer_goes_on_with_its_row() {
        AtomicInteger opening = new AtomicInteger();
        ConnectionSource tapped = new TappedConnections(db.restorer(), (sql, connection) -> {
            if (sql.startsWith("insert into \"public\".\"usage_archive_sweep\"")) {
                opening.compareAndSet(0, 1);
            } else if (sql.equals(TappedConnections.COMMIT) && opening.compareAndSet(1, 2)) {
                connection.commit();
                kill(connection);
            }
        });

        Archiver.builder(TestedPair.USAGE, tapped).build().restore(ALL, UNTIL, REASON, new StopSignal());

        rows.assertAllHot();
        assertThat(db.strings("SELECT state FROM usage_archive_sweep WHERE direction = 'RESTORE'"))
                .containsExactly("DRAINED");
    }

    @Test
    void a_sweep_that_meets_a_live_restore_is_busy_and_leaves_it_alone() {
        AtomicReference<SweepResult> sweep = new AtomicReference<>();
        AtomicReference<RestoreResult> second = new AtomicReference<>();
        SweepListener meet = UsageRows.afterBatch(2, () -> {
            sweep.set(rows.archiver(7).build().sweep());
            second.set(restore(RowFilter.user(7)));
        });

        RestoreResult restore = rows.restorer(7).listener(meet).build().restore(ALL, UNTIL, REASON, new StopSignal());

        assertThat(sweep.get().stopReason()).isEqualTo(StopReason.BUSY);
        assertThat(sweep.get().batches()).isZero();
        assertThat(second.get().counts().stopReason()).isEqualTo(StopReason.BUSY);
        assertThat(second.get().hold()).isNull();
        assertThat(restore.counts().stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(db.strings("SELECT concat_ws(' ', direction, state, finished_at IS NOT NULL, rows_moved)"
                        + " FROM usage_archive_sweep ORDER BY sweep_id"))
                .containsExactly(
                        "ARCHIVE DRAINED t 30", "RESTORE DRAINED t 30", "ARCHIVE BUSY t 0", "RESTORE BUSY t 0");
        assertThat(rows.archiver().build().holds().list()).hasSize(1);
        rows.assertAllHot();
    }

    @Test
    void a_restore_supersedes_a_running_sweep_which_moves_nothing_more() {
        rows.change("UPDATE {table} SET created_at = '2020-01-01' WHERE id = 31");
        db.insertUsage("SELECT 32, timestamp '2020-01-01', timestamp '2020-01-01'");
        rows.remember();
        db.execute("INSERT INTO original TABLE model_usage_details_archive");

        SweepResult sweep = rows.archiver(1)
                .listener(UsageRows.afterBatch(1, () -> restore(RowFilter.user(7))))
                .build()
                .sweep();

        assertThat(sweep.stopReason()).isEqualTo(StopReason.SUPERSEDED);
        assertThat(sweep.rowsMoved()).isEqualTo(1);
        assertThat(db.number("SELECT count(*) FROM model_usage_details WHERE id = 31"))
                .isEqualTo(1);
    }

    /** Its node was frozen for so long, and thaws. */
    @Test
    void a_restore_without_a_sign_of_life_is_superseded_and_moves_nothing_more() {
        AtomicReference<SweepResult> sweep = new AtomicReference<>();
        SweepListener freeze = UsageRows.afterBatch(2, () -> {
            db.execute("UPDATE usage_archive_sweep SET live_until = timezone('UTC', now()) WHERE state = 'RUNNING'");
            sweep.set(rows.archiver(7).build().sweep());
        });

        SweepResult restore = rows.restorer(5)
                .listener(freeze)
                .build()
                .restore(ALL, UNTIL, REASON, new StopSignal())
                .counts();

        assertThat(sweep.get().stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(restore.stopReason()).isEqualTo(StopReason.SUPERSEDED);
        assertThat(restore.rowsMoved()).isEqualTo(10);
        assertThat(db.number("SELECT count(*) FROM model_usage_details WHERE id <= 30"))
                .isEqualTo(10);
        assertThat(db.number("SELECT count(*) FROM model_usage_details_archive"))
                .isEqualTo(20);
    }

    @Test
    void each_batch_and_each_page_is_a_sign_of_life() throws SQLException {
        AtomicInteger batches = new AtomicInteger();
        SweepListener listener = new SweepListener() {
            @Override
            public void batchCommitted(SweepProgress progress) {
                batches.incrementAndGet();
                assertAlive();
                die();
            }

            private void die() {
                db.execute("UPDATE usage_archive_sweep SET live_until = '2020-01-01' WHERE state = 'RUNNING'");
            }

            private void assertAlive() {
                // Ten times a statement's minute, two seconds for the answer, and the five minutes of the attempts.
                assertThat(rows.ledger(
                                "live_until - last_batch_at BETWEEN interval '15 min 1 s' AND interval '15 min 3 s'"))
                        .isEqualTo("t");
            }
        };
        rows.restorer(10).listener(listener).build().restore(RowFilter.ids("1", "20"), UNTIL, REASON, new StopSignal());
        assertThat(batches).hasValue(2);

        List<String> beforePages = new ArrayList<>();
        ConnectionSource tapped = new TappedConnections(db.restorer(), (sql, connection) -> {
            if (sql.startsWith("insert into \"public\".\"usage_archive_hold\"")) {
                db.execute("UPDATE usage_archive_sweep SET live_until = '2020-01-01' WHERE state = 'RUNNING'");
            }
            if (sql.contains("order by") && sql.contains("fetch next")) {
                beforePages.add(rows.ledger("live_until > timezone('UTC', now())"));
            }
        });
        Archiver.builder(TestedPair.USAGE, tapped).build().restore(ALL, UNTIL, REASON, new StopSignal());
        assertThat(beforePages).isNotEmpty().containsOnly("t");
        rows.assertAllHot();
    }

    @Test
    void the_archivers_own_role_cannot_restore_and_supersedes_nothing_by_trying() {
        db.execute("INSERT INTO usage_archive_sweep (table_name, state, node, fired_by, cutoff, started_at)"
                + " VALUES ('public.model_usage_details', 'RUNNING', 'node', 'test', '2020-01-01', now())");
        Archiver archiver = rows.archiver().build();

        SchemaDriftException refused = catchThrowableOfType(
                SchemaDriftException.class, () -> archiver.restore(ALL, UNTIL, REASON, new StopSignal()));

        assertThat(refused)
                .hasMessageStartingWith(
                        "No row of public.model_usage_details can be restored, because the database does not allow it:");
        assertThat(refused.differences())
                .containsExactly(
                        "archive public.model_usage_details_archive grants this role no DELETE; apply"
                                + " sql/06-restore-grants.sql for a role of its own",
                        "holds public.usage_archive_hold grants this role no INSERT; apply sql/06-restore-grants.sql for"
                                + " a role of its own",
                        "hot public.model_usage_details grants this role no INSERT; apply sql/06-restore-grants.sql for a"
                                + " role of its own",
                        "ledger public.usage_archive_sweep grants this role no UPDATE (holds_version); apply"
                                + " sql/06-restore-grants.sql for a role of its own");
        assertThat(rows.ledger("state")).isEqualTo("RUNNING");
        for (String sql : List.of(
                "DELETE FROM model_usage_details_archive",
                "INSERT INTO model_usage_details SELECT * FROM model_usage_details_archive",
                "INSERT INTO usage_archive_hold (user_id) VALUES (1)")) {
            assertThatThrownBy(() -> execute(db.archiver(), sql)).hasMessageContaining("permission denied");
        }
    }

    @Test
    void the_restorers_role_cannot_archive() {
        for (String sql : List.of(
                "DELETE FROM model_usage_details",
                "INSERT INTO model_usage_details_archive SELECT * FROM model_usage_details",
                "UPDATE model_usage_details SET user_id = 1",
                "DELETE FROM usage_archive_hold",
                "DELETE FROM usage_archive_sweep")) {
            assertThatThrownBy(() -> execute(db.restorer(), sql)).hasMessageContaining("permission denied");
        }
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            CREATE TRIGGER t BEFORE INSERT ON HOT FOR EACH ROW EXECUTE FUNCTION f() | hot public.HOT has trigger t, which acts on each INSERT; drop or disable it
            CREATE RULE r AS ON INSERT TO HOT DO INSTEAD NOTHING | hot public.HOT has rule r, which acts on each INSERT; drop or disable it
            CREATE TRIGGER t BEFORE DELETE ON ARC FOR EACH ROW EXECUTE FUNCTION f() | archive public.ARC has trigger t, which acts on DELETE; drop or disable it
            CREATE RULE r AS ON DELETE TO ARC DO INSTEAD NOTHING | archive public.ARC has rule r, which acts on DELETE; drop or disable it
            ALTER TABLE HOT ALTER id DROP DEFAULT, ALTER id ADD GENERATED ALWAYS AS IDENTITY | hot public.HOT column id is GENERATED ALWAYS: it takes no copy
            ALTER TABLE HOT DROP operation, ADD operation varchar(32) GENERATED ALWAYS AS ('x') STORED | hot public.HOT column operation is GENERATED ALWAYS: it takes no copy
            ALTER TABLE HOT ALTER operation SET NOT NULL | hot public.HOT column operation is NOT NULL (archive: null allowed)
            ALTER TABLE HOT ALTER operation TYPE varchar(16) | hot public.HOT column operation is character varying(16) (archive: character varying(32))
            ALTER TABLE ARC ADD extra int | hot public.HOT lacks column extra (archive: integer)
            ALTER TABLE HOT ADD extra int | archive public.ARC lacks column extra (hot: integer)
            CREATE TABLE bill (usage_id int REFERENCES ARC ON DELETE CASCADE) | archive public.ARC is referenced by bill_usage_id_fkey of public.bill on delete cascade: moving a row would change other rows; it must be ON DELETE NO ACTION or RESTRICT
            """)
    void tables_between_which_a_row_could_be_lost_on_its_way_back_are_refused(String change, String difference) {
        db.execute("CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'");
        db.execute(named(change));
        long ledgerRows = db.number("SELECT count(*) FROM usage_archive_sweep");

        SchemaDriftException refused = catchThrowableOfType(SchemaDriftException.class, () -> restore(ALL));

        assertThat(refused.differences()).containsExactly(named(difference));
        assertThat(db.number("SELECT count(*) FROM model_usage_details_archive"))
                .isEqualTo(30);
        assertThat(db.number("SELECT count(*) FROM usage_archive_hold")).isZero();
        assertThat(db.number("SELECT count(*) FROM usage_archive_sweep")).isEqualTo(ledgerRows);
    }

    private static String named(String text) {
        return text.replace("HOT", "model_usage_details").replace("ARC", "model_usage_details_archive");
    }

    @Test
    void a_sweep_may_go_on_where_only_a_restore_is_refused() {
        db.execute("CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
                + " CREATE TRIGGER t BEFORE INSERT ON model_usage_details FOR EACH ROW EXECUTE FUNCTION f()");
        assertThat(rows.archiver().build().sweep().stopReason()).isEqualTo(StopReason.DRAINED);
    }

    @Test
    void a_restore_that_makes_no_sense_is_refused_before_anything_is_changed() {
        db.execute("UPDATE usage_archive_sweep SET state = 'RUNNING'");
        Archiver archiver = rows.restorer(1).build();
        assertThatThrownBy(() -> archiver.restore(RowFilter.ids("x", null), UNTIL, REASON, new StopSignal()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("id x: not a key");
        assertThatThrownBy(
                        () -> archiver.restore(ALL, LocalDateTime.parse("2020-01-01T00:00"), REASON, new StopSignal()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("that is past");
        assertThat(rows.ledger("count(*) OVER () || state")).isEqualTo("1RUNNING");
        assertThat(db.number("SELECT count(*) FROM usage_archive_hold")).isZero();
    }

    @Test
    void a_restore_that_is_asked_to_stop_ends_between_two_batches_and_its_hold_stands() {
        StopSignal stop = new StopSignal();
        RestoreResult result = rows.restorer(10)
                .listener(UsageRows.afterBatch(1, stop::request))
                .build()
                .restore(ALL, UNTIL, REASON, stop);
        assertThat(result.counts().stopReason()).isEqualTo(StopReason.INTERRUPTED);
        assertThat(result.counts().rowsMoved()).isEqualTo(10);
        assertThat(result.hold().active()).isTrue();
        rows.archiver(7).build().sweep();
        rows.assertMoved("id BETWEEN 11 AND 30");
    }

    @Test
    void a_restore_that_is_asked_to_stop_once_its_hold_is_committed_tells_of_it() {
        StopSignal stop = new StopSignal();
        ConnectionSource tapped = new TappedConnections(db.restorer(), (sql, connection) -> {
            if (sql.contains("\"holds_version\" + ")) {
                stop.request();
                kill(connection);
            }
        });
        RestoreResult result =
                Archiver.builder(TestedPair.USAGE, tapped).build().restore(ALL, UNTIL, REASON, stop);
        assertThat(result.counts().stopReason()).isEqualTo(StopReason.INTERRUPTED);
        assertThat(result.hold())
                .isEqualTo(rows.restorer(1).build().holds().list().get(0));
        rows.assertMoved(EXPIRED);
    }

    @Test
    void a_restore_that_fails_tells_of_the_hold_that_stays() {
        db.execute("CREATE FUNCTION full_disk(integer) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN IF (SELECT count(*)"
                + " FROM public.model_usage_details) > 10 THEN RAISE 'no space' USING ERRCODE = '53100'; END IF; RETURN true;"
                + " END $$; ALTER TABLE model_usage_details ADD CHECK (full_disk(id)) NOT VALID");

        SweepFailedException failed = catchThrowableOfType(
                SweepFailedException.class,
                () -> rows.restorer(10).build().restore(ALL, UNTIL, REASON, new StopSignal()));

        String told = "\nHold 1, which it had set, stays: usage-archiver release 1 ends it";
        assertThat(failed).hasMessageContaining("no space").hasMessageEndingWith(told);
        assertThat(failed.hold())
                .isEqualTo(rows.restorer(1).build().holds().list().get(0));
        assertThat(failed.result().rowsMoved()).isEqualTo(10);
        assertThat(rows.ledger("state || right(message, " + told.length() + ")"))
                .isEqualTo("FAILED" + told);
    }

    @Test
    void a_restore_whose_tables_are_altered_meanwhile_tells_of_the_hold_that_stays() {
        SweepListener alter =
                UsageRows.afterBatch(1, () -> db.execute("ALTER TABLE model_usage_details ADD extra text"));
        SchemaDriftException refused = catchThrowableOfType(
                SchemaDriftException.class,
                () -> rows.restorer(10).listener(alter).build().restore(ALL, UNTIL, REASON, new StopSignal()));
        assertThat(refused)
                .hasMessageContaining("lacks column extra")
                .hasMessageEndingWith("\nHold 1, which it had set, stays: usage-archiver release 1 ends it");
        assertThat(refused.differences()).singleElement().asString().doesNotContain("Hold");
    }

    @Test
    void the_run_window_and_the_time_budget_of_sweeps_do_not_end_a_restore() {
        LocalTime now = LocalDateTime.parse(
                        db.strings("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI')")
                                .get(0))
                .toLocalTime();
        ArchiveSettings settings = ArchiveSettings.defaults()
                .withBatchSize(1)
                .withTimeBudget(Duration.ofMillis(1))
                .withPace(Pace.full().withRunWindow(new RunWindow(now.plusHours(6), now.plusHours(7))));
        assertThat(rows.archiver()
                        .clock(Clock.systemUTC())
                        .settings(settings)
                        .build()
                        .sweep()
                        .stopReason())
                .isEqualTo(StopReason.OUTSIDE_WINDOW);

        RestoreResult restore =
                rows.restorer(1).settings(settings).build().restore(ALL, UNTIL, REASON, new StopSignal());

        assertThat(restore.counts().stopReason()).isEqualTo(StopReason.DRAINED);
        rows.assertAllHot();
    }

    @Test
    void a_column_that_both_tables_get_during_a_restore_is_restored_too() {
        SweepListener alter = UsageRows.afterBatch(1, () -> {
            rows.change("ALTER TABLE {table} ADD extra text");
            db.execute("ALTER TABLE model_usage_details_archive ADD extra text DEFAULT 'x'");
            db.execute("UPDATE original SET extra = 'x' WHERE id BETWEEN 11 AND 30");
        });
        rows.restorer(10).listener(alter).build().restore(ALL, UNTIL, REASON, new StopSignal());
        rows.assertAllHot();
    }

    @Test
    void rows_come_back_exactly_once_whichever_statement_of_a_restore_the_backend_is_killed_before() {
        boolean killed = true;
        int first = 0;
        for (; killed; first++) {
            int from = first;
            db.execute("DELETE FROM usage_archive_hold; DELETE FROM usage_archive_sweep");
            rows.archiver(30).build().sweep();
            rows.assertMoved(EXPIRED);
            AtomicInteger statements = new AtomicInteger();
            ConnectionSource connections = new TappedConnections(db.restorer(), (sql, connection) -> {
                if (statements.getAndIncrement() == from) {
                    kill(connection);
                }
            });
            try {
                Archiver.builder(TestedPair.USAGE, connections)
                        .settings(ArchiveSettings.defaults().withBatchSize(15))
                        .build()
                        .restore(ALL, UNTIL, REASON, new StopSignal());
            } catch (ArchiveException e) {
                // Only the hold is not tried again; nothing has moved then.
                assertThat(e).hasRootCauseInstanceOf(SQLException.class);
                rows.assertMoved(EXPIRED);
                db.execute("UPDATE usage_archive_sweep SET live_until = '2020-01-01'");
                restore(ALL);
            }
            rows.assertAllHot();
            assertThat(db.number("SELECT sum(rows_moved) FROM usage_archive_sweep WHERE direction = 'RESTORE'"))
                    .isEqualTo(30);
            killed = statements.get() > from;
        }
        assertThat(first).as("statements of a restore").isGreaterThan(30);
    }

    @Test
    void health_is_that_of_sweeps_whatever_a_restore_came_to() {
        db.execute(
                "INSERT INTO usage_archive_sweep"
                        + " (table_name, direction, state, node, fired_by, cutoff, started_at, finished_at, batches, message)"
                        + " VALUES ('public.model_usage_details', 'RESTORE', 'FAILED', 'n', 'f', now(), now(), now(), 1, 'full')");
        Health health =
                Archiver.builder(TestedPair.USAGE, db.archiver()).build().health();
        assertThat(health.status()).isEqualTo(Health.Status.OK);
    }

    private void kill(Connection connection) throws SQLException {
        try (var statement = connection.createStatement();
                var row = statement.executeQuery("SELECT pg_backend_pid()")) {
            row.next();
            String pid = row.getString(1);
            db.strings("SELECT pg_terminate_backend(" + pid + ")");
            await().pollDelay(Duration.ZERO)
                    .pollInterval(Duration.ofMillis(5))
                    .until(() -> db.number("SELECT count(*) FROM pg_stat_activity WHERE pid = " + pid) == 0);
        }
    }

    private RestoreResult restore(RowFilter filter) {
        return rows.restorer(4).build().restore(filter, UNTIL, REASON, new StopSignal());
    }

    private static <T> CompletableFuture<T> start(Supplier<T> work) {
        return CompletableFuture.supplyAsync(work, task -> new Thread(task).start());
    }

    private static void execute(ConnectionSource source, String sql) throws SQLException {
        try (Connection connection = source.open()) {
            TestDatabase.execute(connection, sql);
        }
    }
}
