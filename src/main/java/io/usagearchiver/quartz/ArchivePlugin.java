package io.usagearchiver.quartz;

import io.usagearchiver.SweepListener;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.quartz.Scheduler;
import org.quartz.SchedulerConfigException;
import org.quartz.SchedulerException;
import org.quartz.TriggerKey;
import org.quartz.spi.ClassLoadHelper;
import org.quartz.spi.SchedulerPlugin;
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
 * SchedulerFactory.getScheduler()}, and so are two archivers of one table with different retention periods. Quartz knows
 * data sources by name, for all schedulers of the JVM; the archiver binds its own at that moment (Spring's at the start),
 * so that another one registered later under the same name does not lead sweeps into another database. A host that
 * registers a {@code ConnectionProvider} itself does so before. When the scheduler is shut down, sweeps that run here let
 * their batch commit and end, and the archiver's pool is closed with the last of them, if Quartz made it of the
 * scheduler's properties; a pool of any other class is its owner's.
 *
 * <p>Starting never throws, since that would start the scheduler without its plugins: when the database does not answer,
 * this is logged and tried again in the background until it does. Tables between which rows could be lost are an ERROR; every
 * sweep checks them again. A stored job that no archiver of this node stands behind goes on with its settings, and is a WARN.
 */
public final class ArchivePlugin implements SchedulerPlugin {
    private static final Logger log = LoggerFactory.getLogger(ArchivePlugin.class);

    private final Map<String, String> properties = new HashMap<>();
    private final Function<String, @Nullable String> environment;
    private @Nullable ScheduleKeeper keeper;
    private Runnable tellOfVariables = () -> {};

    /** A plugin, as Quartz makes it. */
    public ArchivePlugin() {
        this(System::getenv);
    }

    ArchivePlugin(Function<String, @Nullable String> environment) {
        this.environment = environment;
    }

    /** The name of the archiver's data source in this Quartz instance. Required. */
    public void setDataSource(@Nullable String value) {
        set(SettingNames.DATA_SOURCE, value);
    }

    /** The class that supplies the pair of tables. Default {@code io.usagearchiver.UsageDetails}. */
    public void setPair(@Nullable String value) {
        set(SettingNames.PAIR, value);
    }

    /** The hot table, {@code schema.table} or one of {@code public}, of a pair by names: no class is needed then. */
    public void setHotTable(@Nullable String value) {
        set(SettingNames.HOT_TABLE, value);
    }

    /** The archive of that pair. Default: the hot table's name and {@code _archive}, in its schema. */
    public void setArchiveTable(@Nullable String value) {
        set(SettingNames.ARCHIVE_TABLE, value);
    }

    /** The columns of that pair's key, separated by commas. Default: the hot table's primary key. */
    public void setKeyColumns(@Nullable String value) {
        set(SettingNames.KEY_COLUMNS, value);
    }

    /** The one or two columns of that pair that give the age of a row. */
    public void setAgeColumns(@Nullable String value) {
        set(SettingNames.AGE_COLUMNS, value);
    }

    /** Which rows of that pair expire, besides their age, as an SQL condition. Default: all. */
    public void setWhere(@Nullable String value) {
        set(SettingNames.WHERE, value);
    }

    /** The retention period in calendar months. Default 13. */
    public void setRetentionMonths(@Nullable String value) {
        set(SettingNames.RETENTION_MONTHS, value);
    }

    /** When sweeps begin, in UTC: five fields of crontab, or six or seven of Quartz. Default {@code 0 3 * * *}. */
    public void setCron(@Nullable String value) {
        set(SettingNames.CRON, value);
    }

    /** The most rows that a batch is cut for. Default 1000. */
    public void setBatchSize(@Nullable String value) {
        set(SettingNames.BATCH_SIZE, value);
    }

    /** How many connections move rows at the same time. Default 1. */
    public void setWorkers(@Nullable String value) {
        set(SettingNames.WORKERS, value);
    }

    /** How long a sweep may go on, such as {@code 2h}. Default: as long as it takes. */
    public void setTimeBudget(@Nullable String value) {
        set(SettingNames.TIME_BUDGET, value);
    }

    /** How long a statement waits for a lock. Default {@code 5s}. */
    public void setLockTimeout(@Nullable String value) {
        set(SettingNames.LOCK_TIMEOUT, value);
    }

    /** How long a statement may run. Default {@code 60s}. */
    public void setStatementTimeout(@Nullable String value) {
        set(SettingNames.STATEMENT_TIMEOUT, value);
    }

    /** How long PostgreSQL lets a transaction of a frozen node live. Default {@code 10s}. */
    public void setIdleTransactionTimeout(@Nullable String value) {
        set(SettingNames.IDLE_TRANSACTION_TIMEOUT, value);
    }

    /** How long a sweep keeps trying after a transient fault. Default {@code 5m}. */
    public void setRetryTimeout(@Nullable String value) {
        set(SettingNames.RETRY_TIMEOUT, value);
    }

    /** The shortest pause between two batches, such as {@code 100ms}. Default: none. */
    public void setPause(@Nullable String value) {
        set(SettingNames.PAUSE, value);
    }

    /** The shortest pause between two batches, as a share of the time of the one before, such as {@code 0.5}. Default 0. */
    public void setPauseShare(@Nullable String value) {
        set(SettingNames.PAUSE_SHARE, value);
    }

    /** When sweeps may run, in UTC, such as {@code 22:00-06:00}. Default: always. */
    public void setRunWindow(@Nullable String value) {
        set(SettingNames.RUN_WINDOW, value);
    }

    /** How long a batch should take, such as {@code 200ms}: its size follows. Default: batches of {@code batchSize} rows. */
    public void setTargetBatchTime(@Nullable String value) {
        set(SettingNames.TARGET_BATCH_TIME, value);
    }

    /** How far a replica may be behind before a sweep waits, such as {@code 10s}. Default: it never waits. */
    public void setMaxReplicaLag(@Nullable String value) {
        set(SettingNames.MAX_REPLICA_LAG, value);
    }

    /** Whether whole partitions are handed over to the archive. Default {@code false}. */
    public void setHandOver(@Nullable String value) {
        set(SettingNames.HAND_OVER, value);
    }

    /** Whether the coming partitions of an archive by month are made before each sweep. Default {@code false}. */
    public void setCreatePartitions(@Nullable String value) {
        set(SettingNames.CREATE_PARTITIONS, value);
    }

    /** The classes of {@link SweepListener}s that hear of this node's sweeps, separated by commas. Default: none. */
    public void setListeners(@Nullable String value) {
        set(SettingNames.LISTENERS, value);
    }

    /** Quartz turns an empty value, and a reference to a property that is not there, into null. */
    private void set(String name, @Nullable String value) {
        properties.put(name, value == null ? "" : value);
    }

    @Override
    public void initialize(String name, Scheduler scheduler, ClassLoadHelper loadHelper) throws SchedulerException {
        requireQuartz(scheduler);
        try {
            PluginSettings settings = PluginSettings.parse(
                    properties, property -> "org.quartz.plugin." + name + "." + property, environment);
            addListeners(name, scheduler);
            SchedulerNode node = SchedulerNode.of(scheduler);
            node.add(name, settings);
            SweepListeners.add(scheduler, name, node.health(name));
            keeper = new ScheduleKeeper(name, scheduler, settings, node, StuckTriggers.EVERY);
            tellOfVariables = () -> {
                Map<String, String> used = Variables.used(settings, properties.keySet(), environment);
                if (!used.isEmpty()) {
                    log.info("Archiver {} takes from the environment: {}", name, used);
                }
                Variables.warnings(settings, used).forEach(warning -> log.warn("Archiver {}: {}", name, warning));
            };
        } catch (IllegalArgumentException e) {
            throw new SchedulerConfigException(e.getMessage(), e);
        }
    }

    /** Before 2.3, nobody but an operator gets a trigger out of its error state. */
    private static void requireQuartz(Scheduler scheduler) throws SchedulerException {
        try {
            Scheduler.class.getMethod("resetTriggerFromErrorState", TriggerKey.class);
        } catch (NoSuchMethodException e) {
            throw new SchedulerConfigException(
                    "The archiver needs Quartz 2.3 or later, and this is Quartz "
                            + scheduler.getMetaData().getVersion(),
                    e);
        }
    }

    private void addListeners(String name, Scheduler scheduler) throws SchedulerException {
        String classes = properties.get(SettingNames.LISTENERS);
        if (classes == null) {
            return;
        }
        try {
            for (SweepListener listener : ClassNames.listeners(classes)) {
                SweepListeners.add(scheduler, name, listener);
            }
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(
                    "org.quartz.plugin." + name + "." + SettingNames.LISTENERS + " = '" + classes + "': "
                            + e.getMessage(),
                    e);
        }
    }

    /** Stores the schedule, or goes on trying in the background. Never throws. */
    @Override
    public void start() {
        if (keeper != null) {
            tellOfVariables.run();
            keeper.start();
        }
    }

    /** The sweeps have been asked to stop by now, before Quartz waited for them. */
    @Override
    public void shutdown() {
        if (keeper != null) {
            keeper.shutdown();
        }
    }
}
