package io.usagearchiver.bench;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * What GPUStack's own archiver does, with prepared statements and arrays: a batch is the expired rows of the smallest ids,
 * sought from the table's start each time; those that the archive has are left out of the copy; no row is locked.
 */
final class OriginalAlgorithm implements Contestant {
    @Override
    public String name() {
        return "original algorithm";
    }

    @Override
    public void move(Database database) throws SQLException {
        try (Connection connection = database.connect();
                PreparedStatement pick = connection.prepareStatement("SELECT id FROM model_usage_details WHERE "
                        + Statements.EXPIRED + " ORDER BY id LIMIT " + Statements.BATCH_SIZE);
                PreparedStatement archived =
                        connection.prepareStatement("SELECT id FROM model_usage_details_archive WHERE id = ANY (?)");
                PreparedStatement copy = connection.prepareStatement(Statements.COPY_BY_ID);
                PreparedStatement delete = connection.prepareStatement(Statements.DELETE_BY_ID)) {
            connection.setAutoCommit(false);
            Statements.bindCutoff(pick, 1);
            for (List<Integer> ids = Statements.ids(pick); !ids.isEmpty(); ids = Statements.ids(pick)) {
                Statements.bindIds(archived, ids);
                Set<Integer> present = new HashSet<>(Statements.ids(archived));
                Statements.execute(
                        copy, ids.stream().filter(id -> !present.contains(id)).toList());
                Statements.execute(delete, ids);
                connection.commit();
            }
        }
    }
}
