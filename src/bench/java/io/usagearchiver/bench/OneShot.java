package io.usagearchiver.bench;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;

/**
 * One INSERT … SELECT and one DELETE in one transaction: the database's own limit. It locks whatever it moves until the
 * end, and loses all when it fails.
 */
final class OneShot implements Contestant {
    @Override
    public String name() {
        return "one shot";
    }

    @Override
    public void move(Database database) throws SQLException {
        try (Connection connection = database.connect()) {
            connection.setAutoCommit(false);
            execute(
                    connection,
                    "INSERT INTO model_usage_details_archive (" + Statements.COLUMNS + ") SELECT " + Statements.COLUMNS
                            + " FROM model_usage_details WHERE " + Statements.EXPIRED);
            execute(connection, "DELETE FROM model_usage_details WHERE " + Statements.EXPIRED);
            connection.commit();
        }
    }

    private static void execute(Connection connection, String sql) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            Statements.bindCutoff(statement, 1);
            statement.executeUpdate();
        }
    }
}
