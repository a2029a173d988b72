package io.usagearchiver.internal.move;

import io.usagearchiver.ArchiveSettings;
import io.usagearchiver.internal.jdbc.LoneStatement;
import io.usagearchiver.internal.jdbc.Session;
import io.usagearchiver.internal.jdbc.TransactionLimits;
import io.usagearchiver.internal.jdbc.Wording;
import io.usagearchiver.internal.ledger.BatchResult;
import io.usagearchiver.internal.ledger.LedgerRow;
import io.usagearchiver.internal.postgres.SqlState;
import io.usagearchiver.internal.schema.Direction;
import java.time.Duration;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jooq.DSLContext;
import org.jooq.exception.DataAccessException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The transactions of one run. A transient fault repeats its transaction. When that took another connection, the ledger row
 * tells what was committed, once a batch that is still in flight there has ended, and the run begins a new pass.
 */
final class RunSession {
    private static final Logger log = LoggerFactory.getLogger("io.usagearchiver.Sweep");

    private final Session session;
    private final ArchiveSettings settings;
    private final LedgerRow ledger;
    private final RunProgress progress;

    RunSession(Session session, ArchiveSettings settings, LedgerRow ledger, RunProgress progress) {
        this.session = session;
        this.settings = settings;
        this.ledger = ledger;
        this.progress = progress;
    }

    Session session() {
        return session;
    }

    ArchiveSettings settings() {
        return settings;
    }

    LedgerRow ledger() {
        return ledger;
    }

    RunProgress progress() {
        return progress;
    }

    /** Looks at something, which can take long: a sign of life goes first, of a sweep where the last one is old. */
    <T extends @Nullable Object> T read(Function<DSLContext, T> query) {
        if (ledger.direction() == Direction.RESTORE || ledger.isSilent()) {
            write(ledger::touch);
        }
        return look(query);
    }

    /** Looks at something that is there at once. */
    <T extends @Nullable Object> T look(Function<DSLContext, T> query) {
        return attempt(TransactionLimits.page(settings), query);
    }

    /** Looks at the replicas, and whether this run is superseded: a wait for them can be long. */
    ReplicaLag.@Nullable Lag replicas(Function<DSLContext, ReplicaLag.@Nullable Lag> query) {
        return read(tx -> {
            ledger.requireRunning(tx);
            return query.apply(tx);
        });
    }

    /** Changes something, within the limits of a batch. */
    <T extends @Nullable Object> T write(Function<DSLContext, T> work) {
        return attempt(TransactionLimits.batch(settings), work);
    }

    /** Runs a batch, and counts it. */
    BatchResult batch(Function<DSLContext, BatchResult> work) {
        long[] startNanos = new long[1];
        BatchResult done = write(tx -> {
            progress.trying();
            // Of this attempt: waiting before another one is no work of the server.
            startNanos[0] = System.nanoTime();
            BatchResult result = work.apply(tx);
            progress.committing(result);
            return result;
        });
        session.progressed();
        progress.committed(done, Duration.ofNanos(System.nanoTime() - startNanos[0]));
        return done;
    }

    /**
     * Moves a slice by one statement, and counts it.
     *
     * @param statement that of the batch
     * @param limits of its transaction
     * @return null if that cannot be done so: nothing has happened then
     */
    @Nullable
    BatchResult slice(FastBatch batch, Wording statement, TransactionLimits limits) {
        return session.retry(() -> {
            requireSameConnection();
            progress.trying();
            long startNanos = System.nanoTime();
            BatchResult done;
            try {
                done = session.transaction(limits, statement, (tx, row) -> {
                    BatchResult result = batch.judge(tx, row);
                    progress.committing(result);
                    return result;
                });
            } catch (DataAccessException | Batch.MiscountException e) {
                if (session.isToStop() || !FastBatch.isToBeGivenBack(e)) {
                    throw e;
                }
                log.debug("{}: a slice goes the slow way: {}", ledger, SqlState.told(e));
                return null;
            }
            session.progressed();
            progress.committed(done, Duration.ofNanos(System.nanoTime() - startNanos));
            return done;
        });
    }

    /**
     * Does something for a hand-over, which is never worth trying for long.
     *
     * @throws InTheWayException if PostgreSQL does not do it
     */
    <T extends @Nullable Object> T once(TransactionLimits limits, Function<DSLContext, T> work) {
        return once(() -> session.transaction(limits, work));
    }

    /** The same for a statement that is in no transaction. */
    void alone(String statement) {
        once(() -> {
            LoneStatement.execute(session, TransactionLimits.page(settings), statement);
            return true;
        });
    }

    private <T extends @Nullable Object> T once(Supplier<T> work) {
        return session.retry(() -> {
            requireSameConnection();
            try {
                return work.get();
            } catch (DataAccessException e) {
                if (session.isToStop() || (SqlState.isTransient(e) && !SqlState.isOfLocks(e))) {
                    throw e;
                }
                boolean ofLocks = SqlState.isOfLocks(e);
                throw new InTheWayException(
                        (ofLocks ? "others have it or the table in use for too long: " : "") + SqlState.message(e),
                        ofLocks || SqlState.isOfCatalog(e));
            }
        });
    }

    /** Hands over a partition, and counts its rows. */
    BatchResult handOver(Function<DSLContext, BatchResult> work) {
        long[] startNanos = new long[1];
        BatchResult done = once(TransactionLimits.handOver(settings), tx -> {
            progress.trying();
            startNanos[0] = System.nanoTime();
            BatchResult result = work.apply(tx);
            progress.committing(result);
            return result;
        });
        session.progressed();
        progress.committed(done, Duration.ofNanos(System.nanoTime() - startNanos[0]));
        return done;
    }

    private <T extends @Nullable Object> T attempt(TransactionLimits limits, Function<DSLContext, T> work) {
        return session.retry(() -> {
            requireSameConnection();
            return session.transaction(limits, work);
        });
    }

    /** Reads from the ledger row what was committed. */
    void recount() {
        progress.recount(write(ledger::counts));
    }

    private void requireSameConnection() {
        if (session.isRenewed()) {
            progress.reconcile(session.transaction(TransactionLimits.open(settings), ledger::counts));
            session.acknowledge();
            throw new RestartException();
        }
    }

    /** The connection is another one: the pass begins again. */
    static final class RestartException extends RuntimeException {
        private static final long serialVersionUID = 1;
    }
}
