package io.usagearchiver.quartz;

import io.usagearchiver.ArchiveException;
import io.usagearchiver.ArchivePair;
import io.usagearchiver.ArchiveSettings;
import io.usagearchiver.Pace;
import io.usagearchiver.RunWindow;
import io.usagearchiver.SweepListener;
import io.usagearchiver.UsageDetails;
import java.math.BigDecimal;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The archiver's settings as the properties of a plugin, which are also the job's data: all text, parsed strictly.
 *
 * <p>A setting is the property if there is one, else the environment variable (for {@link UsageDetails} only; see {@link
 * Variables}), else the default. A bad value is an {@link IllegalArgumentException} that names the value, where it was set and what is allowed.
 *
 * @param dataSource the name by which Quartz's {@code DBConnectionManager} knows the archiver's data source
 * @param pairClass the class that supplies the pair
 * @param pair the tables
 * @param schedule when sweeps begin, in UTC
 * @param archive what each sweep is told
 */
public record PluginSettings(
        String dataSource, String pairClass, ArchivePair<?> pair, CronSchedule schedule, ArchiveSettings archive) {

    /** The environment variable for {@code retentionMonths}. */
    public static final String OWN_RETENTION_MONTHS_VARIABLE = "USAGE_ARCHIVER_RETENTION_MONTHS";
    /** The environment variable for {@code cron}. */
    public static final String OWN_CRON_VARIABLE = "USAGE_ARCHIVER_CRON";
    /** The environment variable for {@code batchSize}. */
    public static final String OWN_BATCH_SIZE_VARIABLE = "USAGE_ARCHIVER_BATCH_SIZE";
    /** The environment variable for {@code retentionMonths} of GPUStack's archiver, which counts where ours is not set. */
    public static final String RETENTION_MONTHS_VARIABLE = "GPUSTACK_USAGE_DETAILS_RETENTION_MONTHS";
    /** The environment variable for {@code cron} of GPUStack's archiver, which counts where ours is not set. */
    public static final String CRON_VARIABLE = "GPUSTACK_USAGE_DETAILS_ARCHIVE_CRON";
    /** The environment variable for {@code batchSize} of GPUStack's archiver, which counts where ours is not set. */
    public static final String BATCH_SIZE_VARIABLE = "GPUSTACK_USAGE_DETAILS_ARCHIVE_BATCH_SIZE";
    /** When sweeps begin unless something else is set: daily at 03:00 UTC. */
    public static final String DEFAULT_CRON = "0 3 * * *";

    static final String DATA_SOURCE = "dataSource";
    static final String PAIR = "pair";
    static final String RETENTION_MONTHS = "retentionMonths";
    static final String CRON = "cron";
    static final String BATCH_SIZE = "batchSize";
    static final String TIME_BUDGET = "timeBudget";
    static final String LOCK_TIMEOUT = "lockTimeout";
    static final String STATEMENT_TIMEOUT = "statementTimeout";
    static final String IDLE_TRANSACTION_TIMEOUT = "idleTransactionTimeout";
    static final String RETRY_TIMEOUT = "retryTimeout";
    static final String PAUSE = "pause";
    static final String PAUSE_SHARE = "pauseShare";
    static final String RUN_WINDOW = "runWindow";
    static final String TARGET_BATCH_TIME = "targetBatchTime";
    static final String MAX_REPLICA_LAG = "maxReplicaLag";
    /** Of the node, not of the job: {@link ArchivePlugin} reads it, and the job store never has it. */
    static final String LISTENERS = "listeners";

    /** The names of all properties. */
    public static final List<String> NAMES = List.of(
            DATA_SOURCE,
            PAIR,
            RETENTION_MONTHS,
            CRON,
            BATCH_SIZE,
            TIME_BUDGET,
            LOCK_TIMEOUT,
            STATEMENT_TIMEOUT,
            IDLE_TRANSACTION_TIMEOUT,
            RETRY_TIMEOUT,
            PAUSE,
            PAUSE_SHARE,
            RUN_WINDOW,
            TARGET_BATCH_TIME,
            MAX_REPLICA_LAG,
            LISTENERS);

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
        Reader reader = new Reader(properties, origin, environment);
        String dataSource =
                reader.text(DATA_SOURCE, false).require("the name of a data source of this Quartz instance");
        String pairClass = reader.text(PAIR, false).orElse(UsageDetails.class.getName());
        ArchivePair<?> shippedPair = shippedPair();
        ArchivePair<?> pair = reader.text(PAIR, false).parse(shippedPair, PluginSettings::pair);
        boolean shipped = pair == shippedPair;
        ArchiveSettings defaults = ArchiveSettings.defaults();
        Setting lock = reader.text(LOCK_TIMEOUT, false);
        Setting statement = reader.text(STATEMENT_TIMEOUT, false);
        Duration lockTimeout = lock.parse(defaults.lockTimeout(), PluginSettings::duration);
        Duration statementTimeout = statement.parse(defaults.statementTimeout(), PluginSettings::duration);
        if (lockTimeout.compareTo(statementTimeout) >= 0) {
            throw new IllegalArgumentException(
                    lock.told(text(lockTimeout)) + " must be shorter than " + statement.told(text(statementTimeout))
                            + ": a statement that waits for a lock would be taken for one that is too slow");
        }
        return new PluginSettings(
                dataSource,
                pairClass,
                pair,
                reader.text(CRON, shipped).parse(CronSchedule.parse(DEFAULT_CRON), CronSchedule::parse),
                new ArchiveSettings(
                        reader.text(RETENTION_MONTHS, shipped)
                                .parse(
                                        defaults.retentionMonths(),
                                        wholeNumber(
                                                ArchiveSettings.MIN_RETENTION_MONTHS,
                                                ArchiveSettings.MAX_RETENTION_MONTHS)),
                        reader.text(BATCH_SIZE, shipped)
                                .parse(
                                        defaults.batchSize(),
                                        wholeNumber(ArchiveSettings.MIN_BATCH_SIZE, ArchiveSettings.MAX_BATCH_SIZE)),
                        reader.text(TIME_BUDGET, false).parse(defaults.timeBudget(), PluginSettings::duration),
                        lockTimeout,
                        statementTimeout,
                        reader.text(IDLE_TRANSACTION_TIMEOUT, false)
                                .parse(defaults.idleTransactionTimeout(), PluginSettings::duration),
                        reader.text(RETRY_TIMEOUT, false).parse(defaults.retryTimeout(), PluginSettings::duration),
                        pace(reader)));
    }

    /** Parses a job's data: all that the job knows, whatever the environment is. */
    static PluginSettings ofJob(Map<String, String> data, UnaryOperator<String> origin) {
        requireKnown(
                data,
                origin,
                NAMES.stream().filter(name -> !name.equals(LISTENERS)).toList());
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

    private static Pace pace(Reader reader) {
        Pace full = Pace.full();
        return new Pace(
                reader.text(PAUSE, false).parse(full.pause(), PluginSettings::duration),
                reader.text(PAUSE_SHARE, false).parse(full.pauseShare(), PluginSettings::share),
                reader.text(RUN_WINDOW, false).parse(full.runWindow(), RunWindow::parse),
                reader.text(TARGET_BATCH_TIME, false).parse(full.targetBatchTime(), PluginSettings::duration),
                reader.text(MAX_REPLICA_LAG, false).parse(full.maxReplicaLag(), PluginSettings::duration));
    }

    /** All settings as text: {@link #parse} of it gives equal settings whatever the environment is. */
    public Map<String, String> toProperties() {
        Map<String, String> properties = new LinkedHashMap<>();
        properties.put(DATA_SOURCE, dataSource);
        properties.put(PAIR, pairClass);
        properties.put(RETENTION_MONTHS, String.valueOf(archive.retentionMonths()));
        properties.put(CRON, schedule.text());
        properties.put(BATCH_SIZE, String.valueOf(archive.batchSize()));
        if (archive.timeBudget() != null) {
            properties.put(TIME_BUDGET, text(archive.timeBudget()));
        }
        properties.put(LOCK_TIMEOUT, text(archive.lockTimeout()));
        properties.put(STATEMENT_TIMEOUT, text(archive.statementTimeout()));
        properties.put(IDLE_TRANSACTION_TIMEOUT, text(archive.idleTransactionTimeout()));
        properties.put(RETRY_TIMEOUT, text(archive.retryTimeout()));
        Pace pace = archive.pace();
        if (pace.pause() != null) {
            properties.put(PAUSE, text(pace.pause()));
        }
        if (pace.pauseShare() > 0) {
            properties.put(
                    PAUSE_SHARE,
                    new BigDecimal(String.valueOf(pace.pauseShare()))
                            .stripTrailingZeros()
                            .toPlainString());
        }
        if (pace.runWindow() != null) {
            properties.put(RUN_WINDOW, pace.runWindow().toString());
        }
        if (pace.targetBatchTime() != null) {
            properties.put(TARGET_BATCH_TIME, text(pace.targetBatchTime()));
        }
        if (pace.maxReplicaLag() != null) {
            properties.put(MAX_REPLICA_LAG, text(pace.maxReplicaLag()));
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

    private static ArchivePair<?> pair(String className) {
        try {
            if (instance(className) instanceof Supplier<?> s && s.get() instanceof ArchivePair<?> pair) {
                return pair;
            }
        } catch (ReflectiveOperationException | RuntimeException | LinkageError e) {
            throw new IllegalArgumentException(pairMessage() + " (" + e + ")", e);
        }
        throw new IllegalArgumentException(pairMessage());
    }

    /** Listeners by the names of their classes, separated by commas. */
    static List<SweepListener> listeners(String classNames) {
        List<SweepListener> listeners = new ArrayList<>();
        for (String className : classNames.split(",", -1)) {
            String must =
                    "must be names of public classes with a no-argument constructor that implement SweepListener, such"
                            + " as io.usagearchiver.metrics.SweepMetrics, separated by commas";
            try {
                if (!(instance(className.strip()) instanceof SweepListener listener)) {
                    throw new IllegalArgumentException(must);
                }
                listeners.add(listener);
            } catch (ReflectiveOperationException | LinkageError e) {
                throw new IllegalArgumentException(must + " (" + e + ")", e);
            }
        }
        return listeners;
    }

    private static Object instance(String className) throws ReflectiveOperationException {
        ClassLoader context = Thread.currentThread().getContextClassLoader();
        ClassLoader loader = context != null ? context : PluginSettings.class.getClassLoader();
        return Class.forName(className, true, loader).getConstructor().newInstance();
    }

    private static String pairMessage() {
        return "must be the name of a public class with a no-argument constructor that implements"
                + " Supplier<ArchivePair<?>>, such as " + UsageDetails.class.getName();
    }

    private static Function<String, Integer> wholeNumber(int min, int max) {
        return value -> {
            if (value.matches("-?\\d{1,9}")) {
                int number = Integer.parseInt(value);
                if (number >= min && number <= max) {
                    return number;
                }
            }
            throw new IllegalArgumentException("must be a whole number from " + min + " to " + max);
        };
    }

    private static final Pattern SHARE = Pattern.compile("\\d{1,3}(\\.\\d{1,3})?");

    private static double share(String value) {
        double share = SHARE.matcher(value).matches() ? Double.parseDouble(value) : Double.NaN;
        if (share >= 0 && share <= Pace.MAX_PAUSE_SHARE) {
            return share;
        }
        throw new IllegalArgumentException("must be a number from 0 to " + Pace.MAX_PAUSE_SHARE + ", such as 0.5 or 2");
    }

    private static final Pattern DURATION = Pattern.compile("(\\d{1,9}) ?(ms|s|m|h)");

    /**
     * Reads a duration as settings are written: a whole number and {@code ms}, {@code s}, {@code m} or {@code h}.
     *
     * @throws IllegalArgumentException if it is none, or is not from 1 ms to 48 h
     */
    public static Duration duration(String value) {
        Matcher matcher = DURATION.matcher(value);
        if (matcher.matches()) {
            long count = Long.parseLong(matcher.group(1));
            Duration duration = switch (matcher.group(2)) {
                case "ms" -> Duration.ofMillis(count);
                case "s" -> Duration.ofSeconds(count);
                case "m" -> Duration.ofMinutes(count);
                default -> Duration.ofHours(count);
            };
            if (duration.compareTo(ArchiveSettings.MIN_DURATION) >= 0
                    && duration.compareTo(ArchiveSettings.MAX_DURATION) <= 0) {
                return duration;
            }
        }
        throw new IllegalArgumentException("must be a duration from 1ms to 48h, such as 500ms, 30s, 15m or 2h");
    }

    /** A duration as a person would write it: in the largest unit that says it exactly. */
    private static String text(Duration duration) {
        long millis = duration.toMillis();
        if (millis % 3_600_000 == 0) {
            return millis / 3_600_000 + "h";
        }
        if (millis % 60_000 == 0) {
            return millis / 60_000 + "m";
        }
        return millis % 1000 == 0 ? millis / 1000 + "s" : millis + "ms";
    }

    /** Finds the text of a setting, and says where it was found if it is bad. */
    private record Reader(
            Map<String, String> properties,
            UnaryOperator<String> origin,
            Function<String, @Nullable String> environment) {

        Setting text(String name, boolean orVariable) {
            String property = properties.get(name);
            if (property != null) {
                return new Setting(origin.apply(name), property.strip());
            }
            String variable = orVariable ? Variables.of(name, environment) : null;
            String value = variable == null ? null : environment.apply(variable);
            return value == null
                    ? new Setting(origin.apply(name), null)
                    : new Setting("environment variable " + variable, value.strip());
        }
    }

    private record Setting(String origin, @Nullable String value) {
        String orElse(String fallback) {
            return value == null ? fallback : value;
        }

        String told(String meaning) {
            return origin + " = '" + meaning + "'" + (value == null ? " (the default)" : "");
        }

        String require(String what) {
            if (value == null || value.isEmpty()) {
                throw new IllegalArgumentException(
                        origin + (value == null ? " is not set" : " = ''") + ": must be " + what);
            }
            return value;
        }

        <T extends @Nullable Object> T parse(T fallback, Function<String, ? extends T> parser) {
            if (value == null) {
                return fallback;
            }
            try {
                return parser.apply(value);
            } catch (IllegalArgumentException e) {
                throw new IllegalArgumentException(origin + " = '" + value + "': " + e.getMessage(), e);
            }
        }
    }
}
