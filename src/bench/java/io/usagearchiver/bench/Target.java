package io.usagearchiver.bench;

import io.usagearchiver.bench.Run.Metric;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;

/**
 * What was to be reached.
 *
 * @param what in words
 * @param limit the least value, or the most
 * @param atLeast whether it is the least
 * @param reached the value, if it was measured
 */
record Target(String what, double limit, boolean atLeast, OptionalDouble reached) {

    boolean isReached() {
        return reached.isPresent() && (atLeast ? reached.getAsDouble() >= limit : reached.getAsDouble() <= limit);
    }

    /** The limit, as in "≥ 0.95". */
    String limitText() {
        return (atLeast ? "≥ " : "≤ ") + String.format(Locale.ROOT, "%.4s", limit);
    }

    /** All targets, with what was reached. */
    static List<Target> of(Results results, Scale scale) {
        String small = Backlog.setting(scale.small());
        String medium = Backlog.setting(scale.medium());
        String large = Backlog.setting(scale.large());
        String ours = Ours.DEFAULT.name();
        String ours5000 = Ours.LARGE_BATCH.name();
        String oneShot = new OneShot().name();
        String original = new OriginalAlgorithm().name();
        Ratios ratios = new Ratios(results);
        List<Target> targets = new ArrayList<>(List.of(
                least("rows/s, of the one shot's, " + medium, 0.85, ratios.speed(Backlog.NAME, medium, ours, oneShot)),
                least("the same at batch 5000", 0.95, ratios.speed(Backlog.NAME, medium, ours5000, oneShot)),
                least(
                        "the same with two workers",
                        1.3,
                        ratios.speed(Backlog.NAME, medium, Ours.withWorkers(Ours.DEFAULT, 2), oneShot)),
                least(
                        "the same with two workers, at batch 5000",
                        1.5,
                        ratios.speed(Backlog.NAME, medium, Ours.withWorkers(Ours.LARGE_BATCH, 2), oneShot)),
                least(
                        "rows/s, of the original algorithm's, " + medium,
                        1,
                        ratios.speed(Backlog.NAME, medium, ours, original)),
                least(
                        "rows/s, of the original algorithm's, " + large,
                        1.1,
                        ratios.speed(Backlog.NAME, large, ours, original)),
                least(
                        "the same with an old snapshot, " + large,
                        5,
                        ratios.speed(OldSnapshot.NAME, large, ours, original)),
                most(
                        "time per row at " + large + ", of that at " + small,
                        1.2,
                        ratios.growth(Backlog.NAME, large, small, ours)),
                least(
                        "rows/s with one age for " + medium + ", of those with an age each",
                        0.8,
                        ratios.ages(scale.medium())),
                most(
                        "blocks a row, of the one shot's",
                        1.02,
                        ratios.footprint(Metric.BLOCKS_PER_ROW, small, ours, oneShot)),
                most(
                        "WAL bytes a row, of the one shot's",
                        1.02,
                        ratios.footprint(Metric.WAL_BYTES_PER_ROW, small, ours, oneShot))));
        for (Fallback.Obstacle obstacle : Fallback.Obstacle.values()) {
            targets.add(least(
                    "rows/s, of those in separate statements, " + obstacle.title(),
                    0.9,
                    ratios.speed(Fallback.NAME, obstacle.title(), ours, Ours.SEPARATE.name())));
        }
        targets.add(most("blocks of an idle sweep, at most", 20, ratios.idleBlocks(scale)));
        targets.add(most("p99 of point operations during a sweep, of that without", 1.7, ratios.latency(ours)));
        targets.add(most("the same, paced", 1.25, ratios.latency(LiveTable.PACED.name())));
        return targets;
    }

    private static Target least(String what, double limit, OptionalDouble reached) {
        return new Target(what, limit, true, reached);
    }

    private static Target most(String what, double limit, OptionalDouble reached) {
        return new Target(what, limit, false, reached);
    }

    /** Ratios of medians. */
    private record Ratios(Results results) {
        OptionalDouble speed(String scenario, String setting, String contestant, String other) {
            String metric = Metric.ROWS_PER_SECOND.title();
            return ratio(
                    results.median(scenario, setting, contestant, metric),
                    results.median(scenario, setting, other, metric));
        }

        OptionalDouble footprint(Metric metric, String setting, String contestant, String other) {
            return ratio(
                    results.median(Footprint.NAME, setting, contestant, metric.title()),
                    results.median(Footprint.NAME, setting, other, metric.title()));
        }

        /** The archiver's speed with one age for so many rows, of that with an age each. */
        OptionalDouble ages(int rows) {
            String metric = Metric.ROWS_PER_SECOND.title();
            return ratio(
                    results.median(Orders.NAME, Orders.oneAge(rows), Ours.DEFAULT.name(), metric),
                    results.median(Orders.NAME, Orders.distinctAges(rows), Ours.DEFAULT.name(), metric));
        }

        OptionalDouble growth(String scenario, String setting, String other, String contestant) {
            String metric = Metric.MICROSECONDS_PER_ROW.title();
            return ratio(
                    results.median(scenario, setting, contestant, metric),
                    results.median(scenario, other, contestant, metric));
        }

        OptionalDouble latency(String contestant) {
            return ratio(
                    results.median(LiveTable.NAME, LiveTable.POINT_OPERATIONS, contestant, LiveTable.P99),
                    results.median(LiveTable.NAME, LiveTable.POINT_OPERATIONS, LiveTable.NO_SWEEP, LiveTable.P99));
        }

        OptionalDouble idleBlocks(Scale scale) {
            return scale.idleRows().stream()
                    .map(rows -> results.median(
                            IdleSweep.NAME, Backlog.setting(rows), IdleSweep.KEPT_CONNECTION, IdleSweep.TABLE_BLOCKS))
                    .filter(OptionalDouble::isPresent)
                    .mapToDouble(OptionalDouble::getAsDouble)
                    .max();
        }

        private static OptionalDouble ratio(OptionalDouble one, OptionalDouble other) {
            return one.isPresent() && other.isPresent()
                    ? OptionalDouble.of(one.getAsDouble() / other.getAsDouble())
                    : OptionalDouble.empty();
        }
    }
}
