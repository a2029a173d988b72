package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;

import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.UsageRows;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Sweeps with several workers. */
class WorkersTest {
    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    private final UsageRows usage = new UsageRows(db);

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 4, 16})
    void every_row_moves_once_and_is_counted_in_the_one_ledger_row(int workers) {
        usage.replaceWithExpired(5000);

        SweepResult result = usage.archiver()
                .settings(ArchiveSettings.defaults().withBatchSize(50).withWorkers(workers))
                .build()
                .sweep();

        assertThat(result.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(result.rowsMoved()).isEqualTo(5000);
        assertThat(result.batches()).isEqualTo(100);
        assertThat(db.number("SELECT count(*) FROM model_usage_details_archive"))
                .isEqualTo(5000);
        assertThat(db.number("SELECT count(*) FROM usage_archive_sweep")).isEqualTo(1);
    }
}
