package io.usagearchiver.faults;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/**
 * The content of a usage row as a writer left it. All columns that are written follow from these four, so that a row
 * whose columns come from two versions is known as damaged.
 *
 * @param version counts the writes of the row
 * @param completedAt null for a row that was never completed
 */
record Usage(int id, long version, LocalDateTime completedAt, LocalDateTime createdAt) {
    static final String HOT = "model_usage_details";
    static final String ARCHIVE = "model_usage_details_archive";

    private static final String FOUR = "id, prompt_token_count, completed_at, created_at";
    private static final String OTHERS =
            "user_id, user_name, model_id, model_name, date, completion_token_count, completed, updated_at";

    /** From {@code s}, a row of the four. */
    private static final String DERIVED = "cast((s.id + s.version) % 1000 as integer), 'user ' || s.version, s.id % 7,"
            + " 'model ' || s.id || '.' || s.version, cast(s.created_at as date), s.id * s.version,"
            + " s.completed_at is not null, s.created_at + s.version * interval '1 millisecond'";

    private static final String SOURCE = "unnest(cast(? as integer[]), cast(? as bigint[]), cast(? as timestamp[]),"
            + " cast(? as timestamp[])) as s (id, version, completed_at, created_at)";

    private static final String INSERT = "insert into " + HOT + " (" + FOUR + ", " + OTHERS
            + ") select s.id, s.version, s.completed_at, s.created_at, " + DERIVED + " from " + SOURCE;

    private static final String UPDATE = "update " + HOT + " as t set (" + FOUR + ", " + OTHERS
            + ") = row (s.id, s.version, s.completed_at, s.created_at, " + DERIVED + ") from " + SOURCE
            + " where t.id = s.id";

    private static final String DELETE = "delete from " + HOT + " as t using " + SOURCE + " where t.id = s.id";

    /** What the age of the row is taken from. */
    LocalDateTime age() {
        return completedAt == null ? createdAt : completedAt;
    }

    /** Inserts rows in one statement. Returns their number. */
    static int insert(Connection connection, List<Usage> rows) throws SQLException {
        return execute(connection, INSERT, rows);
    }

    /** Gives the row of this id this content, if it is hot. Returns the number of rows. */
    int update(Connection connection) throws SQLException {
        return execute(connection, UPDATE, List.of(this));
    }

    /** Deletes the row of this id, if it is hot. Returns the number of rows. */
    int delete(Connection connection) throws SQLException {
        return execute(connection, DELETE, List.of(this));
    }

    private static int execute(Connection connection, String sql, List<Usage> rows) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            statement.setArray(1, array(connection, "integer", rows, Usage::id));
            statement.setArray(2, array(connection, "bigint", rows, Usage::version));
            statement.setArray(3, array(connection, "timestamp", rows, Usage::completedAt));
            statement.setArray(4, array(connection, "timestamp", rows, Usage::createdAt));
            return statement.executeUpdate();
        }
    }

    private static java.sql.Array array(
            Connection connection, String type, List<Usage> rows, Function<Usage, Object> field) throws SQLException {
        return connection.createArrayOf(
                type,
                rows.stream()
                        .map(field)
                        .map(value -> value == null ? null : value.toString())
                        .toArray());
    }

    /** All rows of a table, without those of tables that inherit from it. */
    static List<Found> read(Connection connection, String table) throws SQLException {
        String sql = "select s.*, row (" + OTHERS + ") is not distinct from row (" + DERIVED + ") from " + table
                + " as t cross join lateral (values (t.id, t.prompt_token_count, t.completed_at, t.created_at))"
                + " as s (id, version, completed_at, created_at) where t.tableoid = to_regclass('" + table + "')"
                + " or t.tableoid in (select relid from pg_partition_tree('" + table + "'))";
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery(sql)) {
            List<Found> found = new ArrayList<>();
            while (rows.next()) {
                Usage usage = new Usage(
                        rows.getInt(1),
                        rows.getLong(2),
                        rows.getObject(3, LocalDateTime.class),
                        rows.getObject(4, LocalDateTime.class));
                found.add(new Found(usage, rows.getBoolean(5)));
            }
            return found;
        }
    }

    /**
     * A row in a table.
     *
     * @param intact whether all its columns are of that version
     */
    record Found(Usage usage, boolean intact) {}
}
