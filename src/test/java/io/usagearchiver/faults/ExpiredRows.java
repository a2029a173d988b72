package io.usagearchiver.faults;

import static org.assertj.core.api.Assertions.assertThat;

import io.usagearchiver.testing.TestDatabase;

/** Expired rows of a test's database, and what must be true of them whatever happened. */
final class ExpiredRows {
    private final TestDatabase db;
    private final int count;

    /** Inserts rows with the ids from 1 on, younger with each id. */
    ExpiredRows(TestDatabase db, int count) {
        this.db = db;
        this.count = count;
        db.insertUsage("SELECT i, timestamp '2020-01-01' + i * interval '1 minute', timestamp '2020-01-01'"
                + " FROM generate_series(1, " + count + ") i");
        db.execute("CREATE TABLE original AS TABLE model_usage_details");
    }

    /** Each row is in one of the two tables, once and unchanged, and the ledger has counted those that were archived. */
    void assertNothingLost() {
        assertSame("(TABLE model_usage_details UNION ALL TABLE model_usage_details_archive)", "(TABLE original)");
        assertThat(archived())
                .as("rows archived, and counted")
                .isEqualTo(db.number("SELECT coalesce(sum(rows_moved), 0) FROM usage_archive_sweep"));
    }

    /** All rows are in the archive, once and unchanged, and the ledger has counted them. */
    void assertAllArchived() {
        assertNothingLost();
        assertThat(archived()).isEqualTo(count);
    }

    /** How many rows are in the archive. */
    long archived() {
        return db.number("SELECT count(*) FROM model_usage_details_archive");
    }

    private void assertSame(String is, String shouldBe) {
        assertThat(db.strings(shouldBe + " EXCEPT ALL " + is))
                .as("ids that are lost or changed")
                .isEmpty();
        assertThat(db.strings(is + " EXCEPT ALL " + shouldBe))
                .as("ids that are doubled or changed")
                .isEmpty();
    }
}
