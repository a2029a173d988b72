package io.usagearchiver.bench;

import static io.usagearchiver.generated.Tables.MODEL_USAGE_DETAILS;
import static java.util.stream.Collectors.joining;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import org.jooq.Field;

/** What the contestants' statements have in common. */
final class Statements {
    /** How many rows each contestant that works in batches takes at a time: the archiver's default. */
    static final int BATCH_SIZE = 1000;

    /** All columns of the pair. */
    static final String COLUMNS =
            MODEL_USAGE_DETAILS.fieldStream().map(Field::getName).collect(joining(", "));

    /** The predicate as most people write it; its two binds are the cutoff. */
    static final String EXPIRED = "(completed_at < ? OR (completed_at IS NULL AND created_at < ?))";

    static final String COPY_BY_ID = "INSERT INTO model_usage_details_archive (" + COLUMNS + ") SELECT " + COLUMNS
            + " FROM model_usage_details WHERE id = ANY (?)";

    static final String DELETE_BY_ID = "DELETE FROM model_usage_details WHERE id = ANY (?)";

    private Statements() {}

    /** Binds the cutoff twice, from {@code index} on. */
    static void bindCutoff(PreparedStatement statement, int index) throws SQLException {
        statement.setObject(index, Usage.CUTOFF);
        statement.setObject(index + 1, Usage.CUTOFF);
    }

    /** The ids that a query gives. */
    static List<Integer> ids(PreparedStatement query) throws SQLException {
        try (ResultSet rows = query.executeQuery()) {
            List<Integer> ids = new ArrayList<>();
            while (rows.next()) {
                ids.add(rows.getInt(1));
            }
            return ids;
        }
    }

    /** Executes a statement whose one bind is an array of ids, and sees that it did something to each. */
    static void execute(PreparedStatement statement, List<Integer> ids) throws SQLException {
        bindIds(statement, ids);
        int rows = statement.executeUpdate();
        if (rows != ids.size()) {
            throw new IllegalStateException(rows + " instead of " + ids.size() + " rows: " + statement);
        }
    }

    static void bindIds(PreparedStatement statement, List<Integer> ids) throws SQLException {
        Connection connection = statement.getConnection();
        statement.setArray(1, connection.createArrayOf("integer", ids.toArray()));
    }
}
