package io.usagearchiver.faults;

import static org.awaitility.Awaitility.await;

import java.time.Duration;
import java.util.Random;

/** Picks the instant of a fault. Nothing is waited for this way. */
final class Pause {
    private Pause() {}

    /** Lets a random time pass. */
    static void upTo(Duration limit, Random random) {
        Duration duration = Duration.ofMillis(random.nextInt((int) limit.toMillis()));
        await().pollDelay(duration).atMost(limit.plusSeconds(10)).until(() -> true);
    }
}
