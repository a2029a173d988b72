package io.usagearchiver.internal.jdbc;

import org.jooq.DSLContext;
import org.jooq.impl.DSL;

/** A statement that PostgreSQL allows in no transaction, so that no limits can be set for it. */
public final class LoneStatement {
    private LoneStatement() {}

    /**
     * Executes one.
     *
     * @param limits of which only the time counts in which there has to be an answer
     * @throws ConnectionLostException if the connection was lost before and there is no other to be had
     */
    public static void execute(Session session, TransactionLimits limits, String statement) {
        LentConnection current = session.current();
        try {
            DSLContext dsl = session.jooq.set(current.connection()).dsl();
            dsl.connection(connection -> current.limitAnswers(limits.answer()));
            dsl.execute("{0}", DSL.raw(statement));
        } catch (RuntimeException e) {
            throw session.told(e, current);
        }
    }
}
