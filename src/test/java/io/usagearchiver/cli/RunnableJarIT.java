package io.usagearchiver.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.usagearchiver.testing.TestDatabase;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.jar.JarFile;
import java.util.zip.ZipEntry;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The packaged jars: what is in them, and the runnable one in a JVM of its own. */
class RunnableJarIT {
    private static final Path JAR = Path.of(System.getProperty("usagearchiver.jar"));

    @TempDir
    private Path directory;

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    @Test
    void the_version_is_that_of_the_jar() throws IOException {
        assertThat(version()).matches("\\d+\\.\\d+\\..*");
        assertThat(run(Map.of(), "--version")).isEqualTo(new CommandRun(0, "usage-archiver " + version() + "\n", ""));
    }

    @Test
    void init_and_sweep_print_their_results_and_log_nothing() {
        db.insertUsage("SELECT i, timestamp '2020-01-01', timestamp '2020-01-01' FROM generate_series(1, 20) i");
        String file = ConfigFiles.write(directory, db, "org.quartz.dataSource.archive.password = ${DB_PASSWORD}");
        Map<String, String> environment = Map.of("DB_PASSWORD", TestDatabase.ARCHIVER);

        CommandRun init = run(environment, "init", "--config", file, "--role", TestDatabase.ARCHIVER);
        assertThat(init.err()).isEmpty();
        assertThat(init.out())
                .contains("02-ledger.sql: 0 applied, 15 stood already\n")
                .endsWith("Could not take a baseline of public.model_usage_details: ERROR: permission denied for table"
                        + " usage_archive_baseline (init takes it with a data source of the tables' owner)\n");
        assertThat(init.exitCode()).isZero();

        CommandRun sweep = run(environment, "sweep", "--config", file, "--json");
        assertThat(sweep.err()).isEmpty();
        assertThat(sweep.out())
                .startsWith("{\"sweepId\":1,")
                .contains("\"rowsMoved\":20,")
                .hasLineCount(1);
        assertThat(sweep.exitCode()).isZero();

        db.insertUsage("SELECT 1, timestamp '2020-01-01', timestamp '2020-01-02'");
        CommandRun conflict = run(environment, "sweep", "--config", file);
        assertThat(conflict.err()).isEmpty();
        assertThat(conflict.out()).contains("in conflict       1 row stay");
        assertThat(conflict.exitCode()).isEqualTo(4);
    }

    @Test
    void a_refused_login_is_one_line_without_password_and_stack_trace() {
        String file = ConfigFiles.write(
                directory,
                db,
                "org.quartz.dataSource.archive.user = no_such_user",
                "org.quartz.dataSource.archive.password = ${DB_PASSWORD}");
        CommandRun run = run(Map.of("DB_PASSWORD", "open-sesame"), "sweep", "--config", file);
        assertThat(run.exitCode()).isEqualTo(1);
        assertThat(run.out()).isEmpty();
        assertThat(run.err())
                .contains("No connection to the database: data source archive: FATAL: ", "no_such_user")
                .doesNotContain("sesame")
                .hasLineCount(1);
    }

    @Test
    void bad_settings_are_one_line() {
        String file = ConfigFiles.write(directory, db);
        CommandRun run = run(Map.of(), "sweep", "--config", file, "--set", "batchSise=1");
        assertThat(run.exitCode()).isEqualTo(2);
        assertThat(run.err()).contains("did you mean batchSize?").hasLineCount(1);
    }

    @ParameterizedTest
    @ValueSource(strings = {"TERM", "INT"})
    void a_signal_ends_a_sweep_in_order(String signal) throws IOException, InterruptedException {
        db.insertUsage("SELECT i, timestamp '2020-01-01', timestamp '2020-01-01' FROM generate_series(1, 50000) i");
        String file = ConfigFiles.write(directory, db);
        Process sweep = start(Map.of(), "sweep", "--config", file, "--set", "batchSize=1");
        try {
            await().atMost(Duration.ofSeconds(60))
                    .until(() -> db.number("SELECT count(*) FROM usage_archive_sweep WHERE batches > 0") == 1);
            new ProcessBuilder("kill", "-" + signal, String.valueOf(sweep.pid()))
                    .start()
                    .waitFor();
            CommandRun run = result(sweep);
            assertThat(run.err()).isEmpty();
            assertThat(run.out()).startsWith("Sweep 1 of public.model_usage_details: INTERRUPTED, ");
            assertThat(run.exitCode()).isEqualTo(3);
        } finally {
            sweep.destroyForcibly();
        }
        assertThat(db.strings("SELECT state FROM usage_archive_sweep")).containsExactly("INTERRUPTED");
        assertThat(db.number("SELECT rows_moved FROM usage_archive_sweep"))
                .isEqualTo(db.number("SELECT count(*) FROM model_usage_details_archive"))
                .isLessThan(50000);
    }

    @Test
    void the_runnable_jar_has_all_it_needs_and_no_test_or_demo() throws IOException {
        assertThat(entries(JAR))
                .contains(
                        "io/usagearchiver/Archiver.class",
                        "io/usagearchiver/generated/Tables.class",
                        "org/postgresql/Driver.class",
                        "com/mchange/v2/c3p0/ComboPooledDataSource.class",
                        "org/quartz/Scheduler.class",
                        "picocli/CommandLine.class",
                        "com/fasterxml/jackson/jr/ob/JSON.class",
                        "logback.xml",
                        "META-INF/LICENSE",
                        "META-INF/THIRD-PARTY.txt",
                        "sql/01-usage-tables.sql",
                        "sql/05-quartz-grants.sql",
                        "sql/06-restore-grants.sql",
                        "sql/07-status.sql")
                .noneMatch(name -> name.startsWith("io/zonky/")
                        || name.startsWith("io/usagearchiver/demo/")
                        || name.startsWith("io/usagearchiver/testing/")
                        || name.startsWith("org/junit/")
                        || name.startsWith("org/testcontainers/")
                        || name.endsWith(".txz"));
    }

    @Test
    void the_library_jar_is_the_library_alone() throws IOException {
        assertThat(entries(JAR.resolveSibling("quartz-usage-archiver-" + version() + ".jar")))
                .contains("io/usagearchiver/Archiver.class", "sql/02-ledger.sql", "META-INF/LICENSE")
                .allMatch(name -> name.equals("io/")
                        || name.startsWith("io/usagearchiver/")
                        || name.startsWith("sql/")
                        || name.startsWith("META-INF/"))
                .noneMatch(name -> name.startsWith("io/usagearchiver/demo/"));
    }

    private static String version() throws IOException {
        try (JarFile jar = new JarFile(JAR.toFile())) {
            return jar.getManifest().getMainAttributes().getValue("Implementation-Version");
        }
    }

    private CommandRun run(Map<String, String> environment, String... arguments) {
        return result(start(environment, arguments));
    }

    private Process start(Map<String, String> environment, String... arguments) {
        List<String> command = new ArrayList<>();
        if (OS.LINUX.isCurrentOs()) {
            // A script ignores SIGINT for what it puts into the background, and a JVM leaves that as it is.
            command.addAll(List.of("env", "--default-signal=INT"));
        }
        command.addAll(
                List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-jar", JAR.toString()));
        command.addAll(List.of(arguments));
        ProcessBuilder builder = new ProcessBuilder(command)
                .redirectOutput(directory.resolve("out").toFile())
                .redirectError(directory.resolve("err").toFile());
        // The JVM would greet with it.
        builder.environment().remove("JAVA_TOOL_OPTIONS");
        builder.environment().putAll(environment);
        try {
            return builder.start();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private CommandRun result(Process process) {
        try {
            assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
            return new CommandRun(
                    process.exitValue(),
                    Files.readString(directory.resolve("out")),
                    Files.readString(directory.resolve("err")));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        } finally {
            process.destroyForcibly();
        }
    }

    private static List<String> entries(Path jar) throws IOException {
        try (JarFile file = new JarFile(jar.toFile())) {
            return file.stream().map(ZipEntry::getName).toList();
        }
    }
}
