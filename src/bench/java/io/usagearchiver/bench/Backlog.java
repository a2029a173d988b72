package io.usagearchiver.bench;

import io.usagearchiver.bench.Run.Metric;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Backlogs of several sizes. */
final class Backlog implements Scenario {
    static final String NAME = "backlog";

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public String description() {
        return "Hot tables of several sizes, of which 46 % are expired; the archive holds rows already and was analyzed.";
    }

    @Override
    public void run(Bench bench) throws Exception {
        for (int rows : bench.scale().backlogs()) {
            Race.Course course = new Race.Course(NAME, setting(rows), Usage.of(rows));
            if (rows == bench.scale().large()) {
                run(bench, course, Contestant.chief(), bench.scale().rounds());
            } else {
                List<Contestant> chief = new ArrayList<>(Contestant.chief());
                chief.addAll(Contestant.separate());
                run(bench, course, chief, bench.scale().rounds());
                run(bench, course, Contestant.others(), 1);
            }
        }
    }

    private static void run(Bench bench, Race.Course course, List<Contestant> contestants, int rounds)
            throws Exception {
        bench.race().run(course, contestants, rounds, Metric.ROWS_PER_SECOND, Metric.MICROSECONDS_PER_ROW);
    }

    static String setting(int rows) {
        return String.format(Locale.ROOT, "%,d rows", rows);
    }
}
