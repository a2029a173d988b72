package io.usagearchiver.quartz;

import io.usagearchiver.Archiver;
import io.usagearchiver.SchemaDriftException;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.quartz.Scheduler;
import org.quartz.SchedulerConfigException;
import org.quartz.SchedulerException;
import org.quartz.spi.ClassLoadHelper;
import org.quartz.spi.SchedulerPlugin;
import org.quartz.utils.DBConnectionManager;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Registers an archiver in a Quartz cluster by properties alone:
 *
 * <pre>
 * org.quartz.plugin.usageArchiver.class = io.usagearchiver.quartz.ArchivePlugin
 * org.quartz.plugin.usageArchiver.dataSource = archive
 * </pre>
 *
 * <p>Each setter is one property. The job and its triggers take their keys from the plugin's name ({@code usageArchiver}
 * above), so that several archivers live side by side in one scheduler.
 *
 * <p>All values are checked when the scheduler is made: a bad one is an exception of {@code
 * SchedulerFactory.getScheduler()}. Starting never throws, since that would start the scheduler without its plugins: when
 * the database does not answer, this is logged and tried again in the background until it does. Tables between which
 * rows could be lost are an ERROR in the log; every sweep checks them again, so that a repair needs no restart.
 */
public final class ArchivePlugin implements SchedulerPlugin {
    private static final Duration FIRST_RETRY = Duration.ofSeconds(1);
    private static final Duration LAST_RETRY = Duration.ofSeconds(30);
    private static final Duration STEP_AT_SHUTDOWN = Duration.ofSeconds(1);
    private static final Logger log = LoggerFactory.getLogger(ArchivePlugin.class);

    private final Map<String, String> properties = new HashMap<>();
    private final CountDownLatch shutdown = new CountDownLatch(1);
    private @Nullable Node node;

    /** The name of the archiver's data source in this Quartz instance. Required. */
    public void setDataSource(@Nullable String value) {
        set(PluginSettings.DATA_SOURCE, value);
    }

    /** The class that supplies the pair of tables. Default {@code io.usagearchiver.UsageDetails}. */
    public void setPair(@Nullable String value) {
        set(PluginSettings.PAIR, value);
    }

    /** The retention period in calendar months. Default 13. */
    public void setRetentionMonths(@Nullable String value) {
        set(PluginSettings.RETENTION_MONTHS, value);
    }

    /** When sweeps begin, in UTC: five fields of crontab, or six or seven of Quartz. Default {@code 0 3 * * *}. */
    public void setCron(@Nullable String value) {
        set(PluginSettings.CRON, value);
    }

    /** The most rows that a batch moves. Default 1000. */
    public void setBatchSize(@Nullable String value) {
        set(PluginSettings.BATCH_SIZE, value);
    }

    /** How long a sweep may go on, such as {@code 2h}. Default: as long as it takes. */
    public void setTimeBudget(@Nullable String value) {
        set(PluginSettings.TIME_BUDGET, value);
    }

    /** How long a statement waits for a lock. Default {@code 5s}. */
    public void setLockTimeout(@Nullable String value) {
        set(PluginSettings.LOCK_TIMEOUT, value);
    }

    /** How long a statement may run. Default {@code 60s}. */
    public void setStatementTimeout(@Nullable String value) {
        set(PluginSettings.STATEMENT_TIMEOUT, value);
    }

    /** How long PostgreSQL lets a transaction of a frozen node live. Default {@code 10s}. */
    public void setIdleTransactionTimeout(@Nullable String value) {
        set(PluginSettings.IDLE_TRANSACTION_TIMEOUT, value);
    }

    /** How long a sweep keeps trying after a transient fault. Default {@code 5m}. */
    public void setRetryTimeout(@Nullable String value) {
        set(PluginSettings.RETRY_TIMEOUT, value);
    }

    /** Quartz turns an empty value, and a reference to a property that is not there, into null. */
    private void set(String name, @Nullable String value) {
        properties.put(name, value == null ? "" : value);
    }

    @Override
    public void initialize(String name, Scheduler scheduler, ClassLoadHelper loadHelper) throws SchedulerException {
        try {
            PluginSettings settings = PluginSettings.parse(
                    properties, property -> "org.quartz.plugin." + name + "." + property, System::getenv);
            node = new Node(name, scheduler, settings);
        } catch (IllegalArgumentException e) {
            throw new SchedulerConfigException(e.getMessage(), e);
        }
    }

    /** Stores the schedule, or goes on trying in the background. Never throws. */
    @Override
    public void start() {
        if (node != null) {
            node.start();
        }
    }

    /** Also stops a sweep that runs here: a shutdown which does not wait for jobs would leave it running. */
    @Override
    public void shutdown() {
        shutdown.countDown();
        if (node != null) {
            node.stopSweep();
            node.awaitSettled();
        }
    }

    /** What a node does at its start. */
    private final class Node {
        private final String name;
        private final PluginSettings settings;
        private final ArchiveSchedule schedule;
        private final Thread thread;
        private boolean stored;
        private final Set<String> loggedFaults = new HashSet<>();

        Node(String name, Scheduler scheduler, PluginSettings settings) {
            this.name = name;
            this.settings = settings;
            this.schedule = new ArchiveSchedule(scheduler, name, settings);
            this.thread = new Thread(this::settle, "usage-archiver-" + name);
        }

        void start() {
            log.info("Archiver {} starts: {}", name, settings.toProperties());
            store();
            thread.setDaemon(true);
            thread.start();
        }

        /** Lets a step in the background end before the job store's pool is closed under it. */
        void awaitSettled() {
            try {
                thread.join(STEP_AT_SHUTDOWN.toMillis());
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }

        void stopSweep() {
            try {
                schedule.interrupt();
            } catch (SchedulerException e) {
                log.warn("Archiver {} could not stop its sweep", name, e);
            }
        }

        /**
         * Stores the schedule and checks the tables, until the database has answered to both. Where the check had to wait,
         * so had the startup sweep, which failed: the schedule is stored once more, to run it now. Then looks after triggers
         * that are due, until they have fired.
         */
        private void settle() {
            try {
                int checks = attempt(this::store) > 0 ? attempt(this::check) : 0;
                if (checks > 0) {
                    stored = checks == 1;
                    attempt(() -> store() && free());
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }

        /** Takes a step until it succeeds. Returns the number of attempts, or 0 if the node was shut down before. */
        private int attempt(BooleanSupplier step) throws InterruptedException {
            Duration pause = FIRST_RETRY;
            for (int attempt = 1; ; attempt++) {
                if (step.getAsBoolean()) {
                    return attempt;
                }
                if (shutdown.await(pause.toMillis(), TimeUnit.MILLISECONDS)) {
                    return 0;
                }
                pause = pause.multipliedBy(2).compareTo(LAST_RETRY) < 0 ? pause.multipliedBy(2) : LAST_RETRY;
            }
        }

        private boolean store() {
            if (stored) {
                return true;
            }
            try {
                schedule.store();
                stored = true;
            } catch (SchedulerException | RuntimeException e) {
                fault("store its schedule; check the job store's data source", e);
            }
            return stored;
        }

        private boolean check() {
            try {
                Archiver.builder(
                                settings.pair(),
                                () -> DBConnectionManager.getInstance().getConnection(settings.dataSource()))
                        .settings(settings.archive())
                        .build()
                        .checkSchema();
                log.info("Archiver {}: the tables are fit to be archived", name);
                return true;
            } catch (SchemaDriftException e) {
                log.error("{}\nThe scheduler goes on; each firing checks the tables again.", e.getMessage());
                return true;
            } catch (RuntimeException e) {
                fault("check its tables; check data source " + settings.dataSource(), e);
                return false;
            }
        }

        private boolean free() {
            try {
                return schedule.free();
            } catch (SchedulerException | RuntimeException e) {
                fault("free its triggers; check the job store's data source", e);
                return false;
            }
        }

        /** Logs each fault once, not at each attempt: a pool without connections has several to tell in turn. */
        private void fault(String task, Exception e) {
            String message = "Archiver " + name + " keeps trying, but could not " + task + ": " + e.getMessage();
            if (loggedFaults.add(message) && shutdown.getCount() > 0) {
                log.error(message, e);
            } else {
                log.debug(message, e);
            }
        }
    }
}
