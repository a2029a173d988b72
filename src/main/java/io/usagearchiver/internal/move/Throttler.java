package io.usagearchiver.internal.move;

import io.usagearchiver.ArchiveSettings;
import io.usagearchiver.Pace;
import io.usagearchiver.RunWindow;
import io.usagearchiver.StopReason;
import io.usagearchiver.StopSignal;
import io.usagearchiver.internal.jdbc.Pause;
import io.usagearchiver.internal.jdbc.Session;
import java.time.Duration;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jooq.DSLContext;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a sweep does before each batch: stops, pauses or waits, as its {@link Pace} and time budget say. While it waits, it
 * holds no transaction, and a {@link StopSignal} ends the wait at once.
 */
final class Throttler {
    /** How often the replicas are looked at, between two batches and while waiting, and the ledger, during a pause. */
    private static final Duration LOOK_INTERVAL = Duration.ofSeconds(1);

    private static final Duration DAY = Duration.ofDays(1);

    private static final Logger log = LoggerFactory.getLogger("io.usagearchiver.Pacing");

    private final Pace pace;
    private final @Nullable Duration timeBudget;
    private final Session session;
    private final Supplier<LocalDateTime> now;
    private final String sweep;
    private final AdaptiveBatchSize size;
    private final ReplicaLag replicaLag = new ReplicaLag();
    private final long startNanos = System.nanoTime();
    private @Nullable Long lookNanos;
    private @Nullable Duration lastBatch;

    /**
     * The pacing of one sweep, which begins now.
     *
     * @param now the time of day for the run window, in UTC
     * @param sweep what the log calls it
     */
    Throttler(ArchiveSettings settings, Session session, Supplier<LocalDateTime> now, String sweep) {
        this.pace = settings.pace();
        this.timeBudget = settings.timeBudget();
        this.session = session;
        this.now = now;
        this.sweep = sweep;
        this.size = new AdaptiveBatchSize(settings.batchSize(), pace.targetBatchTime(), settings.statementTimeout());
    }

    /** How many rows the next batch is to try. */
    int batchSize() {
        return size.size();
    }

    /** Learns from a batch, for the size and the pause of the next. */
    void batchTook(int rows, Duration time) {
        size.took(rows, time);
        lastBatch = time;
    }

    /** Learns from a batch that failed, for the pause before the next. */
    void batchFailed(Duration time) {
        lastBatch = time;
    }

    /** Learns from a batch of so many rows of which a statement timed out, for the size of the next. */
    void batchTimedOut(int rows) {
        size.timedOut(rows);
    }

    /** Since the sweep began. */
    Duration elapsed() {
        return Duration.ofNanos(System.nanoTime() - startNanos);
    }

    /**
     * Returns when the next batch may begin, or why it may not.
     *
     * @param any whether a batch was committed: the time budget ends a sweep after one at least, but for a replica it waits
     *     no longer
     * @param reader runs a query in a transaction of its own, if this sweep is still the one
     */
    @Nullable
    StopReason awaitTurn(boolean any, LagReader reader) {
        StopReason reason = reasonToStop(any);
        if (reason == null && lastBatch != null) {
            Duration pause = Pause.after(lastBatch, pace);
            lastBatch = null;
            reason = pause(pause, any, reader);
        }
        Duration limit = pace.maxReplicaLag();
        return reason == null && limit != null ? awaitReplicas(limit, reader) : reason;
    }

    private @Nullable StopReason reasonToStop(boolean budgetCounts) {
        if (session.isToStop()) {
            return StopReason.INTERRUPTED;
        }
        if (isOutsideWindow()) {
            return StopReason.OUTSIDE_WINDOW;
        }
        boolean spent = budgetCounts && timeBudget != null && elapsed().compareTo(timeBudget) >= 0;
        return spent ? StopReason.TIME_BUDGET : null;
    }

    /** Whether no batch may run at this time of the day. */
    private boolean isOutsideWindow() {
        return pace.runWindow() != null && !pace.runWindow().contains(now.get().toLocalTime());
    }

    /** Sleeps, and looks every now and then whether a newer sweep has taken over. */
    private @Nullable StopReason pause(Duration time, boolean budgetCounts, LagReader reader) {
        Duration end = elapsed().plus(time);
        Duration left = time;
        while (!left.isZero() && !left.isNegative()) {
            StopReason reason = sleep(min(left, LOOK_INTERVAL), budgetCounts);
            if (reason != null) {
                return reason;
            }
            left = end.minus(elapsed());
            if (left.compareTo(LOOK_INTERVAL) > 0) {
                reader.read(tx -> null);
            }
        }
        return null;
    }

    /** Sleeps, but not beyond what ends the sweep. */
    private @Nullable StopReason sleep(Duration time, boolean budgetCounts) {
        Duration length = time;
        if (budgetCounts && timeBudget != null) {
            length = min(length, timeBudget.minus(elapsed()));
        }
        if (pace.runWindow() != null) {
            length = min(length, left(pace.runWindow(), now.get().toLocalTime()));
        }
        session.await(length);
        return reasonToStop(budgetCounts);
    }

    /** How long a window goes on from a moment within: zero outside, a day where it is never over. */
    static Duration left(RunWindow window, LocalTime time) {
        if (window.start().equals(window.end())) {
            return DAY;
        }
        Duration left = Duration.between(time, window.end());
        return !window.contains(time) ? Duration.ZERO : left.isNegative() ? left.plus(DAY) : left;
    }

    private @Nullable StopReason awaitReplicas(Duration limit, LagReader reader) {
        if (lookNanos != null && System.nanoTime() - lookNanos < LOOK_INTERVAL.toNanos()) {
            return null;
        }
        Duration begin = elapsed();
        boolean waited = false;
        while (true) {
            ReplicaLag.Lag lag = reader.read(replicaLag::read);
            lookNanos = System.nanoTime();
            if (lag == null || lag.time().compareTo(limit) <= 0) {
                if (waited) {
                    log.info(
                            "{} goes on after {} s: the replicas have caught up",
                            sweep,
                            seconds(elapsed().minus(begin)));
                }
                return null;
            }
            if (!waited) {
                waited = true;
                log.warn(
                        "{} waits for replica {}, whose replay is {} s behind: maxReplicaLag is {} s",
                        sweep,
                        lag.replica(),
                        seconds(lag.time()),
                        seconds(limit));
            }
            StopReason reason = sleep(LOOK_INTERVAL, true);
            if (reason != null) {
                return reason;
            }
        }
    }

    private static double seconds(Duration duration) {
        return duration.toMillis() / 1000.0;
    }

    private static Duration min(Duration one, Duration other) {
        return one.compareTo(other) < 0 ? one : other;
    }

    /** Runs the query for the replicas. */
    interface LagReader {
        ReplicaLag.@Nullable Lag read(Function<DSLContext, ReplicaLag.@Nullable Lag> query);
    }
}
