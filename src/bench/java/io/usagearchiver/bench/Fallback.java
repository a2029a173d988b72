package io.usagearchiver.bench;

import io.usagearchiver.SweepResult;
import io.usagearchiver.bench.Run.Metric;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;

/** Rows that no slice can be moved with by one statement. */
final class Fallback implements Scenario {
    static final String NAME = "fallback";

    private static final String EXPIRED = "coalesce(completed_at, created_at) < timestamp '" + Usage.CUTOFF + "'";

    /** The expired rows, oldest first, with the number of the batch that each is in. */
    private static final String BATCHES =
            "SELECT id, (row_number() OVER (ORDER BY coalesce(completed_at, created_at), id)" + " - 1) / "
                    + Statements.BATCH_SIZE + " AS batch FROM model_usage_details WHERE " + EXPIRED;

    /** One row of each batch. */
    private static final String ONE_OF_EACH = "SELECT max(id) FROM (" + BATCHES
            + ") AS expired GROUP BY batch HAVING count(*) = " + Statements.BATCH_SIZE;

    /**
     * What is in the way.
     *
     * @param preparation statements that the owner executes before; may be empty
     * @param locks a query that another session has begun, and whose transaction it does not end; may be empty
     * @param stay how many of so many batches' rows stay hot
     */
    enum Obstacle {
        ALL_ARCHIVED(
                "all rows archived already",
                "INSERT INTO model_usage_details_archive (" + Statements.COLUMNS + ") SELECT " + Statements.COLUMNS
                        + " FROM model_usage_details WHERE " + EXPIRED + "; ANALYZE model_usage_details_archive",
                "",
                false),
        CONFLICTS(
                "one conflict in each slice",
                "INSERT INTO model_usage_details_archive (" + Statements.COLUMNS + ") SELECT " + Statements.COLUMNS
                        + " FROM model_usage_details WHERE id IN (" + ONE_OF_EACH
                        + "); UPDATE model_usage_details_archive SET user_name = 'another' WHERE id IN (" + ONE_OF_EACH
                        + ")",
                "",
                true),
        LOCKS(
                "one locked row in each slice",
                "",
                "SELECT id FROM model_usage_details WHERE id IN (" + ONE_OF_EACH + ") FOR UPDATE",
                true);

        private final String title;
        private final String preparation;
        private final String locks;
        private final boolean oneOfEachStays;

        Obstacle(String title, String preparation, String locks, boolean oneOfEachStays) {
            this.title = title;
            this.preparation = preparation;
            this.locks = locks;
            this.oneOfEachStays = oneOfEachStays;
        }

        String title() {
            return title;
        }

        private long staying(Usage usage) {
            return oneOfEachStays ? usage.expired() / Statements.BATCH_SIZE : 0;
        }
    }

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public String description() {
        return "What one statement cannot move a slice with: rows that the archive holds already, one row in each batch that"
                + " it holds with another content, one row in each batch that another session holds throughout. The last"
                + " two stay hot.";
    }

    @Override
    public void run(Bench bench) throws Exception {
        for (Obstacle obstacle : Obstacle.values()) {
            List<Ours> order = new ArrayList<>(List.of(Ours.DEFAULT, Ours.SEPARATE));
            for (int round = 1; round <= bench.scale().rounds(); round++) {
                for (Ours ours : order) {
                    run(bench, obstacle, ours, round);
                }
                Collections.reverse(order);
            }
        }
    }

    private static void run(Bench bench, Obstacle obstacle, Ours ours, int round) throws Exception {
        Usage usage = Usage.of(bench.scale().medium());
        try (Database database = bench.server().copy(usage);
                Connection other = database.connectAsOwner()) {
            long staying = obstacle.staying(usage);
            database.execute(obstacle.preparation);
            database.execute("CHECKPOINT");
            if (lock(other, obstacle.locks) != (obstacle.locks.isEmpty() ? 0 : staying)) {
                throw new IllegalStateException("Other rows were locked than were to be");
            }
            String before = content(database);
            long start = System.nanoTime();
            SweepResult result = ours.run(database::connect);
            double seconds = (System.nanoTime() - start) / 1e9;
            long left = Inventory.take(database).left();
            if (left != staying || !content(database).equals(before)) {
                bench.results()
                        .note(
                                NAME,
                                "%s, %s: not counted: %d rows are left, and %d were to be; %s"
                                        .formatted(ours.name(), obstacle.title, left, staying, result));
                return;
            }
            double speed = (usage.expired() - left) / seconds;
            bench.results()
                    .add(new Measurement(
                            NAME, obstacle.title, ours.name(), Metric.ROWS_PER_SECOND.title(), round, speed));
            bench.results()
                    .progress(String.format(
                            Locale.ROOT,
                            "%s, %s, %s: %.1f s, %,.0f rows/s",
                            NAME,
                            obstacle.title,
                            ours.name(),
                            seconds,
                            speed));
        }
    }

    /** Locks rows until the connection ends, and returns how many. */
    private static int lock(Connection connection, String query) throws SQLException {
        if (query.isEmpty()) {
            return 0;
        }
        connection.setAutoCommit(false);
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery(query)) {
            int count = 0;
            while (rows.next()) {
                count++;
            }
            return count;
        }
    }

    /** Count and hash of all rows, each of which counts once if both tables hold it. */
    private static String content(Database database) throws SQLException {
        return database.row("SELECT count(*) || ' rows, hash ' || sum(hash_record_extended(r, 0)::numeric) FROM ("
                        + "SELECT " + Statements.COLUMNS + " FROM model_usage_details UNION SELECT "
                        + Statements.COLUMNS
                        + " FROM model_usage_details_archive) AS r")
                .get(0);
    }
}
