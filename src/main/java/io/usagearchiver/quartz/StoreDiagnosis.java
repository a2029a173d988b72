package io.usagearchiver.quartz;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.quartz.JobKey;
import org.quartz.Scheduler;
import org.quartz.SchedulerException;
import org.quartz.TriggerKey;
import org.quartz.impl.jdbcjobstore.JobStoreCMT;
import org.quartz.impl.jdbcjobstore.JobStoreSupport;
import org.quartz.impl.jdbcjobstore.PostgreSQLDelegate;
import org.quartz.impl.jdbcjobstore.StdJDBCDelegate;
import org.quartz.utils.DBConnectionManager;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a job store's tables tell that Quartz has no method for: a trigger's own state, who holds it, and the nodes' signs of
 * life. Only reads, and only where something is wrong already.
 */
final class StoreDiagnosis {
    private static final int TIMEOUT_SECONDS = 5;
    private static final Duration LATE_CHECKIN = Duration.ofMinutes(1);
    private static final Logger log = LoggerFactory.getLogger("io.usagearchiver.quartz.ArchivePlugin");

    private final JobStoreSupport store;
    private final String scheduler;

    private StoreDiagnosis(JobStoreSupport store, String scheduler) {
        this.store = store;
        this.scheduler = scheduler;
    }

    /** Null if the job store is not in a database, or this Quartz does not let it be found. */
    static @Nullable StoreDiagnosis of(Scheduler scheduler) {
        try {
            JobStoreSupport store = QuartzTables.store(scheduler);
            return store == null ? null : new StoreDiagnosis(store, scheduler.getSchedulerName());
        } catch (ReflectiveOperationException | RuntimeException | SchedulerException e) {
            log.debug("Could not find the job store", e);
            return null;
        }
    }

    boolean isClustered() {
        return store.isClustered();
    }

    /** What is wrong with the delegate, or null. Another one than PostgreSQL's cannot read what it has written there. */
    @Nullable
    String wrongDelegate() {
        String delegate = Objects.requireNonNullElse(store.getDriverDelegateClass(), StdJDBCDelegate.class.getName());
        String right = PostgreSQLDelegate.class.getName();
        try (Connection connection = connect()) {
            return delegate.equals(right)
                            || !connection
                                    .getMetaData()
                                    .getDatabaseProductName()
                                    .equals("PostgreSQL")
                    ? null
                    : "org.quartz.jobStore.driverDelegateClass is " + delegate + ", and has to be " + right
                            + " on PostgreSQL";
        } catch (SQLException e) {
            return null;
        }
    }

    /** That no node of the cluster is alive, or null if one is. */
    @Nullable
    String deadNodes(Instant now) throws SQLException {
        String sql = "SELECT instance_name, last_checkin_time, checkin_interval FROM " + store.getTablePrefix()
                + "SCHEDULER_STATE WHERE sched_name = ? ORDER BY last_checkin_time DESC";
        return read(sql, rows -> {
            if (!rows.next()) {
                return "scheduler " + scheduler + " has no node: none has signed in";
            }
            Instant sign = Instant.ofEpochMilli(rows.getLong("last_checkin_time"));
            return sign.plusMillis(rows.getLong("checkin_interval"))
                            .plus(LATE_CHECKIN)
                            .isBefore(now)
                    ? "scheduler " + scheduler + " has no live node: the last sign of one was that of "
                            + rows.getString("instance_name") + " at " + sign
                    : null;
        });
    }

    /** The state that the trigger's row has, or null without one. */
    @Nullable
    String state(TriggerKey key) throws SQLException {
        String sql = "SELECT trigger_state FROM " + store.getTablePrefix()
                + "TRIGGERS WHERE sched_name = ? AND trigger_name = ? AND trigger_group = ?";
        return read(sql, rows -> rows.next() ? rows.getString(1) : null, key.getName(), key.getGroup());
    }

    /** The node that has taken the trigger or runs its job, or null. */
    @Nullable
    String holder(TriggerKey key, @Nullable JobKey job) throws SQLException {
        String sql = "SELECT instance_name FROM " + store.getTablePrefix()
                + "FIRED_TRIGGERS WHERE sched_name = ? AND (trigger_name = ? AND trigger_group = ?"
                + " OR job_name = ? AND job_group = ?) ORDER BY fired_time DESC";
        return read(
                sql,
                rows -> rows.next() ? rows.getString(1) : null,
                key.getName(),
                key.getGroup(),
                job == null ? null : job.getName(),
                job == null ? null : job.getGroup());
    }

    private @Nullable String read(String sql, Reading reading, @Nullable String... parameters) throws SQLException {
        try (Connection connection = connect();
                PreparedStatement statement = connection.prepareStatement(sql)) {
            statement.setQueryTimeout(TIMEOUT_SECONDS);
            statement.setString(1, scheduler);
            for (int i = 0; i < parameters.length; i++) {
                statement.setString(i + 2, parameters[i]);
            }
            try (ResultSet rows = statement.executeQuery()) {
                return reading.of(rows);
            }
        }
    }

    /** Not the one of a transaction of the host's, which it would end. */
    private Connection connect() throws SQLException {
        String unmanaged = store instanceof JobStoreCMT managed ? managed.getNonManagedTXDataSource() : null;
        return DBConnectionManager.getInstance().getConnection(unmanaged == null ? store.getDataSource() : unmanaged);
    }

    private interface Reading {
        @Nullable
        String of(ResultSet rows) throws SQLException;
    }
}
