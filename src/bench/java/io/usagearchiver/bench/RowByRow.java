package io.usagearchiver.bench;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Types;
import java.time.LocalDateTime;
import java.util.Collections;

/** What an ORM does: each row to the client, back by an INSERT of its own, and away by a DELETE of its own. */
final class RowByRow implements Contestant {
    private static final int COLUMN_COUNT = Statements.COLUMNS.split(",").length;

    @Override
    public String name() {
        return "row by row";
    }

    @Override
    public boolean isSlow() {
        return true;
    }

    @Override
    public void move(Database database) throws SQLException {
        try (Connection connection = database.connect();
                PreparedStatement pick =
                        connection.prepareStatement("SELECT " + Statements.COLUMNS + " FROM model_usage_details WHERE "
                                + Statements.EXPIRED + " AND id > ? ORDER BY id LIMIT " + Statements.BATCH_SIZE);
                PreparedStatement insert =
                        connection.prepareStatement("INSERT INTO model_usage_details_archive (" + Statements.COLUMNS
                                + ") VALUES (" + String.join(", ", Collections.nCopies(COLUMN_COUNT, "?")) + ")");
                PreparedStatement delete =
                        connection.prepareStatement("DELETE FROM model_usage_details WHERE id = ?")) {
            connection.setAutoCommit(false);
            Statements.bindCutoff(pick, 1);
            int last = 0;
            int before;
            do {
                before = last;
                pick.setInt(3, last);
                try (ResultSet row = pick.executeQuery()) {
                    while (row.next()) {
                        last = row.getInt(1);
                        move(row, insert, delete);
                    }
                }
                connection.commit();
            } while (last > before);
        }
    }

    private static void move(ResultSet row, PreparedStatement insert, PreparedStatement delete) throws SQLException {
        for (int column = 1; column <= COLUMN_COUNT; column++) {
            int type = row.getMetaData().getColumnType(column);
            Object value = type == Types.TIMESTAMP ? row.getObject(column, LocalDateTime.class) : row.getObject(column);
            insert.setObject(column, value, type);
        }
        insert.executeUpdate();
        delete.setInt(1, row.getInt(1));
        delete.executeUpdate();
    }
}
