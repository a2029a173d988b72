package io.usagearchiver.internal.move;

import io.usagearchiver.ArchiveException;
import io.usagearchiver.internal.jdbc.Session;
import io.usagearchiver.internal.jdbc.StoppedException;
import io.usagearchiver.internal.jdbc.TransactionLimits;
import io.usagearchiver.internal.jdbc.Wording;
import io.usagearchiver.internal.ledger.BatchResult;
import io.usagearchiver.internal.postgres.SqlState;
import io.usagearchiver.internal.rows.Slice;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Threads with a connection each that move slices by one statement, several at a time, for a sweep. They know nothing else:
 * what cannot be moved so goes back to the sweep's own thread, which reads the pages, says when the next slice may begin, and
 * keeps all that there is to know. Their batches count in the one ledger row, so none of them commits for a sweep that was
 * superseded, or under other holds.
 *
 * <p>A worker whose answer was lost does not ask what became of its batch: the ledger row has it or not, and whoever looks at
 * the slice next finds what is left of it.
 */
final class Workers implements AutoCloseable {
    /** So many slices in a row that a worker's connection was lost with, and it goes. */
    private static final int MOST_LOST = 3;

    private static final Duration PATIENCE = Duration.ofSeconds(1);
    private static final Logger log = LoggerFactory.getLogger("io.usagearchiver.Sweep");

    private final RunSession run;
    private final List<Thread> threads = new ArrayList<>();
    private final BlockingQueue<Task> tasks = new LinkedBlockingQueue<>();
    private final BlockingQueue<Outcome> outcomes = new LinkedBlockingQueue<>();
    /** Guarded by this. */
    private int ready;

    private boolean closed;
    private int underWay;

    /** The workers of a run: none if its settings say one, since that is its own thread. They open their connections first. */
    Workers(RunSession run) {
        this.run = run;
        int count = run.settings().workers();
        for (int number = 1; count > 1 && number <= count; number++) {
            Thread thread =
                    new Thread(this::work, "usage-archiver-" + run.ledger().sweepId() + "-worker-" + number);
            thread.setDaemon(true);
            threads.add(thread);
            thread.start();
        }
    }

    /** Whether there is any, free or not. */
    synchronized boolean areThere() {
        return ready > 0;
    }

    /** Hands a slice to the next one. */
    synchronized void hand(Task task) {
        underWay++;
        if (ready == 0) {
            outcomes.add(Outcome.givenBack(task.slice()));
        } else {
            tasks.add(task);
        }
    }

    /** What became of a slice; waits for one if none is free or {@code all} are waited for. Null if there is none to wait for. */
    @Nullable
    Outcome outcome(boolean all) {
        Outcome outcome = outcomes.poll();
        boolean interrupted = false;
        while (outcome == null && isToBeWaitedFor(all)) {
            try {
                outcome = outcomes.take();
            } catch (InterruptedException e) {
                // What is under way ends by itself, or is cancelled where that is asked for.
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        if (outcome != null) {
            synchronized (this) {
                underWay--;
            }
        }
        return outcome;
    }

    private synchronized boolean isToBeWaitedFor(boolean all) {
        return underWay > 0 && (all || underWay >= ready);
    }

    private void work() {
        Session session;
        try {
            session = run.session().another();
        } catch (RuntimeException | Error e) {
            tellOfNone(e);
            return;
        }
        try (session) {
            if (begins()) {
                work(session);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            leave();
        }
    }

    private void work(Session session) throws InterruptedException {
        int lost = 0;
        while (lost < MOST_LOST) {
            Task task = tasks.take();
            long startNanos = System.nanoTime();
            BatchResult result = null;
            Throwable fault = null;
            boolean unheard = false;
            try {
                result = move(session, task);
                lost = 0;
            } catch (StoppedException e) {
                log.debug("{}: a worker was stopped", run.ledger());
            } catch (RuntimeException | Error e) {
                if (session.isToStop()) {
                    log.debug("{}: a worker was stopped: {}", run.ledger(), SqlState.told(e));
                } else if (SqlState.isTransient(e)) {
                    lost++;
                    unheard = true;
                    log.warn("{}: a worker gives a slice back: {}", run.ledger(), SqlState.told(e));
                } else {
                    fault = e;
                }
            }
            Duration time = Duration.ofNanos(System.nanoTime() - startNanos);
            outcomes.add(new Outcome(task.slice(), result, time, unheard, fault));
        }
        log.warn("{}: a worker ends, since {} slices in a row came to nothing", run.ledger(), lost);
    }

    /** One statement; once more where it may have waited for another worker at the ledger row. */
    private @Nullable BatchResult move(Session session, Task task) {
        for (boolean again = false; ; again = true) {
            try {
                return session.transaction(task.limits(), task.statement(), task.batch()::judge);
            } catch (RuntimeException e) {
                if (session.isToStop() || !FastBatch.isToBeGivenBack(e)) {
                    throw e;
                }
                if (again || !SqlState.isOfLocks(e)) {
                    log.debug("{}: a slice goes the slow way: {}", run.ledger(), SqlState.told(e));
                    return null;
                }
            }
        }
    }

    private synchronized boolean begins() {
        if (!closed) {
            ready++;
        }
        return !closed;
    }

    private synchronized void leave() {
        if (ready > 0) {
            ready--;
        }
        if (ready == 0) {
            tasks.forEach(task -> outcomes.add(Outcome.givenBack(task.slice())));
            tasks.clear();
        }
    }

    private synchronized void tellOfNone(Throwable fault) {
        if (!closed) {
            log.warn(
                    "{} goes on with fewer workers: one of {} gets no connection (they and the sweep itself need {} of the data"
                            + " source): {}",
                    run.ledger(),
                    run.settings().workers(),
                    run.settings().workers() + 1,
                    fault instanceof ArchiveException ? fault.getMessage() : SqlState.told(fault));
        }
    }

    /** Ends them: none has anything to do by now, but some may still wait for their connections. */
    @Override
    public void close() {
        synchronized (this) {
            closed = true;
        }
        threads.forEach(Thread::interrupt);
        long end = System.nanoTime() + PATIENCE.toNanos();
        boolean interrupted = Thread.interrupted();
        try {
            for (Thread thread : threads) {
                thread.join(
                        Math.max(1, Duration.ofNanos(end - System.nanoTime()).toMillis()));
            }
        } catch (InterruptedException e) {
            interrupted = true;
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** What a worker is to do. */
    record Task(Slice slice, FastBatch batch, Wording statement, TransactionLimits limits) {}

    /**
     * What became of a slice.
     *
     * @param result null if it is given back
     * @param unheard whether it may have been committed all the same, or may be still under way on the server
     * @param fault what ends the run or its pass; null for nothing
     */
    record Outcome(
            Slice slice,
            @Nullable BatchResult result,
            Duration time,
            boolean unheard,
            @Nullable Throwable fault) {
        private static Outcome givenBack(Slice slice) {
            return new Outcome(slice, null, Duration.ZERO, false, null);
        }
    }
}
