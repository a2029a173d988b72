package io.usagearchiver.bench;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;

/** One statement a batch, as many answers on the web have it: {@code WITH moved AS (DELETE … RETURNING …) INSERT}. */
final class DeleteReturning implements Contestant {
    private static final String MOVE = "WITH moved AS (DELETE FROM model_usage_details WHERE id = ANY (ARRAY("
            + "SELECT id FROM model_usage_details WHERE " + Statements.EXPIRED + " ORDER BY id LIMIT "
            + Statements.BATCH_SIZE + " FOR UPDATE SKIP LOCKED)) RETURNING " + Statements.COLUMNS
            + ") INSERT INTO model_usage_details_archive (" + Statements.COLUMNS + ") SELECT " + Statements.COLUMNS
            + " FROM moved";

    @Override
    public String name() {
        return "DELETE … RETURNING";
    }

    @Override
    public void move(Database database) throws SQLException {
        try (Connection connection = database.connect();
                PreparedStatement move = connection.prepareStatement(MOVE)) {
            Statements.bindCutoff(move, 1);
            int moved;
            do {
                moved = move.executeUpdate();
            } while (moved > 0);
        }
    }
}
