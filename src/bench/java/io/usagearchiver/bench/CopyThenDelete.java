package io.usagearchiver.bench;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.List;

/**
 * What scripts and tools for any database do: copy a batch, commit, delete it, commit. It goes on behind the last id, and
 * locks nothing: what changes in between is lost.
 */
final class CopyThenDelete implements Contestant {
    @Override
    public String name() {
        return "copy, commit, delete";
    }

    @Override
    public void move(Database database) throws SQLException {
        try (Connection connection = database.connect();
                PreparedStatement pick = connection.prepareStatement("SELECT id FROM model_usage_details WHERE "
                        + Statements.EXPIRED + " AND id > ? ORDER BY id LIMIT " + Statements.BATCH_SIZE);
                PreparedStatement copy = connection.prepareStatement(Statements.COPY_BY_ID);
                PreparedStatement delete = connection.prepareStatement(Statements.DELETE_BY_ID)) {
            Statements.bindCutoff(pick, 1);
            pick.setInt(3, 0);
            for (List<Integer> ids = Statements.ids(pick); !ids.isEmpty(); ids = Statements.ids(pick)) {
                Statements.execute(copy, ids);
                Statements.execute(delete, ids);
                pick.setInt(3, ids.get(ids.size() - 1));
            }
        }
    }
}
