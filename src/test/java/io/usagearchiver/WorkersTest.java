package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Level;
import io.usagearchiver.testing.CapturedLog;
import io.usagearchiver.testing.Rival;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import io.usagearchiver.testing.UsageRows;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Sweeps and restores with several workers: still one mover, one ledger row, and no row lost, doubled or counted twice. */
class WorkersTest {
    private static final int ROWS = 5000;
    private static final int BATCH = 50;

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    @AutoClose
    private final CapturedLog log = new CapturedLog();

    private final UsageRows rows = new UsageRows(db);

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 4, 16})
    void every_row_moves_once_and_is_counted_in_the_one_ledger_row(int workers) {
        rows.replaceWithExpired(ROWS);

        SweepResult result = archiver(workers, settings -> settings).build().sweep();

        assertDrained(result);
        assertThat(result.batches()).isEqualTo(ROWS / BATCH);
        assertThat(db.number("SELECT count(*) FROM usage_archive_sweep")).isEqualTo(1);
    }

    @Test
    void the_rows_of_one_age_are_shared_out_by_their_keys() {
        rows.replace(
                "SELECT i, timestamp '2024-01-01', timestamp '2024-01-01' FROM generate_series(1, " + ROWS + ") i");

        assertDrained(archiver(3, settings -> settings).build().sweep());
    }

    @Test
    void listeners_hear_of_all_batches_in_one_line_of_progress() {
        rows.replaceWithExpired(ROWS);
        AtomicInteger batches = new AtomicInteger();
        AtomicReference<SweepProgress> last = new AtomicReference<>();

        archiver(3, settings -> settings)
                .listener(new SweepListener() {
                    @Override
                    public void batchCommitted(SweepProgress progress) {
                        assertThat(progress.batches()).isEqualTo(batches.incrementAndGet());
                        last.set(progress);
                    }
                })
                .build()
                .sweep();

        assertThat(last.get().rowsMoved()).isEqualTo(ROWS);
    }

    @Test
    void no_worker_commits_a_batch_once_another_sweep_has_taken_over() {
        rows.replaceWithExpired(ROWS);
        StopSignal stop = new StopSignal();
        Archiver newer = rows.archiver(BATCH)
                .listener(UsageRows.afterBatch(1, stop::request))
                .build();
        AtomicReference<String> movedThen = new AtomicReference<>();
        String moved = "SELECT rows_moved FROM usage_archive_sweep ORDER BY sweep_id LIMIT 1";

        SweepResult older = archiver(4, settings -> settings)
                .listener(UsageRows.afterBatch(5, () -> {
                    newer.sweep(stop);
                    movedThen.set(db.strings(moved).get(0));
                }))
                .build()
                .sweep();

        assertThat(older.stopReason()).isEqualTo(StopReason.SUPERSEDED);
        assertThat(db.strings(moved)).containsExactly(movedThen.get());
        assertThat(older.rowsMoved()).hasToString(movedThen.get());
        assertThat(db.number("SELECT count(*) FROM model_usage_details_archive"))
                .isEqualTo(older.rowsMoved() + BATCH);
    }

    @Test
    void a_hold_counts_at_once_for_all_of_them() {
        rows.replaceWithExpired(ROWS);
        AtomicReference<Set<String>> before = new AtomicReference<>();
        String archived = "SELECT id FROM model_usage_details_archive WHERE id > 300";

        SweepResult result = archiver(4, settings -> settings)
                .listener(UsageRows.afterBatch(5, () -> {
                    rows.restorer(BATCH).build().holds().hold(RowFilter.ids("301", "5000"), null, "audit");
                    before.set(Set.copyOf(db.strings(archived)));
                }))
                .build()
                .sweep();

        assertThat(result.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(before.get()).containsAll(db.strings(archived));
        assertThat(db.number("SELECT count(*) FROM model_usage_details WHERE id <= 300"))
                .isZero();
        assertExact(result);
    }

    @Test
    void a_table_that_is_altered_meanwhile_is_checked_again() {
        rows.replaceWithExpired(ROWS);

        SweepResult result = archiver(4, settings -> settings)
                .listener(UsageRows.afterBatch(
                        5,
                        () -> db.execute("ALTER TABLE model_usage_details ADD COLUMN more integer DEFAULT 7;"
                                + " ALTER TABLE model_usage_details_archive ADD COLUMN more integer DEFAULT 7")))
                .build()
                .sweep();

        assertThat(result.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(db.number("SELECT count(*) FROM model_usage_details_archive WHERE more = 7"))
                .isEqualTo(ROWS);
        assertExact(result);
    }

    @ParameterizedTest
    @ValueSource(strings = {"LIMIT 1", "OFFSET 1 LIMIT 1", "OFFSET 2 LIMIT 2", ""})
    void slices_of_connections_that_are_lost_are_taken_up_again(String which) {
        rows.replaceWithExpired(ROWS);

        SweepResult result = archiver(3, settings -> settings)
                .listener(UsageRows.afterBatch(
                        10,
                        () -> db.execute("SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity"
                                + " WHERE datname = current_database() AND usename = '" + TestDatabase.ARCHIVER
                                + "' ORDER BY backend_start " + which + ") s")))
                .build()
                .sweep();

        assertDrained(result);
    }

    @Test
    void a_data_source_with_fewer_connections_has_fewer_workers() {
        rows.replaceWithExpired(ROWS);
        Lender lender = new Lender(2, () -> {
            throw new SQLException("none left", "53300");
        });

        assertDrained(archiver(4, lender)
                .listener(UsageRows.afterBatch(
                        0, () -> await().until(() -> warnings().size() == 3)))
                .build()
                .sweep());

        assertThat(warnings())
                .hasSize(3)
                .allMatch(message -> message.contains(
                        "goes on with fewer workers: one of 4 gets no connection (they and the sweep itself need 5 of the"
                                + " data source)"));
        assertThat(lender.lent).hasValue(0);
    }

    /** As c3p0 does unless it is told otherwise. */
    @Test
    void a_pool_that_lets_workers_wait_for_ever_holds_up_no_sweep() {
        rows.replaceWithExpired(ROWS);
        CountDownLatch never = new CountDownLatch(1);
        Lender lender = new Lender(1, () -> {
            try {
                never.await();
            } catch (InterruptedException e) {
                throw new SQLException(e);
            }
        });

        assertDrained(archiver(4, lender).build().sweep());

        assertThat(lender.lent).hasValue(0);
        await().until(() -> Thread.getAllStackTraces().keySet().stream()
                .noneMatch(thread -> thread.getName().contains("-worker-")));
    }

    @Test
    void a_request_to_stop_ends_all_of_them_and_gives_their_connections_back() {
        rows.replaceWithExpired(ROWS);
        StopSignal stop = new StopSignal();
        Lender lender = new Lender(9, () -> {});

        SweepResult result = archiver(4, lender)
                .listener(UsageRows.afterBatch(5, stop::request))
                .build()
                .sweep(stop);

        assertThat(result.stopReason()).isEqualTo(StopReason.INTERRUPTED);
        assertThat(db.number("SELECT count(*) FROM model_usage_details")).isPositive();
        assertExact(result);
        await().until(() -> lender.lent.get() == 0);
    }

    @Test
    void workers_whose_statements_wait_are_stopped_within_the_grace() throws Exception {
        rows.replaceWithExpired(ROWS);
        db.execute("CREATE FUNCTION slow(integer) RETURNS boolean LANGUAGE sql AS $$"
                + " SELECT pg_catalog.pg_sleep(0.05) IS NOT NULL $$;"
                + " ALTER TABLE model_usage_details_archive ADD CHECK (slow(id)) NOT VALID");
        StopSignal stop = new StopSignal();
        Thread stopper = new Thread(() -> {
            await().until(() -> db.number("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                            + " AND wait_event = 'PgSleep'")
                    >= 2);
            stop.request();
        });
        stopper.start();

        SweepResult result =
                archiver(3, settings -> settings.withBatchSize(1000)).build().sweep(stop);

        stopper.join();
        assertThat(result.stopReason()).isEqualTo(StopReason.INTERRUPTED);
        assertThat(result.elapsed()).isLessThan(Duration.ofSeconds(20));
        assertExact(result);
    }

    @Test
    void an_error_of_a_listener_ends_the_sweep_and_its_workers() {
        rows.replaceWithExpired(ROWS);
        Lender lender = new Lender(9, () -> {});

        assertThatThrownBy(() -> archiver(3, lender)
                        .listener(UsageRows.afterBatch(5, () -> {
                            throw new OutOfMemoryError("Java heap space");
                        }))
                        .build()
                        .sweep())
                .isInstanceOf(SweepFailedException.class);

        assertThat(rows.ledger("state || ' ' || (rows_moved = (SELECT count(*) FROM model_usage_details_archive))"))
                .isEqualTo("FAILED true");
        await().until(() -> lender.lent.get() == 0);
    }

    @Test
    void what_they_give_back_goes_the_slow_way() throws Exception {
        rows.replaceWithExpired(ROWS);
        db.execute("INSERT INTO model_usage_details_archive SELECT * FROM model_usage_details WHERE id IN (77, 1234);"
                + " UPDATE model_usage_details_archive SET user_name = 'other' WHERE id = 1234;"
                + " ALTER TABLE model_usage_details_archive ADD CHECK (id <> 3333) NOT VALID");
        SweepResult result;
        try (Rival rival = new Rival(db, "SELECT 1 FROM model_usage_details WHERE id = 4444 FOR UPDATE")) {
            result = archiver(3, settings -> settings).build().sweep();
        }

        assertThat(result.stopReason()).isEqualTo(StopReason.ROWS_LOCKED);
        assertThat(result.rowsMoved()).isEqualTo(ROWS - 4);
        assertThat(result.rowsAlreadyArchived()).isEqualTo(1);
        assertThat(result.conflictingIds()).containsExactly("1234");
        assertThat(result.rejectedIds()).containsExactly("3333");
        assertThat(db.strings("SELECT id FROM model_usage_details ORDER BY id"))
                .containsExactly("1234", "3333", "4444");
    }

    @ParameterizedTest
    @ValueSource(strings = {"pause", "share", "target", "budget"})
    void they_keep_to_the_pace_of_the_sweep(String pace) {
        rows.replaceWithExpired(ROWS);

        SweepResult result = archiver(3, settings -> switch (pace) {
                    case "pause" -> settings.withPace(Pace.full().withPause(Duration.ofMillis(5), 0));
                    case "share" -> settings.withPace(Pace.full().withPause(null, 0.5));
                    case "target" ->
                        settings.withBatchSize(1000).withPace(Pace.full().withTargetBatchTime(Duration.ofMillis(5)));
                    default -> settings.withTimeBudget(Duration.ofMillis(1));
                })
                .build()
                .sweep();

        if (pace.equals("budget")) {
            assertThat(result.stopReason()).isEqualTo(StopReason.TIME_BUDGET);
            assertThat(result.batches()).isBetween(1L, (long) ROWS / BATCH - 1);
            assertExact(result);
        } else {
            assertDrained(result);
        }
        if (pace.equals("pause")) {
            // As many pauses as hand-outs after an answer; those of several workers can share one.
            assertThat(result.elapsed()).isGreaterThan(Duration.ofMillis(5L * ROWS / BATCH / 3));
        }
    }

    @Test
    void a_restore_has_workers_too() {
        rows.replaceWithExpired(ROWS);
        rows.archiver().build().sweep();

        RestoreResult result = Archiver.builder(TestedPair.USAGE, db.restorer())
                .settings(ArchiveSettings.defaults().withBatchSize(BATCH).withWorkers(3))
                .build()
                .restore(RowFilter.ids("1", "4000"), null, "audit", new StopSignal());

        assertThat(result.counts().stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(result.counts().rowsMoved()).isEqualTo(4000);
        rows.assertMoved("id > 4000");
    }

    private List<String> warnings() {
        return log.messages(Level.WARN, "io.usagearchiver.Sweep");
    }

    private void assertDrained(SweepResult result) {
        assertThat(result.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(result.rowsMoved()).isEqualTo(ROWS);
        rows.assertMoved("true");
    }

    /** That the ledger row has what the archive has, and no row is in both tables. */
    private void assertExact(SweepResult result) {
        assertThat(db.number("SELECT count(*) FROM model_usage_details_archive"))
                .isEqualTo(result.rowsMoved());
        assertThat(db.number("SELECT count(*) FROM model_usage_details")).isEqualTo(ROWS - result.rowsMoved());
        assertThat(db.number("SELECT count(*) FROM model_usage_details JOIN model_usage_details_archive USING (id)"))
                .isZero();
    }

    private Archiver.Builder archiver(int workers, java.util.function.UnaryOperator<ArchiveSettings> change) {
        return rows.archiver()
                .settings(change.apply(
                        ArchiveSettings.defaults().withBatchSize(BATCH).withWorkers(workers)));
    }

    private Archiver.Builder archiver(int workers, ConnectionSource connections) {
        return Archiver.builder(TestedPair.USAGE, connections)
                .clock(UsageRows.clockAt(UsageRows.CUTOFF.plusMonths(13)))
                .settings(ArchiveSettings.defaults().withBatchSize(BATCH).withWorkers(workers));
    }

    /** Lends so many connections at once, and counts them. */
    private final class Lender implements ConnectionSource {
        private final int most;
        private final WhenNoneIsLeft otherwise;
        private final AtomicInteger lent = new AtomicInteger();

        Lender(int most, WhenNoneIsLeft otherwise) {
            this.most = most;
            this.otherwise = otherwise;
        }

        @Override
        public Connection open() throws SQLException {
            if (lent.incrementAndGet() > most) {
                lent.decrementAndGet();
                otherwise.run();
            }
            Connection connection = db.archiver().open();
            return (Connection) java.lang.reflect.Proxy.newProxyInstance(
                    getClass().getClassLoader(), new Class<?>[] {Connection.class}, (proxy, method, args) -> {
                        if (method.getName().equals("close")) {
                            lent.decrementAndGet();
                        }
                        try {
                            return method.invoke(connection, args);
                        } catch (java.lang.reflect.InvocationTargetException e) {
                            throw e.getCause();
                        }
                    });
        }
    }

    private interface WhenNoneIsLeft {
        void run() throws SQLException;
    }
}
