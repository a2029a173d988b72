package io.usagearchiver.bench;

import io.usagearchiver.ArchiveException;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Runs contestants in turn, each on a copy of the same rows, in rounds of alternating order, and sees after each run that
 * exactly the expired rows were moved and none was changed. A run that was not right, or took too long, is told as such
 * and not counted.
 */
final class Race {
    private static final int WARM_UP_ROWS = 20_000;

    private final Server server;
    private final Scale scale;
    private final Results results;
    private final Map<Usage, Inventory> inventories = new HashMap<>();

    Race(Server server, Scale scale, Results results) {
        this.server = server;
        this.scale = scale;
        this.results = results;
    }

    /**
     * What a race is run on.
     *
     * @param scenario and setting, under which its measurements are told
     * @param oldSnapshot whether another session holds a snapshot from before the start
     * @param preparation statements that the owner executes in each copy; may be empty
     */
    record Course(String scenario, String setting, Usage usage, boolean oldSnapshot, String preparation) {
        Course(String scenario, String setting, Usage usage) {
            this(scenario, setting, usage, false, "");
        }

        Course withOldSnapshot() {
            return new Course(scenario, setting, usage, true, preparation);
        }

        Course preparedBy(String sql) {
            return new Course(scenario, setting, usage, oldSnapshot, sql);
        }
    }

    /** Lets the JVM load and compile what the contestants need, lest the first ones pay for it. */
    void warmUp(List<Contestant> contestants) throws Exception {
        List<Contestant> all = new ArrayList<>(contestants);
        // As many batches as a JVM needs to compile all of it: a node has been running for days.
        all.add(0, Ours.ofBatch(10));
        for (Contestant contestant : all) {
            try (Database database = server.copy(Usage.of(WARM_UP_ROWS))) {
                contestant.move(database);
            }
        }
    }

    void run(Course course, List<Contestant> contestants, int rounds, Run.Metric... metrics) throws Exception {
        List<Contestant> order = new ArrayList<>(contestants);
        for (int round = 1; round <= rounds; round++) {
            for (Contestant contestant : order) {
                if (contestant.isSlow() && course.usage().rows() > scale.slowRows()) {
                    results.note(
                            course.scenario(),
                            "%s: only with up to %,d rows, it is too slow for more"
                                    .formatted(contestant.name(), scale.slowRows()));
                } else {
                    run(course, contestant, round, metrics);
                }
            }
            Collections.reverse(order);
        }
    }

    private void run(Course course, Contestant contestant, int round, Run.Metric... metrics) throws Exception {
        try (Database database = server.copy(course.usage())) {
            Inventory before = inventories.get(course.usage());
            if (before == null) {
                before = Inventory.take(database);
                inventories.put(course.usage(), before);
            }
            database.execute(course.preparation());
            database.execute("CHECKPOINT");
            Counters counters = Counters.read(database);
            String fault = "";
            boolean tooLong = false;
            double seconds;
            try (Connection snapshot = database.connectAsOwner()) {
                if (course.oldSnapshot()) {
                    holdSnapshot(snapshot);
                }
                long start = System.nanoTime();
                try (TimeLimit limit = TimeLimit.of(scale.limit(), database)) {
                    contestant.move(database);
                } catch (SQLException | IllegalStateException | ArchiveException e) {
                    fault = String.valueOf(e.getMessage()).lines().findFirst().orElse("");
                    tooLong = System.nanoTime() - start >= scale.limit().toNanos();
                }
                seconds = (System.nanoTime() - start) / 1e9;
            }
            database.awaitSessionsEnd();
            Counters used = Counters.read(database).since(counters);
            Inventory after = Inventory.take(database);
            long moved = course.usage().expired() - after.left();
            Run run = new Run(seconds, moved, used);
            if (tooLong && moved > 0 && after.archived().equals(before.archived())) {
                // It would have become slower still.
                results.note(
                        course.scenario(),
                        "%s, %s: stopped after %.0f s, when %,d of %,d rows were moved; its figure is that of these"
                                .formatted(
                                        contestant.name(),
                                        course.setting(),
                                        seconds,
                                        moved,
                                        course.usage().expired()));
                fault = "";
            } else if (fault.isEmpty()) {
                fault = after.faultsAfterMoving(before);
            } else {
                fault += "; " + after.faultsAfterMoving(before);
            }
            tell(course, contestant, round, run, fault, metrics);
        }
    }

    private void tell(Course course, Contestant contestant, int round, Run run, String fault, Run.Metric... metrics) {
        String what = String.format(
                Locale.ROOT,
                "%s, %s, %s: %.1f s, %,.0f rows/s",
                course.scenario(),
                course.setting(),
                contestant.name(),
                run.seconds(),
                Run.Metric.ROWS_PER_SECOND.of(run));
        if (!fault.isEmpty()) {
            results.note(
                    course.scenario(),
                    String.format(
                            Locale.ROOT,
                            "%s, %s: not counted, stopped after %.0f s: %s",
                            contestant.name(),
                            course.setting(),
                            run.seconds(),
                            fault));
            results.progress(what + ": " + fault);
            return;
        }
        results.progress(what);
        for (Run.Metric metric : metrics) {
            results.add(new Measurement(
                    course.scenario(), course.setting(), contestant.name(), metric.title(), round, metric.of(run)));
        }
    }

    /** Lets a session see the rows as they are now, until it ends. */
    static void holdSnapshot(Connection connection) throws SQLException {
        connection.setAutoCommit(false);
        connection.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
        try (Statement statement = connection.createStatement()) {
            statement.execute("SELECT count(*) FROM usage_archive_sweep");
        }
    }
}
