package io.usagearchiver.bench;

import java.sql.SQLException;
import java.time.Duration;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/** Ends the sessions of a run that takes too long. */
final class TimeLimit implements AutoCloseable {
    private final ScheduledExecutorService executor = Executors.newSingleThreadScheduledExecutor();

    private TimeLimit() {}

    static TimeLimit of(Duration limit, Database database) {
        TimeLimit timeLimit = new TimeLimit();
        // Again and again, since a contestant may connect anew.
        timeLimit.executor.scheduleWithFixedDelay(
                () -> endSessions(database), limit.toMillis(), 1000, TimeUnit.MILLISECONDS);
        return timeLimit;
    }

    private static void endSessions(Database database) {
        try {
            database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    + " WHERE datname = current_database() AND usename = '" + database.role() + "'");
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    public void close() {
        executor.shutdownNow();
    }
}
