package io.usagearchiver.cli;

import io.usagearchiver.ConnectionSource;
import io.usagearchiver.quartz.ArchivePlugin;
import io.usagearchiver.quartz.PluginSettings;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.quartz.SchedulerException;
import org.quartz.impl.StdSchedulerFactory;
import org.quartz.utils.DBConnectionManager;

/**
 * An ordinary Quartz properties file. In it, and only on this command line, <code>${NAME}</code> takes a value from the
 * environment, so that passwords stay out of files; Quartz itself would take it literally.
 */
final class ConfigFile {
    private static final String PLUGIN = StdSchedulerFactory.PROP_PLUGIN_PREFIX + ".";
    private static final String DATA_SOURCE = StdSchedulerFactory.PROP_DATASOURCE_PREFIX + ".";
    private static final Pattern VARIABLE = Pattern.compile("\\$\\{([^}]*)}");

    private final Path path;
    private final Properties properties;

    private ConfigFile(Path path, Properties properties) {
        this.path = path;
        this.properties = properties;
    }

    /**
     * Reads the file.
     *
     * @throws BadSettingsException if it cannot be read, or needs an environment variable that is not set
     */
    static ConfigFile read(Path path, Function<String, @Nullable String> environment) {
        Properties properties = new Properties();
        try (InputStream in = Files.newInputStream(path)) {
            properties.load(in);
        } catch (NoSuchFileException e) {
            throw new BadSettingsException("There is no file " + path);
        } catch (IOException | IllegalArgumentException e) {
            throw new BadSettingsException("Cannot read " + path + ": " + e.getMessage());
        }
        properties.replaceAll((name, value) -> VARIABLE.matcher((String) value).replaceAll(match -> {
            String found = environment.apply(match.group(1));
            if (found == null) {
                throw new BadSettingsException(path + ": " + name + " needs the environment variable " + match.group(1)
                        + ", which is not set");
            }
            return Matcher.quoteReplacement(found);
        }));
        return new ConfigFile(path, properties);
    }

    /** All properties, for a scheduler. */
    Properties properties() {
        return properties;
    }

    /** The name of the scheduler, which all its nodes share. */
    String schedulerName() {
        return properties.getProperty(StdSchedulerFactory.PROP_SCHED_INSTANCE_NAME, "QuartzScheduler");
    }

    /**
     * The settings of the archiver plugin.
     *
     * @param plugin the plugin's name, or null if the file has just one
     * @param overrides values that count instead of the file's, by name
     * @throws BadSettingsException for the first bad one
     */
    PluginSettings archiver(@Nullable String plugin, Map<String, String> overrides) {
        SortedSet<String> names = archivers();
        if (plugin == null && names.size() > 1) {
            throw new BadSettingsException(path + " has several archivers; name one with --plugin: " + names);
        }
        String name = plugin == null ? names.first() : plugin;
        if (!names.contains(name)) {
            throw new BadSettingsException(path + " has no archiver " + name + "; it has " + names);
        }
        Map<String, String> values = withPrefix(PLUGIN + name + ".");
        values.remove("class");
        values.keySet().forEach(key -> requireKnown(path + ": " + PLUGIN + name + "." + key, key));
        overrides.keySet().forEach(key -> requireKnown("--set " + key, key));
        values.putAll(overrides);
        try {
            return PluginSettings.parse(
                    values,
                    key -> overrides.containsKey(key) ? "--set " + key : path + ": " + PLUGIN + name + "." + key,
                    System::getenv);
        } catch (IllegalArgumentException e) {
            throw new BadSettingsException(String.valueOf(e.getMessage()));
        }
    }

    /**
     * Checks the settings of all archivers in the file.
     *
     * @throws BadSettingsException for the first bad one, or if there is no archiver
     */
    void requireArchivers() {
        archivers().forEach(name -> archiver(name, Map.of()));
    }

    private SortedSet<String> archivers() {
        SortedSet<String> names = new TreeSet<>();
        withPrefix(PLUGIN).forEach((key, value) -> {
            if (key.endsWith(".class") && value.strip().equals(ArchivePlugin.class.getName())) {
                names.add(key.substring(0, key.length() - ".class".length()));
            }
        });
        if (names.isEmpty()) {
            throw new BadSettingsException(path + " has no archiver: add a line " + PLUGIN + "usageArchiver.class = "
                    + ArchivePlugin.class.getName());
        }
        return names;
    }

    /**
     * Connections of one of the file's data sources, set up by Quartz as a scheduler would, without starting one.
     *
     * @throws BadSettingsException if the file has no such data source
     */
    ConnectionSource dataSource(String name) throws SchedulerException {
        Map<String, String> settings = withPrefix(DATA_SOURCE + name + ".");
        if (settings.isEmpty()) {
            throw new BadSettingsException(path + " has no data source " + name + "; it has "
                    + new TreeSet<>(withPrefix(DATA_SOURCE).keySet().stream()
                            .map(key -> key.substring(0, Math.max(0, key.indexOf('.'))))
                            .toList()));
        }
        Properties only = new Properties();
        settings.forEach((key, value) -> only.setProperty(DATA_SOURCE + name + "." + key, value));
        only.setProperty(StdSchedulerFactory.PROP_SCHED_INSTANCE_NAME, "usage-archiver-command-line");
        only.setProperty(StdSchedulerFactory.PROP_THREAD_POOL_CLASS, "org.quartz.simpl.ZeroSizeThreadPool");
        new StdSchedulerFactory(only).getScheduler();
        return () -> DBConnectionManager.getInstance().getConnection(name);
    }

    private Map<String, String> withPrefix(String prefix) {
        Map<String, String> found = new TreeMap<>();
        properties.stringPropertyNames().stream()
                .filter(key -> key.startsWith(prefix))
                .forEach(key -> found.put(key.substring(prefix.length()), properties.getProperty(key)));
        return found;
    }

    private static void requireKnown(String where, String name) {
        if (!PluginSettings.NAMES.contains(name)) {
            Optional<String> near = PluginSettings.NAMES.stream()
                    .filter(known -> distance(known, name) <= 3)
                    .min(Comparator.comparingInt(known -> distance(known, name)));
            throw new BadSettingsException(where + ": there is no such setting"
                    + near.map(known -> "; did you mean " + known + "?")
                            .orElse("; there are " + String.join(", ", PluginSettings.NAMES)));
        }
    }

    /** Levenshtein's distance, letter case aside. */
    private static int distance(String left, String right) {
        int[] row = new int[right.length() + 1];
        for (int j = 0; j <= right.length(); j++) {
            row[j] = j;
        }
        for (int i = 1; i <= left.length(); i++) {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= right.length(); j++) {
                int change = Character.toLowerCase(left.charAt(i - 1)) == Character.toLowerCase(right.charAt(j - 1))
                        ? diagonal
                        : diagonal + 1;
                diagonal = row[j];
                row[j] = Math.min(change, Math.min(row[j], row[j - 1]) + 1);
            }
        }
        return row[right.length()];
    }
}
