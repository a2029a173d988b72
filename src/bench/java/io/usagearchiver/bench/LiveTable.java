package io.usagearchiver.bench;

import io.usagearchiver.ArchiveSettings;
import io.usagearchiver.Pace;
import io.usagearchiver.SweepListener;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.LongStream;
import java.util.stream.Stream;

/** What applications notice of a sweep. */
final class LiveTable implements Scenario {
    static final String NAME = "live-table";
    static final String NO_SWEEP = "without a sweep";
    static final String P50 = "p50, ms";
    static final String P99 = "p99, ms";
    static final String LOCK_WAIT = "longest lock wait of a writer, ms";
    static final String LOST = "updates lost";
    static final String SECONDS = "seconds for the sweep";
    static final String POINT_OPERATIONS = "Point operations";

    /** Small batches, and after each a pause of nine times its time: the pace that docs/benchmark.md gives for a busy table. */
    static final Ours PACED = new Ours(
            "archiver, batch 200, paced",
            ArchiveSettings.defaults().withBatchSize(200).withPace(Pace.full().withPause(null, 9)),
            new SweepListener() {},
            true);

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public String description() {
        return "A steady load on the hot table during a sweep: 100 inserts, 200 reads by id, 50 updates of any row (these"
                + " are the point operations) and 2 reconciliation queries over 6 hours in a second. A latency counts from"
                + " the moment at which the operation was due.";
    }

    @Override
    public void run(Bench bench) throws Exception {
        // A sweep of a second or two has only its slowest few operations to tell of.
        Usage many = Usage.of(bench.scale().medium());
        Usage few = Usage.of(bench.scale().briefRows());
        List<Contestant> contestants = new ArrayList<>(List.of(Ours.DEFAULT, PACED));
        contestants.addAll(Ours.ofWorkers());
        contestants.addAll(List.of(new OneShot(), new OriginalAlgorithm()));
        for (Contestant contestant : contestants) {
            Usage usage = contestant == PACED ? few : many;
            try (Database database = bench.server().copy(usage)) {
                database.execute("CHECKPOINT");
                run(bench, usage, database, contestant);
            }
        }
    }

    private static void run(Bench bench, Usage usage, Database database, Contestant contestant) throws Exception {
        long countBefore = cachedTokens(database);
        long calm;
        long start;
        long end;
        LiveLoad load = LiveLoad.start(database, usage);
        LockWaits waits = new LockWaits(database);
        try (load;
                waits) {
            Thread.sleep(bench.scale().calm().toMillis() / 2); // until everything is cached and compiled
            calm = System.nanoTime();
            Thread.sleep(bench.scale().calm().toMillis());
            waits.start();
            start = System.nanoTime();
            contestant.move(database);
            end = System.nanoTime();
        }
        tell(bench, NO_SWEEP, load, calm, start);
        tell(bench, contestant.name(), load, start, end);
        add(bench, contestant.name(), "", LOCK_WAIT, waits.longestMillis());
        add(bench, contestant.name(), "", LOST, countBefore + load.updated() - cachedTokens(database));
        add(bench, contestant.name(), "", SECONDS, (end - start) / 1e9);
        Inventory after = Inventory.take(database);
        long rows = Long.parseLong(database.row("SELECT (SELECT count(*) FROM model_usage_details)"
                        + " + (SELECT count(*) FROM model_usage_details_archive)")
                .get(0));
        if (after.left() > 0 || rows != usage.rows() + usage.archived() + load.inserted()) {
            bench.results().note(NAME, contestant.name() + " did not move what it should: " + after);
        }
        bench.results().progress("%s, %s: %.1f s".formatted(NAME, contestant.name(), (end - start) / 1e9));
    }

    private static long cachedTokens(Database database) throws Exception {
        return Long.parseLong(database.row("""
                SELECT sum(prompt_cached_token_count) FROM (SELECT prompt_cached_token_count FROM model_usage_details
                  UNION ALL SELECT prompt_cached_token_count FROM model_usage_details_archive) AS t""").get(0));
    }

    private static void tell(Bench bench, String contestant, LiveLoad load, long from, long to) {
        for (LiveLoad.Kind kind : LiveLoad.Kind.values()) {
            tell(bench, contestant, kind.title(), load.latencies(kind, from, to));
        }
        long[] point = Stream.of(LiveLoad.Kind.INSERT, LiveLoad.Kind.POINT_READ, LiveLoad.Kind.UPDATE)
                .map(kind -> load.latencies(kind, from, to))
                .flatMapToLong(LongStream::of)
                .sorted()
                .toArray();
        tell(bench, contestant, POINT_OPERATIONS, point);
    }

    private static void tell(Bench bench, String contestant, String what, long[] sorted) {
        if (sorted.length > 0) {
            add(bench, contestant, what, P50, sorted[sorted.length / 2] / 1e6);
            add(bench, contestant, what, P99, sorted[(int) (sorted.length * 0.99)] / 1e6);
        }
    }

    private static void add(Bench bench, String contestant, String what, String metric, double value) {
        bench.results().add(new Measurement(NAME, what, contestant, metric, 1, value));
    }
}
