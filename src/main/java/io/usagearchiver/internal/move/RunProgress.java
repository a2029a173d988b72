package io.usagearchiver.internal.move;

import io.usagearchiver.SweepListener;
import io.usagearchiver.SweepProgress;
import io.usagearchiver.internal.ledger.BatchResult;
import io.usagearchiver.internal.ledger.LedgerCounts;
import io.usagearchiver.internal.ledger.LedgerRow;
import io.usagearchiver.internal.postgres.SqlState;
import io.usagearchiver.internal.schema.Direction;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** How far a run has come, as its ledger row counts it, and which rows it had to leave where they are. Tells its listener. */
final class RunProgress {
    private static final Logger log = LoggerFactory.getLogger("io.usagearchiver.Sweep");

    /** How many partitions that go row by row are named in the ledger; the log has all. */
    private static final int NAMED_PARTITIONS = 10;
    /** The most characters of a reason for that. */
    private static final int REASON_LENGTH = 200;

    private final LedgerRow ledger;
    private final SweepListener listener;
    private final long startNanos = System.nanoTime();
    private final KeptBackRows keptBack = new KeptBackRows();
    private final Set<String> handedOver = new HashSet<>();
    private final Map<String, String> rowByRow = new LinkedHashMap<>();
    private long rowsMoved;
    private long batches;
    private @Nullable String oldestAge;
    private @Nullable Duration batchTime;
    private @Nullable Long estimate;
    private @Nullable BatchResult inDoubt;

    /** The progress of a run that begins now. */
    RunProgress(LedgerRow ledger, SweepListener listener) {
        this.ledger = ledger;
        this.listener = listener;
    }

    /** The rows that had to stay where they were. */
    KeptBackRows keptBack() {
        return keptBack;
    }

    long batches() {
        return batches;
    }

    /** How long the last batch took; null before the first. */
    @Nullable
    Duration batchTime() {
        return batchTime;
    }

    /** Since the run began. */
    Duration elapsed() {
        return Duration.ofNanos(System.nanoTime() - startNanos);
    }

    /** It begins to move rows. */
    void started() {
        listener.sweepStarted(told());
    }

    /** Whether no candidate was reached yet. */
    boolean isNew() {
        return oldestAge == null;
    }

    /** How many rows there are to move, before the first of them; null if nobody knows. */
    void estimated(@Nullable Long rows) {
        estimate = rows;
    }

    /** The age up to which it has come. */
    void reached(String age) {
        oldestAge = age;
    }

    /** A batch is about to run; what the one before it did is known. */
    void trying() {
        inDoubt = null;
    }

    /** What a batch does if its COMMIT, which comes next, succeeds. */
    void committing(BatchResult result) {
        inDoubt = result;
    }

    /** A batch was committed. */
    void committed(BatchResult result, Duration time) {
        inDoubt = null;
        batchTime = time;
        if (result.isEmpty()) {
            return;
        }
        keptBack.add(result);
        rowsMoved += result.copied();
        batches++;
        log.debug(
                "{}, batch {}: {} rows moved, {} there already, {} in conflict, {} rejected",
                ledger,
                batches,
                result.copied(),
                result.proven(),
                result.conflicts().size(),
                result.rejected().size());
        listener.batchCommitted(told());
    }

    /**
     * Takes over what the ledger row says: the last batch whose answer was lost may be in or not, and a crash of the server
     * may have undone some before it.
     */
    void reconcile(LedgerCounts counts) {
        if (inDoubt != null) {
            keptBack.add(inDoubt);
            inDoubt = null;
        }
        recount(counts);
        log.info("{} goes on with another connection, at {} rows moved in {} batches", ledger, rowsMoved, batches);
    }

    /** Takes over what the ledger row says of batches of which nobody heard. */
    void recount(LedgerCounts counts) {
        keptBack.truncate(counts.rowsInConflict(), counts.rowsRejected());
        rowsMoved = counts.rowsMoved();
        batches = counts.batches();
    }

    /** A partition became one of the archive's as a whole. */
    void handedOver(String partition) {
        handedOver.add(partition);
    }

    /** The rows of a partition, or of all, move one by one. */
    void goRowByRow(String partitions, @Nullable String reason) {
        rowByRow.put(partitions, SqlState.shortened(String.valueOf(reason), REASON_LENGTH));
    }

    /** What the ledger row says at the end, besides the counts; null for nothing. */
    @Nullable
    String message(Direction direction) {
        List<String> lines = new ArrayList<>();
        if (!handedOver.isEmpty()) {
            lines.add(handedOver.size() + (handedOver.size() == 1 ? " partition" : " partitions") + " handed over");
        }
        rowByRow.entrySet().stream()
                .limit(NAMED_PARTITIONS)
                .forEach(each -> lines.add("row by row: " + each.getKey() + ": " + each.getValue()));
        if (rowByRow.size() > NAMED_PARTITIONS) {
            lines.add("row by row: " + (rowByRow.size() - NAMED_PARTITIONS) + " more, see the log");
        }
        String rejected = keptBack.message(direction);
        if (rejected != null) {
            lines.add(rejected);
        }
        return lines.isEmpty() ? null : String.join("\n", lines);
    }

    private SweepProgress told() {
        return new SweepProgress(
                ledger.sweepId(),
                ledger.table(),
                ledger.cutoff(),
                rowsMoved,
                batches,
                elapsed(),
                oldestAge,
                batchTime,
                estimate);
    }
}
