package io.usagearchiver.faults;

import static io.usagearchiver.testing.SampleConfig.archiver;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.usagearchiver.testing.NodeProcess;
import io.usagearchiver.testing.SampleConfig;
import io.usagearchiver.testing.TestDatabase;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.awaitility.core.ConditionFactory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

/** Many nodes over one store that start, stop and disagree. */
class ManyNodesTest {
    /** So that ten of them fit. */
    private static final Map<String, String> SMALL = Map.of("_JAVA_OPTIONS", "-Xmx96m -XX:+UseSerialGC");

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    private final List<NodeProcess> nodes = new ArrayList<>();

    @AfterEach
    void endsAll() throws Exception {
        for (NodeProcess node : nodes) {
            node.close();
        }
    }

    /** Half of them have another cron expression, of the same meaning, and one a batch size of its own. */
    @Test
    void ten_nodes_that_store_at_the_same_instant_and_disagree_fire_each_second_once() throws Exception {
        ExpiredRows rows = new ExpiredRows(db, 500);
        try (Connection holder = db.connectAsOwner()) {
            hold(holder);
            for (int i = 0; i < 10; i++) {
                Properties properties = sample();
                properties.setProperty(archiver("cron"), i % 2 == 0 ? "* * * * * ?" : "0/1 * * * * ?");
                properties.setProperty(archiver("batchSize"), i == 9 ? "7" : "50");
                nodes.add(NodeProcess.start(properties, SMALL));
            }
            awaitNodes("all wait to store their schedule")
                    .until(() -> db.number("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                                    + " AND wait_event_type = 'Lock' AND query ILIKE '%qrtz_locks%'")
                            >= 10);
            holder.rollback();
        }
        awaitNodes("all have stored it")
                .until(() -> nodes.stream().allMatch(node -> node.log().contains("fit to be archived")));
        long sweeps = cronSweeps("true");
        awaitNodes("firings go on").until(() -> cronSweeps("state = 'DRAINED'") > sweeps + 5);

        endInOrder();

        assertQuiet();
        assertThat(db.strings("SELECT trigger_name FROM qrtz_triggers WHERE trigger_name LIKE '%.cron'"))
                .hasSize(1);
        long firings = db.number("SELECT (prev_fire_time - start_time) / 1000 + 1 FROM qrtz_triggers"
                + " WHERE trigger_name = 'usageArchiver.cron'");
        // One less if a node stopped before it ran what it had taken; one more if the trigger was replaced after that.
        assertThat(cronSweeps("started_at >= timezone('UTC', to_timestamp((SELECT start_time / 1000.0"
                        + " FROM qrtz_triggers WHERE trigger_name = 'usageArchiver.cron')))"))
                .as("sweeps since the schedule was stored the last time")
                .isBetween(firings - 1, firings + 1);
        // Of two triggers of a job that nodes acquire at the same instant, Quartz can let both run: the older sweep of
        // the two is then SUPERSEDED.
        assertThat(db.number("SELECT count(*) FROM usage_archive_sweep WHERE fired_by = 'usageArchiver.startup'"))
                .isPositive();
        rows.assertAllArchived();
    }

    /** Each node comes back with another schedule and batch size: what a rollout of new settings does. */
    @Test
    void a_rolling_restart_under_a_running_sweep_goes_on_with_the_new_settings() throws Exception {
        ExpiredRows rows = new ExpiredRows(db, 5000);
        // Slow enough to outlast the restarts.
        db.slowBatches(Duration.ofMillis(200));
        Properties old = sample();
        old.setProperty(archiver("batchSize"), "5");
        for (int i = 0; i < 3; i++) {
            nodes.add(NodeProcess.start(old, SMALL));
        }
        awaitNodes("all have checked in").until(() -> db.number("SELECT count(*) FROM qrtz_scheduler_state") == 3);
        awaitProgress();
        Properties changed = sample();
        changed.setProperty(archiver("batchSize"), "6");
        changed.setProperty(archiver("cron"), "30 4 * * *");

        for (int i = 0; i < 3; i++) {
            NodeProcess leaving = nodes.remove(0);
            leaving.terminate();
            assertThat(leaving.ends(Duration.ofSeconds(30))).as(leaving.log()).isTrue();
            assertThat(leaving.exitCode()).as(leaving.log()).isZero();
            assertQuiet(leaving);
            leaving.close();
            NodeProcess coming = NodeProcess.start(changed, SMALL);
            nodes.add(coming);
            awaitNodes("it has started").until(() -> coming.log().contains("fit to be archived"));
            awaitProgress();
        }
        db.execute("DROP TRIGGER slow ON model_usage_details_archive");
        awaitNodes("all is archived").until(() -> db.number("SELECT count(*) FROM model_usage_details") == 0);
        endInOrder();

        assertQuiet();
        assertThat(db.strings("SELECT DISTINCT state FROM usage_archive_sweep ORDER BY 1"))
                .isSubsetOf("DRAINED", "INTERRUPTED")
                .contains("INTERRUPTED");
        assertThat(db.strings("SELECT cron_expression FROM qrtz_cron_triggers")).containsExactly("0 30 4 * * ? *");
        assertThat(db.strings("SELECT encode(job_data, 'escape') FROM qrtz_job_details"))
                .singleElement()
                .asString()
                .contains("batchSize=6");
        rows.assertAllArchived();
    }

    private Properties sample() {
        Properties properties = SampleConfig.of(db);
        // Nodes that wait for the slowest of ten to start are not to give up.
        String url = "org.quartz.dataSource.quartz.URL";
        String patient = properties.getProperty(url).replaceFirst("socketTimeout=\\d+", "socketTimeout=300");
        assertThat(patient).contains("socketTimeout=300");
        properties.setProperty(url, patient);
        return properties;
    }

    /** Keeps nodes from storing anything in the job store. */
    private static void hold(Connection holder) throws SQLException {
        holder.setAutoCommit(false);
        TestDatabase.execute(holder, "SELECT FROM qrtz_locks WHERE lock_name = 'TRIGGER_ACCESS' FOR UPDATE");
    }

    private void awaitProgress() {
        long batches = db.number("SELECT coalesce(sum(batches), 0) FROM usage_archive_sweep");
        awaitNodes("a sweep commits batches")
                .until(() -> db.number("SELECT coalesce(sum(batches), 0) FROM usage_archive_sweep") > batches + 1);
    }

    private void endInOrder() throws InterruptedException {
        nodes.forEach(NodeProcess::terminate);
        for (NodeProcess node : nodes) {
            assertThat(node.ends(Duration.ofSeconds(30))).as(node.log()).isTrue();
            assertThat(node.exitCode()).as(node.log()).isZero();
        }
    }

    private void assertQuiet() {
        nodes.forEach(ManyNodesTest::assertQuiet);
        assertThat(db.strings("SELECT trigger_name || ' ' || trigger_state FROM qrtz_triggers"
                        + " WHERE trigger_state NOT IN ('WAITING', 'ACQUIRED')"))
                .as("triggers left behind")
                .isEmpty();
        assertThat(db.number("SELECT count(*) FROM usage_archive_sweep a JOIN usage_archive_sweep b"
                        + " ON a.sweep_id < b.sweep_id AND b.started_at < a.finished_at"))
                .as("sweeps at the same time")
                .isZero();
    }

    private static void assertQuiet(NodeProcess node) {
        assertThat(node.log()).doesNotContain("ObjectAlreadyExistsException", " ERROR ");
    }

    private long cronSweeps(String condition) {
        return db.number(
                "SELECT count(*) FROM usage_archive_sweep WHERE fired_by = 'usageArchiver.cron' AND " + condition);
    }

    private ConditionFactory awaitNodes(String what) {
        return await(what).atMost(Duration.ofSeconds(120)).failFast("a node has ended", () -> {
            for (NodeProcess node : nodes) {
                if (node.ends(Duration.ZERO)) {
                    throw new IllegalStateException(node.log());
                }
            }
            return false;
        });
    }
}
