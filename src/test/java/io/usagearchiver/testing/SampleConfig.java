package io.usagearchiver.testing;

import java.io.IOException;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Properties;

/**
 * The repository's {@code quartz.properties}, changed only where a user has to: URL, user and password. Sessions are in
 * the time zone Asia/Kolkata.
 */
public final class SampleConfig {
    /** The name of the data source that the archiver uses. */
    public static final String ARCHIVE_DATA_SOURCE = "archive";

    /** The name of the job store's data source. */
    public static final String QUARTZ_DATA_SOURCE = "quartz";

    private static final String URL = "jdbc:postgresql://localhost:5432/usage";

    private SampleConfig() {}

    /** The sample for a test database. */
    public static Properties of(TestDatabase db) {
        return of(db.url(), TestDatabase.ARCHIVER, TestDatabase.ARCHIVER);
    }

    /** The sample with these for both data sources. */
    public static Properties of(String url, String user, String password) {
        Properties properties = new Properties();
        try (Reader file = Files.newBufferedReader(Path.of("quartz.properties"))) {
            properties.load(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        TestedPair.settings().forEach((name, value) -> properties.setProperty(archiver(name), value));
        for (String dataSource : List.of(QUARTZ_DATA_SOURCE, ARCHIVE_DATA_SOURCE)) {
            setUrl(properties, dataSource, URL, url);
            String prefix = "org.quartz.dataSource." + dataSource + ".";
            properties.setProperty(prefix + "user", user);
            properties.setProperty(prefix + "password", password);
            properties.setProperty(prefix + "connectionCustomizerClassName", KolkataSessions.class.getName());
            // Of no effect while the server answers; c3p0's default of a second makes tests of its absence slow.
            properties.setProperty(prefix + "acquireRetryDelay", "100");
        }
        return properties;
    }

    /** Leads one data source elsewhere. Options of the URL stay. */
    public static void setUrl(Properties properties, String dataSource, String from, String to) {
        String name = "org.quartz.dataSource." + dataSource + ".URL";
        String old = properties.getProperty(name);
        if (!old.startsWith(from + "?")) {
            throw new IllegalStateException(name + " = " + old + " does not start with " + from);
        }
        properties.setProperty(name, to + old.substring(from.length()));
    }

    /** The name of a property of the sample's archiver. */
    public static String archiver(String setting) {
        return "org.quartz.plugin.usageArchiver." + setting;
    }
}
