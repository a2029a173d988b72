package io.usagearchiver.quartz;

import io.usagearchiver.ConnectionSource;
import java.lang.reflect.Method;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.IdentityHashMap;
import org.jspecify.annotations.Nullable;
import org.quartz.utils.ConnectionProvider;
import org.quartz.utils.DBConnectionManager;
import org.quartz.utils.JNDIConnectionProvider;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A data source as a scheduler of this JVM found it. Quartz's {@code DBConnectionManager} knows data sources by name, for
 * all schedulers of the JVM, and the one that was registered last wins: whoever takes the name later leads nobody else's
 * sweeps into another database.
 *
 * <p>It counts who holds it, schedulers and sweeps. The last one to release it closes it, if Quartz made it from a
 * scheduler's properties. One of another class, such as Spring's or a host's own, is its owner's to close. Thread-safe.
 */
final class BoundDataSource implements ConnectionSource {
    private static final Logger log = LoggerFactory.getLogger("io.usagearchiver.quartz.ArchivePlugin");
    private static final IdentityHashMap<ConnectionProvider, BoundDataSource> HELD = new IdentityHashMap<>();

    private final String name;
    private final ConnectionProvider provider;
    private final String scheduler;
    private int holders;

    private BoundDataSource(String name, ConnectionProvider provider, String scheduler) {
        this.name = name;
        this.provider = provider;
        this.scheduler = scheduler;
    }

    /**
     * Holds what has a name now, for a scheduler. Returns null if there is nothing.
     *
     * @throws IllegalArgumentException if it is another scheduler's
     */
    static @Nullable BoundDataSource bind(String name, String scheduler) {
        ConnectionProvider registered = registered(name);
        if (registered == null) {
            return null;
        }
        synchronized (HELD) {
            BoundDataSource bound =
                    HELD.computeIfAbsent(registered, provider -> new BoundDataSource(name, provider, scheduler));
            if (bound.isMadeByQuartz() && !bound.scheduler.equals(scheduler)) {
                throw new IllegalArgumentException("data source " + name + " was made for scheduler " + bound.scheduler
                        + " of this JVM, and closes with it: scheduler " + scheduler + " must have one of its own, by"
                        + " properties org.quartz.dataSource." + name + ".*");
            }
            bound.hold();
            return bound;
        }
    }

    /** Keeps it open until {@link #release}. */
    void hold() {
        synchronized (HELD) {
            holders++;
        }
    }

    /** Closes it if nobody else holds it. */
    void release() {
        synchronized (HELD) {
            if (--holders > 0) {
                return;
            }
            HELD.remove(provider, this);
        }
        if (isMadeByQuartz()) {
            try {
                provider.shutdown();
            } catch (SQLException | RuntimeException e) {
                log.warn("Could not close data source {}", name, e);
            }
        }
    }

    @Override
    public Connection open() throws SQLException {
        return provider.getConnection();
    }

    private boolean isMadeByQuartz() {
        return provider.getClass().getPackageName().equals(ConnectionProvider.class.getPackageName())
                && !(provider instanceof JNDIConnectionProvider);
    }

    /** Quartz has a method for it, from 2.3 on, but not for others. */
    private static @Nullable ConnectionProvider registered(String name) {
        try {
            Method method = DBConnectionManager.class.getDeclaredMethod("getConnectionProvider", String.class);
            method.setAccessible(true);
            return (ConnectionProvider) method.invoke(DBConnectionManager.getInstance(), name);
        } catch (ReflectiveOperationException | RuntimeException e) {
            log.warn(
                    "This Quartz does not let data source {} be bound: its name must be the only one in this JVM",
                    name,
                    e);
            return null;
        }
    }
}
