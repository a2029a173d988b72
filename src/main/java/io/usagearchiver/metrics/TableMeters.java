package io.usagearchiver.metrics;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.Timer;
import io.usagearchiver.Health;
import io.usagearchiver.StopReason;
import io.usagearchiver.SweepProgress;
import io.usagearchiver.SweepResult;
import java.time.Duration;
import java.time.LocalDateTime;
import java.time.format.DateTimeParseException;
import java.util.Comparator;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;

/** The meters of one table. */
final class TableMeters {
    private static final int MILLIS = 1000;
    private static final double NANOS = 1e9;
    /** For so long what was heard of an archiver counts; it is read once a minute. */
    private static final Duration FRESH = Duration.ofMinutes(5);

    private final MeterRegistry registry;
    private final Tags tags;
    private final Counter rowsMoved;
    private final Counter conflicts;
    private final Counter rejected;
    private final Counter batches;
    private final Timer batchTime;
    private final Timer sweepTime;

    private long countedSweep;
    private long countedRows;
    private long countedBatches;
    private volatile double running;
    private volatile double backlogSeconds = Double.NaN;
    private volatile double lastSuccess = Double.NaN;
    private volatile @Nullable Success clusterSuccess;
    private volatile double keptBack = Double.NaN;
    private final Map<String, Reading> healthOfArchivers = new ConcurrentHashMap<>();

    /** The last success of any node. Its age goes on while the database does not answer. */
    private record Success(double age, long nanos) {}

    /** What was heard last of one archiver of the table. */
    private record Reading(Health health, long nanos) {}

    TableMeters(MeterRegistry registry, String table) {
        this.registry = registry;
        this.tags = Tags.of(MeterNames.TABLE, table);
        this.rowsMoved = counter(MeterNames.ROWS_MOVED, "Rows moved into the archive", tags);
        this.conflicts = keptBack("conflict");
        this.rejected = keptBack("rejected");
        this.batches = counter(MeterNames.BATCHES, "Transactions that moved rows", tags);
        this.batchTime = timer(MeterNames.BATCH_TIME, "How long transactions took");
        this.sweepTime = timer(MeterNames.SWEEP_TIME, "How long sweeps took");
        gauge(MeterNames.RUNNING, "Whether a sweep runs on this node", null, meters -> meters.running);
        gauge(
                MeterNames.BACKLOG_AGE,
                "From the age up to which the last sweep has come to the cutoff, where it was this node's",
                "seconds",
                meters -> meters.backlogSeconds);
        gauge(
                MeterNames.LAST_SUCCESS,
                "When a sweep last came to its end on this node, since 1970",
                "seconds",
                meters -> meters.lastSuccess);
        gauge(
                MeterNames.LAST_SUCCESS_AGE,
                "How long ago a sweep last came to its end on any node",
                "seconds",
                TableMeters::successAge);
        gauge(MeterNames.LAST_KEPT_BACK, "Rows that had to stay hot then", "rows", meters -> meters.keptBack);
        gauge(
                MeterNames.NEXT_FIRING,
                "When the job store has the next sweep, since 1970",
                "seconds",
                TableMeters::nextFiring);
        for (Health.Status one : Health.Status.values()) {
            gauge(
                    MeterNames.HEALTH,
                    "Whether the archiver's health has come to this",
                    null,
                    tags.and(MeterNames.STATUS, one.name()),
                    meters -> meters.status() == one ? 1 : 0);
        }
        for (StopReason reason : StopReason.values()) {
            sweeps(reason.name());
        }
        sweeps(MeterNames.DISABLED);
    }

    synchronized void started() {
        running = 1;
    }

    synchronized void batch(SweepProgress progress) {
        count(progress.sweepId(), progress.rowsMoved(), progress.batches());
        if (progress.batchTime() != null) {
            batchTime.record(progress.batchTime());
        }
        backlogSeconds = seconds(progress.oldestAgeLeft(), progress.cutoff());
    }

    synchronized void ended(SweepResult result) {
        running = 0;
        count(result.sweepId(), result.rowsMoved(), result.batches());
        conflicts.increment((double) result.rowsInConflict());
        rejected.increment((double) result.rowsRejected());
        StopReason reason = result.stopReason();
        sweeps(reason.name()).increment();
        sweepTime.record(result.elapsed());
        switch (reason) {
            case DRAINED -> backlogSeconds = 0;
            case SUPERSEDED, BUSY -> backlogSeconds = Double.NaN;
            default -> {}
        }
        boolean success = switch (reason) {
            case DRAINED, ROWS_LOCKED, TIME_BUDGET -> true;
            case OUTSIDE_WINDOW -> result.batches() > 0;
            default -> false;
        };
        if (success) {
            lastSuccess = (double) registry.config().clock().wallTime() / MILLIS;
            clusterSuccess = new Success(0, monotonicTime());
            keptBack = (double) result.rowsInConflict() + result.rowsRejected();
        }
    }

    synchronized void failed(String reason) {
        running = 0;
        backlogSeconds = Double.NaN;
        sweeps(reason).increment();
    }

    synchronized void healthRead(String archiver, Health health) {
        healthOfArchivers.put(archiver, new Reading(health, monotonicTime()));
        if (health.sinceLastSuccess() != null) {
            clusterSuccess = new Success(seconds(health.sinceLastSuccess()), monotonicTime());
        }
        keptBack = health.sinceLastSuccess() == null ? Double.NaN : health.rowsKeptBack();
        if (health.lastSweepId() > countedSweep) {
            backlogSeconds = Double.NaN;
        }
    }

    /** The worst of the table's archivers; null before the first was heard of. A look that hangs must not leave all well. */
    private Health.@Nullable Status status() {
        long now = monotonicTime();
        return healthOfArchivers.values().stream()
                .map(reading ->
                        now - reading.nanos > FRESH.toNanos() ? Health.Status.NO_ANSWER : reading.health.status())
                .max(Comparator.naturalOrder())
                .orElse(null);
    }

    private double nextFiring() {
        return healthOfArchivers.values().stream()
                .map(reading -> reading.health.nextFiring())
                .filter(Objects::nonNull)
                .min(Comparator.naturalOrder())
                .map(firing -> (double) firing.toEpochMilli() / MILLIS)
                .orElse(Double.NaN);
    }

    private double successAge() {
        Success success = clusterSuccess;
        return success == null ? Double.NaN : success.age + (monotonicTime() - success.nanos) / NANOS;
    }

    private long monotonicTime() {
        return registry.config().clock().monotonicTime();
    }

    /**
     * Counts what was not counted before. The sweep's own figures can go down, when a crash of the server has undone
     * batches: what is moved again then is not counted again.
     */
    private void count(long sweepId, long rows, long batchCount) {
        if (sweepId != countedSweep) {
            countedSweep = sweepId;
            countedRows = 0;
            countedBatches = 0;
        }
        rowsMoved.increment((double) Math.max(0, rows - countedRows));
        batches.increment((double) Math.max(0, batchCount - countedBatches));
        countedRows = Math.max(rows, countedRows);
        countedBatches = Math.max(batchCount, countedBatches);
    }

    private static double seconds(@Nullable String age, LocalDateTime cutoff) {
        if (age == null) {
            return Double.NaN;
        }
        try {
            return seconds(Duration.between(LocalDateTime.parse(age.replace(' ', 'T')), cutoff));
        } catch (DateTimeParseException e) {
            // -infinity, or before Christ.
            return Double.POSITIVE_INFINITY;
        }
    }

    private static double seconds(Duration duration) {
        return (double) duration.toMillis() / MILLIS;
    }

    private Counter keptBack(String reason) {
        return counter(
                MeterNames.ROWS_KEPT_BACK,
                "Rows that had to stay in the hot table, in each sweep again",
                tags.and(MeterNames.REASON, reason));
    }

    private Counter sweeps(String reason) {
        return counter(MeterNames.SWEEPS, "Sweeps by why they stopped", tags.and(MeterNames.STOP_REASON, reason));
    }

    private Counter counter(String name, String description, Tags all) {
        return Counter.builder(name).description(description).tags(all).register(registry);
    }

    private Timer timer(String name, String description) {
        return Timer.builder(name).description(description).tags(tags).register(registry);
    }

    private void gauge(String name, String description, @Nullable String unit, ToDoubleFunction<TableMeters> value) {
        gauge(name, description, unit, tags, value);
    }

    private void gauge(
            String name, String description, @Nullable String unit, Tags all, ToDoubleFunction<TableMeters> value) {
        // A registry keeps the first of a name: one of a scheduler that is gone would stand still for ever.
        registry.find(name).tags(all).gauges().forEach(registry::remove);
        Gauge.builder(name, this, value)
                .description(description)
                .baseUnit(unit)
                .tags(all)
                .strongReference(true)
                .register(registry);
    }
}
