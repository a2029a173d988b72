package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.UsageRows;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

/** What the ledger alone tells of an archiver's health. */
class HealthTest {
    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    private final UsageRows usage = new UsageRows(db);

    @Test
    void a_running_row_without_a_sign_of_life_is_not_ok() {
        insert("ARCHIVE", "RUNNING", "2 hours", "live_until", "timezone('UTC', now()) - interval '1 second'");

        Health health = usage.archiver().build().health();

        assertThat(health.status()).isEqualTo(Health.Status.NO_SIGN_OF_LIFE);
        assertThat(health.message())
                .startsWith(
                        "sweep 1 of public.model_usage_details on n is RUNNING in the ledger, but nothing was heard of it"
                                + " since ");
        assertThat(health.idle()).isGreaterThan(Duration.ofMinutes(100));

        usage.archiver().build().sweep();
        assertThat(usage.archiver().build().health().ok()).isTrue();
    }

    @Test
    void a_running_row_that_gives_signs_of_life_is_ok_however_long_it_runs() {
        insert("ARCHIVE", "RUNNING", "40 days", "live_until", "timezone('UTC', now()) + interval '1 minute'");

        Health health = usage.archiver().build().health();

        assertThat(health.ok()).isTrue();
        assertThat(health.message()).endsWith(" is running");
        assertThat(health.idle()).isZero();
    }

    @Test
    void a_running_row_of_an_earlier_version_lives_by_its_last_batch() {
        insert("ARCHIVE", "RUNNING", "2 hours", "last_batch_at", "timezone('UTC', now()) - interval '1 minute'");
        assertThat(usage.archiver().build().health().ok()).isTrue();

        db.execute("UPDATE usage_archive_sweep SET last_batch_at = last_batch_at - interval '1 hour'");
        assertThat(usage.archiver().build().health().status()).isEqualTo(Health.Status.NO_SIGN_OF_LIFE);
    }

    @Test
    void a_restore_whose_node_died_is_not_ok_either() {
        usage.archiver().build().sweep();
        insert("RESTORE", "RUNNING", "2 hours", "live_until", "timezone('UTC', now()) - interval '1 second'");

        Health health = usage.archiver().build().health();

        assertThat(health.status()).isEqualTo(Health.Status.NO_SIGN_OF_LIFE);
        assertThat(health.message()).startsWith("restore 2 of public.model_usage_details on n is RUNNING");
    }

    @Test
    void a_sweep_that_pauses_goes_on_giving_signs_of_life() throws Exception {
        usage.replaceWithExpired(20);
        ArchiveSettings settings = ArchiveSettings.defaults()
                .withBatchSize(10)
                .withTimeouts(Duration.ofSeconds(1), Duration.ofSeconds(2), Duration.ofSeconds(10))
                .withRetryTimeout(Duration.ofSeconds(1))
                .withPace(Pace.full().withPause(Duration.ofSeconds(10), 0));
        StopSignal stop = new StopSignal();
        CompletableFuture<SweepResult> sweep = CompletableFuture.supplyAsync(
                () -> usage.archiver().settings(settings).build().sweep(stop));
        String oneBatch = " FROM usage_archive_sweep WHERE batches = 1";
        await().until(() -> db.number("SELECT count(*)" + oneBatch) == 1);
        String sign = db.strings("SELECT live_until" + oneBatch).get(0);

        await().until(() -> db.number("SELECT count(*)" + oneBatch + " AND live_until > '" + sign + "'") == 1);

        stop.request();
        assertThat(sweep.get().stopReason()).isEqualTo(StopReason.INTERRUPTED);
    }

    @Test
    void the_last_success_and_what_it_kept_back_are_those_of_any_node_and_of_no_restore() {
        usage.replaceWithExpired(5);
        db.execute("INSERT INTO model_usage_details_archive SELECT * FROM model_usage_details WHERE id <= 2;"
                + " UPDATE model_usage_details_archive SET model_name = 'other'");
        usage.archiver().node("other").build().sweep();
        db.execute("UPDATE usage_archive_sweep SET started_at = started_at - interval '3 hours',"
                + " finished_at = finished_at - interval '2 hours'");
        insert("ARCHIVE", "FAILED", "1 hour", "message", "'why'");
        insert("RESTORE", "DRAINED", "1 minute", "message", "null");
        insert("ARCHIVE", "OUTSIDE_WINDOW", "1 minute", "message", "null");

        Health health = usage.archiver().build().health();

        assertThat(health.status()).isEqualTo(Health.Status.LAST_SWEEP_FAILED);
        assertThat(health.sinceLastSuccess()).isBetween(Duration.ofMinutes(119), Duration.ofMinutes(150));
        assertThat(health.rowsKeptBack()).isEqualTo(2);
        assertThat(health.lastSweepId()).isEqualTo(2);
        assertThat(health.idle()).isBetween(Duration.ofMinutes(59), Duration.ofMinutes(90));
        insert("ARCHIVE", "BUSY", "1 minute", "message", "null");
        assertThat(usage.archiver().build().health().idle()).isLessThan(Duration.ofMinutes(30));
    }

    @Test
    void the_last_success_is_known_while_archival_is_disabled() {
        usage.archiver().build().sweep();
        db.execute("ALTER TABLE model_usage_details_archive DROP COLUMN operation");

        Health health = usage.archiver().build().health();

        assertThat(health.status()).isEqualTo(Health.Status.DISABLED);
        assertThat(health.sinceLastSuccess()).isNotNull();
    }

    /** A row that was opened and, but for a RUNNING one, closed so long ago. */
    private void insert(String direction, String state, String ago, String column, String value) {
        String moment = "timezone('UTC', now()) - interval '" + ago + "'";
        db.execute("INSERT INTO usage_archive_sweep (table_name, direction, state, node, fired_by, cutoff, started_at,"
                + " finished_at, " + column + ") VALUES ('public.model_usage_details', '" + direction + "', '" + state
                + "', 'n', 'f', '2025-01-01', " + moment + ", "
                + (state.equals("RUNNING") ? "null" : moment) + ", " + value + ")");
    }
}
