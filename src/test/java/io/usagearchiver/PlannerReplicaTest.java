package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.usagearchiver.internal.inspect.PlanWarnings;
import io.usagearchiver.testing.ReplicatedServer;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

/** A plan made on a streaming replica, and what a plan on its primary tells of it. */
class PlannerReplicaTest {
    private static final PlanWarnings.Thresholds LOW =
            new PlanWarnings.Thresholds(Duration.ZERO, 0, Duration.ofDays(1), 1);

    @AutoClose
    private final ReplicatedServer server = new ReplicatedServer();

    @Test
    void replicas_slots_and_prepared_transactions_are_seen_and_a_plan_can_be_made_on_the_replica() {
        server.execute("INSERT INTO model_usage_details (model_name, date, prompt_token_count, completion_token_count,"
                + " created_at, updated_at) SELECT 'm', '2020-01-01', 1, 1, '2020-01-01', '2020-01-01'"
                + " FROM generate_series(1, 42)");
        await().until(() -> {
            Plan.Backlog backlog = plan(server::connectAsArchiverToReplica, LOW).backlog();
            return backlog != null && backlog.rows() == 42;
        });
        Plan onReplica = plan(server::connectAsArchiverToReplica, LOW);
        assertThat(onReplica.verdict()).isEqualTo(Plan.Verdict.REFUSED);
        assertThat(onReplica.schemaDifferences())
                .containsExactly("this server is a standby: the data source must be of the primary, which"
                        + " targetServerType=primary in its URL finds among several hosts");
        assertThatThrownBy(() -> Archiver.builder(TestedPair.USAGE, server::connectAsArchiverToReplica)
                        .build()
                        .sweep())
                .isInstanceOf(SchemaDriftException.class)
                .hasMessageContaining("this server is a standby");

        server.pauseReplay();
        server.execute("INSERT INTO model_usage_details_archive TABLE model_usage_details");
        assertThat(warnings()).noneMatch(warning -> warning.startsWith("replica "));
        server.execute("GRANT pg_monitor TO " + TestDatabase.ARCHIVER);
        await().until(() -> warnings().stream()
                .anyMatch(warning -> warning.matches("replica " + ReplicatedServer.REPLICA + " is .* behind: .*")));
        assertThat(plan(server::connectAsArchiver, PlanWarnings.Thresholds.DEFAULT)
                        .warnings())
                .noneMatch(warning -> warning.startsWith("replica "));
        server.resumeReplay();
        await().until(() -> warnings().stream().noneMatch(warning -> warning.startsWith("replica ")));

        server.execute("SELECT pg_create_physical_replication_slot('standby_slot')");
        server.executeOnReplica("ALTER SYSTEM SET primary_slot_name = 'standby_slot'");
        server.executeOnReplica("ALTER SYSTEM SET hot_standby_feedback = on");
        server.executeOnReplica("SELECT pg_reload_conf()");
        await().until(() -> warnings().stream()
                .anyMatch(
                        warning -> warning.matches("replication slot standby_slot \\(active\\) holds a snapshot that is"
                                + " \\d+ transactions old: .*")));

        assertThat(warnings()).noneMatch(warning -> warning.startsWith("prepared "));
        server.execute("BEGIN; SELECT 1 FROM model_usage_details LIMIT 1 FOR UPDATE; PREPARE TRANSACTION 'left over'");
        assertThat(warnings())
                .anyMatch(warning ->
                        warning.matches("prepared transaction 'left over' of postgres is open since .* UTC: .*"));
        server.execute("ROLLBACK PREPARED 'left over'");
    }

    private List<String> warnings() {
        return plan(server::connectAsArchiver, LOW).warnings();
    }

    private static Plan plan(ConnectionSource connections, PlanWarnings.Thresholds thresholds) {
        return new Planner(TestedPair.USAGE, connections, ArchiveSettings.defaults(), thresholds)
                .plan(1000, new StopSignal());
    }
}
