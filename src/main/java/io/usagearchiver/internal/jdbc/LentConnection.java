package io.usagearchiver.internal.jdbc;

import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What is done with a connection of the host's, of which a driver or pool may also throw what JDBC does not provide for. */
final class LentConnection {
    private static final int VALIDATION_SECONDS = 2;
    private static final Logger log = LoggerFactory.getLogger("io.usagearchiver.Session");

    private LentConnection() {}

    /** Has the driver wait no longer than so for an answer of the server. */
    static void limitAnswers(Connection connection, Duration limit) throws SQLException {
        try {
            connection.setNetworkTimeout(Runnable::run, Math.toIntExact(limit.toMillis()));
        } catch (RuntimeException e) {
            throw new SQLException(e.toString(), "HY000", e);
        }
    }

    /** Whether the server answers on it. */
    static boolean isValid(Connection connection) {
        try {
            return connection.isValid(VALIDATION_SECONDS);
        } catch (SQLException | RuntimeException e) {
            return false;
        }
    }

    /** Gives it back with the limit for answers that it had. */
    static void giveBack(Connection connection, int networkTimeoutBefore) {
        try (connection) {
            // Not every pool does this itself.
            connection.setNetworkTimeout(Runnable::run, networkTimeoutBefore);
        } catch (SQLException | RuntimeException e) {
            log.debug("Could not give the connection back in order", e);
        }
    }

    /** Gives back one whose limit for answers could not be read. */
    static void giveBack(Connection connection) {
        try {
            connection.close();
        } catch (SQLException | RuntimeException e) {
            log.debug("Could not give the connection back in order", e);
        }
    }
}
