package io.usagearchiver.internal.jdbc;

import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import org.jooq.Record;
import org.jooq.Result;
import org.jooq.Results;
import org.jooq.exception.DataAccessException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The server's session behind a connection. A pooler in transaction mode leads each transaction to another one, and where it
 * does not know prepared statements, those that other clients have left there are under the names of this one's: pgjdbc
 * numbers them. What is executed then is another client's statement, such as a DELETE from another table with the cutoff
 * meant for this one. So behind a pooler the driver is to name none.
 *
 * <p>Told without the driver's classes, which are the host's.
 */
final class ServerSession {
    /** To be selected in the first round trip of a transaction. */
    static final String PID = "server_session_pid";

    /** Longer is for the transactions, which say how long and can try again. */
    private static final int ANSWER_MILLIS = 10_000;

    private static final String DRIVERS_CONNECTION = "org.postgresql.PGConnection";
    private static final String NAMED_BY_A_DRIVER = """
            select from pg_catalog.pg_prepared_statements where name operator(pg_catalog.~) '^S_[0-9]+$' limit 1""";

    private static final String OTHERS =
            "prepared statements of other clients are in the server's session that this connection was led to";
    private static final String INVALID_STATEMENT_NAME = "26000";
    private static final Logger log = LoggerFactory.getLogger("io.usagearchiver.ServerSession");

    private final Connection connection;
    private @Nullable Integer pid;
    private boolean namesNone;

    /** Takes a connection before anything is prepared on it: a pool can keep what was, with the driver's setting of then. */
    ServerSession(Connection connection) {
        this.connection = connection;
        nameNoneBehindAPooler();
    }

    /**
     * Sees that what this transaction executes by its name is its own.
     *
     * @param told what the first round trip has given
     * @throws DataAccessException if it may be another client's; the transaction must be rolled back
     */
    void requireOwnStatements(Results told) throws SQLException {
        Integer before = pid;
        pid = null;
        for (Result<Record> rows : told) {
            if (rows.field(PID) != null && !rows.isEmpty()) {
                pid = rows.get(0).get(PID, Integer.class);
            }
        }
        boolean first = before == null && pid != null;
        // Without a pid even the first round trip was another client's statement.
        if (!first && !namesNone && (pid == null || (!pid.equals(before) && hasNamedStatements()))) {
            throw new DataAccessException(OTHERS, new SQLException(OTHERS, INVALID_STATEMENT_NAME));
        }
    }

    /**
     * A pooler tells the driver another pid than the server's own. The driver goes on so: whoever has the connection next is
     * behind the pooler, too.
     */
    private void nameNoneBehindAPooler() {
        try {
            Class<?> type = Class.forName(DRIVERS_CONNECTION);
            Object driver = connection.unwrap(type);
            connection.setNetworkTimeout(Runnable::run, ANSWER_MILLIS);
            if (!backendPid().equals(type.getMethod("getBackendPID").invoke(driver))) {
                type.getMethod("setPrepareThreshold", int.class).invoke(driver, 0);
                namesNone = true;
            }
        } catch (ReflectiveOperationException | SQLException | RuntimeException | LinkageError e) {
            log.debug("Cannot ask the driver whether there is a pooler", e);
        }
    }

    private Integer backendPid() throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery("select pg_catalog.pg_backend_pid()")) {
            rows.next();
            return rows.getInt(1);
        } finally {
            if (!connection.getAutoCommit()) {
                connection.rollback();
            }
        }
    }

    /** Asked without a prepared statement: pgjdbc has none for what it executes once. */
    private boolean hasNamedStatements() throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery(NAMED_BY_A_DRIVER)) {
            return rows.next();
        }
    }
}
