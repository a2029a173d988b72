package io.usagearchiver.quartz;

import io.usagearchiver.ArchiveException;
import io.usagearchiver.ArchivePair;
import io.usagearchiver.ArchiveSettings;
import io.usagearchiver.UsageDetails;
import java.time.Duration;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * The archiver's settings as the properties of a plugin, which are also the job's data: all text, parsed strictly.
 *
 * <p>A setting is the property if there is one, else the environment variable (for {@link UsageDetails} only; see {@link
 * Variables}), else the default. A bad value is an {@link IllegalArgumentException} that names the value, where it was set and what is allowed.
 *
 * @param dataSource the name by which Quartz's {@code DBConnectionManager} knows the archiver's data source
 * @param pairClass the class that supplies the pair; null for one by names
 * @param pair the tables
 * @param schedule when sweeps begin, in UTC
 * @param archive what each sweep is told
 * @param createPartitions whether the coming partitions of the archive are made before each sweep
 */
public record PluginSettings(
        String dataSource,
        @Nullable String pairClass,
        ArchivePair<?> pair,
        CronSchedule schedule,
        ArchiveSettings archive,
        boolean createPartitions) {

    /** The environment variable for {@code retentionMonths}. */
    public static final String OWN_RETENTION_MONTHS_VARIABLE = SettingNames.OWN_RETENTION_MONTHS_VARIABLE;
    /** The environment variable for {@code cron}. */
    public static final String OWN_CRON_VARIABLE = SettingNames.OWN_CRON_VARIABLE;
    /** The environment variable for {@code batchSize}. */
    public static final String OWN_BATCH_SIZE_VARIABLE = SettingNames.OWN_BATCH_SIZE_VARIABLE;
    /** The environment variable for {@code retentionMonths} of GPUStack's archiver, which counts where ours is not set. */
    public static final String RETENTION_MONTHS_VARIABLE = SettingNames.RETENTION_MONTHS_VARIABLE;
    /** The environment variable for {@code cron} of GPUStack's archiver, which counts where ours is not set. */
    public static final String CRON_VARIABLE = SettingNames.CRON_VARIABLE;
    /** The environment variable for {@code batchSize} of GPUStack's archiver, which counts where ours is not set. */
    public static final String BATCH_SIZE_VARIABLE = SettingNames.BATCH_SIZE_VARIABLE;
    /** When sweeps begin unless something else is set: daily at 03:00 UTC. */
    public static final String DEFAULT_CRON = "0 3 * * *";

    /** The names of all properties. */
    public static final List<String> NAMES = List.of(
            SettingNames.DATA_SOURCE,
            SettingNames.PAIR,
            SettingNames.HOT_TABLE,
            SettingNames.ARCHIVE_TABLE,
            SettingNames.KEY_COLUMNS,
            SettingNames.AGE_COLUMNS,
            SettingNames.WHERE,
            SettingNames.RETENTION_MONTHS,
            SettingNames.CRON,
            SettingNames.BATCH_SIZE,
            SettingNames.WORKERS,
            SettingNames.TIME_BUDGET,
            SettingNames.LOCK_TIMEOUT,
            SettingNames.STATEMENT_TIMEOUT,
            SettingNames.IDLE_TRANSACTION_TIMEOUT,
            SettingNames.RETRY_TIMEOUT,
            SettingNames.PAUSE,
            SettingNames.PAUSE_SHARE,
            SettingNames.RUN_WINDOW,
            SettingNames.TARGET_BATCH_TIME,
            SettingNames.MAX_REPLICA_LAG,
            SettingNames.CREATE_PARTITIONS,
            SettingNames.HAND_OVER,
            SettingNames.LISTENERS);

    /**
     * Parses the settings.
     *
     * @param properties by name
     * @param origin where a property was set, for error messages: its full name, for instance
     * @param environment looks up an environment variable; null if it is not set
     * @throws IllegalArgumentException for a name that is none of {@link #NAMES}, or else the first bad value
     */
    public static PluginSettings parse(
            Map<String, String> properties,
            UnaryOperator<String> origin,
            Function<String, @Nullable String> environment) {
        requireKnown(properties, origin, NAMES);
        SettingReader reader = new SettingReader(properties, origin, environment);
        String dataSource = reader.text(SettingNames.DATA_SOURCE, false)
                .require("the name of a data source of this Quartz instance");
        ArchivePair<?> shippedPair = shippedPair();
        ArchivePair<?> named = PairProperties.read(reader);
        SettingReader.Setting pairClass = reader.text(SettingNames.PAIR, false);
        ArchivePair<?> pair = named != null ? named : pairClass.parse(shippedPair, ClassNames::pair);
        boolean shipped = pair.equals(shippedPair);
        ArchiveSettings defaults = ArchiveSettings.defaults();
        SettingReader.Setting lock = reader.text(SettingNames.LOCK_TIMEOUT, false);
        SettingReader.Setting statement = reader.text(SettingNames.STATEMENT_TIMEOUT, false);
        Duration lockTimeout = lock.parse(defaults.lockTimeout(), SettingText::duration);
        Duration statementTimeout = statement.parse(defaults.statementTimeout(), SettingText::duration);
        if (lockTimeout.compareTo(statementTimeout) >= 0) {
            throw new IllegalArgumentException(lock.told(SettingText.text(lockTimeout)) + " must be shorter than "
                    + statement.told(SettingText.text(statementTimeout))
                    + ": a statement that waits for a lock would be taken for one that is too slow");
        }
        return new PluginSettings(
                dataSource,
                named != null ? null : pairClass.orElse(UsageDetails.class.getName()),
                pair,
                reader.text(SettingNames.CRON, shipped).parse(CronSchedule.parse(DEFAULT_CRON), CronSchedule::parse),
                new ArchiveSettings(
                        reader.text(SettingNames.RETENTION_MONTHS, shipped)
                                .parse(
                                        defaults.retentionMonths(),
                                        SettingText.wholeNumber(
                                                ArchiveSettings.MIN_RETENTION_MONTHS,
                                                ArchiveSettings.MAX_RETENTION_MONTHS)),
                        reader.text(SettingNames.BATCH_SIZE, shipped)
                                .parse(
                                        defaults.batchSize(),
                                        SettingText.wholeNumber(
                                                ArchiveSettings.MIN_BATCH_SIZE, ArchiveSettings.MAX_BATCH_SIZE)),
                        reader.text(SettingNames.WORKERS, false)
                                .parse(
                                        defaults.workers(),
                                        SettingText.wholeNumber(
                                                ArchiveSettings.MIN_WORKERS, ArchiveSettings.MAX_WORKERS)),
                        reader.text(SettingNames.TIME_BUDGET, false)
                                .parse(defaults.timeBudget(), SettingText::duration),
                        lockTimeout,
                        statementTimeout,
                        reader.text(SettingNames.IDLE_TRANSACTION_TIMEOUT, false)
                                .parse(defaults.idleTransactionTimeout(), SettingText::duration),
                        reader.text(SettingNames.RETRY_TIMEOUT, false)
                                .parse(defaults.retryTimeout(), SettingText::duration),
                        PaceProperties.read(reader),
                        reader.text(SettingNames.HAND_OVER, false).parse(defaults.handOver(), SettingText::truth)),
                reader.text(SettingNames.CREATE_PARTITIONS, false).parse(false, SettingText::truth));
    }

    /** Parses a job's data: all that the job knows, whatever the environment is. */
    static PluginSettings ofJob(Map<String, String> data, UnaryOperator<String> origin) {
        requireKnown(
                data,
                origin,
                NAMES.stream()
                        .filter(name -> !name.equals(SettingNames.LISTENERS))
                        .toList());
        return parse(data, origin, variable -> null);
    }

    /** A misspelt name would leave the default to count, and rows could be archived years too early. */
    private static void requireKnown(Map<String, String> properties, UnaryOperator<String> origin, List<String> known) {
        properties.keySet().stream()
                .filter(name -> !known.contains(name))
                .min(Comparator.naturalOrder())
                .ifPresent(name -> {
                    throw new IllegalArgumentException(origin.apply(name) + ": there is no such setting"
                            + Spelling.nearest(name, known)
                                    .map(near -> "; did you mean " + near + "?")
                                    .orElse("; there are " + String.join(", ", known)));
                });
    }

    /** The first use of jOOQ, which may say why it cannot start. */
    private static ArchivePair<?> shippedPair() {
        try {
            return UsageDetails.PAIR;
        } catch (ExceptionInInitializerError e) {
            if (e.getCause() instanceof ArchiveException told) {
                throw told;
            }
            throw e;
        }
    }

    /** All settings as text: {@link #parse} of it gives equal settings whatever the environment is. */
    public Map<String, String> toProperties() {
        Map<String, String> properties = new LinkedHashMap<>();
        properties.put(SettingNames.DATA_SOURCE, dataSource);
        if (pair.names() != null) {
            properties.putAll(PairProperties.text(pair.names()));
        } else if (pairClass != null) {
            properties.put(SettingNames.PAIR, pairClass);
        }
        properties.put(SettingNames.RETENTION_MONTHS, String.valueOf(archive.retentionMonths()));
        properties.put(SettingNames.CRON, schedule.text());
        properties.put(SettingNames.BATCH_SIZE, String.valueOf(archive.batchSize()));
        if (archive.workers() != ArchiveSettings.DEFAULT_WORKERS) {
            // The archiver of an older node refuses what it does not know.
            properties.put(SettingNames.WORKERS, String.valueOf(archive.workers()));
        }
        if (archive.timeBudget() != null) {
            properties.put(SettingNames.TIME_BUDGET, SettingText.text(archive.timeBudget()));
        }
        properties.put(SettingNames.LOCK_TIMEOUT, SettingText.text(archive.lockTimeout()));
        properties.put(SettingNames.STATEMENT_TIMEOUT, SettingText.text(archive.statementTimeout()));
        properties.put(SettingNames.IDLE_TRANSACTION_TIMEOUT, SettingText.text(archive.idleTransactionTimeout()));
        properties.put(SettingNames.RETRY_TIMEOUT, SettingText.text(archive.retryTimeout()));
        properties.putAll(PaceProperties.text(archive.pace()));
        if (createPartitions) {
            properties.put(SettingNames.CREATE_PARTITIONS, "true");
        }
        if (archive.handOver()) {
            properties.put(SettingNames.HAND_OVER, "true");
        }
        return properties;
    }

    /** The hot table, as {@code schema.table}, named as sweeps name it. */
    public String table() {
        return pair.table();
    }

    /** Whether both move rows out of the same table, as far as the names tell. */
    boolean isOfSameTable(PluginSettings other) {
        return dataSource.equals(other.dataSource) && table().equals(other.table());
    }

    /**
     * Reads a duration as settings are written: a whole number and {@code ms}, {@code s}, {@code m} or {@code h}.
     *
     * @throws IllegalArgumentException if it is none, or is not from 1 ms to 48 h
     */
    public static Duration duration(String value) {
        return SettingText.duration(value);
    }
}
