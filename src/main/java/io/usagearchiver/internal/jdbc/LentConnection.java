package io.usagearchiver.internal.jdbc;

import io.usagearchiver.ArchiveException;
import io.usagearchiver.ConnectionSource;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import org.jooq.Configuration;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What is done with a connection of the host's, of which a driver or pool may also throw what JDBC does not provide for. */
final class LentConnection {
    private static final int VALIDATION_SECONDS = 2;
    private static final Logger log = LoggerFactory.getLogger("io.usagearchiver.Session");

    /** The catalog that the schema check reads is not like this before. */
    private static final int OLDEST_SERVER = 15;

    private final Connection connection;
    private final int networkTimeoutBefore;
    private final int serverVersion;
    private final ServerSession server;
    private @Nullable TransactionLimits limits;
    private String sqlOfLimits = "";

    private LentConnection(Connection connection) throws SQLException {
        this.connection = connection;
        this.networkTimeoutBefore = connection.getNetworkTimeout();
        this.serverVersion = connection.getMetaData().getDatabaseMajorVersion();
        this.server = new ServerSession(connection);
    }

    /** Borrows one. */
    static LentConnection of(ConnectionSource connections) throws SQLException {
        Connection opened = connections.open();
        LentConnection lent = null;
        try {
            lent = new LentConnection(opened);
            return lent;
        } finally {
            if (lent == null) {
                giveBack(opened);
            }
        }
    }

    Connection connection() {
        return connection;
    }

    /** The statements that set limits, which are the same for one transaction after another. */
    String sql(TransactionLimits ofTransaction) {
        if (!ofTransaction.equals(limits)) {
            sqlOfLimits = ofTransaction.sql(serverVersion);
            limits = ofTransaction;
        }
        return sqlOfLimits;
    }

    /** What is on the other side of it, maybe behind a pooler. */
    ServerSession server() {
        return server;
    }

    /** What is thrown if the server is too old; null if it will do. */
    @Nullable
    ArchiveException tooOld() {
        return serverVersion >= OLDEST_SERVER
                ? null
                : new ArchiveException(
                        "The archiver needs PostgreSQL " + OLDEST_SERVER + " or later, and the server is PostgreSQL "
                                + serverVersion,
                        null);
    }

    /** Has the driver wait no longer than so for an answer of the server. */
    void limitAnswers(Duration limit) throws SQLException {
        try {
            connection.setNetworkTimeout(Runnable::run, Math.toIntExact(limit.toMillis()));
        } catch (RuntimeException e) {
            throw new SQLException(e.toString(), "HY000", e);
        }
    }

    /** Whether the server answers on it. */
    boolean isValid() {
        try {
            return connection.isValid(VALIDATION_SECONDS);
        } catch (SQLException | RuntimeException e) {
            return false;
        }
    }

    /** Gives it back with the limit for answers that it had. */
    void giveBack() {
        try (connection) {
            // Not every pool does this itself.
            connection.setNetworkTimeout(Runnable::run, networkTimeoutBefore);
        } catch (SQLException | RuntimeException e) {
            log.debug("Could not give the connection back in order", e);
        }
    }

    /** Gives back one whose limit for answers could not be read. */
    private static void giveBack(Connection connection) {
        try {
            connection.close();
        } catch (SQLException | RuntimeException e) {
            log.debug("Could not give the connection back in order", e);
        }
    }

    /** Whether it is to a standby. In a transaction of its own: the next one has to begin with its limits. */
    boolean isOfStandby(Configuration jooq) {
        try {
            return jooq.set(connection)
                    .dsl()
                    .transactionResult(configuration -> configuration
                            .dsl()
                            .fetchSingle("select pg_catalog.pg_is_in_recovery()")
                            .get(0, Boolean.class));
        } catch (RuntimeException e) {
            return false;
        }
    }
}
