package io.usagearchiver;

import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jooq.ExecuteContext;
import org.jooq.ExecuteListener;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

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

    private static final Duration CANCEL_INTERVAL = Duration.ofMillis(200);
    private static final Duration TIME_TO_CANCEL = Duration.ofSeconds(1);
    private static final Logger log = LoggerFactory.getLogger(StopSignal.class);

    private final CountDownLatch request = new CountDownLatch(1);
    private long requestNanos;
    private boolean finished;
    private @Nullable Statement running;
    private @Nullable Connection connection;

    /** Asks the sweep to stop. Returns at once; asking again changes nothing. */
    public synchronized void request() {
        if (!requested()) {
            requestNanos = System.nanoTime();
            request.countDown();
            watch();
        }
    }

    /** Whether the sweep was asked to stop. */
    public boolean requested() {
        return request.getCount() == 0;
    }

    /**
     * Waits for a request, but no longer than {@code limit}.
     *
     * @throws StoppedException if the thread was interrupted, which counts as one
     */
    void await(Duration limit) {
        try {
            boolean ignored = request.await(limit.toNanos(), TimeUnit.NANOSECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new StoppedException();
        }
    }

    /** Marks what the sweep executes from now on as not to be cancelled: it is closing its ledger row. */
    synchronized void finish() {
        finished = true;
        notifyAll();
    }

    /** Makes the sweep's connection known to this signal; null while it has none. */
    synchronized void uses(@Nullable Connection newConnection) {
        connection = newConnection;
        notifyAll();
        if (requested()) {
            watch();
        }
    }

    /** Makes the statements of a jOOQ configuration known to this signal. */
    ExecuteListener listener() {
        return new ExecuteListener() {
            private static final long serialVersionUID = 1;

            @Override
            public void executeStart(ExecuteContext context) {
                track(context.statement());
            }

            @Override
            public void end(ExecuteContext context) {
                track(null);
            }
        };
    }

    private synchronized void track(@Nullable Statement statement) {
        running = statement;
        if (statement != null && requested() && untilGraceEnds() <= 0 && !finished) {
            running = null;
            throw new StoppedException();
        }
    }

    private long untilGraceEnds() {
        return GRACE.toNanos() - (System.nanoTime() - requestNanos);
    }

    /**
     * Sees to the request on threads of its own, since the common pool's can all be blocked by what the host does with
     * them. They end with the use of the connection: a signal that no sweep uses has none.
     */
    private void watch() {
        Connection watched = connection;
        if (watched == null || finished) {
            return;
        }
        start(() -> {
            if (!isReleased(watched, untilGraceEnds())) {
                // A thread for each: a cancel can hang in a dead network, which is what the other one is for.
                start(() -> abort(watched));
                cancel(watched);
            }
        });
    }

    /** Waits until the sweep has given the connection back, or closes its ledger row. Returns false if it has not by then. */
    private synchronized boolean isReleased(Connection watched, long nanos) {
        long start = System.nanoTime();
        try {
            while (connection == watched && !finished) {
                long left = nanos - (System.nanoTime() - start);
                if (left <= 0) {
                    return false;
                }
                TimeUnit.NANOSECONDS.timedWait(this, left);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return true;
    }

    /** Cancels again and again, because a statement that has not reached the server yet ignores its first cancel. */
    private void cancel(Connection watched) {
        do {
            Statement statement;
            synchronized (this) {
                statement = connection == watched && !finished ? running : null;
            }
            if (statement != null) {
                try {
                    statement.cancel();
                } catch (SQLException e) {
                    log.debug("Could not cancel the running statement", e);
                }
            }
        } while (!isReleased(watched, CANCEL_INTERVAL.toNanos()));
    }

    /** Cuts the connection, since nothing gets through it: a COMMIT or a cancel can hang in a dead network, too. */
    private synchronized void abort(Connection watched) {
        if (isReleased(watched, TIME_TO_CANCEL.toNanos())) {
            return;
        }
        log.warn("Cutting the connection of a sweep that was asked to stop and does not");
        try {
            watched.abort(Runnable::run);
        } catch (SQLException e) {
            log.debug("Could not cut the connection", e);
        }
    }

    private static void start(Runnable action) {
        Thread thread = new Thread(action, "stops-a-sweep");
        thread.setDaemon(true);
        thread.start();
    }

    /** Thrown in place of a statement that would start when the time for it is over. */
    static final class StoppedException extends RuntimeException {
        private static final long serialVersionUID = 1;

        StoppedException() {
            super("asked to stop");
        }
    }
}
