package io.usagearchiver.faults;

import static org.assertj.core.api.Assertions.assertThat;

import io.usagearchiver.faults.Bench.Tables;
import io.usagearchiver.faults.Cluster.Node;
import io.usagearchiver.testing.FaultServer;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Predicate;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Faults of all kinds at random, under writers, with sweeps that always have something to move.
 *
 * <p>{@code mvn test -Dtest=RandomFaultsTest -Dfault.seed=… -Dfault.count=…}: the seed decides which faults come in which
 * order and how long the pauses are; what they meet is up to the machine.
 */
class RandomFaultsTest {
    private static final Logger log = LoggerFactory.getLogger(RandomFaultsTest.class);
    private static final int COUNT = Integer.getInteger("fault.count", 28);

    private static final long SEED = Long.getLong("fault.seed", new Random().nextInt(1_000_000));
    private static final int ROUND = 8;
    private static final int BACKLOG = 2_000;
    private static final Map<String, String> SETTINGS =
            Map.of("batchSize", "5", "cron", "0/3 * * * * ?", "idleTransactionTimeout", "2s");

    @AutoClose
    private final FaultServer server = new FaultServer();

    private final Random random = new Random(SEED);
    private final Map<Fault, Integer> counts = new EnumMap<>(Fault.class);
    /** How many came in the middle of a hand-over. */
    private int midway;

    /** What is to be mended after how many more faults. */
    private final List<Mending> mendings = new ArrayList<>();

    @ParameterizedTest
    @EnumSource
    void nothing_is_lost_doubled_or_miscounted_under_random_faults(Tables tables) throws Exception {
        // Half of them on partitioned tables, and half of these while partitions are handed over.
        int count = tables == Tables.WHOLE ? COUNT / 2 : COUNT / 4;
        int workers = tables == Tables.WHOLE ? 1 : 3;
        log.info("{} faults from -Dfault.seed={} with {} workers, tables {}", count, SEED, workers, tables);
        long start = System.nanoTime();
        Map<String, String> settings = new HashMap<>(SETTINGS);
        settings.put("workers", String.valueOf(workers));
        try (Bench bench = new Bench(server, SEED, BACKLOG, 3, settings, tables)) {
            try {
                // Until one has come in the middle of a hand-over, if it is about these.
                for (int i = 1; i <= count || tables == Tables.HANDED_OVER && midway == 0 && i <= 3 * count; i++) {
                    next(bench, tables);
                    if (i % ROUND == 0 || i >= count) {
                        mend(mending -> true);
                        bench.assertDrainedWithoutViolation();
                        assertNoneFailed(bench);
                        bench.writers.start();
                    }
                }
                if (tables == Tables.HANDED_OVER) {
                    log.info("{}, {} faults in the middle of a hand-over", bench.old(), midway);
                    bench.old().assertBothWays();
                    assertThat(midway).as("faults in the middle of a hand-over").isPositive();
                }
            } catch (Throwable e) {
                bench.cluster.nodes().forEach(node -> log.error("Node {} wrote\n{}", node, node.log()));
                throw e;
            }
            log.info(
                    "{} faults from seed {} with {} workers, tables {}, in {} s: {}; {}; {}; no violation",
                    count,
                    SEED,
                    workers,
                    tables,
                    Duration.ofNanos(System.nanoTime() - start).toSeconds(),
                    counts,
                    bench.history,
                    bench.summary());
        }
    }

    private void next(Bench bench, Tables tables) throws SQLException {
        mendings.replaceAll(Mending::sooner);
        mend(Mending::isDue);
        if (tables == Tables.HANDED_OVER && random.nextInt(3) > 0) {
            bench.load(BACKLOG / 4);
            midway += bench.old().awaitHandOver() ? 1 : 0;
        } else {
            reload(bench);
            if (random.nextInt(3) > 0) {
                bench.cluster.awaitSweeping();
            }
            Pause.upTo(Duration.ofMillis(1500), random);
        }

        Fault fault = Fault.values()[random.nextInt(Fault.values().length)];
        Node victim = victim(bench.cluster);
        log.info("{} of {}", fault, victim);
        counts.merge(fault, 1, Integer::sum);
        switch (fault) {
            case KILL -> {
                victim.kill();
                later(victim::start);
            }
            case FREEZE -> {
                victim.freeze();
                later(victim::thaw);
            }
            case TERMINATE -> {
                log.info("Exit code {}", victim.terminate());
                later(victim::start);
            }
            case END_SESSIONS -> victim.terminateSessions();
            case CRASH_SERVER -> {
                server.stopImmediately();
                Pause.upTo(Duration.ofSeconds(3), random);
                server.startAgain();
            }
        }
        if (bench.cluster.nodes().stream().noneMatch(Node::isUp)) {
            mend(mending -> true);
        }
    }

    /** Mostly the node that sweeps, else one that is up. */
    private Node victim(Cluster cluster) {
        List<Node> up = cluster.nodes().stream().filter(Node::isUp).toList();
        Node any = up.get(random.nextInt(up.size()));
        return random.nextInt(4) > 0 ? cluster.sweeping().orElse(any) : any;
    }

    /** Sees to it that a sweep has something to do. */
    private void reload(Bench bench) throws SQLException {
        long expired = server.number("select count(*) from model_usage_details where coalesce(completed_at, created_at)"
                + " < now() at time zone 'UTC' - interval '13 months' and not " + OldPartitions.HELD);
        if (expired < BACKLOG / 2) {
            bench.load(BACKLOG);
        }
    }

    private void later(Runnable action) {
        mendings.add(new Mending(random.nextInt(4), action));
    }

    private void mend(Predicate<Mending> which) {
        List<Mending> now = mendings.stream().filter(which).toList();
        mendings.removeAll(now);
        now.forEach(mending -> mending.action.run());
    }

    private static void assertNoneFailed(Bench bench) throws InterruptedException {
        for (Node node : bench.cluster.nodes()) {
            assertThat(node.hasFailed()).as("%s has ended by itself", node).isFalse();
        }
    }

    /** What happens. */
    enum Fault {
        /** {@code kill -9} of a node, which is started again a little later. */
        KILL,
        /** SIGSTOP, and a little later SIGCONT, before or after the others take over. */
        FREEZE,
        /** SIGTERM, and a new start a little later. */
        TERMINATE,
        /** {@code pg_terminate_backend} of the archiver's sessions of a node. */
        END_SESSIONS,
        /** PostgreSQL stops without a checkpoint and starts on the same data. */
        CRASH_SERVER
    }

    private record Mending(int faults, Runnable action) {
        Mending sooner() {
            return new Mending(faults - 1, action);
        }

        boolean isDue() {
            return faults < 0;
        }
    }
}
