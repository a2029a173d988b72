package io.usagearchiver.bench;

import io.usagearchiver.ArchiveSettings;
import io.usagearchiver.Archiver;
import io.usagearchiver.ConnectionSource;
import io.usagearchiver.StopReason;
import io.usagearchiver.SweepListener;
import io.usagearchiver.SweepResult;
import io.usagearchiver.UsageDetails;
import java.util.List;
import java.util.stream.Stream;

/**
 * This library's archiver, by its public API.
 *
 * @param atOnce whether a slice may be moved by one statement; else all of them go the way of those that cannot
 */
record Ours(String name, ArchiveSettings settings, SweepListener listener, boolean atOnce) implements Contestant {
    static final Ours DEFAULT = ofBatch(ArchiveSettings.DEFAULT_BATCH_SIZE);
    static final Ours LARGE_BATCH = ofBatch(5000);
    static final Ours SEPARATE = DEFAULT.inSeparateStatements();
    static final Ours LARGE_SEPARATE = LARGE_BATCH.inSeparateStatements();

    private static final String FAST_PATH = "usagearchiver.fastPath";

    /** The archiver with its defaults, but for the size of its batches. */
    static Ours ofBatch(int rows) {
        return new Ours(
                "archiver, batch " + rows,
                ArchiveSettings.defaults().withBatchSize(rows),
                new SweepListener() {},
                true);
    }

    /** The same with more workers than one. */
    static List<Ours> ofWorkers() {
        return Stream.of(2, 4)
                .flatMap(workers -> Stream.of(DEFAULT, LARGE_BATCH).map(ours -> ours.with(workers)))
                .toList();
    }

    /** The name of one with several workers. */
    static String withWorkers(Ours ours, int workers) {
        return ours.name + ", " + workers + " workers";
    }

    private Ours with(int workers) {
        return new Ours(withWorkers(this, workers), settings.withWorkers(workers), listener, atOnce);
    }

    private Ours inSeparateStatements() {
        return new Ours(name + ", separate statements", settings, listener, false);
    }

    @Override
    public void move(Database database) {
        sweep(database::connect);
    }

    void sweep(ConnectionSource connections) {
        SweepResult result = run(connections);
        if (result.stopReason() != StopReason.DRAINED) {
            throw new IllegalStateException("The sweep ended " + result.stopReason());
        }
    }

    /** Sweeps, whatever comes of it. */
    SweepResult run(ConnectionSource connections) {
        if (atOnce) {
            return archiver(connections).sweep();
        }
        System.setProperty(FAST_PATH, "false");
        try {
            return archiver(connections).sweep();
        } finally {
            System.clearProperty(FAST_PATH);
        }
    }

    private Archiver archiver(ConnectionSource connections) {
        return Archiver.builder(UsageDetails.PAIR, connections)
                .settings(settings)
                .listener(listener)
                .clock(Usage.CLOCK)
                .firedBy("benchmark")
                .build();
    }
}
