package io.usagearchiver.quartz;

import static io.usagearchiver.testing.SampleConfig.archiver;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.usagearchiver.testing.NodeProcess;
import io.usagearchiver.testing.SampleConfig;
import io.usagearchiver.testing.TestDatabase;
import java.sql.Connection;
import java.time.Duration;
import java.util.Map;
import java.util.Properties;
import org.awaitility.core.ConditionFactory;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

/** Nodes are processes of their own, as in a real cluster: {@code usage-archiver node}. */
class ClusterTest {
    private static final Duration PROMPTLY = Duration.ofSeconds(5);
    private static final int ROWS = 20_000;
    private static final String EVERY_SECOND = "* * * * * ?";

    /**
     * Of two triggers of a job that two nodes have acquired at the same instant, Quartz can let both run: the older sweep
     * is SUPERSEDED then. The cron trigger fires once a time; what can meet it is the startup trigger. The end of the older
     * one lets the next firing run beside the newer one, and so on until one has ended before the next firing.
     */
    static final String NOT_BESIDE_A_STARTUP = " and not (state = 'SUPERSEDED' and exists ("
            + "select from usage_archive_sweep startup where startup.table_name = usage_archive_sweep.table_name"
            + " and startup.fired_by like '%.startup' and not exists (select from usage_archive_sweep between_them"
            + " where between_them.table_name = startup.table_name and between_them.state <> 'SUPERSEDED'"
            + " and between_them.sweep_id > least(startup.sweep_id, usage_archive_sweep.sweep_id)"
            + " and between_them.sweep_id < greatest(startup.sweep_id, usage_archive_sweep.sweep_id))))";

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    ClusterTest() {
        db.insertUsage("SELECT i, timestamp '2020-01-01' + i * interval '1 minute', timestamp '2020-01-01'"
                + " FROM generate_series(1, " + ROWS + ") i");
    }

    @Test
    void two_nodes_share_one_store_and_each_firing_runs_on_one_of_them() throws Exception {
        Properties properties = SampleConfig.of("${USAGE_URL}", "${USAGE_USER}", "${USAGE_PASSWORD}");
        Map<String, String> environment = Map.of(
                "USAGE_URL",
                db.url(),
                "USAGE_USER",
                TestDatabase.ARCHIVER,
                "USAGE_PASSWORD",
                TestDatabase.ARCHIVER,
                "GPUSTACK_USAGE_DETAILS_ARCHIVE_CRON",
                EVERY_SECOND,
                "GPUSTACK_USAGE_DETAILS_ARCHIVE_BATCH_SIZE",
                "20");
        try (NodeProcess first = NodeProcess.start(properties, environment);
                NodeProcess second = NodeProcess.start(properties, environment)) {
            awaitNode("both nodes have checked in", first, second)
                    .until(() -> db.number("select count(*) from qrtz_scheduler_state") == 2);
            awaitNode("the startup sweep has ended, and some of the cron trigger have drained", first, second)
                    .until(() -> db.number("select count(*) from usage_archive_sweep where state <> 'RUNNING'"
                                            + " and fired_by = 'usageArchiver.startup'")
                                    > 0
                            && cronSweeps("state = 'DRAINED'") >= 4);

            first.terminate();
            second.terminate();

            assertEnded(first);
            assertEnded(second);
        }
        assertThat(db.strings("select encode(job_data, 'escape') from qrtz_job_details"))
                .singleElement()
                .asString()
                .contains("batchSize=20", "cron=" + EVERY_SECOND);
        assertThat(db.strings("select state from usage_archive_sweep where state not in ('DRAINED', 'INTERRUPTED')"
                        + NOT_BESIDE_A_STARTUP))
                .isEmpty();
        assertThat(db.number("select count(*) from usage_archive_sweep a join usage_archive_sweep b"
                        + " on a.sweep_id < b.sweep_id and b.started_at < a.finished_at"))
                .as("sweeps at the same time")
                .isZero();
        // From the trigger's first second to its last; one more if a node stopped before it could run what it had
        // taken.
        long firings = db.number(
                "select (prev_fire_time - start_time) / 1000 + 1 from qrtz_triggers" + " where trigger_type = 'CRON'");
        assertThat(cronSweeps("true")).isBetween(firings - 1, firings + 1);
        assertThat(db.number("select count(*) from model_usage_details")).isZero();
        assertArchivedAsCounted();
    }

    @Test
    void sigterm_stops_a_sweep_after_its_batch() throws Exception {
        try (NodeProcess node = NodeProcess.start(smallBatches(), Map.of())) {
            awaitBatches(node);

            node.terminate();

            assertEnded(node);
            assertInterrupted();
        }
    }

    @Test
    void sigterm_cancels_a_statement_that_hangs_on_a_lock() throws Exception {
        Properties properties = smallBatches();
        properties.setProperty(archiver("lockTimeout"), "9m");
        properties.setProperty(archiver("statementTimeout"), "10m");
        try (NodeProcess node = NodeProcess.start(properties, Map.of());
                Connection application = db.connectAsOwner()) {
            awaitBatches(node);
            application.setAutoCommit(false);
            TestDatabase.execute(application, "LOCK TABLE model_usage_details_archive IN ACCESS EXCLUSIVE MODE");
            awaitNode("a batch hangs", node)
                    .until(() -> db.number("select count(*) from pg_stat_activity where datname = current_database()"
                                    + " and wait_event_type = 'Lock'")
                            == 1);

            node.terminate();

            assertEnded(node);
        }
        assertInterrupted();
    }

    private Properties smallBatches() {
        db.slowBatches(Duration.ofMillis(50));
        Properties properties = SampleConfig.of(db);
        properties.setProperty(archiver("batchSize"), "5");
        return properties;
    }

    private void awaitBatches(NodeProcess node) {
        awaitNode("a sweep has committed batches", node)
                .until(() -> db.number("select coalesce(sum(batches), 0) from usage_archive_sweep") > 1);
    }

    private static void assertEnded(NodeProcess node) throws InterruptedException {
        assertThat(node.ends(PROMPTLY))
                .as("ended in time; it wrote\n%s", node.log())
                .isTrue();
        assertThat(node.exitCode()).as("exit code; it wrote\n%s", node.log()).isZero();
    }

    private void assertInterrupted() {
        assertThat(db.strings("select state from usage_archive_sweep")).containsExactly("INTERRUPTED");
        assertThat(db.number("select rows_moved from usage_archive_sweep")).isBetween(1L, ROWS - 1L);
        assertArchivedAsCounted();
    }

    private void assertArchivedAsCounted() {
        long archived = db.number("select count(*) from model_usage_details_archive");
        assertThat(archived).isEqualTo(db.number("select sum(rows_moved) from usage_archive_sweep"));
        assertThat(archived + db.number("select count(*) from model_usage_details"))
                .isEqualTo(ROWS);
    }

    private long cronSweeps(String condition) {
        return db.number(
                "select count(*) from usage_archive_sweep where fired_by = 'usageArchiver.cron' and " + condition);
    }

    private static ConditionFactory awaitNode(String what, NodeProcess... nodes) {
        return await(what).atMost(Duration.ofSeconds(60)).failFast("a node has ended", () -> {
            for (NodeProcess node : nodes) {
                if (node.ends(Duration.ZERO)) {
                    throw new IllegalStateException(node.log());
                }
            }
            return false;
        });
    }
}
