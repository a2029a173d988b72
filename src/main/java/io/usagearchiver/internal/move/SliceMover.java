package io.usagearchiver.internal.move;

import io.usagearchiver.ArchiveException;
import io.usagearchiver.ArchivePair;
import io.usagearchiver.SweepResult;
import io.usagearchiver.internal.jdbc.Wording;
import io.usagearchiver.internal.ledger.BatchResult;
import io.usagearchiver.internal.postgres.SqlState;
import io.usagearchiver.internal.rows.Candidates;
import io.usagearchiver.internal.rows.Slice;
import io.usagearchiver.internal.schema.Direction;
import io.usagearchiver.internal.schema.PairSchema;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.jooq.exception.DataAccessException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Moves the slices of one pass. A batch that is refused is halved until the rows to blame are alone, as far as {@link
 * Refusals} goes with that; one whose statement timed out is tried in smaller ones, as are those after it.
 */
final class SliceMover {
    private static final Logger log = LoggerFactory.getLogger("io.usagearchiver.Sweep");

    /** The most keys that a statement leaves out. */
    private static final int MOST_LEFT_OUT = 1000;

    private final RunSession run;
    private final Throttler throttler;
    private final Refusals refusals;
    private final FastPath fast;
    private final Workers workers;
    /** Keys of rows that earlier passes had to leave where they are. */
    private final Set<String> without;

    private final FastBatch fastBatch;
    private final Batch batch;
    private boolean moved;
    private boolean passedOver;

    /**
     * The mover of a pass.
     *
     * @param schema the tables as they were checked
     */
    SliceMover(
            RunSession run,
            ArchivePair<?> pair,
            PairSchema schema,
            Throttler throttler,
            Refusals refusals,
            FastPath fast,
            Workers workers) {
        Direction direction = run.ledger().direction();
        this.run = run;
        this.throttler = throttler;
        this.refusals = refusals;
        this.fast = fast;
        this.workers = workers;
        this.without = Set.copyOf(run.progress().keptBack().keys());
        this.fastBatch = new FastBatch(pair, direction, schema, run.ledger());
        this.batch = new Batch(pair, direction, schema, run.ledger());
    }

    /** How many batches are to go the slow way before another slice is tried at once; 0 for none. */
    int batchesToLeaveOut() {
        return refusals.areMany() || without.size() > MOST_LEFT_OUT ? Integer.MAX_VALUE : fast.batchesToLeaveOut();
    }

    /**
     * Moves a slice by one statement, or hands it to a worker that does.
     *
     * @return false if the slice is to be cut by its keys, for {@link #tryOut}
     */
    boolean moveAtOnce(Slice slice) {
        if (batchesToLeaveOut() > 0) {
            return false;
        }
        Wording statement = dsl -> fastBatch.statement(dsl, slice, without);
        if (workers.areThere()) {
            workers.hand(new Workers.Task(slice, fastBatch, statement, fast.limits()));
            return true;
        }
        BatchResult result = run.slice(fastBatch, statement, fast.limits());
        took(slice, result, run.progress().batchTime());
        return result != null;
    }

    /**
     * A slice that a worker has given back. Waits for the workers while none of them is free, or until all are done.
     *
     * @return null for none
     */
    @Nullable
    Slice givenBack(boolean all) {
        for (var outcome = workers.outcome(all); outcome != null; outcome = workers.outcome(all)) {
            if (outcome.fault() != null) {
                throw fault(outcome.fault());
            }
            BatchResult result = outcome.result();
            if (result != null) {
                run.session().progressed();
                run.progress().committed(result, outcome.time());
            }
            if (outcome.unheard()) {
                // Waits for it, too, if it has come as far as the ledger row.
                run.recount();
                moved = true;
            } else {
                took(outcome.slice(), result, outcome.time());
            }
            if (result == null) {
                return outcome.slice();
            }
        }
        return null;
    }

    private void took(Slice slice, @Nullable BatchResult result, @Nullable Duration time) {
        fast.tried(result != null);
        if (result == null) {
            return;
        }
        moved |= result.copied() > 0;
        passedOver |= result.copied() < slice.rows();
        if (!result.isEmpty() && time != null) {
            throttler.batchTook(result.copied(), time);
            refusals.moved();
        }
    }

    private static RuntimeException fault(Throwable ofWorker) {
        if (ofWorker instanceof Error error) {
            throw error;
        }
        return (RuntimeException) ofWorker;
    }

    /** Whether it has moved a row. */
    boolean hasMoved() {
        return moved;
    }

    /** Whether it has met rows that it could neither move nor keep back: others had locked them, say. */
    boolean hasPassedOver() {
        return passedOver;
    }

    /** Tries a slice, or, where too many rows were refused in a row, one row of it or none. */
    void tryOut(Candidates candidates, Candidates.Slice slice) {
        int rows = slice.keys().size();
        if (!refusals.areMany()) {
            moved |= move(candidates, slice);
            return;
        }
        if (refusals.areTooMany()) {
            throw refused();
        }
        if (refusals.passOver(rows)) {
            return;
        }
        int row = refusals.pick(rows);
        if (move(candidates, slice.only(row))) {
            moved = true;
            candidates.returnToMark(slice);
            refusals.goneBack();
        } else {
            candidates.mark(slice, row);
            refusals.inVain(rows);
        }
    }

    /** Moves the rows of a slice, or gives it back in parts, or rejects its only row. Returns whether a row was moved. */
    private boolean move(Candidates candidates, Candidates.Slice slice) {
        List<String> keys = slice.keys();
        long startNanos = System.nanoTime();
        try {
            BatchResult result = run.batch(tx -> batch.move(tx, slice.branch(), keys));
            passedOver |= result.deleted() + result.conflicts().size() < keys.size();
            Duration time = run.progress().batchTime();
            if (!result.isEmpty() && time != null) {
                throttler.batchTook(keys.size(), time);
            }
            if (result.deleted() > 0) {
                refusals.moved();
            }
            return result.deleted() > 0;
        } catch (DataAccessException | Batch.MiscountException e) {
            boolean timedOut = SqlState.isCancelled(e) && !run.session().isToStop();
            if (!timedOut && !(e instanceof Batch.MiscountException) && !SqlState.mayBeOfARow(e)) {
                throw e;
            }
            throttler.batchFailed(Duration.ofNanos(System.nanoTime() - startNanos));
            if (keys.size() == 1) {
                reject(keys.get(0), e);
                refusals.refused(timedOut);
            } else if (timedOut) {
                throttler.batchTimedOut(keys.size());
                candidates.giveBack(slice);
            } else {
                candidates.giveBackInHalves(slice);
            }
            return false;
        }
    }

    private void reject(String key, RuntimeException fault) {
        String reason = SqlState.message(fault);
        run.batch(tx -> batch.reject(tx, key, reason));
        if (SqlState.isDamage(fault) && run.progress().keptBack().rejectedIds().size() < SweepResult.LISTED_IDS) {
            log.error("{}: row {} cannot be moved: {}", run.ledger(), KeptBackRows.shortened(key), reason);
        }
    }

    /** What ends a run that is refused row after row. */
    ArchiveException refused() {
        KeptBackRows keptBack = run.progress().keptBack();
        return new ArchiveException(
                "row after row is refused: " + keptBack.count() + " rows that were tried stay, and at least "
                        + refusals.untried() + " more were not tried\n"
                        + Objects.requireNonNullElse(
                                keptBack.message(run.ledger().direction()), ""),
                null);
    }
}
