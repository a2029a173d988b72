package io.usagearchiver.cli;

import io.usagearchiver.testing.SampleConfig;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Configuration files for tests: the repository's {@code quartz.properties} with a test's database in it. */
final class ConfigFiles {
    private ConfigFiles() {}

    /** A file for a database, or for none that answers if {@code db} is null. */
    static String write(Path directory, TestDatabase db, String... furtherLines) {
        try {
            String sample = Files.readString(Path.of("quartz.properties"))
                    .replace(
                            "jdbc:postgresql://localhost:5432/usage",
                            db == null ? "jdbc:postgresql://127.0.0.1:1/none" : db.url())
                    .replace("checkoutTimeout = 5000", "checkoutTimeout = 60000");
            Path file = Files.createTempFile(directory, "quartz", ".properties");
            StringBuilder lines = new StringBuilder(sample)
                    .append(String.join("\n", furtherLines))
                    .append('\n');
            TestedPair.settings()
                    .forEach((name, value) -> lines.append(SampleConfig.archiver(name) + " = " + value + "\n"));
            Files.writeString(file, lines);
            return file.toString();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The lines of a further data source of a database. */
    static String dataSource(String name, TestDatabase db, String user, String password) {
        return """
                org.quartz.dataSource.NAME.provider = c3p0
                org.quartz.dataSource.NAME.driver = org.postgresql.Driver
                org.quartz.dataSource.NAME.URL = %s
                org.quartz.dataSource.NAME.user = %s
                org.quartz.dataSource.NAME.password = %s
                org.quartz.dataSource.NAME.maxConnections = 1
                org.quartz.dataSource.NAME.minPoolSize = 0
                org.quartz.dataSource.NAME.initialPoolSize = 0
                org.quartz.dataSource.NAME.checkoutTimeout = 60000
                org.quartz.dataSource.NAME.acquireRetryAttempts = 1
                """.formatted(db.url(), user, password).replace("NAME", name);
    }
}
