package io.usagearchiver.bench;

import io.usagearchiver.ArchiveSettings;
import io.usagearchiver.SweepListener;
import io.usagearchiver.SweepProgress;
import java.sql.Connection;
import java.util.ArrayList;
import java.util.List;

/** Very many batches, each of which leaves a dead version of the ledger row. */
final class LedgerVersions implements Scenario {
    static final String NAME = "ledger-versions";
    static final String BATCH_TIME = "ms per batch";
    static final String FIRST = "first tenth";
    static final String LAST = "last tenth";

    private final List<Long> commits = new ArrayList<>();

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public String description() {
        return "A sweep in batches of one row while another session holds an old snapshot: every batch leaves a dead version of the"
                + " ledger row, which the next one has to pass.";
    }

    @Override
    public boolean compares() {
        return false;
    }

    @Override
    public void run(Bench bench) throws Exception {
        int batches = bench.scale().ledgerBatches();
        Usage usage = Usage.of(batches * 2).withExpired(batches);
        Ours ours = new Ours(
                "one row a batch",
                ArchiveSettings.defaults().withBatchSize(1),
                new SweepListener() {
                    @Override
                    public void batchCommitted(SweepProgress progress) {
                        commits.add(System.nanoTime());
                    }
                },
                true);
        try (Database database = bench.server().copy(usage);
                Connection snapshot = database.connectAsOwner()) {
            Race.holdSnapshot(snapshot);
            ours.move(database);
        }
        tell(bench, FIRST, 0, batches / 10);
        tell(bench, LAST, batches - batches / 10, batches - 1);
        bench.results().note(NAME, "%,d batches".formatted(batches));
    }

    private void tell(Bench bench, String which, int from, int to) {
        double millis = (commits.get(to) - commits.get(from)) / 1e6 / (to - from);
        bench.results().add(new Measurement(NAME, "old snapshot", which, BATCH_TIME, 1, millis));
        bench.results().progress("%s, %s: %.2f ms a batch".formatted(NAME, which, millis));
    }
}
