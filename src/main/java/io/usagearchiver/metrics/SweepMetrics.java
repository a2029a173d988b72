package io.usagearchiver.metrics;

import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Metrics;
import io.usagearchiver.ArchiveException;
import io.usagearchiver.Health;
import io.usagearchiver.SchemaDriftException;
import io.usagearchiver.SweepFailedException;
import io.usagearchiver.SweepListener;
import io.usagearchiver.SweepProgress;
import io.usagearchiver.SweepResult;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Counts what the sweeps of this node do, and tells of the archiver's health, which is the same on every node. Each meter has
 * the tag {@value #TABLE}, the hot table as {@code schema.table}, and is there from the scheduler's start on, or, without a
 * scheduler, from the table's first sweep on.
 *
 * <ul>
 *   <li>{@value #ROWS_MOVED}, counter: rows moved into the archive, counted with each batch
 *   <li>{@value #ROWS_KEPT_BACK}, counter by {@value #REASON} ({@code conflict}, {@code rejected}): rows that had to stay
 *       hot, in each sweep again
 *   <li>{@value #BATCHES}, counter, and {@value #BATCH_TIME}, timer: transactions, and how long they took
 *   <li>{@value #SWEEPS}, counter by {@value #STOP_REASON}: a {@link io.usagearchiver.StopReason}, or {@value
 *       #DISABLED} where the database did not allow the sweep
 *   <li>{@value #SWEEP_TIME}, timer: how long sweeps took from the opening to the closing of their ledger rows
 *   <li>{@value #BACKLOG_AGE}, gauge in seconds: from the age up to which the table's last sweep has come to the cutoff; 0
 *       when it was drained, not a number when that was another node's, or it could not begin
 *   <li>{@value #RUNNING}, gauge: 1 while a sweep runs on this node, else 0
 *   <li>{@value #LAST_SUCCESS}, gauge in seconds since 1970, by this node's clock: when a sweep last came to its end here,
 *       drained but for locked or kept-back rows, or at the end of its time; not a number until then
 *   <li>{@value #LAST_SUCCESS_AGE}, gauge in seconds: how long ago that was, of any node, by the ledger and the database's
 *       clock; not a number without one
 *   <li>{@value #LAST_KEPT_BACK}, gauge in rows: how many had to stay hot then
 *   <li>{@value #NEXT_FIRING}, gauge in seconds since 1970: when the job store has the next sweep, in the past if no node
 *       takes it; not a number without one
 *   <li>{@value #HEALTH}, gauge by {@value #STATUS}, a {@link io.usagearchiver.Health.Status}: 1 for the one that it
 *       comes to, the worst one of several archivers of the table, else 0. {@code NO_ANSWER} is also one of which nothing
 *       was heard for 5 minutes: the scheduler is down, or its look hangs
 * </ul>
 *
 * <p>The last four are read once a minute, and never by the registry's own look.
 *
 * <p>Gauges of a name and table that the registry has already are replaced. Thread-safe.
 */
public final class SweepMetrics implements SweepListener {
    /** Rows moved. */
    public static final String ROWS_MOVED = MeterNames.ROWS_MOVED;
    /** Rows that had to stay hot. */
    public static final String ROWS_KEPT_BACK = MeterNames.ROWS_KEPT_BACK;
    /** Transactions. */
    public static final String BATCHES = MeterNames.BATCHES;
    /** How long transactions took. */
    public static final String BATCH_TIME = MeterNames.BATCH_TIME;
    /** Sweeps by their end. */
    public static final String SWEEPS = MeterNames.SWEEPS;
    /** How long sweeps took. */
    public static final String SWEEP_TIME = MeterNames.SWEEP_TIME;
    /** From the age up to which a sweep has come to the cutoff. */
    public static final String BACKLOG_AGE = MeterNames.BACKLOG_AGE;
    /** Whether a sweep runs. */
    public static final String RUNNING = MeterNames.RUNNING;
    /** When a sweep last succeeded. */
    public static final String LAST_SUCCESS = MeterNames.LAST_SUCCESS;
    /** How long ago a sweep of any node last succeeded. */
    public static final String LAST_SUCCESS_AGE = MeterNames.LAST_SUCCESS_AGE;
    /** Rows that had to stay hot then. */
    public static final String LAST_KEPT_BACK = MeterNames.LAST_KEPT_BACK;
    /** When the next sweep is to begin. */
    public static final String NEXT_FIRING = MeterNames.NEXT_FIRING;
    /** Whether the archiver does its work. */
    public static final String HEALTH = MeterNames.HEALTH;

    /** The tag of all meters: the hot table. */
    public static final String TABLE = MeterNames.TABLE;
    /** The tag of {@link #ROWS_KEPT_BACK}. */
    public static final String REASON = MeterNames.REASON;
    /** The tag of {@link #SWEEPS}. */
    public static final String STOP_REASON = MeterNames.STOP_REASON;
    /** The tag of {@link #HEALTH}. */
    public static final String STATUS = MeterNames.STATUS;
    /** The value of {@link #STOP_REASON} for a sweep that the database did not allow. */
    public static final String DISABLED = MeterNames.DISABLED;

    private final MeterRegistry registry;
    private final Map<String, TableMeters> tables = new ConcurrentHashMap<>();

    /** Registers with Micrometer's {@link Metrics#globalRegistry}, to which hosts bind theirs. */
    public SweepMetrics() {
        this(Metrics.globalRegistry);
    }

    /** Registers with a registry. */
    public SweepMetrics(MeterRegistry registry) {
        this.registry = registry;
    }

    @Override
    public void sweepStarted(SweepProgress progress) {
        meters(progress.table()).started();
    }

    @Override
    public void batchCommitted(SweepProgress progress) {
        meters(progress.table()).batch(progress);
    }

    @Override
    public void sweepEnded(SweepResult result) {
        meters(result.table()).ended(result);
    }

    @Override
    public void sweepFailed(String table, ArchiveException fault) {
        TableMeters meters = meters(table);
        if (fault instanceof SweepFailedException failed && failed.result() != null) {
            meters.ended(failed.result());
        } else {
            meters.failed(fault instanceof SchemaDriftException ? DISABLED : "FAILED");
        }
    }

    @Override
    public void healthRead(String table, String archiver, Health health) {
        meters(table).healthRead(archiver, health);
    }

    private TableMeters meters(String table) {
        return tables.computeIfAbsent(table, name -> new TableMeters(registry, name));
    }
}
