package io.usagearchiver;

import java.sql.Connection;
import java.sql.SQLException;

/**
 * Where the archiver's connections come from, for instance {@code dataSource::getConnection}.
 *
 * <p>A sweep holds one connection at a time and closes it at its end. Behind a pool, its transaction isolation,
 * auto-commit mode, settings and network timeout are as the pool gave them when it goes back. While the sweep has it, {@link
 * Connection#setNetworkTimeout} bounds each wait for an answer by the transaction's own limit.
 */
@FunctionalInterface
public interface ConnectionSource {
    /**
     * Opens a connection to the primary server.
     *
     * @throws SQLException if there is none to be had; the wait for it must be bounded
     */
    Connection open() throws SQLException;
}
