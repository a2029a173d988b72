package io.usagearchiver;

import java.time.Clock;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.function.Supplier;
import org.jooq.DSLContext;
import org.jooq.exception.DataAccessException;
import org.jspecify.annotations.Nullable;

/** One run of an errand, from the check of the tables to the closed ledger row, for an archiver in a session of its own. */
final class ErrandRun {
    private final RunContext context;
    private final Errand errand;
    private final Direction direction;
    private final ArchiveSettings settings;
    private final Session session;
    private final SweepListener listener;

    ErrandRun(RunContext context, Errand errand, Session session, SweepListener listener) {
        this.context = context;
        this.errand = errand;
        this.direction = errand.direction();
        this.settings = errand.settings(context.settings());
        this.session = session;
        this.listener = listener;
    }

    /**
     * Runs it.
     *
     * @throws SchemaDriftException if the tables do not allow it
     * @throws SweepStoppedException if it was asked to stop before it began
     * @throws SweepFailedException if a fault ended it
     */
    SweepResult run() {
        Ledger ledger;
        Shape shape;
        Supplier<LocalDateTime> now;
        try {
            shape = session.retried(TransactionLimits.page(settings), tx -> {
                Shape checked = check(tx);
                errand.check(tx);
                return checked;
            });
            now = clock();
            LedgerOpening opening = new LedgerOpening(
                    context.pair(),
                    shape.table(),
                    direction,
                    TransactionLimits.life(settings),
                    errand.cutoff(now.get()),
                    context.node(),
                    context.firedBy());
            RunWindow window = settings.pace().runWindow();
            if (window != null && !window.contains(now.get().toLocalTime())) {
                Ledger refused = session.retried(
                        TransactionLimits.open(settings), tx -> opening.refuse(tx, StopReason.OUTSIDE_WINDOW));
                return close(refused, StopReason.OUTSIDE_WINDOW, null, new KeptBack());
            }
            ledger = opening.open(session, TransactionLimits.open(settings));
            if (ledger.isBusy()) {
                return close(ledger, StopReason.BUSY, null, new KeptBack());
            }
        } catch (DataAccessException | ConnectionLostException | StoppedException e) {
            if (session.isToStop()) {
                throw new SweepStoppedException(
"A " + direction.word() + " of " + context.table() + " was asked to stop before it began", e);
            }
            throw new SweepFailedException(
                    "A " + direction.word() + " of " + context.table() + " could not begin: " + Faults.message(e),
                    e,
                    null,
                    null);
        }
        RunProgress progress = new RunProgress(ledger, listener);
        KeptBack keptBack = progress.keptBack();
        try {
            Pacing pacing = new Pacing(settings, session, now, ledger.toString());
            RunSession run = new RunSession(session, settings, ledger, progress);
            StopReason reason = new Sweep(errand, run, pacing, shape).run();
            session.finish();
            return close(ledger, reason, keptBack.message(direction), keptBack);
        } catch (Throwable e) {
            session.finish();
            throw failed(ledger, keptBack, e);
        }
    }

    /** The injected clock; else the database's, read once and counted on from there. */
    private Supplier<LocalDateTime> clock() {
        Clock injected = context.clock();
        if (injected != null) {
            return () -> LocalDateTime.ofInstant(injected.instant(), ZoneOffset.UTC);
        }
        LocalDateTime read = session.retried(TransactionLimits.page(settings), NaiveUtc::now);
        long nanos = System.nanoTime();
        return () -> read.plusNanos(System.nanoTime() - nanos);
    }

    /** Closes the ledger row whatever the fault is, an error too: nobody would believe a RUNNING row that nobody runs. */
    private ArchiveException failed(Ledger ledger, KeptBack keptBack, Throwable fault) {
        SweepResult result = null;
        Hold hold = errand.hold();
        String remains = hold == null
                ? ""
                : "\nHold " + hold.id() + ", which it had set, stays: usage-archiver release " + hold.id() + " ends it";
        String message = (fault instanceof Error ? fault.toString() : Faults.message(fault)) + remains;
        // Without a connection the row stays RUNNING until the next sweep supersedes it. To wait for another one once
        // more would keep a node that is to stop from it.
        if (!(fault instanceof ConnectionLostException)) {
            try {
                result = close(ledger, StopReason.FAILED, message, keptBack);
            } catch (Throwable e) {
                fault.addSuppressed(e);
            }
        }
        if (fault instanceof SchemaDriftException drift) {
            return hold == null
                    ? drift
                    : direction.drift(context.table(), drift.differences(), remains);
        }
        return new SweepFailedException(ledger + " failed: " + message, fault, result, hold);
    }

    /** Closes the ledger row; once more on another connection if the first one is lost. */
    private SweepResult close(Ledger ledger, StopReason reason, @Nullable String message, KeptBack keptBack) {
        LedgerClosing closed = close(ledger, reason, message);
        return new SweepResult(
                ledger.sweepId(),
                ledger.table(),
                closed.cutoff(),
                closed.reason(),
                closed.counts().rowsMoved(),
                closed.counts().rowsAlreadyThere(),
                closed.counts().rowsInConflict(),
                closed.counts().rowsRejected(),
                closed.counts().batches(),
                closed.elapsed(),
                keptBack.conflictingIds(),
                keptBack.rejectedIds());
    }

    private LedgerClosing close(Ledger ledger, StopReason reason, @Nullable String message) {
        TransactionLimits limits = TransactionLimits.close(settings);
        try {
            return session.transaction(limits, tx -> LedgerClosing.close(tx, ledger, reason, message));
        } catch (DataAccessException e) {
            if (!Faults.isTransient(e)) {
                throw e;
            }
            return session.transaction(limits, tx -> LedgerClosing.close(tx, ledger, reason, message));
        }
    }

    private Shape check(DSLContext tx) {
        return Obstacles.requireNone(tx, context.pair(), direction, settings);
    }
}
