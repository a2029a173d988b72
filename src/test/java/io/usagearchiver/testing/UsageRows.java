package io.usagearchiver.testing;

import static org.assertj.core.api.Assertions.assertThat;

import io.usagearchiver.ArchiveSettings;
import io.usagearchiver.Archiver;
import io.usagearchiver.SweepListener;
import io.usagearchiver.SweepProgress;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Clock;
import java.time.LocalDateTime;
import java.time.ZoneOffset;

/** The rows of a test's usage pair: as they were before a sweep, and where they must be after it. */
public final class UsageRows {
    /** The cutoff of {@link #archiver()}. */
    public static final LocalDateTime CUTOFF = LocalDateTime.parse("2025-05-15T12:00");

    /** What is expired at {@link #CUTOFF}. */
    public static final String EXPIRED = expiredAt(CUTOFF);

    private static final LocalDateTime NOW = LocalDateTime.parse("2026-06-15T12:00");

    private final TestDatabase db;

    public UsageRows(TestDatabase db) {
        this.db = db;
    }

    public static String expiredAt(LocalDateTime cutoff) {
        return "coalesce(completed_at, created_at) < timestamp '" + cutoff + "'";
    }

    public static Clock clockAt(LocalDateTime now) {
        return Clock.fixed(now.toInstant(ZoneOffset.UTC), ZoneOffset.UTC);
    }

    /** An archiver whose cutoff is {@link #CUTOFF}. */
    public Archiver.Builder archiver() {
        return Archiver.builder(TestedPair.USAGE, db.archiver()).clock(clockAt(NOW));
    }

    /** An archiver whose cutoff is {@link #CUTOFF}, with batches of the given size. */
    public Archiver.Builder archiver(int batchSize) {
        return archiver().settings(ArchiveSettings.defaults().withBatchSize(batchSize));
    }

    /** An archiver whose role takes rows back and sets holds, with batches of the given size. */
    public Archiver.Builder restorer(int batchSize) {
        return Archiver.builder(TestedPair.USAGE, db.restorer())
                .settings(ArchiveSettings.defaults().withBatchSize(batchSize));
    }

    /** Has the rows of a query that gives id, completed_at and created_at in the hot table, and no others anywhere. */
    public void replace(String rows) {
        db.execute("DELETE FROM model_usage_details; DELETE FROM model_usage_details_archive;"
                + " DELETE FROM usage_archive_sweep");
        db.insertUsage(rows);
        remember();
    }

    /** Rows with the ids 1 to {@code count}, all expired, younger with each id. */
    public void replaceWithExpired(int count) {
        replace("SELECT i, timestamp '2024-01-01' + i * interval '1 minute', timestamp '2024-01-01'"
                + " FROM generate_series(1, " + count + ") i");
    }

    /** Takes the hot table as it is for what {@link #assertMoved} compares with. */
    public void remember() {
        db.execute("DROP TABLE IF EXISTS original; CREATE TABLE original AS TABLE model_usage_details");
    }

    /** Executes a statement on the hot table, and on what {@link #assertMoved} compares with. */
    public void change(String sqlOfTable) {
        db.execute(sqlOfTable.replace("{table}", "model_usage_details"));
        db.execute(sqlOfTable.replace("{table}", "original"));
    }

    /**
     * Asserts that of the original rows exactly those of a condition are in the archive, that the others are hot, and
     * that no column of any is changed.
     */
    public void assertMoved(String condition) {
        assertHolds("model_usage_details_archive", "(" + condition + ")");
        assertHolds("model_usage_details", "(" + condition + ") IS NOT TRUE");
    }

    private void assertHolds(String table, String condition) {
        String columns = db.strings("SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute"
                        + " WHERE attrelid = 'original'::regclass AND attnum > 0 AND NOT attisdropped")
                .get(0);
        String is = "SELECT " + columns + " FROM " + table;
        String shouldBe = "SELECT " + columns + " FROM original WHERE " + condition;
        assertThat(db.strings(shouldBe + " EXCEPT ALL " + is))
                .as("ids that %s lacks, or has changed", table)
                .isEmpty();
        assertThat(db.strings(is + " EXCEPT ALL " + shouldBe))
                .as("ids that %s has and should not, or has changed", table)
                .isEmpty();
    }

    /** Asserts that the hot table has exactly the original rows, unchanged, and the archive none. */
    public void assertAllHot() {
        assertMoved("false");
    }

    /** A column of the newest ledger row, as PostgreSQL writes it. */
    public String ledger(String expression) {
        return db.strings("SELECT " + expression + " FROM usage_archive_sweep ORDER BY sweep_id DESC LIMIT 1")
                .get(0);
    }

    /** Acts when a batch is committed, before the next one begins; batch 0 is the opening of the sweep. */
    public static SweepListener afterBatch(long batch, Runnable action) {
        return new SweepListener() {
            @Override
            public void sweepStarted(SweepProgress progress) {
                batchCommitted(progress);
            }

            @Override
            public void batchCommitted(SweepProgress progress) {
                if (progress.batches() == batch) {
                    action.run();
                }
            }
        };
    }

    /** Executes a statement within a listener or a task. */
    public static void execute(Connection connection, String sql) {
        try {
            TestDatabase.execute(connection, sql);
        } catch (SQLException e) {
            throw new AssertionError(sql, e);
        }
    }
}
