package io.usagearchiver;

import java.sql.Connection;
import java.sql.SQLException;
import java.util.function.Function;
import org.jooq.DSLContext;
import org.jooq.ExecuteListenerProvider;
import org.jooq.SQLDialect;
import org.jooq.exception.DataAccessException;
import org.jooq.impl.DSL;
import org.jooq.impl.DefaultConfiguration;
import org.jooq.impl.DefaultExecuteListenerProvider;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The one connection of a sweep, and its transactions: each with limits of its own, set in its first round trip. A
 * connection that a fault has cut, or on which no answer has come in time, is given back, and the next transaction opens
 * another.
 */
final class Session implements AutoCloseable {
    private static final int VALIDATION_SECONDS = 2;
    private static final Logger log = LoggerFactory.getLogger(Session.class);

    private final ConnectionSource connections;
    private final StopSignal stop;
    private final ExecuteListenerProvider tracking;
    private @Nullable Connection connection;
    private int networkTimeoutBefore;
    private boolean renewed;

    private Session(ConnectionSource connections, StopSignal stop) {
        this.connections = connections;
        this.stop = stop;
        this.tracking = new DefaultExecuteListenerProvider(stop.listener());
    }

    /**
     * Opens a session whose statements {@code stop} can cancel.
     *
     * @throws ArchiveException if there is no connection to be had
     */
    static Session open(ConnectionSource connections, StopSignal stop) {
        Session session = new Session(connections, stop);
        try {
            session.connect();
            return session;
        } catch (SQLException e) {
            throw new ArchiveException(noConnection(e), e);
        }
    }

    /**
     * Runs {@code work} in one transaction: commits when it returns, rolls back when it throws. A fault tells nothing of what
     * is in a row.
     *
     * @throws LostException if the connection was lost before and there is no other to be had
     */
    <T extends @Nullable Object> T transaction(TransactionLimits limits, Function<DSLContext, T> work) {
        Connection current = connection == null ? reconnect() : connection;
        DSLContext dsl = DSL.using(
                new DefaultConfiguration().set(current).set(SQLDialect.POSTGRES).set(tracking));
        try {
            return dsl.transactionResult(configuration -> {
                current.setNetworkTimeout(
                        Runnable::run, Math.toIntExact(limits.answer().toMillis()));
                configuration.dsl().execute(limits.sql());
                return work.apply(configuration.dsl());
            });
        } catch (DataAccessException e) {
            if (!isValid(current)) {
                close();
            }
            throw Faults.bare(e);
        }
    }

    /**
     * Whether the connection is gone, or was replaced since {@link #acknowledge}. What was committed on the one before may
     * be undone then, since a batch commits asynchronously.
     */
    boolean isRenewed() {
        return renewed || connection == null;
    }

    /** Takes note of the present connection. */
    void acknowledge() {
        renewed = false;
    }

    @Override
    public void close() {
        Connection current = connection;
        connection = null;
        stop.uses(null);
        if (current == null) {
            return;
        }
        try (current) {
            // Not every pool does this itself.
            current.setNetworkTimeout(Runnable::run, networkTimeoutBefore);
        } catch (SQLException e) {
            log.debug("Could not give the connection back in order", e);
        }
    }

    private Connection reconnect() {
        try {
            Connection another = connect();
            renewed = true;
            return another;
        } catch (SQLException e) {
            throw new LostException(e);
        }
    }

    /** Says what the database said; a pool keeps that to its causes, and where it says nothing it may be the pool. */
    private static String noConnection(SQLException fault) {
        for (Throwable cause = fault; cause != null; cause = cause.getCause()) {
            if (cause instanceof SQLException told && told.getSQLState() != null) {
                return "No connection to the database: " + told.getMessage();
            }
        }
        return "No connection to the database (is it down, or are all of the data source's connections in use?): "
                + fault.getMessage();
    }

    private Connection connect() throws SQLException {
        Connection opened = connections.open();
        networkTimeoutBefore = opened.getNetworkTimeout();
        connection = opened;
        stop.uses(opened);
        return opened;
    }

    private static boolean isValid(Connection connection) {
        try {
            return connection.isValid(VALIDATION_SECONDS);
        } catch (SQLException e) {
            return false;
        }
    }

    /** The connection is gone, and there is no other to be had yet. */
    static final class LostException extends RuntimeException {
        private static final long serialVersionUID = 1;

        LostException(SQLException cause) {
            super(noConnection(cause), cause);
        }
    }
}
