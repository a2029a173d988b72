package io.usagearchiver.faults;

import io.usagearchiver.faults.Cluster.Node;
import io.usagearchiver.testing.FaultServer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** {@code kill -9} of the node that sweeps. */
class KilledNodeTest {
    private static final Logger log = LoggerFactory.getLogger(KilledNodeTest.class);
    private static final int KILLS = 5;

    @AutoClose
    private final FaultServer server = new FaultServer();

    @Test
    void another_node_takes_over_when_the_sweeping_one_is_killed() throws Exception {
        long seed = new Random().nextLong();
        log.info("Seed {}", seed);
        Random random = new Random(seed);
        List<Long> millis = new ArrayList<>();
        try (Bench bench = new Bench(server, seed, 30_000, 3, Map.of("batchSize", "3", "cron", "0 0 0 1 1 ?"))) {
            for (int i = 0; i < KILLS; i++) {
                Node victim = bench.cluster.awaitSweeping();
                bench.cluster.awaitMembers();
                Pause.upTo(Duration.ofMillis(500), random);

                victim.kill();
                long killed = System.nanoTime();
                bench.cluster.awaitSweeping("node <> '" + victim.name() + "'");

                millis.add(Duration.ofNanos(System.nanoTime() - killed).toMillis());
                victim.start();
            }
            bench.assertNoViolation();
        }
        Collections.sort(millis);
        log.info(
                "Takeover after kill -9, to the first batch, {} kills: min {} ms, median {} ms, max {} ms",
                KILLS,
                millis.get(0),
                millis.get(KILLS / 2),
                millis.get(KILLS - 1));
    }
}
