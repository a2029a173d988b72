package io.usagearchiver.bench;

import io.usagearchiver.bench.Run.Metric;
import java.util.List;

/** More and more rows whose age is in the second column. */
final class NullShares implements Scenario {
    static final String NAME = "null-shares";

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public String description() {
        return "More and more rows that never completed, so that `created_at` is their age.";
    }

    @Override
    public void run(Bench bench) throws Exception {
        for (int percent : List.of(5, 33, 100)) {
            bench.race()
                    .run(
                            new Race.Course(
                                    NAME,
                                    percent + " % null",
                                    Usage.of(bench.scale().small()).withNullPercent(percent)),
                            List.of(Ours.DEFAULT, new OneShot(), new OriginalAlgorithm()),
                            1,
                            Metric.ROWS_PER_SECOND);
        }
    }
}
