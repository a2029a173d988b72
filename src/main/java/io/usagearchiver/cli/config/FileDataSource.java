package io.usagearchiver.cli.config;

import io.usagearchiver.ConnectionSource;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Map;
import java.util.Properties;
import org.quartz.SchedulerException;
import org.quartz.impl.StdSchedulerFactory;
import org.quartz.utils.DBConnectionManager;

/** Connections of one data source of the configuration file, from the pool that a scheduler would make of it. */
public final class FileDataSource implements ConnectionSource, AutoCloseable {
    private static final String UNABLE_TO_CONNECT = "08001";

    private final String name;

    private FileDataSource(String name) {
        this.name = name;
    }

    /**
     * Makes the pool.
     *
     * @param settings the properties of the data source, without their prefix
     */
    static FileDataSource open(String name, Map<String, String> settings) throws SchedulerException {
        Properties only = new Properties();
        String prefix = StdSchedulerFactory.PROP_DATASOURCE_PREFIX + "." + name + ".";
        settings.forEach((key, value) -> only.setProperty(prefix + key, value));
        if (settings.getOrDefault("provider", "c3p0").strip().equals("c3p0")) {
            // Further attempts outlast the checkout, which then times out without the reason.
            only.setProperty(prefix + "acquireRetryAttempts", "1");
        }
        only.setProperty(StdSchedulerFactory.PROP_SCHED_INSTANCE_NAME, "usage-archiver command");
        only.setProperty(StdSchedulerFactory.PROP_THREAD_POOL_CLASS, "org.quartz.simpl.ZeroSizeThreadPool");
        // Only a factory of schedulers reads these properties; the pool outlives the scheduler.
        new StdSchedulerFactory(only).getScheduler().shutdown();
        return new FileDataSource(name);
    }

    /** A connection; the exception where there is none says why, which a pool keeps to its causes. */
    @Override
    public Connection open() throws SQLException {
        try {
            return DBConnectionManager.getInstance().getConnection(name);
        } catch (SQLException e) {
            throw new SQLException("data source " + name + ": " + RootCause.message(e), UNABLE_TO_CONNECT, e);
        }
    }

    @Override
    public void close() throws SQLException {
        DBConnectionManager.getInstance().shutdown(name);
    }
}
