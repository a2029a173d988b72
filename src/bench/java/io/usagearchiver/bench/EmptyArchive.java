package io.usagearchiver.bench;

import io.usagearchiver.bench.Run.Metric;
import java.util.List;

/** A first sweep. */
final class EmptyArchive implements Scenario {
    static final String NAME = "empty-archive";

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public String description() {
        return "A first sweep, into an empty archive of which the planner knows nothing.";
    }

    @Override
    public void run(Bench bench) throws Exception {
        int rows = bench.scale().medium();
        bench.race()
                .run(
                        new Race.Course(
                                NAME, Backlog.setting(rows), Usage.of(rows).withEmptyArchive()),
                        List.of(Ours.DEFAULT, new OneShot(), new OriginalAlgorithm()),
                        1,
                        Metric.ROWS_PER_SECOND);
    }
}
