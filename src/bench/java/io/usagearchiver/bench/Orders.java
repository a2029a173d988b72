package io.usagearchiver.bench;

import io.usagearchiver.bench.Run.Metric;
import java.util.List;

/** Ids that say nothing of a row's age, and rows of one age. */
final class Orders implements Scenario {
    static final String NAME = "orders";

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public String description() {
        return "Ids that follow the age and ids that do not; and a table that is all expired, with an age for each row, and with one"
                + " and the same age.";
    }

    @Override
    public void run(Bench bench) throws Exception {
        race(bench, "ids by age", Usage.of(bench.scale().small()));
        race(bench, "ids shuffled", Usage.of(bench.scale().small()).withOrder(Usage.Order.SHUFFLED));
        int rows = bench.scale().medium();
        Usage usage = Usage.of(rows).withExpired(rows);
        List<Contestant> contestants = List.of(Ours.DEFAULT, new OneShot());
        int rounds = bench.scale().rounds();
        race(bench, distinctAges(rows), usage, contestants, rounds);
        race(bench, oneAge(rows), usage.withOrder(Usage.Order.ONE_AGE), contestants, rounds);
    }

    static String distinctAges(int rows) {
        return Backlog.setting(rows) + ", an age each";
    }

    static String oneAge(int rows) {
        return Backlog.setting(rows) + " of one age";
    }

    private static void race(Bench bench, String setting, Usage usage) throws Exception {
        race(bench, setting, usage, List.of(Ours.DEFAULT, new OneShot(), new OriginalAlgorithm()), 1);
    }

    private static void race(Bench bench, String setting, Usage usage, List<Contestant> contestants, int rounds)
            throws Exception {
        bench.race().run(new Race.Course(NAME, setting, usage), contestants, rounds, Metric.ROWS_PER_SECOND);
    }
}
