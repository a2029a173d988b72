package io.usagearchiver.internal.jdbc;

import dev.failsafe.Failsafe;
import dev.failsafe.FailsafeException;
import dev.failsafe.FailsafeExecutor;
import dev.failsafe.RetryPolicy;
import io.usagearchiver.StopSignal;
import io.usagearchiver.internal.postgres.SqlState;
import java.time.Duration;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Repeats a transaction that a transient fault has ended, after {@link #FIRST_DELAY}, then after longer and longer pauses
 * up to {@link #LAST_DELAY}, each a quarter longer or shorter at random. It gives up when the time since the first fault
 * without a commit in between exceeds the limit, so that a fault which comes back each time cannot go on for ever.
 */
final class Retry {
    static final Duration FIRST_DELAY = Duration.ofMillis(100);
    /** Short enough for a sweep that is asked to stop during a pause. */
    static final Duration LAST_DELAY = Duration.ofSeconds(2);

    private static final Logger log = LoggerFactory.getLogger("io.usagearchiver.Retry");

    private final Duration limit;
    private final StopSignal stop;
    private final FailsafeExecutor<Object> executor;
    private @Nullable Long firstFaultNanos;

    Retry(Duration limit, StopSignal stop) {
        this.limit = limit;
        this.stop = stop;
        this.executor = Failsafe.with(RetryPolicy.builder()
                .handleIf(this::isWorthwhile)
                .withBackoff(FIRST_DELAY, LAST_DELAY)
                .withJitter(0.25)
                .withMaxRetries(-1)
                .build());
    }

    /**
     * Runs a transaction until it succeeds or fails for good.
     *
     * @throws StoppedException instead of another attempt, if the sweep was asked to stop
     */
    <T extends @Nullable Object> T run(Supplier<T> transaction) {
        boolean[] again = {false};
        try {
            return executor.get(() -> {
                if (again[0] && stop.requested()) {
                    throw new StoppedException();
                }
                again[0] = true;
                return transaction.get();
            });
        } catch (FailsafeException e) {
            if (e.getCause() instanceof InterruptedException) {
                Thread.currentThread().interrupt();
                throw new StoppedException();
            }
            throw e;
        }
    }

    /** A batch was committed: from here on the limit counts anew. */
    void progress() {
        firstFaultNanos = null;
    }

    private boolean isWorthwhile(Throwable fault) {
        if (!(fault instanceof ConnectionLostException || SqlState.isTransient(fault))) {
            return false;
        }
        long now = System.nanoTime();
        if (firstFaultNanos == null) {
            firstFaultNanos = now;
            log.warn("Trying again for up to {} s: {}", limit.toMillis() / 1000.0, SqlState.message(fault));
            log.debug("The fault", fault);
        }
        return now - firstFaultNanos < limit.toNanos();
    }
}
