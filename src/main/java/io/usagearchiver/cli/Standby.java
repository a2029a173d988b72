package io.usagearchiver.cli;

import io.usagearchiver.ArchiveException;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import org.quartz.utils.DBConnectionManager;
import org.slf4j.LoggerFactory;

/** Refuses what only a primary can do, before it is tried. */
final class Standby {
    private Standby() {}

    /**
     * Sees that the server of a data source that Quartz knows is no standby. One that does not answer is left to whoever
     * asks it next.
     *
     * @throws ArchiveException if it is one
     */
    static void refuse(String dataSource) {
        try (Connection connection = DBConnectionManager.getInstance().getConnection(dataSource)) {
            refuse(dataSource, connection);
        } catch (SQLException e) {
            LoggerFactory.getLogger(Standby.class).debug("Data source {} does not answer", dataSource, e);
        }
    }

    /**
     * Sees that a connection's server is none.
     *
     * @throws ArchiveException if it is one
     */
    static void refuse(String dataSource, Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery("select pg_catalog.pg_is_in_recovery()")) {
            if (row.next() && row.getBoolean(1)) {
                throw new ArchiveException(
                        "data source " + dataSource
                                + ": this server is a standby; the data source must be of the primary,"
                                + " which targetServerType=primary in its URL finds among several hosts",
                        null);
            }
        }
    }
}
