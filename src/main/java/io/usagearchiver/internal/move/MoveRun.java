package io.usagearchiver.internal.move;

import io.usagearchiver.ArchiveException;
import io.usagearchiver.ArchiveSettings;
import io.usagearchiver.ConnectionSource;
import io.usagearchiver.Hold;
import io.usagearchiver.PairNames;
import io.usagearchiver.RunWindow;
import io.usagearchiver.SchemaDriftException;
import io.usagearchiver.StopReason;
import io.usagearchiver.StopSignal;
import io.usagearchiver.SweepFailedException;
import io.usagearchiver.SweepListener;
import io.usagearchiver.SweepResult;
import io.usagearchiver.SweepStoppedException;
import io.usagearchiver.internal.jdbc.ConnectionLostException;
import io.usagearchiver.internal.jdbc.Session;
import io.usagearchiver.internal.jdbc.StoppedException;
import io.usagearchiver.internal.jdbc.TransactionLimits;
import io.usagearchiver.internal.ledger.LedgerClosing;
import io.usagearchiver.internal.ledger.LedgerOpening;
import io.usagearchiver.internal.ledger.LedgerRow;
import io.usagearchiver.internal.postgres.NaiveUtc;
import io.usagearchiver.internal.postgres.SqlState;
import io.usagearchiver.internal.schema.Direction;
import io.usagearchiver.internal.schema.Obstacles;
import io.usagearchiver.internal.schema.PairSchema;
import java.time.Clock;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.jooq.DSLContext;
import org.jooq.exception.DataAccessException;
import org.jspecify.annotations.Nullable;

/** One run of an errand, from the check of the tables to the closed ledger row, for an archiver in a session of its own. */
public final class MoveRun {
    private final RunContext context;
    private final Move errand;
    private final Direction direction;
    private final ArchiveSettings settings;
    private final Session session;
    private final SweepListener listener;

    private MoveRun(RunContext context, Move errand, Session session, SweepListener listener) {
        this.context = context;
        this.errand = errand;
        this.direction = errand.direction();
        this.settings = errand.settings(context.settings());
        this.session = session;
        this.listener = listener;
    }

    /**
     * Runs an errand in a session of its own, and tells the listeners how it goes and ends.
     *
     * @throws SchemaDriftException if the tables do not allow it
     * @throws SweepStoppedException if it was asked to stop before it began
     * @throws SweepFailedException if a fault ended it
     * @throws ArchiveException if there is no connection to be had
     */
    public static SweepResult run(
            RunContext context,
            Move errand,
            ConnectionSource connections,
            List<SweepListener> listeners,
            StopSignal stop) {
        List<SweepListener> all = new ArrayList<>();
        PairNames names = context.pair().names();
        all.add(new ProgressLog(errand.direction(), names == null ? null : names.where()));
        all.addAll(listeners);
        SweepListener listener = new GuardedListener(all);
        try (Session session = Session.open(connections, context.settings(), stop)) {
            SweepResult result = new MoveRun(context, errand, session, listener).run();
            listener.sweepEnded(result);
            return result;
        } catch (SweepStoppedException e) {
            throw e;
        } catch (ArchiveException e) {
            listener.sweepFailed(context.table(), e);
            throw e;
        }
    }

    /**
     * Runs it.
     *
     * @throws SchemaDriftException if the tables do not allow it
     * @throws SweepStoppedException if it was asked to stop before it began
     * @throws SweepFailedException if a fault ended it
     */
    private SweepResult run() {
        LedgerRow ledger;
        PairSchema shape;
        Supplier<LocalDateTime> now;
        try {
            shape = session.retried(TransactionLimits.page(settings), tx -> {
                PairSchema checked = check(tx);
                errand.check(tx, checked);
                return checked;
            });
            now = clock();
            LedgerOpening opening = new LedgerOpening(
                    context.pair(),
                    shape.table(),
                    direction,
                    TransactionLimits.life(settings),
                    errand.cutoff(settings, now.get()),
                    context.node(),
                    context.firedBy());
            RunWindow window = settings.pace().runWindow();
            if (window != null && !window.contains(now.get().toLocalTime())) {
                LedgerRow refused = session.retried(
                        TransactionLimits.open(settings), tx -> opening.refuse(tx, StopReason.OUTSIDE_WINDOW));
                return close(refused, StopReason.OUTSIDE_WINDOW, null, new KeptBackRows());
            }
            ledger = opening.open(session, TransactionLimits.open(settings));
            if (ledger.isBusy()) {
                return close(ledger, StopReason.BUSY, null, new KeptBackRows());
            }
        } catch (DataAccessException | ConnectionLostException | StoppedException e) {
            if (session.isToStop()) {
                throw new SweepStoppedException(
                        "A " + direction.word() + " of " + context.table() + " was asked to stop before it began", e);
            }
            throw new SweepFailedException(
                    "A " + direction.word() + " of " + context.table() + " could not begin: " + SqlState.message(e),
                    e,
                    null,
                    null);
        }
        RunProgress progress = new RunProgress(ledger, listener);
        KeptBackRows keptBack = progress.keptBack();
        try {
            Throttler pacing = new Throttler(settings, session, now, ledger.toString());
            RunSession run = new RunSession(session, settings, ledger, progress);
            StopReason reason = new BatchLoop(errand, run, pacing, shape).run();
            session.finish();
            return close(ledger, reason, progress.message(direction), keptBack);
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
    private ArchiveException failed(LedgerRow ledger, KeptBackRows keptBack, Throwable fault) {
        SweepResult result = null;
        Hold hold = errand.hold();
        String remains = hold == null
                ? ""
                : "\nHold " + hold.id() + ", which it had set, stays: usage-archiver release " + hold.id() + " ends it";
        String message = (fault instanceof Error ? fault.toString() : SqlState.message(fault)) + remains;
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
            return hold == null ? drift : direction.drift(context.table(), drift.differences(), remains);
        }
        return new SweepFailedException(ledger + " failed: " + message, fault, result, hold);
    }

    /** Closes the ledger row; once more on another connection if the first one is lost. */
    private SweepResult close(LedgerRow ledger, StopReason reason, @Nullable String message, KeptBackRows keptBack) {
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

    private LedgerClosing close(LedgerRow ledger, StopReason reason, @Nullable String message) {
        TransactionLimits limits = TransactionLimits.close(settings);
        try {
            return session.transaction(limits, tx -> LedgerClosing.close(tx, ledger, reason, message));
        } catch (DataAccessException e) {
            if (!SqlState.isTransient(e)) {
                throw e;
            }
            return session.transaction(limits, tx -> LedgerClosing.close(tx, ledger, reason, message));
        }
    }

    private PairSchema check(DSLContext tx) {
        return Obstacles.requireNone(tx, context.pair(), direction, settings);
    }
}
