package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.usagearchiver.testing.Rival;
import io.usagearchiver.testing.SlowPath;
import io.usagearchiver.testing.TappedConnections;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import io.usagearchiver.testing.UsageRows;
import java.time.Duration;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Holds, set by the role for it; the sweeps are those of the archiver's. */
class HoldTest {
    private static final String REASON = "lawsuit";
    /** Of the ids 5 to 9. The first batch of six takes 1, 2, 4, 5, 7 and 8: rows that completed come first. */
    private static final String HELD_AFTER_FIRST_BATCH = "6 9";

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    private final UsageRows rows = new UsageRows(db);
    private final Holds holds = rows.restorer(1).node("desk").build().holds();

    /** Ages are minutes of 2024-01-01; every tenth row has no user, every third never completed. */
    @ParameterizedTest
    @CsvSource(nullValues = "-", textBlock = """
            2024-01-01T00:10, 2024-01-01T00:20, -, -, -, -, id >= 10 AND id < 20
            2024-01-01T00:25, -, -, -, -, -, id >= 25
            -, 2024-01-01T00:03, -, -, -, -, id < 3
            -, -, 5, 9, -, -, id BETWEEN 5 AND 9
            -, -, 28, -, -, -, id >= 28
            -, -, -, 2, -, -, id <= 2
            -, -, -, -, 7, -, user_id = 7
            -, -, -, -, -, 3, model_id = 3
            2024-01-01T00:05, -, -, 20, 7, 0, id = 7
            """)
    void expired_rows_under_a_hold_stay_hot_and_the_sweep_is_drained(
            LocalDateTime from, LocalDateTime to, String minId, String maxId, Long user, Long model, String held) {
        insertExpired(30);
        holds.hold(new RowFilter(from, to, minId, maxId, user, model), null, REASON);

        SweepResult result = rows.archiver(4).build().sweep();

        assertThat(result.stopReason()).isEqualTo(StopReason.DRAINED);
        rows.assertMoved("(" + held + ") IS NOT TRUE");
        assertThat(db.number("SELECT count(*) FROM model_usage_details"))
                .as("rows held")
                .isPositive();
    }

    @Test
    void rows_of_all_holds_stay_and_those_under_none_go() {
        insertExpired(30);
        holds.hold(RowFilter.user(7), null, REASON);
        holds.hold(RowFilter.ids("5", "6"), LocalDateTime.parse("2100-01-01T00:00"), REASON);
        db.execute("INSERT INTO usage_archive_hold (table_name, id_min, reason, created_by, node, created_at)"
                + " VALUES ('public.other', '1', 'of another table', 'x', 'x', now())");

        rows.archiver(4).build().sweep();

        rows.assertMoved("user_id IS DISTINCT FROM 7 AND id NOT IN (5, 6)");
    }

    @Test
    void a_hold_by_a_user_and_by_columns_keeps_the_rows_that_match_both() {
        insertExpired(30);
        db.execute("UPDATE model_usage_details SET operation = CASE id % 2 WHEN 0 THEN 'chat' ELSE 'Chat' END");
        rows.remember();
        holds.hold(RowFilter.user(7).andWhere("operation", "Chat").andWhere("date", "2020-01-18"), null, REASON);

        rows.archiver(4).build().sweep();

        rows.assertMoved("id <> 17");
    }

    @Test
    void rows_go_once_their_hold_is_released_or_over() {
        insertExpired(30);
        Hold released = holds.hold(RowFilter.user(7), null, REASON);
        holds.hold(RowFilter.ids("5", "6"), LocalDateTime.parse("2100-01-01T00:00"), REASON);
        Archiver archiver = rows.archiver(4).build();
        archiver.sweep();

        assertThat(holds.release(released.id()).active()).isFalse();
        archiver.sweep();
        rows.assertMoved("id NOT IN (5, 6)");

        db.execute("UPDATE usage_archive_hold SET hold_until = timezone('UTC', now()) WHERE released_at IS NULL");
        archiver.sweep();
        rows.assertMoved("true");
    }

    @Test
    void a_hold_says_who_set_it_why_and_for_how_long() {
        LocalDateTime until = LocalDateTime.parse("2100-03-04T05:06:07.123456");
        RowFilter filter = new RowFilter(LocalDateTime.parse("2025-03-09T02:30"), until, "1", "9", 7L, 3L);

        Hold hold = holds.hold(filter, until, REASON);

        assertThat(hold)
                .isEqualTo(new Hold(
                        1,
                        "public.model_usage_details",
                        filter,
                        REASON,
                        TestDatabase.RESTORER,
                        "desk",
                        hold.createdAt(),
                        until,
                        null,
                        null,
                        true,
                        null));
        assertThat(db.number("SELECT count(*) FROM usage_archive_hold WHERE age_from = '2025-03-09 02:30'"
                        + " AND hold_until = '2100-03-04 05:06:07.123456' AND created_at = '" + hold.createdAt()
                        + "' AND timezone('UTC', now()) - created_at < interval '1 minute'"))
                .isEqualTo(1);

        Hold released = holds.release(hold.id());
        Hold open = holds.hold(RowFilter.user(7), null, REASON);
        assertThat(released.releasedBy()).isEqualTo(TestDatabase.RESTORER);
        assertThat(released.active()).isFalse();
        assertThat(holds.release(hold.id())).as("released once more").isEqualTo(released);
        assertThat(holds.list()).containsExactly(open, released);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', nullValues = "-", textBlock = """
            abc | 9 | - | -                | lawsuit | id abc: not a key of public.model_usage_details
            1 | 99999999999 | - | -        | lawsuit | id 99999999999: not a key of public.model_usage_details
            9 | 5 | - | -                  | lawsuit | ids 9..5: the first must not be after the last
            1 | 9 | - | 2020-01-01T00:00   | lawsuit | hold until 2020-01-01T00:00: that is past
            1 | 9 | - | -                  | ''      | reason: a hold needs one
            - | - | 99999999999 | -        | lawsuit | user_id 99999999999: the column of public.model_usage_details is integer, which has no such value
            - | - | 7 | +300000-01-01T00:00 | lawsuit | hold until +300000-01-01T00:00: not a moment that PostgreSQL knows
            - | - | 7 | -0001-01-01T00:00  | lawsuit | hold until -0001-01-01T00:00: that is past
            """)
    void a_hold_that_makes_no_sense_is_refused_and_nothing_is_changed(
            String minId, String maxId, Long user, LocalDateTime until, String reason, String told) {
        RowFilter filter = new RowFilter(null, null, minId, maxId, user, null);
        assertThatThrownBy(() -> holds.hold(filter, until, reason))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(told);
        assertThat(db.number("SELECT count(*) FROM usage_archive_hold")).isZero();
    }

    /** The text block of a CSV has no such characters. */
    @Test
    void a_text_that_the_database_cannot_store_is_refused() {
        RowFilter user = RowFilter.user(7);
        for (String text : List.of("a\0b", "a\uD83Db")) {
            assertThatThrownBy(() -> holds.hold(user, null, text))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageStartingWith("reason a");
            assertThatThrownBy(() -> holds.hold(RowFilter.ids(text, null), null, REASON))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageStartingWith("id a");
        }
        assertThatThrownBy(() -> holds.hold(RowFilter.ages(null, LocalDateTime.of(300_000, 1, 1, 0, 0)), null, REASON))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("to 300000-01-01 00:00: not a moment that PostgreSQL knows");
        assertThat(db.number("SELECT count(*) FROM usage_archive_hold")).isZero();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            uuid USING null     | 7           | user_id 7: the column of public.model_usage_details is uuid, which has no such value
            text                | 7           | user_id 7: the column of public.model_usage_details is text, which has no such value
            varchar(9)          | 7           | user_id 7: the column of public.model_usage_details is character varying(9), which
            boolean USING true  | 1           | user_id 1: the column of public.model_usage_details is boolean, which
            smallint            | 32768       | user_id 32768: the column of public.model_usage_details is smallint, which
            numeric(3)          | 1000        | user_id 1000: the column of public.model_usage_details is numeric(3,0), which
            real                | 16777217    | user_id 16777217: the column of public.model_usage_details is real, which
            oid                 | -1          | user_id -1: the column of public.model_usage_details is oid, which
            "Small Number"      | 10          | user_id 10: the column of public.model_usage_details is public."Small Number", which
            """)
    void a_user_that_the_live_column_cannot_have_is_refused_and_nothing_is_changed(
            String type, long user, String told) {
        db.execute("CREATE DOMAIN \"Small Number\" AS integer CHECK (VALUE < 10)");
        alterUserId(type);
        for (Executable attempt : List.<Executable>of(
                () -> holds.hold(RowFilter.user(user), null, REASON),
                () -> rows.restorer(1).build().restore(RowFilter.user(user), null, REASON, new StopSignal()),
                () -> rows.restorer(1).build().previewRestore(RowFilter.user(user)))) {
            assertThatThrownBy(attempt::execute)
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining(told);
        }
        assertThat(db.number("SELECT (SELECT count(*) FROM usage_archive_hold) + count(*) FROM usage_archive_sweep"))
                .isZero();
    }

    @ParameterizedTest
    @CsvSource({
        "smallint, 7",
        "bigint, 12345678901",
        "numeric, 12345678901",
        "'numeric(5,2)', 7",
        "double precision, 7",
        "'\"Small Number\"', 7"
    })
    void a_user_that_the_live_column_can_have_is_held_whatever_the_generated_code_says(String type, long user) {
        db.execute("CREATE DOMAIN \"Small Number\" AS integer CHECK (VALUE < 10)");
        insertExpired(30);
        alterUserId(type);
        db.execute("UPDATE model_usage_details SET user_id = " + user + " WHERE user_id = 7");
        rows.remember();
        holds.hold(RowFilter.user(user), null, REASON);

        rows.archiver(4).build().sweep();

        rows.assertMoved("user_id IS DISTINCT FROM " + user);
        assertThat(db.number("SELECT count(*) FROM model_usage_details")).isEqualTo(3);
    }

    private void alterUserId(String type) {
        db.execute("DROP INDEX ix_model_usage_details_user_id, ix_model_usage_details_archive_user_id");
        for (String table : List.of("model_usage_details", "model_usage_details_archive")) {
            db.execute("ALTER TABLE " + table + " ALTER user_id TYPE " + type);
        }
    }

    @Test
    void a_column_that_the_live_tables_lack_is_told() {
        for (String table : List.of("model_usage_details", "model_usage_details_archive")) {
            db.execute("ALTER TABLE " + table + " DROP user_id");
        }
        assertThatThrownBy(() -> holds.hold(RowFilter.user(7), null, REASON))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("user_id 7: public.model_usage_details has no such column");
    }

    /** Rounded to the nearest microsecond, row 2 would go, or row 3 stay. */
    @Test
    void a_range_that_is_finer_than_microseconds_holds_the_rows_that_are_in_it() {
        rows.replace("SELECT i, timestamp '2024-01-01' + i * interval '1 us', now() FROM generate_series(1, 5) i");
        holds.hold(
                RowFilter.ages(
                        LocalDateTime.parse("2024-01-01T00:00:00.000001400"),
                        LocalDateTime.parse("2024-01-01T00:00:00.000003400")),
                LocalDateTime.parse("2100-01-01T00:00:00.000000001"),
                REASON);

        rows.archiver(4).build().sweep();

        rows.assertMoved("id NOT IN (2, 3)");
        assertThat(db.strings("SELECT hold_until FROM usage_archive_hold"))
                .containsExactly("2100-01-01 00:00:00.000001");
        assertThatThrownBy(() -> RowFilter.ages(
                        LocalDateTime.parse("2024-01-01T00:00:00.000001400"),
                        LocalDateTime.parse("2024-01-01T00:00:00.000001900")))
                .hasMessageContaining("from must be before to");
    }

    @Test
    void the_ends_of_all_times_are_infinite() {
        Hold hold = holds.hold(RowFilter.ages(LocalDateTime.MIN, LocalDateTime.MAX), LocalDateTime.MAX, REASON);
        assertThat(hold.until()).isNull();
        assertThat(hold.filter()).isEqualTo(RowFilter.ages(LocalDateTime.MIN, LocalDateTime.MAX));
        assertThat(db.strings("SELECT concat_ws(' ', age_from, age_to, hold_until) FROM usage_archive_hold"))
                .containsExactly("-infinity infinity infinity");
    }

    @Test
    void a_hold_whose_commit_had_no_answer_is_told_by_its_id() {
        ConnectionSource tapped = new TappedConnections(db.restorer(), (sql, connection) -> {
            if (sql.equals(TappedConnections.COMMIT)) {
                connection.commit();
                connection.abort(Runnable::run);
            }
        });
        Holds cut = Archiver.builder(TestedPair.USAGE, tapped).build().holds();

        assertThatThrownBy(() -> cut.hold(RowFilter.user(7), null, REASON))
                .isInstanceOf(ArchiveException.class)
                .hasMessageStartingWith(
                        "Hold 1 of public.model_usage_details may be set or not, look for it with holds: ");
        assertThat(holds.list()).hasSize(1);
    }

    @Test
    void a_filter_without_a_condition_or_with_an_empty_range_is_refused() {
        LocalDateTime moment = LocalDateTime.parse("2024-01-01T00:00");
        assertThatThrownBy(() -> RowFilter.ages(null, null)).hasMessageStartingWith("no filter is set");
        assertThatThrownBy(() -> RowFilter.ages(moment, moment)).hasMessageContaining("from must be before to");
        assertThatThrownBy(() -> RowFilter.ages(LocalDateTime.MAX, null)).hasMessageContaining("no row that expires");
        assertThatThrownBy(() -> RowFilter.ages(null, LocalDateTime.MIN)).hasMessageContaining("no row that expires");
    }

    @Test
    void a_hold_that_does_not_exist_cannot_be_released() {
        assertThatThrownBy(() -> holds.release(77))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("hold 77: there is no such hold on public.model_usage_details");
    }

    @Test
    void the_archivers_own_role_can_neither_set_nor_release_holds() {
        Hold hold = holds.hold(RowFilter.user(7), null, REASON);
        Holds own = rows.archiver().build().holds();
        for (Runnable attempt :
                List.<Runnable>of(() -> own.hold(RowFilter.user(8), null, REASON), () -> own.release(hold.id()))) {
            assertThatThrownBy(attempt::run)
                    .isInstanceOf(ArchiveException.class)
                    .hasMessageContainingAll("permission denied for table usage_archive_hold", "06-restore-grants");
        }
        assertThat(own.list()).containsExactly(hold);
    }

    /** Holds that have ended cost nothing either. */
    @Test
    void where_there_are_no_holds_the_statements_are_those_of_before_and_one_that_looks_for_holds() {
        insertExpired(30);
        List<String> without = statementsOfASweep();
        insertExpired(30);
        holds.release(holds.hold(RowFilter.user(7), null, REASON).id());
        List<String> ended = statementsOfASweep();
        insertExpired(30);
        holds.hold(RowFilter.user(7), null, REASON);
        List<String> held = statementsOfASweep();

        assertThat(ended).isEqualTo(without);
        assertThat(without).noneMatch(HoldTest::leavesOut);
        assertThat(without)
                .filteredOn(sql -> sql.contains("usage_archive_hold"))
                .hasSize(1);
        assertThat(held).filteredOn(HoldTest::leavesOut).hasSizeGreaterThan(5);
    }

    private List<String> statementsOfASweep() {
        List<String> statements = new ArrayList<>();
        Archiver.builder(
                        TestedPair.USAGE,
                        new TappedConnections(db.archiver(), (sql, connection) -> statements.add(sql)))
                .settings(ArchiveSettings.defaults().withBatchSize(10))
                .clock(UsageRows.clockAt(UsageRows.CUTOFF.plusMonths(13)))
                .build()
                .sweep();
        return statements;
    }

    private static boolean leavesOut(String sql) {
        return sql.contains("not coalesce(") && sql.contains("user_id");
    }

    @Test
    void a_batch_that_has_locked_its_rows_is_rolled_back_when_a_hold_is_set() throws Exception {
        insertExpired(30);
        try (Rival rival = new Rival(db, "LOCK TABLE model_usage_details_archive IN SHARE MODE")) {
            CompletableFuture<SweepResult> sweep = start(rows.archiver(30).build());
            rival.awaitWaiting(1, Rival.COPY);
            holds.hold(RowFilter.ids("5", "9"), null, REASON);
            rival.close();

            assertThat(sweep.get().stopReason()).isEqualTo(StopReason.DRAINED);
        }
        rows.assertMoved("id NOT BETWEEN 5 AND 9");
        assertThat(rows.ledger("rows_moved || ' ' || batches || ' ' || holds_version"))
                .isEqualTo("25 2 1");
    }

    @Test
    void a_batch_that_is_being_committed_is_waited_for_and_the_next_one_knows_the_hold() throws Exception {
        insertExpired(30);
        db.execute("CREATE TABLE invoice (usage_id integer REFERENCES model_usage_details"
                + " DEFERRABLE INITIALLY DEFERRED)");
        // A slice of one statement would wait for a moment only.
        try (SlowPath slow = new SlowPath();
                Rival rival = new Rival(db, "LOCK TABLE invoice IN ACCESS EXCLUSIVE MODE")) {
            Duration minute = Duration.ofMinutes(1);
            CompletableFuture<SweepResult> sweep = start(rows.archiver()
                    .settings(ArchiveSettings.defaults()
                            .withBatchSize(6)
                            .withTimeouts(minute.minusSeconds(1), minute, minute))
                    .build());
            rival.awaitWaiting(1, "COMMIT");
            CompletableFuture<Void> hold = set(RowFilter.ids("5", "9"));
            rival.awaitWaiting(TestDatabase.RESTORER, 1, "update %usage_archive_sweep%holds_version%");
            assertThat(hold).isNotDone();
            rival.close();

            hold.get();
            assertThat(sweep.get().stopReason()).isEqualTo(StopReason.DRAINED);
        }
        assertThat(db.strings("SELECT string_agg(id::text, ' ' ORDER BY id) FROM model_usage_details"))
                .containsExactly(HELD_AFTER_FIRST_BATCH);
    }

    @Test
    void a_sweep_that_opens_before_the_hold_is_committed_learns_of_it_at_its_next_batch() throws Exception {
        insertExpired(30);
        CountDownLatch batchDone = new CountDownLatch(1);
        CountDownLatch holdSet = new CountDownLatch(1);
        AtomicReference<CompletableFuture<SweepResult>> sweep = new AtomicReference<>();
        ConnectionSource sweepBeforeCommit = new TappedConnections(db.restorer(), (sql, connection) -> {
            if (sql.equals(TappedConnections.COMMIT) && sweep.get() == null) {
                sweep.set(start(rows.archiver(6)
                        .listener(UsageRows.afterBatch(1, () -> {
                            batchDone.countDown();
                            await().until(() -> holdSet.getCount() == 0);
                        }))
                        .build()));
                await().until(() -> batchDone.getCount() == 0);
            }
        });

        Archiver.builder(TestedPair.USAGE, sweepBeforeCommit)
                .build()
                .holds()
                .hold(RowFilter.ids("5", "9"), null, REASON);
        holdSet.countDown();

        assertThat(sweep.get().get().stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(db.strings("SELECT string_agg(id::text, ' ' ORDER BY id) FROM model_usage_details"))
                .containsExactly(HELD_AFTER_FIRST_BATCH);
        assertThat(rows.ledger("rows_moved")).isEqualTo("28");
    }

    /** Whatever a sweep is about to do: once the hold is set, not one of its rows is archived any more. */
    @Test
    void a_hold_counts_at_once_whichever_statement_of_a_sweep_comes_next() {
        boolean reached = true;
        Set<Long> archivedBefore = new ConcurrentSkipListSet<>();
        int first = 0;
        for (; reached; first++) {
            int from = first;
            db.execute("DELETE FROM usage_archive_hold");
            insertExpired(3);
            AtomicInteger statements = new AtomicInteger();
            AtomicReference<CompletableFuture<Long>> hold = new AtomicReference<>();
            ConnectionSource tapped = new TappedConnections(db.archiver(), (sql, connection) -> {
                if (statements.getAndIncrement() == from) {
                    hold.set(set(RowFilter.ids("1", null))
                            .thenApply(done -> db.number("SELECT count(*) FROM model_usage_details_archive")));
                    await().pollDelay(Duration.ZERO)
                            .pollInterval(Duration.ofMillis(5))
                            .until(() -> hold.get().isDone() || holdWaits());
                }
            });
            SweepResult result = Archiver.builder(TestedPair.USAGE, tapped)
                    .settings(ArchiveSettings.defaults().withBatchSize(1))
                    .clock(UsageRows.clockAt(UsageRows.CUTOFF.plusMonths(13)))
                    .build()
                    .sweep();
            reached = hold.get() != null;
            if (reached) {
                archivedBefore.add(hold.get().join());
                assertThat(db.number("SELECT count(*) FROM model_usage_details_archive"))
                        .as("archived at the end, with a hold before statement " + from)
                        .isEqualTo(hold.get().join())
                        .isEqualTo(result.rowsMoved());
                assertThat(result.stopReason()).isEqualTo(StopReason.DRAINED);
            }
        }
        assertThat(first).as("statements of a sweep").isGreaterThan(30);
        assertThat(archivedBefore)
                .as("rows that had gone before")
                .contains(0L, 3L)
                .hasSizeGreaterThan(2);
    }

    private boolean holdWaits() {
        return db.number("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = '"
                        + TestDatabase.RESTORER + "' AND wait_event_type = 'Lock'")
                > 0;
    }

    private CompletableFuture<Void> set(RowFilter filter) {
        return CompletableFuture.runAsync(() -> holds.hold(filter, null, REASON), task -> new Thread(task).start());
    }

    private static CompletableFuture<SweepResult> start(Archiver archiver) {
        return CompletableFuture.supplyAsync(archiver::sweep, task -> new Thread(task).start());
    }

    /** Rows with the ids 1 to {@code count}, a minute of 2024-01-01 each; every third never completed. */
    private void insertExpired(int count) {
        rows.replace("SELECT i, CASE WHEN i % 3 <> 0 THEN timestamp '2024-01-01' + i * interval '1 minute' END,"
                + " timestamp '2024-01-01' + i * interval '1 minute' FROM generate_series(1, " + count + ") i");
    }
}
