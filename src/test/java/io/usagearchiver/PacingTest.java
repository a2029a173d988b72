package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.usagearchiver.testing.Rival;
import io.usagearchiver.testing.SlowPath;
import io.usagearchiver.testing.TappedConnections;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import io.usagearchiver.testing.UsageRows;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@Timeout(60) // A wait that nothing ends would go on for an hour.
class PacingTest {
    private static final Duration HOUR = Duration.ofHours(1);

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    @AutoClose("shutdownNow")
    private final ExecutorService threads = Executors.newCachedThreadPool();

    private final UsageRows rows = new UsageRows(db);

    /** What the archiver takes for now; read anew at each look. */
    private volatile Instant now;

    private final InstantSource clock = () -> now;

    @BeforeEach
    void expired_rows() {
        db.execute("DROP FUNCTION IF EXISTS few CASCADE");
        rows.replaceWithExpired(500);
        setTime("12:00:00");
    }

    @Test
    void between_two_batches_it_pauses_without_transaction_or_lock_until_it_is_asked_to_stop() throws Exception {
        StopSignal stop = new StopSignal();
        Archiver archiver = archiver(Pace.full().withPause(HOUR, 0)).build();
        Future<SweepResult> sweep = threads.submit(() -> archiver.sweep(stop));
        awaitPauseAfterFirstBatch();
        assertThat(db.strings("SELECT relation::regclass FROM pg_locks JOIN pg_stat_activity USING (pid)"
                        + " WHERE usename = 'usage_archiver' AND datname = current_database()"))
                .as("locks of the paused sweep")
                .isEmpty();
        stop.request();

        SweepResult result = sweep.get(30, TimeUnit.SECONDS);

        assertThat(result.stopReason()).isEqualTo(StopReason.INTERRUPTED);
        rows.assertMoved("id <= 10");
    }

    @Test
    void a_newer_sweep_ends_a_pause() throws Exception {
        Archiver archiver = archiver(Pace.full().withPause(HOUR, 0)).build();
        Future<SweepResult> older = threads.submit(() -> archiver.sweep());
        awaitPauseAfterFirstBatch();

        assertThat(archiver(Pace.full()).build().sweep().stopReason()).isEqualTo(StopReason.DRAINED);

        assertThat(older.get(30, TimeUnit.SECONDS).stopReason()).isEqualTo(StopReason.SUPERSEDED);
        assertThat(older.get().batches()).isEqualTo(1);
        rows.assertMoved("true");
    }

    @Test
    void after_a_batch_that_found_all_its_rows_locked_there_is_no_pause() throws Exception {
        try (Rival rival = new Rival(db, "SELECT FROM model_usage_details FOR UPDATE")) {
            SweepResult result =
                    archiver(Pace.full().withPause(HOUR, 0)).build().sweep();

            assertThat(result.stopReason()).isEqualTo(StopReason.ROWS_LOCKED);
        }
    }

    @Test
    void a_sweep_that_finds_all_rows_locked_sees_at_its_next_batch_that_a_newer_one_took_over() throws Exception {
        List<String> locks = new ArrayList<>();
        try (Rival rival = new Rival(db, "SELECT FROM model_usage_details FOR UPDATE")) {
            SweepResult older = Archiver.builder(
                            TestedPair.USAGE, new TappedConnections(db.archiver(), (sql, connection) -> {
                                if (sql.contains("skip locked")) {
                                    locks.add(sql);
                                    if (locks.size() == 3) {
                                        archiver(Pace.full()).build().sweep();
                                    }
                                }
                            }))
                    .settings(settings(Pace.full()))
                    .clock(clock.withZone(ZoneOffset.UTC))
                    .build()
                    .sweep();

            assertThat(older.stopReason()).isEqualTo(StopReason.SUPERSEDED);
        }
        assertThat(locks).hasSize(3);
    }

    @ParameterizedTest
    @CsvSource({"P0001, OUTSIDE_WINDOW", "P0001, INTERRUPTED", "57014, OUTSIDE_WINDOW", "57014, INTERRUPTED"})
    void half_a_batch_waits_for_its_turn_as_each_batch_does(String state, StopReason reason) {
        refuseBatchesOfMoreThan(5, state);
        StopSignal stop = new StopSignal();

        SweepResult result = archiver(Pace.full().withRunWindow(RunWindow.parse("11:00-13:00")))
                .listener(UsageRows.afterBatch(1, () -> {
                    if (reason == StopReason.INTERRUPTED) {
                        stop.request();
                    } else {
                        setTime("13:00:00");
                    }
                }))
                .build()
                .sweep(stop);

        assertThat(result.stopReason()).isEqualTo(reason);
        assertThat(result.rowsMoved()).isEqualTo(5);
        rows.assertMoved("id <= 5");
    }

    @Test
    void a_size_that_did_not_time_out_is_kept() {
        refuseBatchesOfMoreThan(60, "57014");
        rows.replaceWithExpired(1000);
        List<String> copies = new ArrayList<>();

        Archiver archiver = Archiver.builder(
                        TestedPair.USAGE, new TappedConnections(db.archiver(), (sql, connection) -> {
                            if (sql.startsWith("insert into \"public\".\"model_usage_details_archive\"")) {
                                copies.add(sql);
                            }
                        }))
                .settings(ArchiveSettings.defaults().withBatchSize(100))
                .clock(clock.withZone(ZoneOffset.UTC))
                .build();
        SweepResult result;
        try (SlowPath slow = new SlowPath()) {
            result = archiver.sweep();
        }

        assertThat(result.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(result.rowsMoved()).isEqualTo(1000);
        // Not each of ten hundreds. It tries whether a larger size works again now.
        assertThat(copies.size() - result.batches())
                .as("batches that timed out")
                .isBetween(1L, 4L);
    }

    /** Has the archive refuse what is not the first rows of its transaction, as if a larger one would take too long. */
    private void refuseBatchesOfMoreThan(int most, String state) {
        db.execute("""
                CREATE FUNCTION few(id integer) RETURNS boolean LANGUAGE plpgsql AS $$
                DECLARE
                  rows integer := coalesce(nullif(current_setting('test.rows', true), ''), '0')::integer + 1;
                BEGIN
                  PERFORM set_config('test.rows', rows::text, true);
                  IF rows > {most} THEN
                    RAISE EXCEPTION 'too many rows' USING ERRCODE = '{state}';
                  END IF;
                  RETURN true;
                END $$;
                ALTER TABLE model_usage_details_archive ADD CONSTRAINT few CHECK (few(id))""".replace("{most}", String.valueOf(most)).replace("{state}", state));
    }

    @Test
    void an_interrupt_of_its_thread_ends_a_pause() throws Exception {
        List<SweepResult> results = new ArrayList<>();
        Archiver archiver = archiver(Pace.full().withPause(HOUR, 0)).build();
        Thread sweep = new Thread(() -> results.add(archiver.sweep()));
        sweep.start();
        awaitPauseAfterFirstBatch();

        sweep.interrupt();
        sweep.join(30_000);

        assertThat(results).extracting(SweepResult::stopReason).containsExactly(StopReason.INTERRUPTED);
    }

    @Test
    void a_pause_can_be_many_times_as_long_as_the_batch_before_it() throws Exception {
        db.execute("DROP TABLE IF EXISTS row_5; CREATE TABLE row_5 AS SELECT * FROM model_usage_details WHERE id = 5");
        StopSignal stop = new StopSignal();
        Future<SweepResult> sweep;
        try (Rival rival = new Rival(db, "INSERT INTO model_usage_details_archive TABLE row_5")) {
            Duration minute = Duration.ofMinutes(1);
            Archiver archiver = rows.archiver()
                    .settings(settings(Pace.full().withPause(null, 100))
                            .withTimeouts(minute.minusSeconds(1), minute, minute))
                    .build();
            sweep = threads.submit(() -> archiver.sweep(stop));
            // A hundred times the time that this takes at least.
            rival.awaitWaiting(1, Rival.COPY);
            rival.execute("SELECT pg_sleep(0.5)");
        }
        awaitPauseAfterFirstBatch();
        stop.request();

        assertThat(sweep.get(30, TimeUnit.SECONDS).batches()).isEqualTo(1);
    }

    @Test
    void a_pause_does_not_outlast_the_time_budget() {
        SweepResult result = rows.archiver()
                .settings(settings(Pace.full().withPause(HOUR, 0)).withTimeBudget(Duration.ofMillis(1)))
                .build()
                .sweep();

        assertThat(result.stopReason()).isEqualTo(StopReason.TIME_BUDGET);
        assertThat(result.batches()).isEqualTo(1);
    }

    @Test
    void a_pause_does_not_outlast_the_run_window() {
        setTime("22:00:00");
        SweepResult result = archiver(Pace.full().withPause(HOUR, 0).withRunWindow(RunWindow.parse("22:00-06:00")))
                .clock(tenMillisecondsLaterAtEachLook().withZone(ZoneOffset.UTC))
                .listener(UsageRows.afterBatch(1, () -> setTime("05:59:59.980")))
                .build()
                .sweep();

        assertThat(result.stopReason()).isEqualTo(StopReason.OUTSIDE_WINDOW);
        assertThat(result.batches()).isEqualTo(1);
    }

    @ParameterizedTest
    @CsvSource({
        "22:00-06:00, 23:00:00, 06:00:00",
        "22:00-06:00, 00:00:00, 06:00:00",
        "22:00-06:00, 22:00:00, 21:59:59",
        "08:30-17:00, 08:30:00, 17:00:00",
    })
    void a_sweep_stops_when_the_run_window_is_over(String window, String begin, String end) {
        setTime(begin);
        Pace pace = Pace.full().withRunWindow(RunWindow.parse(window));

        SweepResult result = archiver(pace)
                .listener(UsageRows.afterBatch(3, () -> setTime(end)))
                .build()
                .sweep();

        assertThat(result.stopReason()).isEqualTo(StopReason.OUTSIDE_WINDOW);
        assertThat(rows.ledger("state || ' ' || rows_moved || ' ' || (finished_at IS NOT NULL)"))
                .isEqualTo("OUTSIDE_WINDOW 30 true");
        rows.assertMoved("id <= 30");
        setTime(begin);
        assertThat(archiver(pace).build().sweep().stopReason()).isEqualTo(StopReason.DRAINED);
    }

    @Test
    void a_firing_outside_the_run_window_ends_at_once_and_lets_a_running_sweep_go_on() {
        db.execute("INSERT INTO usage_archive_sweep (table_name, state, node, fired_by, cutoff, started_at)"
                + " VALUES ('public.model_usage_details', 'RUNNING', 'other', 'other', '2020-01-01', '2026-01-01')");
        List<String> heard = new ArrayList<>();

        SweepResult result = archiver(Pace.full().withRunWindow(RunWindow.parse("22:00-06:00")))
                .listener(new SweepListener() {
                    @Override
                    public void sweepStarted(SweepProgress progress) {
                        heard.add("started");
                    }

                    @Override
                    public void sweepEnded(SweepResult ended) {
                        heard.add("ended " + ended.stopReason());
                    }
                })
                .build()
                .sweep();

        assertThat(result.stopReason()).isEqualTo(StopReason.OUTSIDE_WINDOW);
        assertThat(result.batches()).isZero();
        assertThat(heard).containsExactly("ended OUTSIDE_WINDOW");
        assertThat(db.strings("SELECT node || ' ' || state FROM usage_archive_sweep ORDER BY sweep_id"))
                .hasSize(2)
                .startsWith("other RUNNING");
        assertThat(rows.ledger("state || ' ' || (finished_at >= started_at)")).isEqualTo("OUTSIDE_WINDOW true");
        rows.assertMoved("false");
    }

    @ParameterizedTest
    @CsvSource({"-1, 1, DRAINED", "1, 2, OUTSIDE_WINDOW", "-2, -1, OUTSIDE_WINDOW"})
    void without_a_clock_the_time_of_the_day_is_that_of_the_database_in_utc(int from, int to, StopReason reason) {
        String window = db.strings("SELECT to_char(now + interval '" + from + " hours', 'HH24:MI-')"
                        + " || to_char(now + interval '" + to + " hours', 'HH24:MI')"
                        + " FROM timezone('UTC', clock_timestamp()) AS t (now)")
                .get(0);

        SweepResult result = Archiver.builder(TestedPair.USAGE, db.archiver())
                .settings(settings(Pace.full().withRunWindow(RunWindow.parse(window))))
                .build()
                .sweep();

        assertThat(result.stopReason()).isEqualTo(reason);
    }

    @Test
    void batches_that_are_faster_than_the_target_time_become_larger_up_to_the_batch_size() {
        rows.replaceWithExpired(2600);
        List<Long> sizes = batchSizes(1000, HOUR);
        // A stretch of time ends at a mark: of those of its page, one for each eighth of a batch.
        assertThat(sizes).hasSize(6);
        long[] most = {100, 200, 400, 800, 1000};
        for (int batch = 0; batch < most.length; batch++) {
            assertThat(sizes.get(batch)).isBetween(most[batch] * 7 / 8, most[batch]);
        }
        rows.assertMoved("true");
    }

    @Test
    void batches_of_separate_statements_become_larger_likewise() {
        rows.replaceWithExpired(2600);
        try (SlowPath slow = new SlowPath()) {
            assertThat(batchSizes(1000, HOUR)).containsExactly(100L, 200L, 400L, 800L, 1000L, 100L);
        }
        rows.assertMoved("true");
    }

    @Test
    void batches_that_are_slower_than_the_target_time_become_smaller() {
        // No batch of ten round trips takes a millisecond only.
        List<Long> sizes = batchSizes(1000, Duration.ofMillis(1));
        assertThat(sizes).startsWith(100L).hasSizeGreaterThan(10);
        assertThat(sizes.subList(1, sizes.size())).allMatch(size -> size < 100);
        rows.assertMoved("true");
    }

    private List<Long> batchSizes(int batchSize, Duration target) {
        List<Long> moved = new ArrayList<>(List.of(0L));
        rows.archiver()
                .settings(ArchiveSettings.defaults()
                        .withBatchSize(batchSize)
                        .withPace(Pace.full().withTargetBatchTime(target)))
                .listener(new SweepListener() {
                    @Override
                    public void batchCommitted(SweepProgress progress) {
                        moved.add(progress.rowsMoved());
                    }
                })
                .build()
                .sweep();
        List<Long> sizes = new ArrayList<>();
        for (int batch = 1; batch < moved.size(); batch++) {
            sizes.add(moved.get(batch) - moved.get(batch - 1));
        }
        return sizes;
    }

    private void awaitPauseAfterFirstBatch() {
        await().until(() -> db.number("SELECT count(*) FROM usage_archive_sweep, pg_stat_activity a WHERE batches = 1"
                        + " AND usename = 'usage_archiver' AND datname = current_database() AND a.state = 'idle'"
                        + " AND state_change < clock_timestamp() - interval '200 ms'")
                == 1);
    }

    private Archiver.Builder archiver(Pace pace) {
        return rows.archiver().clock(clock.withZone(ZoneOffset.UTC)).settings(settings(pace));
    }

    private static ArchiveSettings settings(Pace pace) {
        return ArchiveSettings.defaults().withBatchSize(10).withPace(pace);
    }

    private InstantSource tenMillisecondsLaterAtEachLook() {
        return () -> {
            now = now.plusMillis(10);
            return now;
        };
    }

    private void setTime(String time) {
        now = LocalDateTime.parse("2026-06-15T" + time).toInstant(ZoneOffset.UTC);
    }
}
