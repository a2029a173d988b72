package io.usagearchiver.internal.jdbc;

import io.usagearchiver.ArchiveException;
import io.usagearchiver.ArchiveSettings;
import io.usagearchiver.ConnectionSource;
import io.usagearchiver.StopSignal;
import io.usagearchiver.internal.postgres.Jooq;
import io.usagearchiver.internal.postgres.SqlState;
import io.usagearchiver.internal.postgres.StandbyException;
import java.sql.SQLException;
import java.time.Duration;
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jooq.Configuration;
import org.jooq.DSLContext;
import org.jooq.Record;
import org.jooq.Results;
import org.jooq.exception.DataAccessException;
import org.jooq.impl.DefaultExecuteListenerProvider;
import org.jspecify.annotations.Nullable;

/**
 * The one connection of a sweep, and its transactions: each with limits of its own, set in its first round trip. A
 * connection that a fault has cut, or on which no answer has come in time, is given back, and the next transaction opens
 * another.
 */
public final class Session implements AutoCloseable {
    private static final int BEGINNINGS = 20;

    private final ConnectionSource connections;
    private final ArchiveSettings settings;
    private final StopSignal stop;
    private final StatementCanceller canceller;
    private final Retry retry;
    final Configuration jooq;
    private @Nullable LentConnection lent;
    private boolean renewed;

    private Session(ConnectionSource connections, ArchiveSettings settings, StopSignal stop) {
        this.connections = connections;
        this.settings = settings;
        this.stop = stop;
        this.canceller = new StatementCanceller(stop);
        this.retry = new Retry(settings.retryTimeout(), stop);
        this.jooq = Jooq.configuration()
                .set(
                        new DefaultExecuteListenerProvider(canceller.listener()),
                        new DefaultExecuteListenerProvider(BareFault.LISTENER));
        Jooq.forget(jooq);
    }

    /**
     * Opens a session whose statements {@code stop} can cancel.
     *
     * @param settings of which the retry timeout counts
     * @throws ArchiveException if there is no connection to be had, or the server is too old
     */
    public static Session open(ConnectionSource connections, ArchiveSettings settings, StopSignal stop) {
        Session session = new Session(connections, settings, stop);
        ArchiveException tooOld;
        try {
            tooOld = session.connect().tooOld();
        } catch (SQLException | RuntimeException e) {
            throw new ArchiveException(ConnectionLostException.message(e), e);
        }
        if (tooOld != null) {
            session.close();
            throw tooOld;
        }
        return session;
    }

    /**
     * Opens another session like this one, over another connection of the same source: for another thread.
     *
     * @throws ArchiveException if there is no connection to be had
     */
    public Session another() {
        Session another = open(connections, settings, stop);
        Jooq.share(jooq, another.jooq);
        return another;
    }

    /**
     * Runs {@code work} in one transaction: commits when it returns, rolls back when it throws. A fault tells nothing of what
     * is in a row, and if the connection is gone by then, it is that of a lost connection, whatever it was called.
     *
     * @throws ConnectionLostException if the connection was lost before and there is no other to be had
     */
    public <T extends @Nullable Object> T transaction(TransactionLimits limits, Function<DSLContext, T> work) {
        for (int beginning = 1; ; beginning++) {
            LentConnection current = current();
            boolean[] begun = {false};
            try {
                return jooq.set(current.connection()).dsl().transactionResult(configuration -> {
                    current.limitAnswers(limits.answer());
                    Results limited = configuration.dsl().fetchMany(current.sql(limits));
                    begun[0] = true;
                    current.server().requireOwnStatements(limited);
                    return work.apply(configuration.dsl());
                });
            } catch (RuntimeException e) {
                // The session's own statement_timeout can be too short even for setting another one.
                boolean again = !begun[0] && SqlState.isCancelled(e) && !stop.requested();
                RuntimeException fault = told(e, current);
                if (!again || beginning == BEGINNINGS) {
                    throw fault;
                }
            }
        }
    }

    /**
     * Runs one statement in a transaction whose limits cross the wire together with it, so that a transaction is two round
     * trips. Nothing may have to be read to write it down, such as the types of a key.
     *
     * @param judge looks at the row that the statement returns; the transaction is committed when it returns
     * @throws ConnectionLostException if the connection was lost before and there is no other to be had
     */
    public <T extends @Nullable Object> T transaction(
            TransactionLimits limits, Wording statement, BiFunction<DSLContext, Record, T> judge) {
        LentConnection current = current();
        try {
            return jooq.set(current.connection()).dsl().transactionResult(configuration -> {
                current.limitAnswers(limits.answer());
                Wording.Text text = statement.of(configuration.dsl());
                Results told = configuration
                        .dsl()
                        .resultQuery("{0}", text.after(current.sql(limits)))
                        .fetchMany();
                current.server().requireOwnStatements(told);
                return judge.apply(
                        configuration.dsl(), told.get(told.size() - 1).get(0));
            });
        } catch (RuntimeException e) {
            throw told(e, current);
        }
    }

    /**
     * Runs {@code work} in a transaction as {@link #transaction} does, and again after transient faults.
     *
     * @throws StoppedException instead of another attempt, if the session was asked to stop
     */
    public <T extends @Nullable Object> T retried(TransactionLimits limits, Function<DSLContext, T> work) {
        return retry(() -> transaction(limits, work));
    }

    /** Runs what has transactions, and again after transient faults. */
    public <T extends @Nullable Object> T retry(Supplier<T> transactions) {
        return retry.run(transactions);
    }

    /** Something was committed: from here on the retry timeout counts anew. */
    public void progressed() {
        retry.progress();
    }

    /** Whether it was asked to stop. */
    public boolean isToStop() {
        return stop.requested();
    }

    /**
     * Waits for a request to stop, but no longer than {@code limit}.
     *
     * @throws StoppedException if the thread was interrupted, which counts as one
     */
    public void await(Duration limit) {
        try {
            boolean ignored = stop.await(limit);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new StoppedException();
        }
    }

    /** A fault as it may be told, after giving back a connection that is gone. */
    RuntimeException told(RuntimeException fault, LentConnection current) {
        if (fault instanceof StoppedException) {
            return fault;
        }
        RuntimeException bare = fault instanceof DataAccessException e ? BareFault.of(e) : fault;
        if (current.isValid() && !SqlState.isOfConnection(bare)) {
            return SqlState.isReadOnly(bare) && current.isOfStandby(jooq) ? new StandbyException(bare) : bare;
        }
        close();
        return SqlState.isTransient(bare) ? bare : BareFault.ofLostConnection(bare);
    }

    /**
     * Whether the connection is gone, or was replaced since {@link #acknowledge}. What was committed on the one before may
     * be undone then, since a batch commits asynchronously.
     */
    public boolean isRenewed() {
        return renewed || lent == null;
    }

    /** Takes note of the present connection. */
    public void acknowledge() {
        renewed = false;
    }

    /** Lets what is executed from now on run to its end, whatever the signal says. */
    public void finish() {
        canceller.finish();
    }

    /** Has what was read of the tables, such as the types of keys, read anew: one was altered. */
    public void forgetTables() {
        Jooq.forget(jooq);
    }

    @Override
    public void close() {
        LentConnection current = lent;
        lent = null;
        canceller.uses(null);
        if (current != null) {
            current.giveBack();
        }
    }

    LentConnection current() {
        if (lent != null) {
            return lent;
        }
        try {
            LentConnection another = connect();
            renewed = true;
            return another;
        } catch (SQLException | RuntimeException e) {
            throw new ConnectionLostException(e);
        }
    }

    private LentConnection connect() throws SQLException {
        LentConnection opened = LentConnection.of(connections);
        lent = opened;
        canceller.uses(opened.connection());
        return opened;
    }
}
