package io.usagearchiver;

import java.sql.Connection;
import java.sql.SQLException;
import java.util.function.Function;
import org.jooq.DSLContext;
import org.jooq.SQLDialect;
import org.jooq.impl.DSL;
import org.jooq.impl.DefaultConfiguration;
import org.jooq.impl.DefaultExecuteListenerProvider;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The one connection of a sweep, and its transactions: each with limits of its own, set in its first round trip. */
final class Session implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(Session.class);

    private final Connection connection;
    private final DSLContext dsl;

    private Session(Connection connection, StopSignal stop) {
        this.connection = connection;
        this.dsl = DSL.using(new DefaultConfiguration()
                .set(connection)
                .set(SQLDialect.POSTGRES)
                .set(new DefaultExecuteListenerProvider(stop.listener())));
    }

    /**
     * Opens a session whose statements {@code stop} can cancel.
     *
     * @throws ArchiveException if there is no connection to be had
     */
    static Session open(ConnectionSource connections, StopSignal stop) {
        try {
            return new Session(connections.open(), stop);
        } catch (SQLException e) {
            throw new ArchiveException("No connection to the database: " + e.getMessage(), e);
        }
    }

    /** Runs {@code work} in one transaction: commits when it returns, rolls back when it throws. */
    <T> T transaction(TransactionLimits limits, Function<DSLContext, T> work) {
        return dsl.transactionResult(configuration -> {
            configuration.dsl().execute(limits.sql());
            return work.apply(configuration.dsl());
        });
    }

    @Override
    public void close() {
        try {
            connection.close();
        } catch (SQLException e) {
            log.debug("Could not close the connection", e);
        }
    }
}
