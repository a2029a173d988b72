package io.usagearchiver.quartz;

import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import org.quartz.JobPersistenceException;
import org.quartz.Scheduler;
import org.quartz.SchedulerException;
import org.quartz.core.QuartzScheduler;
import org.quartz.core.QuartzSchedulerResources;
import org.quartz.impl.StdScheduler;
import org.quartz.impl.jdbcjobstore.DriverDelegate;
import org.quartz.impl.jdbcjobstore.JobStoreSupport;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The tables of a scheduler's JDBC job store, as the store itself reads and writes them: by its own connections, lock,
 * delegate and transactions, whatever the host has set for them. Quartz has the methods from 2.3 on, but not for others.
 */
final class QuartzTables {
    private static final String LOCK = "TRIGGER_ACCESS";
    private static final Logger log = LoggerFactory.getLogger("io.usagearchiver.quartz.ArchivePlugin");

    private final JobStoreSupport store;
    private final Method transaction;
    private final Method delegate;

    private QuartzTables(JobStoreSupport store) throws NoSuchMethodException {
        this.store = store;
        this.transaction = Arrays.stream(JobStoreSupport.class.getDeclaredMethods())
                .filter(method ->
                        method.getName().equals("executeInNonManagedTXLock") && method.getParameterCount() == 3)
                .findFirst()
                .orElseThrow(() -> new NoSuchMethodException("JobStoreSupport.executeInNonManagedTXLock"));
        this.delegate = JobStoreSupport.class.getDeclaredMethod("getDelegate");
        transaction.setAccessible(true);
        delegate.setAccessible(true);
    }

    /** The tables of a scheduler, or null if it has none: its job store is of another kind. */
    static @Nullable QuartzTables of(Scheduler scheduler) {
        try {
            JobStoreSupport store = store(scheduler);
            return store == null ? null : new QuartzTables(store);
        } catch (ReflectiveOperationException | RuntimeException e) {
            log.warn(
                    "This Quartz does not let its job store be looked into: triggers that stay ACQUIRED or BLOCKED are freed"
                            + " only by the start of a node",
                    e);
            return null;
        }
    }

    /** The job store of a scheduler, or null if it is not in a database. */
    static @Nullable JobStoreSupport store(Scheduler scheduler) throws ReflectiveOperationException {
        if (!(scheduler instanceof StdScheduler)) {
            return null;
        }
        Object quartz = value(StdScheduler.class, "sched", scheduler);
        QuartzSchedulerResources resources =
                (QuartzSchedulerResources) value(QuartzScheduler.class, "resources", quartz);
        return resources.getJobStore() instanceof JobStoreSupport store ? store : null;
    }

    private static Object value(Class<?> type, String name, Object owner) throws ReflectiveOperationException {
        Field field = type.getDeclaredField(name);
        field.setAccessible(true);
        return field.get(owner);
    }

    JobStoreSupport store() {
        return store;
    }

    /** Runs work in a transaction, without a lock. */
    <T> T read(Work<T> work) throws SchedulerException {
        return transaction(null, work);
    }

    /** Runs work in a transaction, under the lock under which Quartz itself fires triggers, and completes and recovers them. */
    <T> T change(Work<T> work) throws SchedulerException {
        return transaction(LOCK, work);
    }

    @SuppressWarnings("unchecked")
    private <T> T transaction(@Nullable String lock, Work<T> work) throws SchedulerException {
        DriverDelegate tables = (DriverDelegate) invoke(delegate);
        Class<?> callback = transaction.getParameterTypes()[1];
        Object run =
                Proxy.newProxyInstance(callback.getClassLoader(), new Class<?>[] {callback}, (proxy, method, args) -> {
                    try {
                        return work.run(new Rows(store, (Connection) args[0], tables));
                    } catch (SchedulerException | RuntimeException e) {
                        throw e;
                    } catch (Exception e) {
                        throw new JobPersistenceException(e.getMessage(), e);
                    }
                });
        return (T) invoke(transaction, lock, run, null);
    }

    private Object invoke(Method method, @Nullable Object... arguments) throws SchedulerException {
        try {
            return method.invoke(store, arguments);
        } catch (InvocationTargetException e) {
            if (e.getCause() instanceof SchedulerException fault) {
                throw fault;
            }
            throw new JobPersistenceException(method.getName() + " failed: " + e.getCause(), e);
        } catch (IllegalAccessException e) {
            throw new JobPersistenceException(method.getName() + " failed: " + e, e);
        }
    }

    /** What is done in a transaction. */
    interface Work<T> {
        T run(Rows rows) throws Exception;
    }

    /** The rows as a transaction sees them. */
    record Rows(JobStoreSupport store, Connection connection, DriverDelegate delegate) {}
}
