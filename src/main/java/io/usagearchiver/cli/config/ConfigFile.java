package io.usagearchiver.cli.config;

import io.usagearchiver.quartz.ArchivePlugin;
import io.usagearchiver.quartz.PluginSettings;
import io.usagearchiver.quartz.Variables;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.quartz.SchedulerException;
import org.quartz.impl.StdSchedulerFactory;
import org.quartz.simpl.ZeroSizeThreadPool;

/**
 * An ordinary Quartz properties file. In it, and only on this command line, <code>${NAME}</code> takes a value from the
 * environment, so that passwords stay out of files; Quartz itself would take it literally.
 */
public final class ConfigFile {
    private static final String PLUGIN = StdSchedulerFactory.PROP_PLUGIN_PREFIX + ".";
    private static final String DATA_SOURCE = StdSchedulerFactory.PROP_DATASOURCE_PREFIX + ".";
    private static final String JOB_STORE = StdSchedulerFactory.PROP_JOB_STORE_PREFIX + ".";
    private static final String JOB_STORE_DATA_SOURCE = JOB_STORE + "dataSource";
    private static final Pattern VARIABLE = Pattern.compile("\\$\\{([^}]*)}");

    private final Path path;
    private final Properties properties;
    /** By the names of properties, the environment variables that are in their values. */
    private final Map<String, String> variables;

    private final Function<String, @Nullable String> environment;

    private ConfigFile(
            Path path,
            Properties properties,
            Map<String, String> variables,
            Function<String, @Nullable String> environment) {
        this.path = path;
        this.properties = properties;
        this.variables = variables;
        this.environment = environment;
    }

    /**
     * Reads the file.
     *
     * @param environment looks up an environment variable; null if it is not set
     * @throws BadSettingsException if it cannot be read, or needs an environment variable that is not set
     */
    public static ConfigFile read(Path path, Function<String, @Nullable String> environment) {
        Properties properties = new Properties();
        try (InputStream in = Files.newInputStream(path)) {
            properties.load(in);
        } catch (NoSuchFileException e) {
            throw new BadSettingsException("There is no file " + path);
        } catch (IOException | IllegalArgumentException e) {
            throw new BadSettingsException("Cannot read " + path + ": " + e);
        }
        Map<String, String> variables = new TreeMap<>();
        properties.replaceAll((name, value) -> VARIABLE.matcher((String) value).replaceAll(match -> {
            String found = environment.apply(match.group(1));
            if (found == null) {
                throw new BadSettingsException(path + ": " + name + " needs the environment variable " + match.group(1)
                        + ", which is not set");
            }
            variables.merge((String) name, match.group(), (one, other) -> one + ", " + other);
            return Matcher.quoteReplacement(found);
        }));
        return new ConfigFile(path, properties, variables, environment);
    }

    /** All properties, for a scheduler. */
    public Properties properties() {
        return properties;
    }

    /** The name of the scheduler, which all its nodes share. */
    public String schedulerName() {
        return properties
                .getProperty(StdSchedulerFactory.PROP_SCHED_INSTANCE_NAME, "QuartzScheduler")
                .strip();
    }

    /**
     * The settings of the archiver plugin.
     *
     * @param plugin the plugin's name, or null if the file has just one
     * @param overrides values that count instead of the file's, by name
     * @throws BadSettingsException for the first bad one
     */
    public PluginSettings archiver(@Nullable String plugin, Map<String, String> overrides) {
        return archiver(plugin, overrides, new ArrayList<>());
    }

    /**
     * The same, with where they come from.
     *
     * @param origins gets the settings that are not the defaults, each with where it was set
     */
    public PluginSettings archiver(@Nullable String plugin, Map<String, String> overrides, List<String> origins) {
        String name = archiverName(plugin);
        Map<String, String> values = withPrefix(PLUGIN + name + ".");
        values.remove("class");
        UnaryOperator<String> origin =
                key -> overrides.containsKey(key) ? "--set " + key : origin(PLUGIN + name + "." + key);
        values.putAll(overrides);
        values.forEach((key, value) -> origins.add(origin.apply(key) + " = '" + value.strip() + "'"));
        try {
            PluginSettings settings = PluginSettings.parse(values, origin, variable -> {
                String value = environment.apply(variable);
                if (value != null) {
                    origins.add("environment variable " + variable + " = '" + value.strip() + "'");
                }
                return value;
            });
            requireDataSource(settings.dataSource());
            return settings;
        } catch (IllegalArgumentException e) {
            throw new BadSettingsException(String.valueOf(e.getMessage()));
        }
    }

    /** Which settings come from the environment, and from which variables. */
    public Map<String, String> used(PluginSettings settings, @Nullable String plugin, Map<String, String> overrides) {
        Set<String> given =
                new HashSet<>(withPrefix(PLUGIN + archiverName(plugin) + ".").keySet());
        given.addAll(overrides.keySet());
        return Variables.used(settings, given, environment);
    }

    private String archiverName(@Nullable String plugin) {
        SortedSet<String> names = archiverNames();
        if (plugin == null && names.size() > 1) {
            throw new BadSettingsException(path + " has several archivers; name one with --plugin: " + names);
        }
        String name = plugin == null ? names.first() : plugin;
        if (!names.contains(name)) {
            throw new BadSettingsException(path + " has no archiver " + name + "; it has " + names);
        }
        return name;
    }

    private String origin(String property) {
        String of = variables.get(property);
        return path + ": " + property + (of == null ? "" : " (" + of + ")");
    }

    /**
     * The settings of all archivers in the file, by the plugins' names.
     *
     * @throws BadSettingsException for the first bad one, or if there is no archiver
     */
    public Map<String, PluginSettings> archivers() {
        Map<String, PluginSettings> archivers = new TreeMap<>();
        archiverNames().forEach(name -> archivers.put(name, archiver(name, Map.of())));
        return archivers;
    }

    /** The names of the archiver plugins in the file. There may be none. */
    public SortedSet<String> plugins() {
        SortedSet<String> names = new TreeSet<>();
        withPrefix(PLUGIN).forEach((key, value) -> {
            if (key.endsWith(".class") && value.strip().equals(ArchivePlugin.class.getName())) {
                names.add(key.substring(0, key.length() - ".class".length()));
            }
        });
        return names;
    }

    private SortedSet<String> archiverNames() {
        SortedSet<String> names = plugins();
        if (names.isEmpty()) {
            throw new BadSettingsException(path + " has no archiver: add a line " + PLUGIN + "usageArchiver.class = "
                    + ArchivePlugin.class.getName());
        }
        return names;
    }

    /**
     * Connections of one of the file's data sources, without a scheduler.
     *
     * @throws BadSettingsException if the file has no such data source
     */
    public FileDataSource dataSource(String name) throws SchedulerException {
        requireDataSource(name);
        return FileDataSource.open(name, withPrefix(DATA_SOURCE + name + "."));
    }

    /** The name of the job store's data source; null if the jobs are not in a database. */
    @Nullable
    public String jobStoreDataSource() {
        String name = properties.getProperty(JOB_STORE_DATA_SOURCE);
        return name == null ? null : name.strip();
    }

    /**
     * What a scheduler needs that fires nothing, but reads and changes what is in the job store.
     *
     * @throws BadSettingsException if the job store is not in a database
     */
    public Properties jobStore() {
        String name = jobStoreDataSource();
        if (name == null) {
            throw new BadSettingsException(
                    path + " has no " + JOB_STORE_DATA_SOURCE + ": its jobs are not in a database");
        }
        requireDataSource(name);
        Properties found = new Properties();
        for (String prefix : List.of(JOB_STORE, DATA_SOURCE)) {
            withPrefix(prefix).forEach((key, value) -> found.setProperty(prefix + key, value));
        }
        found.setProperty(StdSchedulerFactory.PROP_SCHED_INSTANCE_NAME, schedulerName());
        found.setProperty(StdSchedulerFactory.PROP_SCHED_INSTANCE_ID, "command line");
        found.setProperty(StdSchedulerFactory.PROP_THREAD_POOL_CLASS, ZeroSizeThreadPool.class.getName());
        return found;
    }

    private void requireDataSource(String name) {
        SortedSet<String> names = new TreeSet<>();
        withPrefix(DATA_SOURCE).keySet().forEach(key -> names.add(key.replaceFirst("\\..*", "")));
        if (!names.contains(name)) {
            throw new BadSettingsException(path + " has no data source " + name + "; it has " + names);
        }
    }

    private Map<String, String> withPrefix(String prefix) {
        Map<String, String> found = new TreeMap<>();
        properties.stringPropertyNames().stream()
                .filter(key -> key.startsWith(prefix))
                .forEach(key -> found.put(key.substring(prefix.length()), properties.getProperty(key)));
        return found;
    }
}
