package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.usagearchiver.testing.TappedConnections;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import io.usagearchiver.testing.UsageRows;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The timeout only ends a sweep that would never end. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class SweepTest {
    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    private final UsageRows rows = new UsageRows(db);

    /** 60 completed rows, then 20 that never completed, each younger than the one before. */
    @BeforeEach
    void expired_rows_in_both_branches() {
        rows.replace("SELECT i, CASE WHEN i <= 60 THEN age END, age FROM generate_series(1, 80) i,"
                + " LATERAL (SELECT timestamp '2024-01-01' + i * interval '1 minute') AS row (age)");
    }

    @ParameterizedTest
    @CsvSource({"1, 80", "7, 12", "60, 2", "1000, 2", "50000, 2"})
    void rows_of_equal_age_move_once_each_whatever_the_batch_size(int batchSize, int batches) {
        rows.change("UPDATE {table} SET created_at = '2024-01-01', completed_at = CASE WHEN id <= 60 THEN"
                + " timestamp '2024-01-01' END");

        SweepResult result = rows.archiver(batchSize).build().sweep();

        rows.assertMoved("true");
        assertThat(result.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(result.rowsMoved()).isEqualTo(80);
        assertThat(result.rowsAlreadyArchived()).isZero();
        assertThat(result.batches()).isEqualTo(batches);
    }

    @ParameterizedTest(name = "after batch {0}: {1}")
    @CsvSource(
            delimiter = '|',
            value = {
                " 3 | completed_at = '2025-05-16'",
                " 3 | completed_at = '2025-05-15 12:00'",
                " 3 | completed_at = '2025-05-15 11:59:59.999999'",
                " 3 | completed_at = '2000-01-01'",
                " 3 | completed_at = '-infinity'",
                " 3 | completed_at = 'infinity'",
                " 3 | completed_at = null",
                " 3 | completed_at = null, created_at = '2025-05-16'",
                " 3 | completed_at = null, created_at = '2000-01-01'",
                " 3 | user_name = 'changed', prompt_token_count = prompt_token_count + 1",
                "63 | completed_at = '2025-05-16'",
                "63 | completed_at = '2000-01-01'",
                "63 | created_at = '2025-05-16'",
                "63 | created_at = '2025-05-15 11:59:59.999999'",
                "63 | created_at = '2000-01-01'",
                "63 | user_name = 'changed', prompt_token_count = prompt_token_count + 1",
            })
    void rows_updated_between_page_and_batch_go_or_stay_by_what_they_are_then(int batch, String change) {
        // A page of batch size 1 has 50 rows: some of these rows are in the page at hand, some in later ones.
        SweepResult result = rows.archiver(1)
                .listener(UsageRows.afterBatch(
                        batch,
                        () -> rows.change("UPDATE {table} SET " + change + " WHERE id % 5 = 0 AND id > " + batch)))
                .build()
                .sweep();

        rows.assertMoved(UsageRows.EXPIRED);
        assertThat(result.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(result.rowsMoved()).isEqualTo(db.number("SELECT count(*) FROM model_usage_details_archive"));
        assertThat(result.rowsAlreadyArchived()).isZero();
    }

    @ParameterizedTest
    @ValueSource(ints = {3, 63})
    void rows_deleted_between_page_and_batch_are_in_neither_table(int batch) {
        SweepResult result = rows.archiver(1)
                .listener(UsageRows.afterBatch(
                        batch, () -> rows.change("DELETE FROM {table} WHERE id % 5 = 0 AND id > " + batch)))
                .build()
                .sweep();

        rows.assertMoved("true");
        assertThat(result.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(result.rowsMoved()).isEqualTo(batch == 3 ? 64 : 76);
    }

    @ParameterizedTest(name = "batch size {0}, before batch {1}: {2}")
    @CsvSource({
        "1, 1, id % 5 = 0",
        "1, 1, true",
        "1000, 1, id % 5 = 0",
        "1000, 1, true",
        "1, 4, id % 5 = 0",
        "1, 64, id % 5 = 0"
    })
    void rows_locked_by_another_session_stay_and_the_next_sweep_takes_them(int batchSize, int batch, String locked)
            throws SQLException {
        List<String> lockedIds = new ArrayList<>();
        try (Connection other = db.connectAsOwner()) {
            other.setAutoCommit(false);
            Runnable lock = () -> {
                lockedIds.addAll(db.strings("SELECT id FROM model_usage_details WHERE " + locked));
                UsageRows.execute(other, "SELECT FROM model_usage_details WHERE " + locked + " FOR NO KEY UPDATE");
            };
            SweepResult result = rows.archiver(batchSize)
                    .listener(UsageRows.afterBatch(batch - 1, lock))
                    .build()
                    .sweep();

            rows.assertMoved("id NOT IN (" + String.join(", ", lockedIds) + ")");
            assertThat(result.stopReason()).isEqualTo(StopReason.ROWS_LOCKED);
            assertThat(result.rowsMoved()).isEqualTo(80 - lockedIds.size());
            assertThat(rows.ledger("state")).isEqualTo("ROWS_LOCKED");
        }

        SweepResult next = rows.archiver(batchSize).build().sweep();

        rows.assertMoved("true");
        assertThat(next.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(next.rowsMoved()).isEqualTo(lockedIds.size());
    }

    @Test
    void rows_that_are_unlocked_during_a_sweep_are_taken_by_its_next_pass() throws SQLException {
        try (Connection other = db.connectAsOwner()) {
            other.setAutoCommit(false);
            UsageRows.execute(other, "UPDATE model_usage_details SET completed_at = '2000-01-01' WHERE id % 5 = 0");

            SweepResult result = rows.archiver(1)
                    .listener(UsageRows.afterBatch(50, () -> UsageRows.execute(other, "COMMIT")))
                    .build()
                    .sweep();

            rows.change("UPDATE {table} SET completed_at = '2000-01-01' WHERE id % 5 = 0");
            rows.assertMoved("true");
            assertThat(result.stopReason()).isEqualTo(StopReason.DRAINED);
            assertThat(result.rowsMoved()).isEqualTo(80);
        }
    }

    @Test
    void a_sweep_with_nothing_to_do_is_drained() {
        rows.change("UPDATE {table} SET completed_at = '2025-05-15 12:00'");

        SweepResult result = rows.archiver().build().sweep();

        rows.assertMoved("false");
        assertThat(result.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(result.rowsMoved()).isZero();
        assertThat(result.batches()).isZero();
        assertThat(rows.ledger("state || ' ' || batches || ' ' || (last_batch_at IS NULL)"))
                .isEqualTo("DRAINED 0 true");
    }

    @Test
    void the_ledger_row_says_what_the_result_says() {
        String utc = "SELECT timezone('UTC', clock_timestamp())";
        String before = db.strings(utc).get(0);

        SweepResult result =
                rows.archiver(50).node("node-a").firedBy("trigger-b").build().sweep();

        String after = db.strings(utc).get(0);
        assertThat(db.number("SELECT count(*) FROM usage_archive_sweep")).isEqualTo(1);
        assertThat(rows.ledger("concat_ws(' ', table_name, state, node, fired_by, cutoff, batches, rows_moved,"
                        + " rows_already_archived, rows_in_conflict, rows_rejected, coalesce(message, 'no message'))"))
                .isEqualTo(
                        "public.model_usage_details DRAINED node-a trigger-b 2025-05-15 12:00:00 3 80 0 0 0 no message");
        assertThat(rows.ledger("timestamp '" + before + "' < started_at AND started_at < last_batch_at"
                        + " AND last_batch_at < finished_at AND finished_at < timestamp '" + after + "'"))
                .isEqualTo("t");
        assertThat(result)
                .isEqualTo(new SweepResult(
                        Long.parseLong(rows.ledger("sweep_id")),
                        "public.model_usage_details",
                        UsageRows.CUTOFF,
                        StopReason.DRAINED,
                        80,
                        0,
                        0,
                        0,
                        3,
                        Duration.ofMillis(Long.parseLong(
                                rows.ledger("round(extract(epoch FROM finished_at - started_at) * 1000)"))),
                        List.of(),
                        List.of()));
    }

    @Test
    void a_listener_hears_of_the_opening_each_batch_and_the_end() {
        List<Object> heard = new ArrayList<>();
        SweepResult result = rows.archiver(50)
                .listener(new SweepListener() {
                    @Override
                    public void sweepStarted(SweepProgress progress) {
                        heard.add("started " + progress.rowsMoved() + " " + progress.oldestAgeLeft());
                        assertThat(rows.ledger("state")).isEqualTo("RUNNING");
                    }

                    @Override
                    public void batchCommitted(SweepProgress progress) {
                        heard.add("batch " + progress.batches() + " " + progress.rowsMoved());
                        assertThat(rows.ledger("batches || ' ' || rows_moved"))
                                .isEqualTo(progress.batches() + " " + progress.rowsMoved());
                        assertThat(progress.sweepId()).isEqualTo(Long.parseLong(rows.ledger("sweep_id")));
                        assertThat(progress.cutoff()).isEqualTo(UsageRows.CUTOFF);
                    }

                    @Override
                    public void sweepEnded(SweepResult ended) {
                        heard.add(ended);
                        assertThat(rows.ledger("state")).isEqualTo("DRAINED");
                    }
                })
                .build()
                .sweep();

        assertThat(heard).containsExactly("started 0 null", "batch 1 50", "batch 2 60", "batch 3 80", result);
    }

    @Test
    void a_listener_that_throws_does_not_stop_a_sweep() {
        SweepResult result = rows.archiver(50)
                .listener(new SweepListener() {
                    @Override
                    public void sweepStarted(SweepProgress progress) {
                        throw new IllegalStateException("started");
                    }

                    @Override
                    public void batchCommitted(SweepProgress progress) {
                        throw new IllegalStateException("batch");
                    }

                    @Override
                    public void sweepEnded(SweepResult ended) {
                        throw new IllegalStateException("ended");
                    }
                })
                .build()
                .sweep();

        rows.assertMoved("true");
        assertThat(result.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(rows.ledger("state")).isEqualTo("DRAINED");
    }

    static Stream<Error> a_listener_that_throws_an_error_does_not_stop_a_sweep() {
        return Stream.of(
                new NoClassDefFoundError("host/Metrics"),
                new StackOverflowError(),
                new AssertionError("a bug of the host"));
    }

    @ParameterizedTest
    @MethodSource
    void a_listener_that_throws_an_error_does_not_stop_a_sweep(Error error) {
        SweepResult result = rows.archiver(50)
                .listener(UsageRows.afterBatch(0, () -> {
                    throw error;
                }))
                .listener(UsageRows.afterBatch(1, () -> {
                    throw error;
                }))
                .build()
                .sweep();

        rows.assertMoved("true");
        assertThat(result.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(rows.ledger("state")).isEqualTo("DRAINED");
    }

    @Test
    void a_listener_that_meets_the_end_of_memory_ends_the_sweep_and_its_ledger_row() {
        List<ArchiveException> failures = new ArrayList<>();
        Archiver archiver = rows.archiver(50)
                .listener(UsageRows.afterBatch(1, () -> {
                    throw new OutOfMemoryError("Java heap space");
                }))
                .listener(new SweepListener() {
                    @Override
                    public void sweepFailed(String table, ArchiveException failure) {
                        failures.add(failure);
                    }
                })
                .build();

        assertThatThrownBy(archiver::sweep)
                .isInstanceOf(SweepFailedException.class)
                .hasMessageEndingWith("failed: java.lang.OutOfMemoryError: Java heap space")
                .hasCauseInstanceOf(OutOfMemoryError.class);
        assertThat(failures).hasSize(1);
        assertThat(rows.ledger("state || ' ' || rows_moved || ' ' || message"))
                .isEqualTo("FAILED 50 java.lang.OutOfMemoryError: Java heap space");
    }

    /** A part of a driver that is missing, for instance. */
    @Test
    void an_error_within_a_batch_ends_the_sweep_and_its_ledger_row() {
        AtomicInteger batches = new AtomicInteger();
        Archiver archiver = Archiver.builder(
                        TestedPair.USAGE, new TappedConnections(db.archiver(), (sql, connection) -> {
                            if (sql.contains("with \"moved\"") && batches.incrementAndGet() == 2) {
                                throw new NoClassDefFoundError("org/postgresql/Part");
                            }
                        }))
                .settings(ArchiveSettings.defaults().withBatchSize(30))
                .build();

        assertThatThrownBy(archiver::sweep)
                .isInstanceOf(SweepFailedException.class)
                .hasCauseInstanceOf(NoClassDefFoundError.class);
        assertThat(rows.ledger("state || ' ' || rows_moved || ' ' || message"))
                .isEqualTo("FAILED 30 java.lang.NoClassDefFoundError: org/postgresql/Part");
        rows.assertMoved("id <= 30");
    }
}
