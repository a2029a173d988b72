package io.usagearchiver.internal.move;

import io.usagearchiver.SweepListener;
import io.usagearchiver.SweepProgress;
import io.usagearchiver.SweepResult;
import io.usagearchiver.internal.schema.Direction;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Logs how far a sweep has come, at most once a minute, and how it ended. */
final class ProgressLog implements SweepListener {
    private static final Duration INTERVAL = Duration.ofMinutes(1);
    private static final Logger log = LoggerFactory.getLogger("io.usagearchiver.ProgressLog");
    /** Of the name by which the runnable jar turns it up and down. */
    private static final Logger endLog = LoggerFactory.getLogger("io.usagearchiver.Archiver");

    private final Direction direction;
    private final String which;
    private Duration told = Duration.ZERO;

    /**
     * The log of a run.
     *
     * @param where the condition that the settings have of the rows that a sweep takes; null for none
     */
    ProgressLog(Direction direction, @Nullable String where) {
        this.direction = direction;
        this.which = where == null || direction == Direction.RESTORE ? "" : " where " + where;
    }

    @Override
    public void batchCommitted(SweepProgress progress) {
        if (progress.elapsed().minus(told).compareTo(INTERVAL) >= 0) {
            told = progress.elapsed();
            log.info("{} {} of {}: {}", direction, progress.sweepId(), progress.table(), progress.text());
        }
    }

    @Override
    public void sweepEnded(SweepResult result) {
        endLog.info(
                "{} {} of {}{} ended {}: {} rows moved in {} batches and {} ms, {} {} already,"
                        + " {} in conflict, {} rejected; cutoff {}",
                direction,
                result.sweepId(),
                result.table(),
                which,
                result.stopReason(),
                result.rowsMoved(),
                result.batches(),
                result.elapsed().toMillis(),
                result.rowsAlreadyArchived(),
                direction == Direction.ARCHIVE ? "archived" : "hot",
                result.rowsInConflict(),
                result.rowsRejected(),
                result.cutoff());
        warnOfRowsThatStay(
                result, result.rowsInConflict(), "holds their keys with other content", result.conflictingIds());
        warnOfRowsThatStay(
                result,
                result.rowsRejected(),
                "refuses them, for the reasons in the ledger's message",
                result.rejectedIds());
    }

    private void warnOfRowsThatStay(SweepResult result, long rows, String why, List<String> first) {
        if (!first.isEmpty()) {
            endLog.warn(
                    "{} rows of {} stay {}: the {} {}. The first: {}",
                    rows,
                    result.table(),
                    direction == Direction.ARCHIVE ? "hot" : "archived",
                    direction.targetSide(),
                    why,
                    String.join(", ", first));
        }
    }
}
