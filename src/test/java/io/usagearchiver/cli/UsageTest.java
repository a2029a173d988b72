package io.usagearchiver.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.usagearchiver.quartz.PluginSettings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the command line answers before it needs a database. */
@Timeout(60) // A node that takes what it should refuse runs on.
class UsageTest {
    private static final String PREFIX = "org.quartz.plugin.usageArchiver.";

    @TempDir
    private Path directory;

    @Test
    void help_names_every_command() {
        CommandRun run = CommandRun.of("--help");
        assertThat(run.exitCode()).isZero();
        assertThat(run.out())
                .contains(
                        "\n  init ",
                        "\n  sweep ",
                        "\n  node ",
                        "\n  jobs ",
                        "\n  maintain ",
                        "\n  plan ",
                        "\n  history ",
                        "\n  verify ",
                        "\n  restore ",
                        "\n  hold ",
                        "\n  release ",
                        "\n  holds ",
                        "COMMAND --help");
    }

    @ParameterizedTest
    @ValueSource(strings = {"README.md", "docs/command-line.md"})
    void the_table_of_commands_on_a_page_has_each_of_them(String page) throws IOException {
        assertThat(Files.readString(Path.of(page)).lines().filter(line -> line.startsWith("| `")))
                .flatExtracting(line -> List.of(line.split(" \\| ")[0]
                        .replaceAll("[|`]| --config FILE", "")
                        .strip()
                        .split(", ")))
                .containsAll(CommandRun.of("--help")
                        .out()
                        .lines()
                        .filter(line -> line.matches("  [a-z]+ .*"))
                        .map(line -> line.strip().split(" ")[0])
                        .toList());
    }

    @Test
    void without_a_command_there_is_help_and_exit_code_2() {
        CommandRun run = CommandRun.of();
        assertThat(run.exitCode()).isEqualTo(2);
        assertThat(run.out()).isEmpty();
        assertThat(run.err()).isEqualTo(CommandRun.of("--help").out());
    }

    @ParameterizedTest
    @CsvSource({
        "init, --data-source --role --restore-role --with-usage-tables --with-quartz-tables --create-archive --lean --index"
                + " --partition-by --print --plugin --config, 0 1 2",
        "maintain, --data-source --plugin --config, 0 1 2",
        "sweep, --set --json --plugin --config, 0 1 2 3 4",
        "node, --config, 0 1 2",
        "jobs, --remove --config, 0 1 2",
        "restore, --from --to --ids --user --model --where-column --hold-until --reason --dry-run --batch-size --json --data-source --plugin"
                + " --config, 0 1 2 3 4",
        "hold, --from --to --ids --user --model --where-column --until --reason --data-source --plugin --config, 0 1 2",
        "release, ID --data-source --plugin --config, 0 1 2",
        "holds, --all --json --data-source --plugin --config, 0 1 2",
        "plan, --set --count-limit --json --plugin --config, 0 1 2 3 4",
        "history, --limit --json --plugin --config, 0 1 2",
        "verify, --timeout --json --plugin --config, 0 1 2 3 4"
    })
    void help_of_a_command_names_its_options_and_exit_codes(String command, String options, String exitCodes) {
        CommandRun run = CommandRun.of(command, "--help");
        assertThat(run.exitCode()).isZero();
        assertThat(run.err()).isEmpty();
        assertThat(run.out()).contains(options.split(" ")).containsPattern("\\$\\{NAME}\\s+stands for");
        assertThat(run.out().lines().filter(line -> line.matches("  [0-9]   .*")))
                .extracting(line -> line.substring(2, 3))
                .containsExactly(exitCodes.split(" "));
    }

    @ParameterizedTest
    @MethodSource
    void a_mistake_on_the_command_line_is_told_in_a_few_lines(String arguments, String told) {
        CommandRun run = CommandRun.of(arguments.split(" "));
        assertThat(run.exitCode()).isEqualTo(2);
        assertThat(run.out()).isEmpty();
        assertThat(run.err()).contains(told).contains("--help' tells more");
        assertThat(run.err().lines()).hasSizeBetween(2, 5);
    }

    static Stream<String[]> a_mistake_on_the_command_line_is_told_in_a_few_lines() {
        return Stream.of(
                new String[] {"swep", "Did you mean: usage-archiver sweep?"},
                new String[] {"frobnicate", "'frobnicate'"},
                new String[] {"sweep", "Missing required option: '--config=FILE'"},
                new String[] {"sweep --config", "'--config' (FILE)"},
                new String[] {"sweep --confg x", "Possible solutions: --config"},
                new String[] {"sweep --config x --jsn", "Possible solutions: --json"},
                new String[] {"init --config x --wiht-usage-tables", "--with-usage-tables"},
                new String[] {"node --config x --plugin y", "Unknown option"});
    }

    @ParameterizedTest
    @ValueSource(strings = {"init", "sweep", "node", "jobs", "plan", "history", "verify"})
    void a_file_that_does_not_exist_is_named(String command) {
        assertRefused(CommandRun.of(command, "--config", "nowhere.properties"), "There is no file nowhere.properties");
    }

    @Test
    void a_file_that_cannot_be_read_is_named_with_the_reason() {
        assertRefused(
                CommandRun.of("sweep", "--config", directory.toString()), "Cannot read " + directory, "directory");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "batchsize = 5 | batchsize: there is no such setting; did you mean batchSize?",
                "retentionMonths = 13.5 | retentionMonths = '13.5': must be a whole number from 1 to 1200",
                "cron = 0 0 31 2 * | cron = '0 0 31 2 *': never fires"
            })
    void a_mistake_in_the_file_is_named_by_every_command(String line, String told) {
        String file = ConfigFiles.write(directory, null, PREFIX + line);
        for (String command : List.of("init", "sweep", "node", "plan", "history", "verify")) {
            assertRefused(CommandRun.of(command, "--config", file), file + ": " + PREFIX + told);
        }
    }

    @Test
    void a_property_that_is_like_no_other_is_refused_with_all_that_there_are() {
        String file = ConfigFiles.write(directory, null, PREFIX + "colour = red");
        assertRefused(
                CommandRun.of("node", "--config", file),
                "colour: there is no such setting; there are " + String.join(", ", PluginSettings.NAMES));
    }

    @Test
    void a_bad_value_of_the_environment_is_named_too() {
        String file = ConfigFiles.write(directory, null);
        assertRefused(
                CommandRun.of(Map.of("GPUSTACK_USAGE_DETAILS_ARCHIVE_BATCH_SIZE", "many"), "sweep", "--config", file),
                "environment variable GPUSTACK_USAGE_DETAILS_ARCHIVE_BATCH_SIZE = 'many': must be a whole number");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "batchSize | --set batchSize: must be name=value, such as --set batchSize=5000",
                "batchSize= | --set batchSize = '': must be a whole number from 1 to 50000",
                "batchSize=0 | --set batchSize = '0': must be a whole number from 1 to 50000",
                "timeBudget=2 | --set timeBudget = '2': must be a duration",
                "cron=a=b | --set cron = 'a=b': number of fields is 1",
                "timebudget=2h | --set timebudget: there is no such setting; did you mean timeBudget?",
                "BATCHSIZE=2 | --set BATCHSIZE: there is no such setting; did you mean batchSize?",
                "retention=2 | --set retention: there is no such setting; there are dataSource, ",
                "dataSource=archiv | has no data source archiv; it has [archive, quartz]"
            })
    void a_bad_override_is_named_and_what_is_allowed(String override, String told) {
        String file = ConfigFiles.write(directory, null);
        assertRefused(CommandRun.of("sweep", "--config", file, "--set", override), told);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "--lean | --lean, --index, --partition-by and --print are about an archive that is made: add --create-archive",
                "--print | --lean, --index, --partition-by and --print are about an archive that is made: add --create-archive",
                "--create-archive --index by_user | --index by_user: an archive gets all indexes of the hot table unless it is"
                        + " to be --lean",
                "--create-archive --partition-by week | --partition-by week: must be month"
            })
    void options_of_an_archive_that_do_not_go_together_are_refused(String given, String told) {
        String file = ConfigFiles.write(directory, null);
        assertRefused(
                CommandRun.of(Stream.concat(Stream.of("init", "--config", file), Stream.of(given.split(" ")))
                        .toArray(String[]::new)),
                told);
    }

    @Test
    void of_several_archivers_one_has_to_be_named() {
        String file = ConfigFiles.write(
                directory,
                null,
                "org.quartz.plugin.second.class = io.usagearchiver.quartz.ArchivePlugin",
                "org.quartz.plugin.second.batchSize = 0");
        assertRefused(
                CommandRun.of("sweep", "--config", file),
                "has several archivers; name one with --plugin: [second, usageArchiver]");
        assertRefused(
                CommandRun.of("sweep", "--config", file, "--plugin", "third"),
                "has no archiver third; it has [second, usageArchiver]");
        assertRefused(
                CommandRun.of("sweep", "--config", file, "--plugin", "second", "--set", "batchSize=5"),
                "org.quartz.plugin.second.dataSource is not set: must be the name of a data source");
        assertRefused(CommandRun.of("node", "--config", file), "org.quartz.plugin.second.");
    }

    @Test
    void a_file_without_an_archiver_is_refused_with_the_line_that_it_lacks() throws IOException {
        Path file = directory.resolve("host.properties");
        Files.writeString(file, "org.quartz.scheduler.instanceName = Host\n");
        assertRefused(
                CommandRun.of("node", "--config", file.toString()),
                "has no archiver: add a line org.quartz.plugin.usageArchiver.class ="
                        + " io.usagearchiver.quartz.ArchivePlugin");
    }

    @ParameterizedTest
    @ValueSource(strings = {"init", "sweep", "node", "plan", "history", "verify"})
    void a_data_source_that_the_file_lacks_is_refused(String command) {
        String file = ConfigFiles.write(directory, null, PREFIX + "dataSource = hot");
        assertRefused(CommandRun.of(command, "--config", file), "has no data source hot; it has [archive, quartz]");
    }

    @Test
    void a_variable_that_is_not_set_is_named_with_the_property_that_needs_it() {
        String file = ConfigFiles.write(directory, null, "org.quartz.dataSource.archive.password = ${DB_PASSWORD}");
        assertRefused(
                CommandRun.of(Map.of("OTHER", "x"), "sweep", "--config", file),
                "org.quartz.dataSource.archive.password needs the environment variable DB_PASSWORD, which is not set");
    }

    @Test
    void variables_are_put_into_any_value_as_they_are() {
        String file = ConfigFiles.write(directory, null, PREFIX + "cron = ${A}x${B}");
        assertRefused(
                CommandRun.of(Map.of("A", "$1\\${B}", "B", "-"), "sweep", "--config", file),
                "cron (${A}, ${B}) = '$1\\${B}x-'");
    }

    private static void assertRefused(CommandRun run, String... told) {
        assertThat(run.err()).contains(told).hasLineCount(1);
        assertThat(run.out()).isEmpty();
        assertThat(run.exitCode()).isEqualTo(2);
    }
}
