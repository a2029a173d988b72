package io.usagearchiver.faults;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.usagearchiver.testing.NodeProcess;
import io.usagearchiver.testing.SampleConfig;
import io.usagearchiver.testing.TcpProxy;
import io.usagearchiver.testing.TestDatabase;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Nodes as processes with the repository's {@code quartz.properties}, each with a network of its own to the server. */
class NodeNetworkTest {
    private static final Logger log = LoggerFactory.getLogger(NodeNetworkTest.class);
    private static final Duration PATIENCE = Duration.ofSeconds(60);
    private static final String NEVER = "0 0 0 1 1 ?";
    private static final String EVERY_SECOND = "* * * * * ?";
    private static final int ROWS = 30_000;

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    @Test
    void a_blip_of_one_nodes_network_does_not_start_a_second_sweep() throws Exception {
        load();
        try (Node a = new Node("a", NEVER, Map.of());
                Node b = new Node("b", NEVER, Map.of())) {
            Node sweeping = awaitSweeping(a, b);

            sweeping.network.refuse();
            lastFor(Duration.ofSeconds(4));
            sweeping.network.accept();
            assertNoSecondSweepAfter(sweeping, a, b);

            sweeping.network.stall();
            lastFor(Duration.ofSeconds(5));
            sweeping.network.resume();
            assertNoSecondSweepAfter(sweeping, a, b);
        }
        assertCountsAreExact();
    }

    @Test
    void with_quartzs_own_retry_interval_a_blip_starts_a_second_sweep_and_the_first_moves_nothing_more()
            throws Exception {
        load();
        Map<String, String> defaultInterval = Map.of("org.quartz.scheduler.dbFailureRetryInterval", "15000");
        try (Node a = new Node("a", NEVER, defaultInterval);
                Node b = new Node("b", NEVER, defaultInterval)) {
            Node sweeping = awaitSweeping(a, b);

            sweeping.network.refuse();
            lastFor(Duration.ofSeconds(3));
            sweeping.network.accept();
            await("the other node takes over")
                    .atMost(PATIENCE)
                    .until(() -> db.number("select count(*) from usage_archive_sweep where batches > 0") == 2);
            await("the first node has noticed")
                    .atMost(PATIENCE)
                    .until(() -> sweeping.process.log().contains("ended SUPERSEDED"));
        }
        assertThat(db.strings("select (a.node <> b.node) || ' ' || a.state || ' ' || (a.last_batch_at < b.started_at)"
                        + " from usage_archive_sweep a join usage_archive_sweep b on a.sweep_id < b.sweep_id"))
                .as("on another node, state, and whether its last batch was before the second sweep")
                .containsExactly("true SUPERSEDED true");
        assertCountsAreExact();
    }

    @Test
    void a_node_whose_connections_are_all_half_open_comes_back_by_itself() throws Exception {
        load();
        Map<String, String> shortStatements =
                Map.of(SampleConfig.archiver("statementTimeout"), "2s", SampleConfig.archiver("lockTimeout"), "1s");
        try (Node a = new Node("a", NEVER, shortStatements);
                Node b = new Node("b", NEVER, shortStatements)) {
            Node sweeping = awaitSweeping(a, b);

            long batches = batches();
            sweeping.network.forget();
            long start = System.nanoTime();
            await("a sweep goes on, here or on the other node").atMost(PATIENCE).until(() -> batches() > batches + 10);
            long goesOn = System.nanoTime();
            sweeping.awaitCheckIn();
            log.info(
                    "All connections of a node half-open: a sweep goes on after {} ms, the node checks in after {} ms;"
                            + " {} sweeps",
                    Duration.ofNanos(goesOn - start).toMillis(),
                    Duration.ofNanos(System.nanoTime() - start).toMillis(),
                    db.number("select count(*) from usage_archive_sweep"));
        }
        assertCountsAreExact();
    }

    @Test
    void a_node_that_loses_its_network_with_a_lock_of_the_job_store_does_not_stop_the_cluster() throws Exception {
        try (Node a = new Node("a", EVERY_SECOND, Map.of());
                Node b = new Node("b", EVERY_SECOND, Map.of())) {
            awaitMembers(a, b);

            a.network.loseAnswerTo("QRTZ_LOCKS");
            await("it has the lock").atMost(PATIENCE).until(a.network::hasLostAnswer);
            a.network.forget();
            a.network.refuse();
            long start = System.nanoTime();
            long before = db.number("select coalesce(max(sweep_id), 0) from usage_archive_sweep");
            await("the other node runs what is due")
                    .atMost(PATIENCE)
                    .until(() -> db.number("select count(*) from usage_archive_sweep where node = 'b' and sweep_id > "
                                    + (before + 2))
                            > 0);
            log.info(
                    "A node is cut off with a lock of the job store: the other one runs jobs again after {} ms",
                    Duration.ofNanos(System.nanoTime() - start).toMillis());
        }
    }

    @Test
    void sigterm_ends_a_node_whose_network_is_stalled() throws Exception {
        load();
        try (Node node = new Node("a", NEVER, Map.of())) {
            awaitSweeping(node);

            node.network.stall();
            node.process.terminate();
            long start = System.nanoTime();

            assertThat(node.process.ends(Duration.ofSeconds(10)))
                    .as("ended in time; it wrote\n%s", node.process.log())
                    .isTrue();
            log.info(
                    "SIGTERM while the network is stalled: ended after {} ms",
                    Duration.ofNanos(System.nanoTime() - start).toMillis());
        }
        assertCountsAreExact();
    }

    private void load() {
        db.insertUsage("SELECT i, timestamp '2020-01-01' + i * interval '1 minute', timestamp '2020-01-01'"
                + " FROM generate_series(1, " + ROWS + ") i");
    }

    private Node awaitSweeping(Node... nodes) {
        await("a sweep has committed batches").atMost(PATIENCE).until(() -> batches() > 1);
        awaitMembers(nodes);
        String name = db.strings("select node from usage_archive_sweep where state = 'RUNNING'")
                .get(0);
        return List.of(nodes).stream()
                .filter(node -> node.name.equals(name))
                .findFirst()
                .orElseThrow();
    }

    private void awaitMembers(Node... nodes) {
        await("all nodes have checked in")
                .atMost(PATIENCE)
                .until(() -> db.number("select count(*) from qrtz_scheduler_state") == nodes.length);
    }

    private static void lastFor(Duration duration) {
        await().pollDelay(duration).atMost(duration.plus(PATIENCE)).until(() -> true);
    }

    /** From then on, the other node has no reason to think that this one is dead. */
    private void assertNoSecondSweepAfter(Node blip, Node... nodes) {
        long batches = batches();
        blip.awaitCheckIn();
        for (Node node : nodes) {
            node.awaitCheckIn();
        }
        await("the sweep goes on").atMost(PATIENCE).until(() -> batches() > batches);
        assertThat(db.strings("select node || ' ' || state from usage_archive_sweep"))
                .containsExactly(blip.name + " RUNNING");
    }

    private long batches() {
        return db.number("select coalesce(sum(batches), 0) from usage_archive_sweep");
    }

    private void assertCountsAreExact() {
        await("no transaction is open")
                .atMost(PATIENCE)
                .until(() -> db.number("select count(*) from pg_stat_activity"
                                + " where datname = current_database() and application_name = 'usage-archiver'"
                                + " and state <> 'idle'")
                        == 0);
        long archived = db.number("select count(*) from model_usage_details_archive");
        assertThat(db.number("select sum(rows_moved) from usage_archive_sweep")).isEqualTo(archived);
        assertThat(archived + db.number("select count(*) from model_usage_details"))
                .isEqualTo(ROWS);
    }

    private final class Node implements AutoCloseable {
        private final String name;
        private final TcpProxy network = new TcpProxy(db.url());
        private final NodeProcess process;

        Node(String name, String cron, Map<String, String> changes) {
            this.name = name;
            Properties properties = SampleConfig.of(network.url(), TestDatabase.ARCHIVER, TestDatabase.ARCHIVER);
            properties.setProperty("org.quartz.scheduler.instanceId", name);
            properties.setProperty(SampleConfig.archiver("batchSize"), "1");
            properties.setProperty(SampleConfig.archiver("cron"), cron);
            // Statements keep their text on their way, so that the proxy knows them.
            String url = "org.quartz.dataSource." + SampleConfig.QUARTZ_DATA_SOURCE + ".URL";
            properties.setProperty(url, properties.getProperty(url) + "&prepareThreshold=0");
            properties.putAll(changes);
            process = NodeProcess.start(properties, Map.of());
        }

        void awaitCheckIn() {
            String lastCheckIn = "select coalesce(max(last_checkin_time), 0) from qrtz_scheduler_state"
                    + " where instance_name = '" + name + "'";
            long before = db.number(lastCheckIn);
            await("node " + name + " checks in").atMost(PATIENCE).until(() -> db.number(lastCheckIn) > before);
        }

        @Override
        public void close() throws IOException {
            try (network) {
                process.close();
            }
        }
    }
}
