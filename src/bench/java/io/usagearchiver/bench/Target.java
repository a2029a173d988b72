package io.usagearchiver.bench;

import io.usagearchiver.bench.Run.Metric;
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
        String oneShot = new OneShot().name();
        String original = new OriginalAlgorithm().name();
        Ratios ratios = new Ratios(results);
        return List.of(
                least("rows/s, of the one shot's, " + medium, 0.95, ratios.speed(Backlog.NAME, medium, ours, oneShot)),
                least("rows/s, of the one shot's, " + large, 0.95, ratios.speed(Backlog.NAME, large, ours, oneShot)),
                least(
                        "rows/s at batch 5000, of the one shot's, " + medium,
                        1,
                        ratios.speed(Backlog.NAME, medium, Ours.LARGE_BATCH.name(), oneShot)),
                least(
                        "rows/s at batch 5000, of the one shot's, " + large,
                        1,
                        ratios.speed(Backlog.NAME, large, Ours.LARGE_BATCH.name(), oneShot)),
                most(
                        "time per row at " + large + ", of that at " + small,
                        1.3,
                        ratios.growth(Backlog.NAME, large, small, ours)),
                most("the same with an old snapshot", 1.3, ratios.growth(OldSnapshot.NAME, large, small, ours)),
                least(
                        "rows/s, of the original algorithm's, " + medium,
                        1.5,
                        ratios.speed(Backlog.NAME, medium, ours, original)),
                least("the same into an empty archive", 8, ratios.speed(EmptyArchive.NAME, medium, ours, original)),
                least(
                        "the same with an old snapshot, " + large,
                        6,
                        ratios.speed(OldSnapshot.NAME, large, ours, original)),
                most("blocks of an idle sweep, at most", 20, ratios.idleBlocks(scale)),
                most("p99 of point operations during a sweep, of that without", 2, ratios.latency(ours)),
                most("the same, paced", 1.25, ratios.latency(LiveTable.PACED.name())));
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
