package io.usagearchiver.bench;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import org.jspecify.annotations.Nullable;

/** Looks, every 20 ms, how long an application's session has been waiting for a lock. */
final class LockWaits extends Thread implements AutoCloseable {
    private static final long PERIOD_MILLIS = 20;

    private final Database database;
    private volatile boolean ended;
    private volatile double longestMillis;
    private volatile @Nullable SQLException fault;

    LockWaits(Database database) {
        super("lock waits");
        this.database = database;
    }

    @Override
    public void run() {
        try (Connection connection = database.connectAsOwner();
                PreparedStatement query = connection.prepareStatement("""
                        SELECT coalesce(max(extract(epoch FROM clock_timestamp() - waitstart)) * 1000, 0)
                        FROM pg_locks JOIN pg_stat_activity USING (pid)
                        WHERE NOT granted AND datname = current_database() AND usename <> ?""")) {
            query.setString(1, database.role());
            while (!ended) {
                try (ResultSet row = query.executeQuery()) {
                    row.next();
                    longestMillis = Math.max(longestMillis, row.getDouble(1));
                }
                Thread.sleep(PERIOD_MILLIS);
            }
        } catch (SQLException e) {
            fault = e;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    double longestMillis() {
        return longestMillis;
    }

    @Override
    public void close() throws InterruptedException {
        ended = true;
        join();
        if (fault != null) {
            throw new IllegalStateException(fault);
        }
    }
}
