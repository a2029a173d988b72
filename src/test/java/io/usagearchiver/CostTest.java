package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;

import io.usagearchiver.testing.SlowPath;
import io.usagearchiver.testing.TappedConnections;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import io.usagearchiver.testing.UsageRows;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

/** What a sweep asks of the server, in round trips and in blocks: figures that no noise can move. */
class CostTest {
    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    @Test
    void a_batch_takes_two_round_trips() {
        // The limits with the statement that moves the rows, and the commit.
        assertThat(roundTripsOfTenBatches()).isEqualTo(10 * 2);
    }

    @Test
    void a_batch_of_separate_statements_takes_six_round_trips() {
        try (SlowPath slow = new SlowPath()) {
            // The limits, the lock, the copy, the deletion, the count, and the commit.
            assertThat(roundTripsOfTenBatches()).isEqualTo(10 * 6);
        }
    }

    private int roundTripsOfTenBatches() {
        UsageRows usage = new UsageRows(db);
        usage.replaceWithExpired(100);
        int tenBatches = roundTrips(usage);
        usage.replaceWithExpired(200);
        int twentyBatches = roundTrips(usage);
        return twentyBatches - tenBatches;
    }

    @Test
    void a_row_is_sought_in_the_archive_only_once() {
        int rows = 10_000;
        UsageRows usage = new UsageRows(db);
        usage.replaceWithExpired(rows);
        assertThat(usage.archiver().build().sweep().rowsMoved()).isEqualTo(rows);
        PlanTest.awaitArchiverSessionsEnd(db);

        // The key's index has two levels, so once more would make two blocks a row more.
        long blocks = db.number("SELECT idx_blks_read + idx_blks_hit FROM pg_statio_user_indexes"
                + " WHERE indexrelname = 'model_usage_details_archive_pkey'");
        // Before 17, PostgreSQL seeks each key of an array from the root.
        boolean eachKeyOfAnArray = db.number("SELECT current_setting('server_version_num')::int") < 170_000;
        assertThat(blocks / (double) rows).isBetween(1.0, eachKeyOfAnArray ? 4.5 : 2.5);
    }

    /** Two less than twenty: in a hot table of millions of rows, the index of each age column has one level more. */
    @Test
    void a_sweep_with_nothing_to_do_on_a_connection_that_has_swept_before_reads_at_most_18_blocks()
            throws SQLException {
        db.insertUsage("SELECT i, timestamp '2030-01-01', timestamp '2030-01-01' FROM generate_series(1, 1000) i");
        long one = PlanTest.blocksRead(db, 1);
        long eleven = PlanTest.blocksRead(db, 11);

        assertThat((eleven - one) / 10.0).as("blocks").isBetween(5.0, 18.0);
    }

    private int roundTrips(UsageRows usage) {
        List<String> statements = new ArrayList<>();
        ConnectionSource counted = new TappedConnections(db.archiver(), (sql, connection) -> statements.add(sql));
        SweepResult result = Archiver.builder(TestedPair.USAGE, counted)
                .settings(ArchiveSettings.defaults().withBatchSize(10))
                .clock(UsageRows.clockAt(UsageRows.CUTOFF.plusMonths(13)))
                .build()
                .sweep();
        assertThat(result.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(usage.ledger("batches")).isEqualTo(String.valueOf(result.rowsMoved() / 10));
        return statements.size();
    }
}
