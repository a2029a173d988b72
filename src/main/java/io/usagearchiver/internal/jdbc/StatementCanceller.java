package io.usagearchiver.internal.jdbc;

import io.usagearchiver.StopSignal;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.jooq.ExecuteContext;
import org.jooq.ExecuteListener;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Sees to it that a session stops when it is asked to: a statement that still runs when the grace of the {@link StopSignal}
 * is over is cancelled, again and again, and the connection is cut where that does not help. The threads that do so live no
 * longer than the session has its connection. Thread-safe.
 */
final class StatementCanceller {
    private static final Duration CANCEL_INTERVAL = Duration.ofMillis(200);
    private static final Duration TIME_TO_CANCEL = Duration.ofSeconds(1);
    private static final Logger log = LoggerFactory.getLogger("io.usagearchiver.StopSignal");

    private final StopSignal stop;
    private boolean finished;
    private @Nullable Statement running;
    private @Nullable Connection connection;
    private @Nullable Connection watched;

    StatementCanceller(StopSignal stop) {
        this.stop = stop;
        stop.onRequest(this::watch);
    }

    /** Marks what the session executes from now on as not to be cancelled: a sweep is closing its ledger row. */
    synchronized void finish() {
        finished = true;
        notifyAll();
    }

    /** Makes the session's connection known; null while it has none. */
    synchronized void uses(@Nullable Connection newConnection) {
        connection = newConnection;
        watched = null;
        notifyAll();
        if (stop.requested()) {
            watch();
        }
    }

    /** Makes the statements of a jOOQ configuration known. */
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
        if (statement != null && stop.requested() && stop.untilGraceEnds().isZero() && !finished) {
            running = null;
            throw new StoppedException();
        }
    }

    /**
     * Sees to the request on threads of its own, since the common pool's can all be blocked by what the host does with
     * them. They end with the use of the connection: a signal that no sweep uses has none.
     */
    private synchronized void watch() {
        Connection current = connection;
        if (current == null || current == watched || finished) {
            return;
        }
        watched = current;
        start(() -> {
            if (!isReleased(current, stop.untilGraceEnds())) {
                // A thread for each: a cancel can hang in a dead network, which is what the other one is for.
                start(() -> abort(current));
                cancel(current);
            }
        });
    }

    /** Waits until the session has given the connection back, or is finished. Returns false if it has not by then. */
    private synchronized boolean isReleased(Connection used, Duration limit) {
        long start = System.nanoTime();
        try {
            while (connection == used && !finished) {
                long left = limit.toNanos() - (System.nanoTime() - start);
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
    private void cancel(Connection used) {
        do {
            Statement statement;
            synchronized (this) {
                statement = connection == used && !finished ? running : null;
            }
            if (statement != null) {
                try {
                    statement.cancel();
                } catch (SQLException e) {
                    log.debug("Could not cancel the running statement", e);
                }
            }
        } while (!isReleased(used, CANCEL_INTERVAL));
    }

    /** Cuts the connection, since nothing gets through it: a COMMIT or a cancel can hang in a dead network, too. */
    private synchronized void abort(Connection used) {
        if (isReleased(used, TIME_TO_CANCEL)) {
            return;
        }
        log.warn("Cutting the connection of a sweep that was asked to stop and does not");
        try {
            used.abort(Runnable::run);
        } catch (SQLException e) {
            log.debug("Could not cut the connection", e);
        }
    }

    private static void start(Runnable action) {
        Thread thread = new Thread(action, "stops-a-sweep");
        thread.setDaemon(true);
        thread.start();
    }
}
