package consumer;

import static org.assertj.core.api.Assertions.assertThat;

import io.usagearchiver.StopReason;
import io.usagearchiver.SweepResult;
import org.junit.jupiter.api.Test;
import org.postgresql.ds.PGSimpleDataSource;

class SweepNowTest {
    @Test
    void a_sweep_needs_no_scheduler() throws Exception {
        try (Database db = Database.withSql("none")) {
            db.insertUsage(1, 100, "25 months");
            db.insertUsage(1001, 10, "23 months");
            PGSimpleDataSource dataSource = new PGSimpleDataSource();
            dataSource.setURL(db.url());
            dataSource.setUser(Database.ROLE);
            dataSource.setPassword(Database.ROLE);

            SweepResult result = SweepNow.sweep(dataSource);

            assertThat(result.stopReason()).isEqualTo(StopReason.DRAINED);
            assertThat(result.rowsMoved()).isEqualTo(100);
            assertThat(db.strings("SELECT node FROM usage_archive_sweep")).containsExactly("billing-1");
            assertThat(db.number("SELECT count(*) FROM model_usage_details")).isEqualTo(10);
        }
    }
}
