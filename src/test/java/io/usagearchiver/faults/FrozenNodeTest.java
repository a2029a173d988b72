package io.usagearchiver.faults;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.usagearchiver.faults.Cluster.Node;
import io.usagearchiver.testing.FaultServer;
import io.usagearchiver.testing.SlowPath;
import io.usagearchiver.testing.TestDatabase;
import java.sql.Connection;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** SIGSTOP of the node that sweeps, for longer than the others wait for its signs of life, then SIGCONT. */
class FrozenNodeTest {
    private static final Logger log = LoggerFactory.getLogger(FrozenNodeTest.class);

    @AutoClose
    private static final FaultServer server = new FaultServer();

    @ParameterizedTest
    @CsvSource({"BETWEEN_BATCHES, 10, false", "ROWS_LOCKED, 2, true", "COUNTED, 10, true", "COUNTED, 10, false"})
    void a_frozen_node_is_superseded_holds_nobody_up_and_moves_nothing_when_it_thaws(
            Moment moment, int idleTransactionSeconds, boolean slow) throws Exception {
        Map<String, String> settings =
                Map.of("batchSize", "5", "cron", "0 0 0 1 1 ?", "idleTransactionTimeout", idleTransactionSeconds + "s");
        try (SlowPath path = new SlowPath(slow);
                Bench bench = new Bench(server, moment.ordinal(), 40_000, 2, settings)) {
            Node frozen = freeze(bench.cluster, moment);
            long since = System.nanoTime();
            String sweep = ofNode(frozen, "sweep_id");

            // An application that wants every row, also those that the frozen node has locked.
            try (Connection application = server.connect()) {
                TestDatabase.execute(application, "set lock_timeout = '" + (idleTransactionSeconds + 3) + "s'");
                TestDatabase.execute(application, "select id from model_usage_details order by id for update");
            }
            log.info("{}: all rows could be locked {} ms after the freeze", moment, millis(since));
            bench.cluster.awaitSweeping("node <> '" + frozen.name() + "'");
            log.info("{}: taken over {} ms after the freeze", moment, millis(since));

            // Not before: a COMMIT that was sent can still have come through after the freeze.
            String moved = ofNode(frozen, "batches || ' batches, ' || rows_moved || ' rows'");
            frozen.thaw();

            await("the thawed node says why it stopped")
                    .atMost(Duration.ofSeconds(30))
                    .until(() -> frozen.log()
                            .contains("Sweep " + sweep + " of public.model_usage_details ended SUPERSEDED"));
            assertThat(ofNode(frozen, "batches || ' batches, ' || rows_moved || ' rows'"))
                    .isEqualTo(moved);
            assertThat(ofNode(frozen, "state")).isEqualTo("SUPERSEDED");
            bench.assertNoViolation();
        }
    }

    /** Freezes the sweeping node again and again until that was at the right moment. */
    private static Node freeze(Cluster cluster, Moment moment) {
        cluster.awaitSweeping();
        cluster.awaitMembers();
        Node node = cluster.awaitSweeping();
        await("frozen " + moment)
                .atMost(Duration.ofSeconds(60))
                .pollDelay(Duration.ZERO)
                .pollInterval(Duration.ofMillis(1))
                .until(() -> {
                    node.freeze();
                    await("its statement ends").until(() -> !node.sessionState().equals("active"));
                    boolean right =
                            moment.has.test(node) && ofNode(node, "state").equals("RUNNING");
                    if (!right) {
                        node.thaw();
                    }
                    return right;
                });
        return node;
    }

    private static String ofNode(Node node, String columns) {
        List<String> rows = server.strings("select " + columns + " from usage_archive_sweep where node = '"
                + node.name() + "' order by sweep_id limit 1");
        return rows.get(0);
    }

    private static long millis(long since) {
        return Duration.ofNanos(System.nanoTime() - since).toMillis();
    }

    /** When a node is frozen. A batch of separate statements locks, copies, deletes and counts, in this order. */
    enum Moment {
        BETWEEN_BATCHES(node -> node.sessionState().equals("idle")),
        ROWS_LOCKED(node ->
                node.holds("RowShareLock", Usage.HOT) && !node.holds("RowExclusiveLock", "usage_archive_sweep")),
        COUNTED(node -> node.holds("RowExclusiveLock", "usage_archive_sweep"));

        private final Predicate<Node> has;

        Moment(Predicate<Node> has) {
            this.has = has;
        }
    }
}
