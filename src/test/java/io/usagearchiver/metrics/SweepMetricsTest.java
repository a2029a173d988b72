package io.usagearchiver.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Metrics;
import io.micrometer.core.instrument.MockClock;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.simple.SimpleConfig;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.usagearchiver.ArchiveException;
import io.usagearchiver.ArchiveSettings;
import io.usagearchiver.Archiver;
import io.usagearchiver.Health;
import io.usagearchiver.Pace;
import io.usagearchiver.RunWindow;
import io.usagearchiver.SchemaDriftException;
import io.usagearchiver.SweepFailedException;
import io.usagearchiver.SweepListener;
import io.usagearchiver.SweepProgress;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class SweepMetricsTest {
    private static final String TABLE = "public.model_usage_details";
    private static final LocalDateTime CUTOFF = LocalDateTime.parse("2025-01-01T00:00");

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    private final MockClock clock = new MockClock();
    private final MeterRegistry registry = new SimpleMeterRegistry(SimpleConfig.DEFAULT, clock);
    private final SweepMetrics metrics = new SweepMetrics(registry);

    @BeforeEach
    void expired_rows() {
        db.insertUsage("SELECT i, timestamp '2020-01-01' + i * interval '1 hour', timestamp '2020-01-01'"
                + " FROM generate_series(1, 25) i");
    }

    @Test
    void a_drained_sweep_is_counted() {
        clock.add(Duration.ofSeconds(1_700_000_000));
        List<Double> running = new ArrayList<>();
        List<Double> backlog = new ArrayList<>();
        archiver(settings())
                .listener(new SweepListener() {
                    @Override
                    public void batchCommitted(SweepProgress progress) {
                        running.add(gauge(SweepMetrics.RUNNING));
                        backlog.add(gauge(SweepMetrics.BACKLOG_AGE));
                    }
                })
                .build()
                .sweep();

        assertThat(counter(SweepMetrics.ROWS_MOVED)).isEqualTo(25);
        assertThat(counter(SweepMetrics.BATCHES)).isEqualTo(3);
        assertThat(registry.get(SweepMetrics.BATCH_TIME).timer().count()).isEqualTo(3);
        assertThat(registry.get(SweepMetrics.BATCH_TIME).timer().totalTime(TimeUnit.NANOSECONDS))
                .isPositive();
        assertThat(registry.get(SweepMetrics.SWEEP_TIME).timer().count()).isEqualTo(1);
        assertThat(sweeps("DRAINED")).isEqualTo(1);
        assertThat(running).containsExactly(1.0, 1.0, 1.0);
        assertThat(backlog).allMatch(seconds -> seconds > Duration.ofDays(365).toSeconds());
        assertThat(gauge(SweepMetrics.RUNNING)).isZero();
        assertThat(gauge(SweepMetrics.BACKLOG_AGE)).isZero();
        assertThat(gauge(SweepMetrics.LAST_SUCCESS)).isEqualTo(clock.wallTime() / 1000.0);
        assertThat(registry.get(SweepMetrics.ROWS_MOVED).counter().getId().getTag(SweepMetrics.TABLE))
                .isEqualTo("public.model_usage_details");
    }

    @Test
    void health_is_told_before_the_first_sweep_and_the_age_of_the_last_success_goes_on_between_two_looks() {
        metrics.healthRead(TABLE, "one", archiver(settings()).build().health());
        assertThat(health("OK")).isEqualTo(1);
        assertThat(gauge(SweepMetrics.LAST_SUCCESS_AGE)).isNaN();
        assertThat(gauge(SweepMetrics.LAST_KEPT_BACK)).isNaN();
        assertThat(gauge(SweepMetrics.NEXT_FIRING)).isNaN();
        assertThat(gauge(SweepMetrics.RUNNING)).isZero();

        Archiver.builder(TestedPair.USAGE, db.archiver()).node("other").build().sweep();
        db.execute(
                "UPDATE usage_archive_sweep SET finished_at = finished_at - interval '1 hour', rows_in_conflict = 3");
        metrics.healthRead(
                TABLE,
                "one",
                archiver(settings()).build().health().withNextFiring(Instant.ofEpochSecond(1_800_000_000)));
        clock.add(Duration.ofSeconds(60));
        assertThat(gauge(SweepMetrics.LAST_SUCCESS_AGE)).isBetween(3660.0, 4500.0);
        assertThat(gauge(SweepMetrics.LAST_KEPT_BACK)).isEqualTo(3);
        assertThat(gauge(SweepMetrics.NEXT_FIRING)).isEqualTo(1.8e9);

        metrics.healthRead(TABLE, "one", Health.of(Health.Status.NO_ANSWER, "none"));
        assertThat(health("OK")).isZero();
        assertThat(health("NO_ANSWER")).isEqualTo(1);
        clock.add(Duration.ofHours(1));
        assertThat(gauge(SweepMetrics.LAST_SUCCESS_AGE)).isBetween(7260.0, 8100.0);

        archiver(settings()).build().sweep();
        assertThat(gauge(SweepMetrics.LAST_SUCCESS_AGE)).isZero();
    }

    @Test
    void the_worst_of_several_archivers_of_a_table_is_told_and_of_their_firings_the_next() {
        metrics.healthRead(
                TABLE, "two", Health.of(Health.Status.LATE, "late").withNextFiring(Instant.ofEpochSecond(9)));
        metrics.healthRead(TABLE, "one", Health.of(Health.Status.OK, "well").withNextFiring(Instant.ofEpochSecond(8)));
        assertThat(health("LATE")).isEqualTo(1);
        assertThat(health("OK")).isZero();
        assertThat(gauge(SweepMetrics.NEXT_FIRING)).isEqualTo(8);

        metrics.healthRead(TABLE, "two", Health.of(Health.Status.OK, "well"));
        assertThat(health("OK")).isEqualTo(1);
    }

    @Test
    void a_health_that_is_not_read_any_more_is_no_answer() {
        metrics.healthRead(TABLE, "one", Health.of(Health.Status.OK, "well"));
        clock.add(Duration.ofMinutes(5));
        assertThat(health("OK")).isEqualTo(1);

        clock.add(Duration.ofSeconds(1));
        assertThat(health("OK")).isZero();
        assertThat(health("NO_ANSWER")).isEqualTo(1);
    }

    @Test
    void the_backlog_is_that_of_the_node_that_swept_last() {
        archiver(settings().withTimeBudget(Duration.ofMillis(1))).build().sweep();
        assertThat(gauge(SweepMetrics.BACKLOG_AGE)).isPositive();
        metrics.healthRead(TABLE, "one", archiver(settings()).build().health());
        assertThat(gauge(SweepMetrics.BACKLOG_AGE)).isPositive();

        Archiver.builder(TestedPair.USAGE, db.archiver()).node("other").build().sweep();
        metrics.healthRead(TABLE, "one", archiver(settings()).build().health());
        assertThat(gauge(SweepMetrics.BACKLOG_AGE)).isNaN();
    }

    @Test
    void rows_that_are_kept_back_are_counted_by_reason() {
        db.execute("INSERT INTO model_usage_details_archive SELECT * FROM model_usage_details WHERE id <= 2;"
                + " UPDATE model_usage_details_archive SET model_name = 'other';"
                + " ALTER TABLE model_usage_details_archive ADD CHECK (id <> 7)");

        archiver(settings()).build().sweep();

        assertThat(keptBack("conflict")).isEqualTo(2);
        assertThat(keptBack("rejected")).isEqualTo(1);
        assertThat(counter(SweepMetrics.ROWS_MOVED)).isEqualTo(22);
    }

    @Test
    void a_sweep_that_fails_is_counted_with_what_it_had_done() {
        Archiver archiver = archiver(settings())
                .listener(new SweepListener() {
                    @Override
                    public void batchCommitted(SweepProgress progress) {
                        db.execute("REVOKE INSERT ON model_usage_details_archive FROM " + TestDatabase.ARCHIVER);
                    }
                })
                .build();

        assertThatExceptionOfType(SweepFailedException.class).isThrownBy(archiver::sweep);

        assertThat(sweeps("FAILED")).isEqualTo(1);
        assertThat(counter(SweepMetrics.ROWS_MOVED)).isEqualTo(10);
        assertThat(gauge(SweepMetrics.RUNNING)).isZero();
        assertThat(gauge(SweepMetrics.LAST_SUCCESS)).isNaN();
        assertThat(gauge(SweepMetrics.BACKLOG_AGE)).isPositive();
    }

    @Test
    void a_sweep_that_the_tables_do_not_allow_and_one_without_connection_are_counted() {
        db.execute("ALTER TABLE model_usage_details_archive DROP COLUMN operation");
        assertThatExceptionOfType(SchemaDriftException.class)
                .isThrownBy(() -> archiver(settings()).build().sweep());
        assertThat(sweeps("DISABLED")).isEqualTo(1);
        assertThat(sweeps("FAILED")).isZero();

        assertThatExceptionOfType(ArchiveException.class)
                .isThrownBy(() -> Archiver.builder(TestedPair.USAGE, () -> {
                            throw new java.sql.SQLException("none");
                        })
                        .listener(metrics)
                        .build()
                        .sweep());
        assertThat(sweeps("FAILED")).isEqualTo(1);
        assertThat(gauge(SweepMetrics.RUNNING)).isZero();
        assertThat(gauge(SweepMetrics.BACKLOG_AGE)).isNaN();
    }

    @Test
    void a_firing_outside_the_run_window_is_no_success() {
        String later = db.strings("SELECT to_char(now + interval '2 hours', 'HH24:MI-')"
                        + " || to_char(now + interval '3 hours', 'HH24:MI')"
                        + " FROM timezone('UTC', clock_timestamp()) AS t (now)")
                .get(0);

        archiver(settings().withPace(Pace.full().withRunWindow(RunWindow.parse(later))))
                .build()
                .sweep();

        assertThat(sweeps("OUTSIDE_WINDOW")).isEqualTo(1);
        assertThat(gauge(SweepMetrics.LAST_SUCCESS)).isNaN();
    }

    @Test
    void what_a_crash_of_the_server_has_undone_is_not_counted_twice() {
        metrics.sweepStarted(progress(0, 0, null));
        metrics.batchCommitted(progress(10, 1, "2020-01-01 00:00:00"));
        metrics.batchCommitted(progress(20, 2, "2020-01-01 00:00:00"));
        metrics.batchCommitted(progress(15, 1, "2020-01-01 00:00:00"));
        metrics.batchCommitted(progress(25, 3, "2024-12-31 23:00:00"));
        assertThat(counter(SweepMetrics.ROWS_MOVED)).isEqualTo(25);
        assertThat(counter(SweepMetrics.BATCHES)).isEqualTo(3);
        assertThat(gauge(SweepMetrics.BACKLOG_AGE)).isEqualTo(3600);
        metrics.batchCommitted(progress(35, 4, "-infinity"));
        assertThat(gauge(SweepMetrics.BACKLOG_AGE)).isInfinite();
    }

    @Test
    void without_a_registry_of_its_own_it_registers_with_the_global_one_and_a_later_one_replaces_its_gauges() {
        SimpleMeterRegistry host = new SimpleMeterRegistry();
        Metrics.addRegistry(host);
        try {
            SweepMetrics first = new SweepMetrics();
            first.sweepStarted(progress(0, 0, null));
            SweepMetrics second = new SweepMetrics();
            second.sweepStarted(progress(0, 0, null));
            second.sweepFailed("public.t", new io.usagearchiver.ArchiveException("gone", null));
            // Tests before this one may have left meters of other tables there.
            Tags ofTheTable = Tags.of(SweepMetrics.TABLE, "public.t");
            assertThat(host.get(SweepMetrics.RUNNING).tags(ofTheTable).gauge().value())
                    .isZero();
            first.batchCommitted(progress(3, 1, null));
            second.batchCommitted(progress(4, 1, null));
            assertThat(host.get(SweepMetrics.ROWS_MOVED)
                            .tags(ofTheTable)
                            .counter()
                            .count())
                    .isEqualTo(7);
        } finally {
            Metrics.removeRegistry(host);
        }
    }

    private static SweepProgress progress(long rows, long batches, String oldest) {
        return new SweepProgress(
                1, "public.t", CUTOFF, rows, batches, Duration.ofSeconds(1), oldest, Duration.ofMillis(5), null);
    }

    private Archiver.Builder archiver(ArchiveSettings settings) {
        return Archiver.builder(TestedPair.USAGE, db.archiver())
                .settings(settings)
                .listener(metrics);
    }

    private static ArchiveSettings settings() {
        return ArchiveSettings.defaults().withBatchSize(10);
    }

    private double counter(String name) {
        return registry.get(name).counter().count();
    }

    private double gauge(String name) {
        return registry.get(name).gauge().value();
    }

    private double health(String status) {
        return registry.get(SweepMetrics.HEALTH)
                .tag(SweepMetrics.STATUS, status)
                .gauge()
                .value();
    }

    private double sweeps(String reason) {
        return registry.get(SweepMetrics.SWEEPS)
                .tag(SweepMetrics.STOP_REASON, reason)
                .counter()
                .count();
    }

    private double keptBack(String reason) {
        return registry.get(SweepMetrics.ROWS_KEPT_BACK)
                .tag(SweepMetrics.REASON, reason)
                .counter()
                .count();
    }
}
