package io.usagearchiver;

import java.time.Clock;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.function.Supplier;
import org.jooq.exception.DataAccessException;
import org.jspecify.annotations.Nullable;

/** One run of an errand, from the check of the tables to the closed ledger row, for an archiver in a session of its own. */
final class ErrandRun {
    private final Archiver archiver;
    private final Errand errand;
    private final Direction direction;
    private final ArchiveSettings settings;
    private final Session session;
    private final StopSignal stop;
    private final Retry retry;
    private final SweepListener listener;

    ErrandRun(Archiver archiver, Errand errand, Session session, StopSignal stop, SweepListener listener) {
        this.archiver = archiver;
        this.errand = errand;
        this.direction = errand.direction();
        this.settings = errand.settings(archiver.settings);
        this.session = session;
        this.stop = stop;
        this.retry = new Retry(settings.retryTimeout(), stop);
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
        LocalDateTime cutoff;
        try {
            shape = retry.run(() -> session.transaction(TransactionLimits.page(settings), tx -> {
                Shape checked = archiver.check(tx, direction);
                errand.check(tx);
                return checked;
            }));
            now = clock();
            cutoff = errand.cutoff(now.get());
            Ledger.Opening opening = new Ledger.Opening(
                    archiver.pair,
                    shape.table(),
                    direction,
                    TransactionLimits.life(settings),
                    cutoff,
                    archiver.node,
                    archiver.firedBy);
            RunWindow window = settings.pace().runWindow();
            if (window != null && !window.contains(now.get().toLocalTime())) {
                Ledger refused = retry.run(() -> session.transaction(
                        TransactionLimits.open(settings), tx -> opening.refuse(tx, StopReason.OUTSIDE_WINDOW)));
                return close(refused, StopReason.OUTSIDE_WINDOW, null, new KeptBack());
            }
            ledger = opening.open(session, TransactionLimits.open(settings), retry);
            if (ledger.isBusy()) {
                return close(ledger, StopReason.BUSY, null, new KeptBack());
            }
        } catch (DataAccessException | ConnectionLostException | StoppedException e) {
            if (stop.requested()) {
                throw new SweepStoppedException(direction, archiver.table, e);
            }
            throw new SweepFailedException(
                    "A " + direction.word() + " of " + archiver.table + " could not begin: " + Faults.message(e),
                    e,
                    null,
                    null);
        }
        KeptBack keptBack = new KeptBack();
        try {
            Pacing pacing = new Pacing(settings, stop, now, name(ledger));
            Sweep sweep = new Sweep(errand, settings, session, retry, stop, listener, cutoff, ledger, shape, pacing);
            keptBack = sweep.keptBack();
            StopReason reason = sweep.run();
            session.finish();
            return close(ledger, reason, keptBack.message(direction), keptBack);
        } catch (Throwable e) {
            session.finish();
            throw failed(ledger, keptBack, e);
        }
    }

    /** The injected clock; else the database's, read once and counted on from there. */
    private Supplier<LocalDateTime> clock() {
        Clock injected = archiver.clock;
        if (injected != null) {
            return () -> LocalDateTime.ofInstant(injected.instant(), ZoneOffset.UTC);
        }
        LocalDateTime read = retry.run(() -> session.transaction(TransactionLimits.page(settings), NaiveUtc::now));
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
                    : new SchemaDriftException(direction, archiver.table, drift.differences(), remains);
        }
        return new SweepFailedException(name(ledger) + " failed: " + message, fault, result, hold);
    }

    /** Closes the ledger row; once more on another connection if the first one is lost. */
    private SweepResult close(Ledger ledger, StopReason reason, @Nullable String message, KeptBack keptBack) {
        TransactionLimits limits = TransactionLimits.close(settings);
        try {
            return session.transaction(limits, tx -> ledger.close(tx, reason, message, keptBack));
        } catch (DataAccessException e) {
            if (!Faults.isTransient(e)) {
                throw e;
            }
            return session.transaction(limits, tx -> ledger.close(tx, reason, message, keptBack));
        }
    }

    private String name(Ledger ledger) {
        return direction + " " + ledger.sweepId() + " of " + archiver.table;
    }
}
