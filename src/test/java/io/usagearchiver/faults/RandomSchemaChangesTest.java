package io.usagearchiver.faults;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import io.usagearchiver.testing.FaultServer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The schema changes in the middle of sweeps and restores, beside an application that writes, and of hand-overs: triggers, rules,
 * columns, keys, row security and what else there is, on the pair and on the archiver's own tables. How a sweep ends then does
 * not matter here; the content of the tables does.
 *
 * <p>{@code mvn test -Dtest=RandomSchemaChangesTest -Dschema.seed=… -Dschema.count=…}: the seed decides which changes come
 * in which order, which way the rows go, and at which batch. No kind comes again before all have come; {@code
 * -Dschema.only=…} takes those whose name contains a text.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class RandomSchemaChangesTest {
    private static final Logger log = LoggerFactory.getLogger(RandomSchemaChangesTest.class);
    private static final int COUNT = Integer.getInteger("schema.count", 30);
    private static final long SEED = Long.getLong("schema.seed", new Random().nextInt(1_000_000));
    private static final String ONLY = System.getProperty("schema.only", "");

    @AutoClose
    private final FaultServer server = new FaultServer();

    @Test
    void no_row_is_lost_doubled_altered_or_early_whatever_the_schema_becomes_in_the_middle_of_a_sweep()
            throws Exception {
        log.info("{} changes from -Dschema.seed={}", COUNT, SEED);
        long start = System.nanoTime();
        List<String> violations = new ArrayList<>();
        Map<String, Integer> outcomes = new TreeMap<>();
        Map<SchemaRound.Moment, Integer> moments = new TreeMap<>();
        Random random = new Random(SEED);
        Deck deck = new Deck(SchemaChanges.all(), random);
        int met = 0;
        History history = new History();
        Writers writers = SchemaRound.prepare(server, history, SEED);
        try {
            for (int i = 1; i <= COUNT; i++) {
                SchemaRound round = new SchemaRound(server, history, writers, deck.next(), random);
                List<String> wrong = round.run();
                log.info("Change {}: {}", i, round);
                round.outcomes().forEach(outcome -> outcomes.merge(outcome, 1, Integer::sum));
                if (round.metASweep()) {
                    met++;
                    moments.merge(round.moment(), 1, Integer::sum);
                }
                if (!wrong.isEmpty()) {
                    log.error("Change {}: {} violations, such as {}", i, wrong.size(), wrong.get(0));
                    violations.add("change " + i + ": " + round + "\n    " + wrong.size() + " violations, such as "
                            + String.join("\n    ", wrong.subList(0, Math.min(wrong.size(), 3))));
                    writers.close();
                    history = new History();
                    writers = SchemaRound.prepare(server, history, SEED);
                }
            }
        } finally {
            writers.close();
        }
        log.info(
                "{} changes from seed {} in {} s: {} in a sweep {}; sweeps ended {}; {} with violations",
                COUNT,
                SEED,
                Duration.ofNanos(System.nanoTime() - start).toSeconds(),
                met,
                moments,
                outcomes,
                violations.size());
        assertThat(violations).as("-Dschema.seed=%s", SEED).isEmpty();
        assertThat(met).as("changes that came in the middle of a sweep").isGreaterThanOrEqualTo(COUNT / 3);
    }

    @Test
    void no_row_is_lost_doubled_or_altered_whatever_the_schema_becomes_in_the_middle_of_a_hand_over() throws Exception {
        int count = (COUNT + 2) / 3;
        log.info("{} changes from -Dschema.seed={}", count, SEED);
        long start = System.nanoTime();
        List<String> violations = new ArrayList<>();
        Map<String, Integer> outcomes = new TreeMap<>();
        Random random = new Random(SEED);
        Deck deck = new Deck(HandOverChanges.all(), random);
        int met = 0;
        long handedOver = 0;
        HandOverRound.prepare(server);
        for (int i = 1; i <= count; i++) {
            HandOverRound round = new HandOverRound(server, deck.next(), random);
            List<String> wrong = round.run();
            log.info("Change {}: {}", i, round);
            round.outcomes().forEach(outcome -> outcomes.merge(outcome, 1, Integer::sum));
            met += round.metASweep() ? 1 : 0;
            handedOver += wrong.isEmpty() ? round.handedOver() : 0;
            if (!wrong.isEmpty()) {
                violations.add("change " + i + ": " + round + "\n    " + String.join("\n    ", wrong));
                HandOverRound.prepare(server);
            }
        }
        log.info(
                "{} changes from seed {} in {} s: {} in a hand-over; sweeps ended {}; {} partitions handed over; {} with violations",
                count,
                SEED,
                Duration.ofNanos(System.nanoTime() - start).toSeconds(),
                met,
                outcomes,
                handedOver,
                violations.size());
        assertThat(violations).as("-Dschema.seed=%s", SEED).isEmpty();
        assertThat(met).as("changes that came in the middle of a hand-over").isGreaterThanOrEqualTo(count / 3);
        assertThat(handedOver).as("partitions that were handed over").isGreaterThanOrEqualTo(count / 3);
    }

    /** Changes in a random order, all of which come before one comes again. */
    private static final class Deck {
        private final List<SchemaChange> all;
        private final List<SchemaChange> left = new ArrayList<>();
        private final Random random;

        private Deck(List<SchemaChange> changes, Random random) {
            this.random = random;
            all = changes.stream()
                    .filter(change -> change.name().contains(ONLY))
                    .toList();
            assertThat(Stream.of(SchemaChanges.all(), HandOverChanges.all()).flatMap(List::stream))
                    .as("changes whose name contains '%s'", ONLY)
                    .anyMatch(change -> change.name().contains(ONLY));
            // One that was asked for by -Dschema.only may be a change of the other test alone. Without that, all are
            // taken.
            assumeThat(all).isNotEmpty();
        }

        private SchemaChange next() {
            if (left.isEmpty()) {
                left.addAll(all);
                Collections.shuffle(left, random);
            }
            return left.remove(left.size() - 1);
        }
    }
}
