package io.usagearchiver;

import java.time.Duration;
import java.time.LocalDateTime;
import java.util.List;
import java.util.Objects;
import java.util.function.Function;
import org.jooq.DSLContext;
import org.jooq.exception.DataAccessException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Batches until no row that the errand wants is left, or a reason to stop.
 *
 * <p>A pass over the candidates is followed by another if it moved a row and an expired row is left: one that was locked,
 * or that expired behind the cursor. Rows that had to be kept back are not tried again. A hold that is set meanwhile begins
 * a new pass, too. Where more rows were kept back than {@link KeptBack} remembers, there is one pass: rows that it could not
 * take then wait for the next sweep. If it has to begin again all the same, those that are not remembered are tried, and
 * counted, anew.
 *
 * <p>A transient fault repeats its transaction. When that took another connection, the ledger row tells what was committed,
 * and a new pass begins: batches may have been undone behind the cursor. A batch that is refused is halved until the rows
 * to blame are alone, as far as {@link Refusals} goes with that; one whose statement timed out is tried in smaller ones, as
 * are those after it. Each of them waits for its turn, as all batches do.
 */
final class Sweep {
    private static final Logger log = LoggerFactory.getLogger(Sweep.class);

    private final Errand errand;
    private final ArchiveSettings settings;
    private final Session session;
    private final Retry retry;
    private final StopSignal stop;
    private final SweepListener listener;
    private final LocalDateTime cutoff;
    private final Ledger ledger;
    private final Pacing pacing;

    private final KeptBack keptBack = new KeptBack();
    private final Refusals refusals;
    private List<Branch> branches = List.of();
    private Shape shape;
    private long rowsMoved;
    private long batches;
    private @Nullable String oldestAge;
    private @Nullable Duration batchTime;
    private @Nullable Long estimate;
    private Batch.@Nullable Moved inDoubt;
    /** Whether this pass has met rows that it could neither move nor keep back: others had locked them, say. */
    private boolean passedOver;

    Sweep(
            Errand errand,
            ArchiveSettings settings,
            Session session,
            Retry retry,
            StopSignal stop,
            SweepListener listener,
            LocalDateTime cutoff,
            Ledger ledger,
            Shape shape,
            Pacing pacing) {
        this.errand = errand;
        this.settings = settings;
        this.session = session;
        this.retry = retry;
        this.stop = stop;
        this.listener = listener;
        this.cutoff = cutoff;
        this.ledger = ledger;
        this.shape = shape;
        this.pacing = pacing;
        this.refusals = new Refusals(ledger.sweepId());
    }

    /** Sweeps, and leaves the ledger row open. */
    StopReason run() {
        try {
            errand.prepare(session, retry);
            listener.sweepStarted(progress());
            StopReason reason = null;
            while (reason == null) {
                reason = passOrBeginAgain();
            }
            return reason;
        } catch (Ledger.SupersededException e) {
            return StopReason.SUPERSEDED;
        } catch (StopSignal.StoppedException e) {
            return StopReason.INTERRUPTED;
        } catch (DataAccessException e) {
            if (stop.requested() && Faults.isCancelled(e)) {
                return StopReason.INTERRUPTED;
            }
            throw e;
        }
    }

    /** The rows that had to stay where they were. */
    KeptBack keptBack() {
        return keptBack;
    }

    private void readRows() {
        if (branches.isEmpty()) {
            branches = attempt(TransactionLimits.page(settings), tx -> errand.rows(tx, ledger, shape, cutoff));
        }
    }

    /** Where not all rows that were kept back are known by their keys, the others will be met, and counted, anew. */
    private void recount() {
        if (!keptBack.isComplete()) {
            int conflicts = keptBack.rememberedConflicts();
            int rejected = keptBack.rememberedRejected();
            attempt(TransactionLimits.batch(settings), tx -> ledger.recount(tx, conflicts, rejected));
            keptBack.truncate(conflicts, rejected);
        }
    }

    private @Nullable StopReason passOrBeginAgain() {
        try {
            return pass();
        } catch (RestartException e) {
            return null;
        }
    }

    /** Goes over the candidates once. Returns why the sweep is to stop, or null if another pass is needed. */
    private @Nullable StopReason pass() {
        try {
            readRows();
            recount();
            refusals.beginPass();
            passedOver = false;
            Candidates candidates =
                    new Candidates(this::read, branches, settings.batchSize(), pacing::batchSize, keptBack.keys());
            boolean deleted = false;
            for (var slice = candidates.next(); slice != null; slice = candidates.next()) {
                StopReason reason = pacing.awaitTurn(batches > 0, this::replicas);
                if (reason != null) {
                    return reason;
                }
                if (oldestAge == null) {
                    estimate = read(dsl -> Branch.estimate(dsl, branches));
                }
                oldestAge = slice.age();
                deleted |= tryOut(candidates, slice);
            }
            if (!anyLeft(candidates.isEmpty() && batches == 0)) {
                return StopReason.DRAINED;
            }
            if (deleted && keptBack.isComplete()) {
                refusals.moved();
                return null;
            }
            if (refusals.untried() > 0) {
                throw refused();
            }
            return StopReason.ROWS_LOCKED;
        } catch (Ledger.HoldsChangedException e) {
            log.info("Sweep {} of {}: a hold was set; reading the holds again", ledger.sweepId(), shape.table());
            branches = List.of();
            return null;
        } catch (Shape.ChangedException e) {
            checkAgain();
            return null;
        } catch (DataAccessException | Ledger.SwallowedException e) {
            if (!isAltered()) {
                throw e;
            }
            checkAgain();
            return null;
        }
    }

    /** Whether a fault may be due to tables that are not those that were checked. */
    private boolean isAltered() {
        return !stop.requested()
                && !shape.fingerprint()
                        .equals(attempt(
                                TransactionLimits.page(settings),
                                tx -> tx.select(Shape.liveFingerprint(errand.pair()))
                                        .fetchSingle()
                                        .value1()));
    }

    /** Goes on with the tables as they are now, if the schema check lets them pass: what a hold keeps depends on them, too. */
    private void checkAgain() {
        log.info(
                "{} {}: {}, its archive or the ledger was altered; checking the schema again",
                errand.direction(),
                ledger.sweepId(),
                shape.table());
        branches = List.of();
        session.forgetKeys();
        shape = attempt(TransactionLimits.page(settings), tx -> SchemaCheck.run(tx, errand.pair(), errand.direction()));
    }

    /** Looks at the replicas, and whether this sweep is superseded: a wait for them can be long. */
    private ReplicaLag.@Nullable Lag replicas(Function<DSLContext, ReplicaLag.@Nullable Lag> query) {
        return read(tx -> {
            ledger.requireRunning(tx);
            return query.apply(tx);
        });
    }

    /** Tries a slice, or, where too many rows were refused in a row, one row of it or none. Returns whether a row moved. */
    private boolean tryOut(Candidates candidates, Candidates.Slice slice) {
        int rows = slice.keys().size();
        if (!refusals.areMany()) {
            return move(candidates, slice);
        }
        if (refusals.areTooMany()) {
            throw refused();
        }
        if (refusals.passOver(rows)) {
            return false;
        }
        int row = refusals.pick(rows);
        boolean moved = move(candidates, slice.only(row));
        if (moved) {
            candidates.returnToMark(slice);
            refusals.goneBack();
        } else {
            candidates.mark(slice, row);
            refusals.inVain(rows);
        }
        return moved;
    }

    /** Moves the rows of a slice, or gives it back in parts, or rejects its only row. Returns whether a row was moved. */
    private boolean move(Candidates candidates, Candidates.Slice slice) {
        List<String> keys = slice.keys();
        long startNanos = System.nanoTime();
        try {
            Batch.Moved moved = batch((tx, batch) -> batch.move(tx, slice.branch(), keys));
            passedOver |= moved.deleted() + moved.conflicts().size() < keys.size();
            if (!moved.isEmpty() && batchTime != null) {
                pacing.batchTook(keys.size(), batchTime);
            }
            if (moved.deleted() > 0) {
                refusals.moved();
            }
            return moved.deleted() > 0;
        } catch (DataAccessException | Batch.MiscountException e) {
            boolean timedOut = Faults.isCancelled(e) && !stop.requested();
            if (!timedOut && !(e instanceof Batch.MiscountException) && !Faults.mayBeOfARow(e)) {
                throw e;
            }
            pacing.batchFailed(Duration.ofNanos(System.nanoTime() - startNanos));
            if (keys.size() == 1) {
                reject(keys.get(0), e);
                refusals.refused(timedOut);
            } else if (timedOut) {
                pacing.batchTimedOut(keys.size());
                candidates.giveBack(slice);
            } else {
                candidates.giveBackInHalves(slice);
            }
            return false;
        }
    }

    private void reject(String key, RuntimeException fault) {
        String reason = Faults.message(fault);
        batch((tx, batch) -> batch.reject(tx, key, reason));
        if (Faults.isDamage(fault) && keptBack.rejectedIds().size() < SweepResult.LISTED_IDS) {
            log.error(
                    "{} {} of {}: row {} cannot be moved: {}",
                    errand.direction(),
                    ledger.sweepId(),
                    shape.table(),
                    KeptBack.shortened(key),
                    reason);
        }
    }

    /** What ends a sweep that is refused row after row. */
    private ArchiveException refused() {
        return new ArchiveException(
                "row after row is refused: " + keptBack.count() + " rows that were tried stay, and at least "
                        + refusals.untried() + " more were not tried\n"
                        + Objects.requireNonNullElse(keptBack.message(errand.direction()), ""),
                null);
    }

    private Batch.Moved batch(Work work) {
        long[] startNanos = new long[1];
        Batch batch = new Batch(errand.pair(), errand.direction(), shape, ledger);
        Batch.Moved moved = attempt(TransactionLimits.batch(settings), tx -> {
            inDoubt = null;
            // Of this attempt: waiting before another one is no work of the server.
            startNanos[0] = System.nanoTime();
            Batch.Moved result = work.run(tx, batch);
            inDoubt = result;
            return result;
        });
        batchTime = Duration.ofNanos(System.nanoTime() - startNanos[0]);
        committed(moved);
        return moved;
    }

    private void committed(Batch.Moved moved) {
        inDoubt = null;
        retry.progress();
        if (moved.isEmpty()) {
            return;
        }
        keptBack.add(moved);
        rowsMoved += moved.copied();
        batches++;
        log.debug(
                "{} {} of {}, batch {}: {} rows moved, {} there already, {} in conflict, {} rejected",
                errand.direction(),
                ledger.sweepId(),
                shape.table(),
                batches,
                moved.copied(),
                moved.proven(),
                moved.conflicts().size(),
                moved.rejected().size());
        listener.batchCommitted(progress());
    }

    /**
     * Whether a row is left that was not kept back, in the tables that were checked: the look at them comes after the others,
     * whose locks keep the tables as they are.
     *
     * @param noneSeen whether no row was seen at all, so that there is none
     */
    private boolean anyLeft(boolean noneSeen) {
        return read(tx -> {
            List<String> without = List.copyOf(keptBack.keys());
            boolean left = !noneSeen
                    && (keptBack.isComplete()
                            ? branches.stream().anyMatch(branch -> branch.anyLeft(tx, without))
                            : anyLeftByNumber(tx));
            shape.requireUnchanged(tx.select(Shape.liveFingerprint(errand.pair()))
                    .fetchSingle()
                    .value1());
            return left;
        });
    }

    /** Whether more rows are wanted than were kept back, where not all of these are known. */
    private boolean anyLeftByNumber(DSLContext dsl) {
        if (passedOver || refusals.untried() > 0) {
            return true;
        }
        long wanted = 0;
        for (Branch branch : branches) {
            wanted += branch.count(dsl, keptBack.count() + 1 - wanted);
        }
        return wanted > keptBack.count();
    }

    private <T extends @Nullable Object> T read(Function<DSLContext, T> query) {
        if (errand.direction() == Direction.RESTORE || ledger.isSilent()) {
            attempt(TransactionLimits.batch(settings), ledger::touch);
        }
        return attempt(TransactionLimits.page(settings), query);
    }

    private <T extends @Nullable Object> T attempt(TransactionLimits limits, Function<DSLContext, T> work) {
        return retry.run(() -> {
            if (session.isRenewed()) {
                reconcile();
                throw new RestartException();
            }
            return session.transaction(limits, work);
        });
    }

    /**
     * Takes what was committed from the ledger row, once a batch that is still in flight there has ended: the last batch
     * whose answer was lost may be in or not, and a crash of the server may have undone some before it.
     */
    private void reconcile() {
        Ledger.Counts counts = session.transaction(TransactionLimits.open(settings), ledger::counts);
        if (inDoubt != null) {
            keptBack.add(inDoubt);
            inDoubt = null;
        }
        keptBack.truncate(counts.rowsInConflict(), counts.rowsRejected());
        rowsMoved = counts.rowsMoved();
        batches = counts.batches();
        session.acknowledge();
        log.info(
                "{} {} of {} goes on with another connection, at {} rows moved in {} batches",
                errand.direction(),
                ledger.sweepId(),
                shape.table(),
                rowsMoved,
                batches);
    }

    private SweepProgress progress() {
        return new SweepProgress(
                ledger.sweepId(),
                shape.table(),
                cutoff,
                rowsMoved,
                batches,
                pacing.elapsed(),
                oldestAge,
                batchTime,
                estimate);
    }

    /** What a batch's transaction does. */
    private interface Work {
        Batch.Moved run(DSLContext tx, Batch batch);
    }

    /** The connection is another one: the pass begins again. */
    private static final class RestartException extends RuntimeException {
        private static final long serialVersionUID = 1;
    }
}
