package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;

import io.usagearchiver.cli.Main;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.WholeRun;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** JVMs that a host has set up in another way. */
class OtherJvmTest {
    /** Without numbers and booleans, at which jOOQ 3.19.39 fails as it starts. */
    private static final String HOSTS_SETTINGS = """
            <settings>
              <renderMapping>
                <schemata><schema><input>public</input><output>elsewhere</output></schema></schemata>
              </renderMapping>
              <renderNameCase>UPPER</renderNameCase>
              <renderQuotedNames>NEVER</renderQuotedNames>
              <statementType>STATIC_STATEMENT</statementType>
            </settings>
            """;

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    @TempDir
    private Path directory;

    @Test
    void settings_of_the_host_for_jooq_on_the_class_path_change_nothing() throws Exception {
        Files.writeString(directory.resolve("jooq-settings.xml"), HOSTS_SETTINGS);
        WholeRun.insertRows(db);

        Ended run = java(List.of(), WholeRun.class, db.url());

        assertThat(run.exitCode()).as(run.output()).isZero();
        assertThat(run.output()).contains("/jooq-settings.xml");
        WholeRun.assertDone(db);
    }

    @Test
    void turkish_letters_and_another_charset_change_nothing() throws Exception {
        Files.writeString(directory.resolve("settings.xml"), HOSTS_SETTINGS);
        WholeRun.insertRows(db);

        Ended run = java(
                List.of(
                        "-Duser.language=tr",
                        "-Duser.country=TR",
                        "-Dfile.encoding=ISO-8859-1",
                        "-Dorg.jooq.settings=" + directory.resolve("settings.xml")),
                WholeRun.class,
                db.url());

        assertThat(run.exitCode()).as(run.output()).isZero();
        WholeRun.assertDone(db);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "<settings><renderNameCase>", "neither"})
    void settings_that_jooq_cannot_read_are_told_in_a_sentence(String content) throws Exception {
        Path missing = directory.resolve("missing.xml");
        if (!content.isEmpty()) {
            Files.writeString(missing, content);
        }

        Ended run =
                java(List.of("-Dorg.jooq.settings=" + missing), Main.class, "sweep", "--config", config().toString());

        assertThat(run.exitCode()).as(run.output()).isEqualTo(1);
        assertThat(run.output())
                .contains("jOOQ cannot start: see that the settings file which it is told to read (-Dorg.jooq.settings="
                        + missing + ", or jooq-settings.xml on the class path) can be read, or take it away")
                .doesNotContain("\tat ");
    }

    @ParameterizedTest
    @ValueSource(strings = {"sweep", "node"})
    void a_jooq_that_is_too_old_is_told_in_a_sentence(String command) throws Exception {
        Ended run = javaWithOlder("jooq", Main.class, command, "--config", config().toString());

        assertThat(run.exitCode()).as(run.output()).isEqualTo(1);
        assertThat(run.output())
                .contains("The archiver needs jOOQ 3.19 or later, and there is jOOQ 3.18.22 on the class path")
                .doesNotContain("\tat ");
    }

    @Test
    void a_jooq_that_is_too_old_is_told_before_tables_of_the_archiver_are_used() throws Exception {
        Ended run = javaWithOlder("jooq", WholeRun.class, db.url());

        assertThat(run.exitCode()).as(run.output()).isEqualTo(1);
        assertThat(run.output())
                .contains("The archiver needs jOOQ 3.19 or later, and there is jOOQ 3.18.22 on the class path")
                .doesNotContain("NoSuchMethodError");
    }

    @Test
    void a_quartz_that_is_too_old_is_told_in_a_sentence() throws Exception {
        Path config = config();
        // It knows c3p0 only.
        Files.writeString(config, Files.readString(config).replaceAll("(?m)^.*\\.provider = c3p0$", ""));

        Ended run = javaWithOlder("quartz", Main.class, "node", "--config", config.toString());

        assertThat(run.exitCode()).as(run.output()).isEqualTo(1);
        assertThat(run.output())
                .contains("The archiver needs Quartz 2.3 or later, and this is Quartz 2.2.3")
                .doesNotContain("\tat ");
    }

    /** The sample, with a database that is not there. */
    private Path config() throws IOException {
        Path config = directory.resolve("quartz.properties");
        Files.writeString(
                config,
                Files.readString(Path.of("quartz.properties")).replace("localhost:5432/usage", "127.0.0.1:1/none"));
        return config;
    }

    /** With a library of the host in an older version, from {@code target/older}. */
    private Ended javaWithOlder(String library, Class<?> main, String... arguments)
            throws IOException, InterruptedException {
        Path jar = Path.of("target", "older", library + ".jar");
        assertThat(jar).as("what the build has copied there").exists();
        return java(jar + File.pathSeparator, List.of(), main, arguments);
    }

    private Ended java(List<String> options, Class<?> main, String... arguments)
            throws IOException, InterruptedException {
        return java("", options, main, arguments);
    }

    private Ended java(String classPath, List<String> options, Class<?> main, String... arguments)
            throws IOException, InterruptedException {
        Path output = directory.resolve("output");
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx256m",
                "-XX:TieredStopAtLevel=1",
                "-Duser.timezone=America/New_York",
                "-Dorg.jooq.no-logo=true",
                "-Dorg.jooq.no-tips=true",
                "-cp",
                classPath + directory + File.pathSeparator + System.getProperty("java.class.path")));
        command.addAll(options);
        command.add(main.getName());
        Stream.of(arguments).forEach(command::add);
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .start();
        try {
            assertThat(process.waitFor(2, TimeUnit.MINUTES)).as("ended").isTrue();
        } finally {
            process.destroyForcibly();
        }
        return new Ended(process.exitValue(), new String(Files.readAllBytes(output), StandardCharsets.ISO_8859_1));
    }

    private record Ended(int exitCode, String output) {}
}
