package io.usagearchiver;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Asks one sweep to stop, from any thread, before or while it runs.
 *
 * <p>The sweep reads the signal between batches, so a running batch commits. A statement that still runs {@link #GRACE}
 * later is cancelled and its batch rolled back: a thread interrupt would not stop it. Where that does not help, since the
 * network is dead, the connection is cut another second later. The threads that do so live no longer than the sweep uses its
 * connection. Thread-safe; for one sweep only.
 */
public final class StopSignal {
    /** How long a running statement may go on after the request. */
    public static final Duration GRACE = Duration.ofSeconds(2);

    private final CountDownLatch request = new CountDownLatch(1);
    private final List<Runnable> actions = new ArrayList<>();
    private volatile long requestNanos;

    /** Asks the sweep to stop. Returns at once; asking again changes nothing. */
    public void request() {
        List<Runnable> now;
        synchronized (this) {
            if (requested()) {
                return;
            }
            requestNanos = System.nanoTime();
            request.countDown();
            now = List.copyOf(actions);
        }
        now.forEach(Runnable::run);
    }

    /** Whether the sweep was asked to stop. */
    public boolean requested() {
        return request.getCount() == 0;
    }

    /** Has {@code action} run by the thread that asks, as soon as it does; here and now if that has happened already. */
    public void onRequest(Runnable action) {
        synchronized (this) {
            actions.add(action);
            if (!requested()) {
                return;
            }
        }
        action.run();
    }

    /**
     * Waits for a request, but no longer than {@code limit}.
     *
     * @return whether there was one
     * @throws InterruptedException if the thread was interrupted while it waited, or before
     */
    public boolean await(Duration limit) throws InterruptedException {
        return request.await(limit.toNanos(), TimeUnit.NANOSECONDS);
    }

    /** How much is left of {@link #GRACE}, all of it before a request; never negative. */
    public Duration untilGraceEnds() {
        if (!requested()) {
            return GRACE;
        }
        Duration left = GRACE.minusNanos(System.nanoTime() - requestNanos);
        return left.isNegative() ? Duration.ZERO : left;
    }
}
