package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.UsageRows;
import java.sql.Connection;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class StoppingTest {
    /** No timeout of PostgreSQL ends a sweep that waits here. */
    private static final ArchiveSettings PATIENT = ArchiveSettings.defaults()
            .withBatchSize(10)
            .withTimeouts(Duration.ofMinutes(59), Duration.ofHours(1), Duration.ofHours(1));

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    @AutoClose("shutdownNow")
    private final ExecutorService threads = Executors.newCachedThreadPool();

    private final UsageRows rows = new UsageRows(db);

    @BeforeEach
    void expired_rows() {
        rows.replaceWithExpired(500);
    }

    @Test
    void a_sweep_ends_when_its_time_budget_is_used_up() {
        SweepResult result = rows.archiver()
                .settings(ArchiveSettings.defaults().withBatchSize(1).withTimeBudget(Duration.ofMillis(1)))
                .build()
                .sweep();

        assertThat(result.stopReason()).isEqualTo(StopReason.TIME_BUDGET);
        assertThat(result.rowsMoved()).isLessThan(500);
        assertThat(rows.ledger("state || ' ' || (finished_at IS NOT NULL)")).isEqualTo("TIME_BUDGET true");
        assertOldestMoved(result);
        assertNextSweepDrains();
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 7})
    void a_request_lets_the_running_batch_commit_and_no_further_one(int batches) {
        StopSignal stop = new StopSignal();
        SweepResult result = rows.archiver(10)
                .listener(UsageRows.afterBatch(batches, stop::request))
                .build()
                .sweep(stop);

        assertThat(result.batches()).isEqualTo(batches);
        assertInterrupted(result, 10 * batches);
        assertNextSweepDrains();
    }

    @Test
    void a_request_before_the_sweep_lets_nothing_move() {
        // Loads the classes: opening must not outlast the grace of the request.
        rows.archiver().build().checkSchema();
        StopSignal stop = new StopSignal();
        stop.request();
        stop.request();

        assertInterrupted(rows.archiver().build().sweep(stop), 0);
        assertNextSweepDrains();
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource(
            delimiter = '|',
            value = {
                "lock on the hot table  | SELECT 1 | LOCK TABLE model_usage_details",
                "insert of the same key | SELECT 1 | INSERT INTO model_usage_details_archive TABLE row_15",
                "lock on an archived row"
                        + " | INSERT INTO model_usage_details_archive TABLE row_15"
                        + " | SELECT FROM model_usage_details_archive FOR UPDATE",
            })
    void a_request_cancels_a_statement_that_waits(String what, String before, String block) throws Exception {
        db.execute("DROP TABLE IF EXISTS row_15;"
                + " CREATE TABLE row_15 AS SELECT * FROM model_usage_details WHERE id = 15; " + before);
        StopSignal stop = new StopSignal();
        try (Connection other = db.connectAsOwner()) {
            other.setAutoCommit(false);
            Archiver archiver = rows.archiver()
                    .settings(PATIENT)
                    .listener(UsageRows.afterBatch(1, () -> UsageRows.execute(other, block)))
                    .build();
            Future<SweepResult> sweep = threads.submit(() -> archiver.sweep(stop));
            awaitWaiting();
            stop.request();

            SweepResult result = sweep.get(30, TimeUnit.SECONDS);

            assertThat(result.batches()).isEqualTo(1);
            assertThat(rows.ledger("state || ' ' || rows_moved || ' ' || (finished_at IS NOT NULL)"))
                    .isEqualTo("INTERRUPTED 10 true");
            assertThat(result.stopReason()).isEqualTo(StopReason.INTERRUPTED);
            assertThat(db.number("SELECT count(*) FROM pg_stat_activity WHERE usename = 'usage_archiver'"
                            + " AND datname = current_database() AND state <> 'idle'"))
                    .as("sessions of the archiver that still do something")
                    .isZero();
        }
        assertNextSweepDrains();
    }

    /** With two processors that pool has a single thread. */
    @Test
    void a_request_cancels_a_statement_where_the_host_has_blocked_the_common_pool() throws Exception {
        CountDownLatch unblocked = new CountDownLatch(1);
        StopSignal stop = new StopSignal();
        try (Connection other = db.connectAsOwner()) {
            for (int thread = 0; thread < ForkJoinPool.getCommonPoolParallelism(); thread++) {
                ForkJoinPool.commonPool().execute(() -> await().forever().until(() -> unblocked.getCount() == 0));
            }
            other.setAutoCommit(false);
            UsageRows.execute(other, "LOCK TABLE model_usage_details_archive");
            Archiver archiver = rows.archiver().settings(PATIENT).build();
            Future<SweepResult> sweep = threads.submit(() -> archiver.sweep(stop));
            awaitWaiting();
            stop.request();

            assertThat(sweep.get(30, TimeUnit.SECONDS).stopReason()).isEqualTo(StopReason.INTERRUPTED);
        } finally {
            unblocked.countDown();
        }
    }

    @Test
    void a_request_while_the_sweep_waits_for_its_opening_leaves_no_trace() throws Exception {
        db.execute("INSERT INTO usage_archive_sweep (table_name, state, node, fired_by, cutoff, started_at)"
                + " VALUES ('public.model_usage_details', 'RUNNING', 'other', 'other', '2020-01-01', '2026-01-01')");
        StopSignal stop = new StopSignal();
        try (Connection other = db.connectAsOwner()) {
            other.setAutoCommit(false);
            UsageRows.execute(other, "UPDATE usage_archive_sweep SET batches = 1");
            Archiver archiver = rows.archiver().settings(PATIENT).build();
            Future<SweepResult> sweep = threads.submit(() -> archiver.sweep(stop));
            awaitWaiting();
            stop.request();

            assertThatExceptionOfType(ExecutionException.class)
                    .isThrownBy(() -> sweep.get(30, TimeUnit.SECONDS))
                    .withCauseInstanceOf(SweepStoppedException.class);
            other.rollback();
        }
        assertThat(db.strings("SELECT node || ' ' || state FROM usage_archive_sweep"))
                .containsExactly("other RUNNING");
        rows.assertMoved("false");
        assertNextSweepDrains();
    }

    @Test
    void a_request_that_no_sweep_uses_starts_no_thread() {
        Set<Thread> before = stoppers();

        new StopSignal().request();

        assertThat(stoppers()).isSubsetOf(before);
    }

    @Test
    void the_threads_of_a_request_end_with_the_sweep_that_it_was_for() throws Exception {
        Set<Thread> before = stoppers();
        StopSignal stop = new StopSignal();
        try (Connection other = db.connectAsOwner()) {
            other.setAutoCommit(false);
            UsageRows.execute(other, "LOCK TABLE model_usage_details");
            Archiver archiver = rows.archiver().settings(PATIENT).build();
            Future<SweepResult> sweep = threads.submit(() -> archiver.sweep(stop));
            awaitWaiting();
            stop.request();
            assertThat(stoppers()).anyMatch(thread -> !before.contains(thread));
            assertThat(sweep.get(30, TimeUnit.SECONDS).stopReason()).isEqualTo(StopReason.INTERRUPTED);
        }
        await().untilAsserted(() -> assertThat(stoppers()).isSubsetOf(before));
    }

    @Test
    void a_request_after_the_sweep_starts_no_thread() {
        Set<Thread> before = stoppers();
        StopSignal stop = new StopSignal();
        rows.archiver().build().sweep(stop);

        stop.request();

        assertThat(stoppers()).isSubsetOf(before);
    }

    private static Set<Thread> stoppers() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().equals("stops-a-sweep"))
                .collect(Collectors.toSet());
    }

    private void awaitWaiting() {
        await().until(() -> db.number("SELECT count(*) FROM pg_stat_activity WHERE usename = 'usage_archiver'"
                        + " AND datname = current_database() AND wait_event_type = 'Lock'")
                == 1);
    }

    private void assertInterrupted(SweepResult result, int moved) {
        assertThat(result.stopReason()).isEqualTo(StopReason.INTERRUPTED);
        assertThat(result.rowsMoved()).isEqualTo(moved);
        assertThat(rows.ledger("state || ' ' || rows_moved || ' ' || (finished_at IS NOT NULL)"))
                .isEqualTo("INTERRUPTED " + moved + " true");
        assertOldestMoved(result);
    }

    private void assertOldestMoved(SweepResult result) {
        rows.assertMoved("id <= " + result.rowsMoved());
    }

    private void assertNextSweepDrains() {
        assertThat(rows.archiver().build().sweep().stopReason()).isEqualTo(StopReason.DRAINED);
        rows.assertMoved("true");
    }
}
