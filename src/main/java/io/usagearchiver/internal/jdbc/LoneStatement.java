package io.usagearchiver.internal.jdbc;

import java.sql.Connection;
import java.sql.SQLException;
import org.jooq.DSLContext;
import org.jooq.impl.DSL;

/** A statement that PostgreSQL allows in no transaction, so that no limits can be set for it on the server. */
public final class LoneStatement {
    private LoneStatement() {}

    /**
     * Executes one. A pool may lend connections that begin transactions by themselves: this one does not meanwhile.
     *
     * @param limits of which only the times count: this side has the statement cancelled that runs for longer
     * @throws ConnectionLostException if the connection was lost before and there is no other to be had
     */
    public static void execute(Session session, TransactionLimits limits, String statement) {
        LentConnection current = session.current();
        try {
            DSLContext dsl = session.jooq.set(current.connection()).dsl();
            dsl.connection(connection -> {
                current.limitAnswers(limits.answer());
                boolean before = connection.getAutoCommit();
                connection.setAutoCommit(true);
                try {
                    dsl.query("{0}", DSL.raw(statement))
                            .queryTimeout(Math.toIntExact(
                                    Math.max(1, limits.statement().toSeconds())))
                            .execute();
                } finally {
                    restore(connection, before);
                }
            });
        } catch (RuntimeException e) {
            throw session.told(e, current);
        }
    }

    /** As it was, unless the connection is gone: what the statement said counts then. */
    private static void restore(Connection connection, boolean autoCommit) {
        try {
            connection.setAutoCommit(autoCommit);
        } catch (SQLException | RuntimeException e) {
            // Told by whatever is executed next.
        }
    }
}
