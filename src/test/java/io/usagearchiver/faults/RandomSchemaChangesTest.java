package io.usagearchiver.faults;

import static org.assertj.core.api.Assertions.assertThat;

import io.usagearchiver.testing.FaultServer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The schema changes in the middle of sweeps and restores, beside an application that writes: triggers, rules, columns,
 * keys, row security and what else there is, on the pair and on the archiver's own tables. How a sweep ends then does not
 * matter here; the content of the tables does.
 *
 * <p>{@code mvn test -Dtest=RandomSchemaChangesTest -Dschema.seed=… -Dschema.count=…}: the seed decides which changes come
 * in which order, which way the rows go, and at which batch. No kind comes again before all have come; {@code
 * -Dschema.only=…} takes those whose name contains a text.
 */
class RandomSchemaChangesTest {
    private static final Logger log = LoggerFactory.getLogger(RandomSchemaChangesTest.class);
    private static final int COUNT = Integer.getInteger("schema.count", 30);
    private static final long SEED = Long.getLong("schema.seed", new Random().nextInt(1_000_000));
    private static final String ONLY = System.getProperty("schema.only", "");

    @AutoClose
    private final FaultServer server = new FaultServer();

    private final Random random = new Random(SEED);
    private final List<SchemaChange> deck = new ArrayList<>();
    private final Map<String, Integer> outcomes = new TreeMap<>();
    private final Map<SchemaRound.Moment, Integer> moments = new TreeMap<>();

    @Test
    void no_row_is_lost_doubled_altered_or_early_whatever_the_schema_becomes_in_the_middle_of_a_sweep()
            throws Exception {
        log.info("{} changes from -Dschema.seed={}", COUNT, SEED);
        long start = System.nanoTime();
        List<String> violations = new ArrayList<>();
        int met = 0;
        History history = new History();
        Writers writers = SchemaRound.prepare(server, history, SEED);
        try {
            for (int i = 1; i <= COUNT; i++) {
                SchemaRound round = new SchemaRound(server, history, writers, nextChange(), random);
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

    private SchemaChange nextChange() {
        if (deck.isEmpty()) {
            SchemaChanges.all().stream()
                    .filter(change -> change.name().contains(ONLY))
                    .forEach(deck::add);
            Collections.shuffle(deck, random);
        }
        return deck.remove(deck.size() - 1);
    }
}
