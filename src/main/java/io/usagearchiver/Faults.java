package io.usagearchiver;

import java.sql.SQLException;
import org.jooq.exception.DataAccessException;
import org.jspecify.annotations.Nullable;

/** What a fault of the database means for a sweep, told by its SQLSTATE. */
final class Faults {
    private static final String PINNED_PATH =
            " (what an index, CHECK, trigger or condition calls runs with search_path = pg_catalog, pg_temp here: it must"
                    + " name what it uses with its schema, or SET search_path itself)";

    private Faults() {}

    /**
     * Whether the same statements may well succeed a little later: a serialization failure or deadlock, a lock timeout, a
     * server that is shutting down or starting, a transaction or session that PostgreSQL ended for the time it took or was
     * idle, and whatever cut the connection. Not a full disk or a read-only database: those wait for an operator.
     */
    static boolean isTransient(Throwable fault) {
        if (fault instanceof Session.LostException) {
            return true;
        }
        String state = sqlState(fault);
        return switch (state) {
            case "40001", "40P01", "55P03", "57P01", "57P02", "57P03", "57P05", "25P03", "25P04" -> true;
            default -> isOfConnection(fault);
        };
    }

    /** Whether it is the connection's. */
    static boolean isOfConnection(Throwable fault) {
        return sqlState(fault).startsWith("08");
    }

    /** Whether a row's content is to blame: data exceptions and integrity constraints. */
    static boolean isData(Throwable fault) {
        String state = sqlState(fault);
        return state.startsWith("22") || state.startsWith("23");
    }

    /** Whether a table, a column or the right to read it is missing. */
    static boolean isMissing(Throwable fault) {
        return sqlState(fault).startsWith("42");
    }

    /** Whether the statement was cancelled, by its timeout or by {@link StopSignal}. */
    static boolean isCancelled(Throwable fault) {
        return sqlState(fault).equals("57014");
    }

    /** What PostgreSQL said, without jOOQ's copy of the statement, and what to do where that is known. */
    static String message(Throwable fault) {
        SQLException cause = sqlException(fault);
        if (cause == null) {
            return String.valueOf(fault.getMessage());
        }
        String told = BareFault.message(cause);
        String hint = switch (sqlState(fault)) {
            case "42501" ->
                " (apply sql/04-grants.sql for the role of this data source; sql/06-restore-grants.sql for one"
                        + " that restores, holds or releases)";
            // Only what is not the archiver's own names a table without its schema.
            case "42P01" ->
                told.contains(".") ? " (apply sql/02-ledger.sql if it is a table of the archiver's)" : PINNED_PATH;
            case "42883", "42704" -> PINNED_PATH;
            case "25006" -> " (a standby, or default_transaction_read_only: the next sweep that may write goes on)";
            case "53100" -> " (make room on the database's disk: the next sweep goes on)";
            default -> "";
        };
        return told + hint;
    }

    private static String sqlState(Throwable fault) {
        SQLException cause = sqlException(fault);
        return cause == null || cause.getSQLState() == null ? "" : cause.getSQLState();
    }

    private static @Nullable SQLException sqlException(Throwable fault) {
        return fault instanceof DataAccessException e ? e.getCause(SQLException.class) : null;
    }
}
