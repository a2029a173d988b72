package io.usagearchiver.bench;

import io.usagearchiver.bench.Run.Metric;

/** What the server has to read and to write for a row. */
final class Footprint implements Scenario {
    static final String NAME = "footprint";

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public String description() {
        return "Blocks of the tables and their indexes that were asked for (in the cache or not), and WAL, by row moved; no"
                + " autovacuum meanwhile, a checkpoint just before. These figures hold on any machine.";
    }

    @Override
    public void run(Bench bench) throws Exception {
        int rows = bench.scale().small();
        bench.race()
                .run(
                        new Race.Course(NAME, Backlog.setting(rows), Usage.of(rows))
                                .preparedBy("ALTER TABLE model_usage_details SET (autovacuum_enabled = off);"
                                        + " ALTER TABLE model_usage_details_archive SET (autovacuum_enabled = off)"),
                        Contestant.all().stream()
                                .filter(contestant -> !contestant.isSlow())
                                .toList(),
                        1,
                        Metric.BLOCKS_PER_ROW,
                        Metric.WAL_BYTES_PER_ROW,
                        Metric.WAL_IMAGES_PER_ROW);
    }
}
