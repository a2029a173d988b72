package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;

import io.usagearchiver.testing.TestDatabase;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

class SweepTest {
    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    @Test
    void expired_rows_move_and_the_rest_stays() {
        db.insertUsage(
                "SELECT i, timestamp '2020-01-01' + i * interval '1 hour', timestamp '2020-01-01' FROM generate_series(1, 10000) i");
        db.execute("update model_usage_details set completed_at = null, created_at = now() where id % 20 = 0");
        SweepResult result =
                Archiver.builder(UsageDetails.PAIR, db.archiver()).build().sweep();
        assertThat(result.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(result.rowsMoved()).isEqualTo(9500);
        assertThat(db.number("select count(*) from model_usage_details_archive"))
                .isEqualTo(9500);
        assertThat(db.number("select count(*) from model_usage_details")).isEqualTo(500);
    }
}
