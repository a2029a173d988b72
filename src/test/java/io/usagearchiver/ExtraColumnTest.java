package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;

import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.UsageRows;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class ExtraColumnTest {
    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    private final UsageRows rows = new UsageRows(db);

    @BeforeEach
    void expired_rows() {
        rows.replaceWithExpired(100);
    }

    @Test
    void columns_that_only_the_live_tables_have_are_moved_in_whatever_order_they_stand() {
        db.execute("""
                ALTER TABLE model_usage_details ADD region text, ADD "Größe, 2" numeric(12, 4) DEFAULT 1.5, ADD tags jsonb,
                  ADD marks int[], DROP COLUMN operation;
                ALTER TABLE model_usage_details ADD operation varchar(32);
                ALTER TABLE model_usage_details_archive ADD marks int[], ADD tags jsonb, ADD region text DEFAULT 'none',
                  ADD "Größe, 2" numeric(12, 4);
                UPDATE model_usage_details SET region = nullif('region ' || id % 7, 'region 0'), "Größe, 2" = id / 7.0,
                  tags = jsonb_build_object('id', id, 'none', null), marks = ARRAY[id, null], operation = 'op ' || id
                WHERE id % 3 <> 0""");
        rows.remember();

        SweepResult result = rows.archiver(10).build().sweep();

        rows.assertMoved("true");
        assertThat(result.rowsMoved()).isEqualTo(100);
    }

    @Test
    void a_column_added_to_both_tables_in_the_middle_of_a_sweep_is_moved_from_then_on() {
        SweepResult result = rows.archiver(10)
                .listener(new SweepListener() {
                    @Override
                    public void batchCommitted(SweepProgress progress) {
                        if (progress.batches() == 3 || progress.batches() == 6) {
                            String column = "added_after_" + progress.batches();
                            db.execute("BEGIN; ALTER TABLE model_usage_details_archive ADD " + column + " integer;"
                                    + " ALTER TABLE model_usage_details ADD " + column + " integer; COMMIT;"
                                    + " ALTER TABLE original ADD " + column + " integer");
                            rows.change(
                                    "UPDATE {table} SET " + column + " = id * 2 WHERE id > 10 * " + progress.batches());
                        }
                    }
                })
                .build()
                .sweep();

        rows.assertMoved("true");
        assertThat(result.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(result.rowsMoved()).isEqualTo(100);
        assertThat(result.batches()).isEqualTo(10);
        assertThat(db.number("SELECT sum(added_after_3) FROM model_usage_details_archive"))
                .isEqualTo(2 * (5050 - 465));
    }
}
