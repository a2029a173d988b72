package io.usagearchiver.internal.jdbc;

import io.usagearchiver.internal.postgres.ServerMessage;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import org.jooq.ExecuteContext;
import org.jooq.ExecuteListener;
import org.jooq.exception.DataAccessException;
import org.jspecify.annotations.Nullable;

/**
 * Faults of the database without what PostgreSQL tells of a row's content: its DETAIL and WHERE ({@code Failing row contains
 * (…)}) would come into the ledger, the log and whatever else hears of faults. What is left is the primary message, in one
 * line, which names the constraint, and the SQLSTATE.
 */
final class BareFault {
    /** Within a transaction, too, nobody hears of a fault but what may be told. */
    static final ExecuteListener LISTENER = new ExecuteListener() {
        private static final long serialVersionUID = 1;

        @Override
        public void exception(ExecuteContext context) {
            if (context.exception() instanceof DataAccessException fault) {
                context.exception(BareFault.of(fault));
            }
        }
    };

    private static final String CONNECTION_FAILURE = "08006";
    private static final String NOT_IN_PREREQUISITE_STATE = "55000";

    private BareFault() {}

    /** The same fault, with the stack traces that it had; of a lost connection if a driver or pool said so in its own way. */
    static DataAccessException of(DataAccessException fault) {
        SQLException cause = fault.getCause(SQLException.class);
        if (cause == null) {
            return fault;
        }
        // jOOQ's own, of a value that it cannot read, is without the state of the driver's that it has as its cause.
        SQLException told =
                cause.getSQLState() == null && cause.getCause() instanceof SQLException driver ? driver : cause;
        return of(fault, cause, isOfAClosedConnection(told) ? CONNECTION_FAILURE : told.getSQLState());
    }

    /** The same fault as that of a lost connection, whatever the driver or the pool has called it. */
    static DataAccessException ofLostConnection(RuntimeException fault) {
        SQLException cause = fault instanceof DataAccessException e ? e.getCause(SQLException.class) : null;
        return of(fault, cause == null ? new SQLException(fault.toString()) : cause, CONNECTION_FAILURE);
    }

    private static DataAccessException of(RuntimeException fault, SQLException cause, @Nullable String state) {
        String told = ServerMessage.of(cause);
        SQLException bareCause = new SQLException(told, state, cause.getErrorCode());
        bareCause.setStackTrace(cause.getStackTrace());
        // jOOQ's message is the statement, without its binds, and what the driver said.
        String whole = String.valueOf(fault.getMessage());
        String said = String.valueOf(cause.getMessage());
        DataAccessException bare = new DataAccessException(
                whole.endsWith(said) ? whole.substring(0, whole.length() - said.length()) + told : told, bareCause);
        bare.setStackTrace(fault.getStackTrace());
        return bare;
    }

    /**
     * Whether a pool has closed the connection under the session's feet, as one does that takes it for a leak. Pools have no
     * SQLSTATE for it. pgjdbc has one of a closed statement that the server uses too, but for other things.
     */
    private static boolean isOfAClosedConnection(SQLException fault) {
        String state = fault.getSQLState();
        if (state == null) {
            return !(fault instanceof SQLFeatureNotSupportedException);
        }
        return state.equals(NOT_IN_PREREQUISITE_STATE)
                && fault.getClass().getName().startsWith("org.postgresql.")
                && !ServerMessage.isIn(fault);
    }
}
