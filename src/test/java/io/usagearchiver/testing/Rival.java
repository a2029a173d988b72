package io.usagearchiver.testing;

import static org.awaitility.Awaitility.await;

import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;

/** Another session of a database, in an open transaction, for a sweep to run into. */
public final class Rival implements AutoCloseable {
    /** The copy of a batch, for {@link #awaitWaiting}. */
    public static final String COPY = "insert into %model_usage_details_archive%";
    /** The proof of a batch, for {@link #awaitWaiting}. PostgreSQL shows the first kilobyte of a statement. */
    public static final String PROOF = "select % from only \"public\".\"model_usage_details_archive\" join %";

    private final TestDatabase db;
    private final Connection connection;

    /** Begins a transaction of the owner with a statement. */
    public Rival(TestDatabase db, String sql) {
        this.db = db;
        try {
            connection = db.connectAsOwner();
            connection.setAutoCommit(false);
            TestDatabase.execute(connection, sql);
        } catch (SQLException e) {
            throw new IllegalStateException(sql, e);
        }
    }

    public void execute(String sql) throws SQLException {
        TestDatabase.execute(connection, sql);
    }

    public void commit() throws SQLException {
        connection.commit();
    }

    /** Commits, and is done. */
    public void commitAndClose() {
        try {
            connection.commit();
            connection.close();
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Rolls back what is not committed. */
    @Override
    public void close() throws SQLException {
        connection.close();
    }

    /**
     * Waits until as many sessions of the archiver wait for a lock with a statement.
     *
     * @param statement a LIKE pattern
     * @return their process ids
     */
    public List<String> awaitWaiting(int sessions, String statement) {
        return awaitWaiting(TestDatabase.ARCHIVER, sessions, statement);
    }

    /** The same for the sessions of another role. */
    public List<String> awaitWaiting(String role, int sessions, String statement) {
        return await().pollInterval(Duration.ofMillis(10))
                .until(
                        () -> db.strings("SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
                                + " AND usename = '" + role + "' AND wait_event_type = 'Lock'"
                                + " AND query LIKE '" + statement + "'"),
                        waiting -> waiting.size() == sessions);
    }
}
