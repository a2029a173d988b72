package io.usagearchiver.bench;

import io.usagearchiver.bench.Run.Metric;
import java.util.List;

/** The same, while another session keeps alive what the sweep leaves dead. */
final class OldSnapshot implements Scenario {
    static final String NAME = "old-snapshot";

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public String description() {
        return "The same while another session holds a snapshot from before the start, so that nothing dead can be removed.";
    }

    @Override
    public void run(Bench bench) throws Exception {
        List<Contestant> contestants = List.of(Ours.DEFAULT, new OneShot(), new OriginalAlgorithm());
        for (int rows : List.of(bench.scale().small(), bench.scale().large())) {
            bench.race()
                    .run(
                            new Race.Course(NAME, Backlog.setting(rows), Usage.of(rows)).withOldSnapshot(),
                            contestants,
                            1,
                            Metric.ROWS_PER_SECOND,
                            Metric.MICROSECONDS_PER_ROW);
        }
    }
}
