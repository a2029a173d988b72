package io.usagearchiver.bench;

import io.usagearchiver.ArchiveSettings;
import io.usagearchiver.Archiver;
import io.usagearchiver.ConnectionSource;
import io.usagearchiver.StopReason;
import io.usagearchiver.SweepListener;
import io.usagearchiver.SweepResult;
import io.usagearchiver.UsageDetails;

/** This library's archiver, by its public API. */
record Ours(String name, ArchiveSettings settings, SweepListener listener) implements Contestant {
    static final Ours DEFAULT = ofBatch(ArchiveSettings.DEFAULT_BATCH_SIZE);
    static final Ours LARGE_BATCH = ofBatch(5000);

    /** The archiver with its defaults, but for the size of its batches. */
    static Ours ofBatch(int rows) {
        return new Ours(
                "archiver, batch " + rows, ArchiveSettings.defaults().withBatchSize(rows), new SweepListener() {});
    }

    @Override
    public void move(Database database) {
        sweep(database::connect);
    }

    void sweep(ConnectionSource connections) {
        SweepResult result = archiver(connections).sweep();
        if (result.stopReason() != StopReason.DRAINED) {
            throw new IllegalStateException("The sweep ended " + result.stopReason());
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
