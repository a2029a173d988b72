package io.usagearchiver.bench;

import java.sql.SQLException;

/**
 * Which rows are where, with all their content.
 *
 * @param hot count and hash of the hot rows that are not expired
 * @param archived count and hash of the archive's rows and the hot ones that are expired
 * @param left expired hot rows
 */
record Inventory(String hot, String archived, long left) {
    static Inventory take(Database database) throws SQLException {
        String expired = "coalesce(completed_at, created_at) < timestamp '" + Usage.CUTOFF + "'";
        String content = "SELECT count(*) || ' rows, hash ' || coalesce(sum(hash_record_extended(r, 0)::numeric), 0)";
        var row = database.row("SELECT"
                + " (" + content + " FROM model_usage_details AS r WHERE NOT " + expired + "),"
                + " (" + content + " FROM (SELECT * FROM model_usage_details_archive"
                + " UNION ALL SELECT * FROM model_usage_details WHERE " + expired + ") AS r),"
                + " (SELECT count(*) FROM model_usage_details WHERE " + expired + ")");
        return new Inventory(row.get(0), row.get(1), Long.parseLong(row.get(2)));
    }

    /** What is wrong with this inventory after all expired rows of another were to be moved; empty if nothing is. */
    String faultsAfterMoving(Inventory before) {
        if (left > 0) {
            return left + " of " + before.left + " expired rows are still hot";
        }
        if (!archived.equals(before.archived)) {
            return "the archive has " + archived + " instead of " + before.archived;
        }
        return hot.equals(before.hot) ? "" : "the hot table has " + hot + " instead of " + before.hot;
    }
}
