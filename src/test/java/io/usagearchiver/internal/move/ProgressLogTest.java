package io.usagearchiver.internal.move;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import io.usagearchiver.SweepListener;
import io.usagearchiver.SweepProgress;
import io.usagearchiver.internal.schema.Direction;
import io.usagearchiver.testing.CapturedLog;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.UsageRows;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ProgressLogTest {
    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    private final UsageRows rows = new UsageRows(db);

    @Test
    void a_line_is_logged_at_most_once_a_minute() {
        try (CapturedLog log = new CapturedLog()) {
            ProgressLog progress = new ProgressLog(Direction.ARCHIVE, null);
            progress.sweepStarted(progress(0, 0, 400_000L));
            progress.batchCommitted(progress(1_000, 59_999, 400_000L));
            progress.batchCommitted(progress(100_000, 60_000, 400_000L));
            progress.batchCommitted(progress(150_000, 119_999, 400_000L));
            progress.batchCommitted(progress(200_000, 130_000, null));
            progress.batchCommitted(progress(201_000, 189_999, null));

            assertThat(log.messages(Level.INFO, "io.usagearchiver.ProgressLog"))
                    .containsExactly(
                            "Sweep 7 of public.t: 100,000 rows moved (25 %), 1,666 rows/s, about 3 min left",
                            "Sweep 7 of public.t: 200,000 rows moved, 1,538 rows/s, oldest left 2024-02-29 23:59");
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "0 | 10 | 100 | 0 rows moved (0 %), 0 rows/s, oldest left 2024-02-29 23:59",
                "99 | 1000 | 100 | 99 rows moved (99 %), 99 rows/s, about 0 s left",
                "100 | 1000 | 100 | 100 rows moved, 100 rows/s, oldest left 2024-02-29 23:59",
                "1000 | 1000 | 120000 | 1,000 rows moved (0 %), 1,000 rows/s, about 119 s left",
                "1000 | 1000 | 121000 | 1,000 rows moved (0 %), 1,000 rows/s, about 2 min left",
                "1000 | 1000 | 7201000 | 1,000 rows moved (0 %), 1,000 rows/s, about 2 h left",
                "4000000000 | 1000000 | 5000000000 | 4,000,000,000 rows moved (80 %), 4,000,000 rows/s, about 4 min left",
                "5 | 1000 | 0 | 5 rows moved, 5 rows/s, oldest left 2024-02-29 23:59",
            })
    void percent_and_time_left_are_told_as_long_as_the_estimate_holds(
            long moved, long millis, long estimate, String text) {
        assertThat(progress(moved, millis, estimate).text()).isEqualTo(text);
    }

    @Test
    void a_sweep_knows_about_how_many_rows_are_expired_if_the_planner_has_statistics() {
        // A third without the first age; half of all are expired.
        rows.replace("SELECT i, CASE WHEN i % 3 > 0 THEN age END, age FROM generate_series(1, 6000) i,"
                + " LATERAL (SELECT timestamp '" + UsageRows.CUTOFF
                + "' + (i - 3001) * interval '1 hour') AS row (age)");
        assertThat(estimate()).as("before ANALYZE").isNull();
        rows.replace("SELECT i, CASE WHEN i % 3 > 0 THEN age END, age FROM generate_series(1, 6000) i,"
                + " LATERAL (SELECT timestamp '" + UsageRows.CUTOFF
                + "' + (i - 3001) * interval '1 hour') AS row (age)");
        db.execute("ANALYZE model_usage_details");
        assertThat(estimate()).as("after ANALYZE").isBetween(2700L, 3300L);
    }

    /** What a sweep tells its listeners with its first batch. */
    private Long estimate() {
        List<SweepProgress> heard = new ArrayList<>();
        rows.archiver()
                .listener(new SweepListener() {
                    @Override
                    public void batchCommitted(SweepProgress progress) {
                        heard.add(progress);
                    }
                })
                .build()
                .sweep();
        return heard.get(0).expiredEstimate();
    }

    private static SweepProgress progress(long moved, long millis, Long estimate) {
        return new SweepProgress(
                7,
                "public.t",
                UsageRows.CUTOFF,
                moved,
                1,
                Duration.ofMillis(millis),
                "2024-02-29 23:59:59",
                null,
                estimate);
    }
}
