package io.usagearchiver;

import java.time.Duration;
import java.time.LocalDateTime;
import org.jspecify.annotations.Nullable;

/**
 * A row of the ledger: a sweep or a restore, which has ended or is running. The counts were committed together with the
 * rows, so they are exact; those of a run that goes on are of the moment at which they were read. Times are naive UTC.
 *
 * @param sweepId the ledger row
 * @param table the hot table, as {@code schema.table}
 * @param direction {@code ARCHIVE} for a sweep, {@code RESTORE} for rows taken back out of the archive
 * @param state {@code RUNNING}, or the name of the {@link StopReason}
 * @param node who ran it
 * @param firedBy what started it
 * @param cutoff rows whose age is before this moment were expired
 * @param rowsMoved rows inserted into one table and deleted from the other
 * @param rowsAlreadyThere rows deleted from the one because the other held an identical copy already
 * @param rowsInConflict rows left where they were because the other table holds their key with other content
 * @param rowsRejected rows left where they were because the other table refused them
 * @param batches transactions that were committed
 * @param startedAt when it was opened
 * @param finishedAt when it was closed; null while it runs. A sweep that died is closed by the next one
 * @param elapsed from the opening to the closing, or until now
 * @param moving from the opening to the last batch; zero before the first
 * @param message the fault of a failed one; or how many partitions were handed over and why others were not, and why rows were
 *     rejected, on lines of their own; null if there is nothing to say
 */
public record PastSweep(
        long sweepId,
        String table,
        String direction,
        String state,
        String node,
        String firedBy,
        LocalDateTime cutoff,
        long rowsMoved,
        long rowsAlreadyThere,
        long rowsInConflict,
        long rowsRejected,
        long batches,
        LocalDateTime startedAt,
        @Nullable LocalDateTime finishedAt,
        Duration elapsed,
        Duration moving,
        @Nullable String message) {

    /** Whether it is a sweep, and no restore. */
    public boolean archives() {
        return direction.equals("ARCHIVE");
    }

    /** Whether it has not ended, as far as the ledger knows. */
    public boolean isRunning() {
        return state.equals("RUNNING");
    }

    /** Rows that had to stay where they were, until somebody resolves them. */
    public long rowsKeptBack() {
        return rowsInConflict + rowsRejected;
    }

    /** Rows moved a second, from the opening to the last batch. */
    public double rowsPerSecond() {
        return rowsMoved * 1000.0 / Math.max(1, moving.toMillis());
    }
}
