package io.usagearchiver.internal.postgres;

import java.sql.SQLException;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jooq.exception.DataAccessException;
import org.jspecify.annotations.Nullable;

/** What a fault of the database means for a sweep, told by its SQLSTATE. */
public final class SqlState {
    private static final String PINNED_PATH =
            " (what an index, CHECK, trigger or condition calls runs with search_path = pg_catalog, pg_temp here: it must"
                    + " name what it uses with its schema, or SET search_path itself)";

    private static final Pattern OWN_KEY = Pattern.compile("usage_archive_(sweep|hold)_pkey");

    private static final String STANDBY =
            " (this server is a standby: the data source must be of the primary, which targetServerType=primary in its URL"
                    + " finds among several hosts)";

    /**
     * The classes of SQLSTATEs, of PostgreSQL's Appendix A and of its driver, for which no row is to blame: whatever is
     * tried meets them, so a sweep that does ends with what to do.
     *
     * <ul>
     *   <li>08, 53, 57, 58, 72, F0: the connection, resources, an operator, the system, the snapshot, the configuration
     *   <li>0L, 0P, 28, 2B: privileges and roles
     *   <li>3D, 3F, 42: what is missing or was altered, syntax, and, as 42501, privileges. A function that raises one of
     *       these for a single row stops the sweep with its message
     *   <li>0A: what PostgreSQL does not do
     *   <li>0B, 25, 26: the state of the transaction, a read-only one too, and of the session
     *   <li>99: the driver itself, which also has faults without an SQLSTATE
     * </ul>
     *
     * A function can raise all others for one row alone: an index on an expression, a CHECK and a trigger call it. Damaged
     * data (XX001, XX002) and what extensions raise without a code (XX000) can be one row's, too. Where they are not, a
     * sweep is refused row after row, so it bounds how often.
     */
    private static final Set<String> NOT_OF_A_ROW = Set.of(
            "08", "0A", "0B", "0L", "0P", "25", "26", "28", "2B", "3D", "3F", "42", "53", "57", "58", "72", "99", "F0");

    /** PgBouncer has one SQLSTATE, 08P01, for all that it says itself; this does not pass by. */
    private static final String STATEMENT_POOLING = "not allowed in statement pooling mode";

    private SqlState() {}

    /**
     * Whether the same statements may well succeed a little later: a serialization failure or deadlock, a lock timeout, a
     * server that is shutting down or starting, a transaction or session that PostgreSQL ended for the time it took or was
     * idle, and whatever cut the connection. A transaction that is aborted already (25P02) was so by one of these: a fault of
     * RELEASE SAVEPOINT jOOQ keeps to itself. Not a full disk or a read-only database: those wait for an operator.
     */
    public static boolean isTransient(Throwable fault) {
        if (told(fault).contains(STATEMENT_POOLING)) {
            return false;
        }
        String state = sqlState(fault);
        return switch (state) {
            case "40001", "40P01", "55P03", "57P01", "57P02", "57P03", "57P05", "25P02", "25P03", "25P04" -> true;
            default -> isOfConnection(fault);
        };
    }

    /** Whether it is the connection's. */
    public static boolean isOfConnection(Throwable fault) {
        return sqlState(fault).startsWith("08");
    }

    /** Whether another transaction held a lock for too long, or was waiting for one in a circle with this one. */
    public static boolean isOfLocks(Throwable fault) {
        String state = sqlState(fault);
        return state.equals("55P03") || state.equals("40P01");
    }

    /**
     * Whether another transaction has altered the same table at the same time, and committed first: not all that alters one
     * locks it, as GRANT does not. PostgreSQL has no state of its own for that, so where it speaks another language this is a
     * fault like any other.
     */
    public static boolean isOfCatalog(Throwable fault) {
        return sqlState(fault).equals("XX000") && told(fault).contains("tuple concurrently ");
    }

    /** Whether a row may be to blame, so that a batch without it can succeed. */
    public static boolean mayBeOfARow(Throwable fault) {
        String state = sqlState(fault);
        return state.length() == 5 && !isTransient(fault) && !NOT_OF_A_ROW.contains(state.substring(0, 2));
    }

    /** Whether a value is to blame: data exceptions and integrity constraints. */
    public static boolean isData(Throwable fault) {
        String state = sqlState(fault);
        return state.startsWith("22") || state.startsWith("23");
    }

    /** Whether the server found its own data damaged, or something that should not be. */
    public static boolean isDamage(Throwable fault) {
        return sqlState(fault).startsWith("XX");
    }

    /** Whether a table, its schema or a column is not there. */
    public static boolean isMissing(Throwable fault) {
        return switch (sqlState(fault)) {
            case "42P01", "3F000", "42703" -> true;
            default -> false;
        };
    }

    /** Whether the role has not the right to it. */
    public static boolean isForbidden(Throwable fault) {
        return sqlState(fault).equals("42501");
    }

    /** Whether something is of another type than the statement takes it for, or has a value that is not of its type. */
    public static boolean isOfTypes(Throwable fault) {
        String state = sqlState(fault);
        return state.equals("42883") || state.equals("42804") || state.startsWith("22");
    }

    /** Whether it says nothing of what the statement asked for: it passes, or somebody wanted an end. */
    public static boolean isPassing(Throwable fault) {
        return isTransient(fault) || isCancelled(fault);
    }

    /** Whether nothing may be written here. */
    public static boolean isReadOnly(Throwable fault) {
        return sqlState(fault).equals("25006");
    }

    /** Whether the statement was cancelled, by its timeout or by a request to stop. */
    public static boolean isCancelled(Throwable fault) {
        return sqlState(fault).equals("57014");
    }

    /** What PostgreSQL said, on one line without jOOQ's copy of the statement, and what to do where that is known. */
    public static String message(Throwable fault) {
        SQLException cause = sqlException(fault);
        String told = told(fault);
        if (fault instanceof StandbyException) {
            return told + STANDBY;
        }
        if (isOfCatalog(fault)) {
            return told + " (others alter it at the same time)";
        }
        return cause == null ? told : told + hint(sqlState(fault), told);
    }

    /** The same without what to do. */
    public static String told(Throwable fault) {
        SQLException cause = sqlException(fault);
        return cause == null ? String.valueOf(fault.getMessage()) : ServerMessage.of(cause);
    }

    private static String hint(String state, String told) {
        String exact = switch (state) {
            case "42501" -> " (" + SqlFiles.toGrant(told) + ")";
            // Only what is not the archiver's own names a table without its schema.
            case "42P01" ->
                told.contains(".") ? " (apply sql/02-ledger.sql if it is a table of the archiver's)" : PINNED_PATH;
            case "42703" -> told.contains("usage_archive_") ? " (apply sql/02-ledger.sql)" : "";
            case "42883", "42704" -> PINNED_PATH;
            case "26000", "42P05" ->
                " (a pooler that does not know prepared statements? PgBouncer: 1.21 or later with"
                        + " max_prepared_statements above 0, or prepareThreshold=0 in the URL of each client)";
            case "25006" ->
                " (default_transaction_read_only, or readOnly in the URL: the next sweep that may write goes on)";
            case "40001" ->
                " (on a standby, hot_standby_feedback = on there, or a longer max_standby_streaming_delay, lets it finish)";
            case "23505" -> ofASequence(told);
            case "23514" ->
                told.contains("no partition of relation")
                        ? " (make the one that has the values in its key, or a DEFAULT one: CREATE TABLE … PARTITION OF …)"
                        : "";
            case "23001", "23503" ->
                " (where the constraint is of a table that refers to the row: it stays until that does not any more)";
            case "53100" -> " (make room on the database's disk: the next sweep goes on)";
            case "53200" ->
                " (the server's memory or its table of locks is used up: see its log; a smaller batchSize takes less)";
            case "53300" -> " (the server's connections are used up: the next sweep that gets one goes on)";
            default -> "";
        };
        if (!exact.isEmpty()) {
            return exact;
        }
        if (told.contains(STATEMENT_POOLING)) {
            return " (a sweep needs PgBouncer's pool_mode transaction or session)";
        }
        return switch (state.length() < 2 ? "" : state.substring(0, 2)) {
            case "42" -> " (a table, or what its constraints, indexes and triggers use, is missing or was altered)";
            case "58" -> " (the server's files or disk: see its log)";
            case "XX" -> " (the server may have damaged data: see its log, and check the tables with pg_amcheck)";
            default -> "";
        };
    }

    /** What to do where the keys of the archiver's own rows are there already: a number is never written by anybody. */
    private static String ofASequence(String told) {
        Matcher own = OWN_KEY.matcher(told);
        if (!own.find()) {
            return "";
        }
        String table = "public.usage_archive_" + own.group(1);
        String id = own.group(1) + "_id";
        return " (the sequence stands behind the rows, as on a server that was a logical subscriber: SELECT"
                + " setval(pg_get_serial_sequence('" + table + "', '" + id + "'), max(" + id + ")) FROM " + table + ")";
    }

    /** A text on one line of so many characters at most, for a message. */
    public static String shortened(String text, int most) {
        int kept = Math.min(text.length(), most);
        String line = text.substring(0, kept).replaceAll("[\\p{Cntrl}\\u0085\\u2028\\u2029]+", " ");
        return kept < text.length() ? line + "… (" + text.length() + " characters)" : line;
    }

    private static String sqlState(Throwable fault) {
        SQLException cause = sqlException(fault);
        return cause == null || cause.getSQLState() == null ? "" : cause.getSQLState();
    }

    private static @Nullable SQLException sqlException(Throwable fault) {
        return fault instanceof DataAccessException e ? e.getCause(SQLException.class) : null;
    }
}
