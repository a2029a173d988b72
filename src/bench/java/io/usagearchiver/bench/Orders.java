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
        return "Ids that follow the age and ids that do not; and a table that is all expired, with one and the same age.";
    }

    @Override
    public void run(Bench bench) throws Exception {
        race(bench, "ids by age", Usage.of(bench.scale().small()));
        race(bench, "ids shuffled", Usage.of(bench.scale().small()).withOrder(Usage.Order.SHUFFLED));
        Usage usage = Usage.of(bench.scale().medium());
        race(
                bench,
                Backlog.setting(usage.rows()) + " of one age",
                usage.withOrder(Usage.Order.ONE_AGE).withExpired(usage.rows()));
    }

    private static void race(Bench bench, String setting, Usage usage) throws Exception {
        bench.race()
                .run(
                        new Race.Course(NAME, setting, usage),
                        List.of(Ours.DEFAULT, new OneShot(), new OriginalAlgorithm()),
                        1,
                        Metric.ROWS_PER_SECOND);
    }
}
