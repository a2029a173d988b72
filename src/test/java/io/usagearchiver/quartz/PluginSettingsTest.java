package io.usagearchiver.quartz;

import static io.usagearchiver.generated.Tables.MODEL_USAGE_DETAILS;
import static io.usagearchiver.generated.Tables.MODEL_USAGE_DETAILS_ARCHIVE;
import static io.usagearchiver.testing.SampleConfig.archiver;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import io.usagearchiver.ArchivePair;
import io.usagearchiver.ArchiveSettings;
import io.usagearchiver.Pace;
import io.usagearchiver.PairNames;
import io.usagearchiver.RunWindow;
import io.usagearchiver.UsageDetails;
import io.usagearchiver.testing.SampleConfig;
import io.usagearchiver.testing.TestScheduler;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.quartz.SchedulerException;

class PluginSettingsTest {
    private static final Map<String, String> VARIABLES = Map.of(
            "retentionMonths", "GPUSTACK_USAGE_DETAILS_RETENTION_MONTHS",
            "cron", "GPUSTACK_USAGE_DETAILS_ARCHIVE_CRON",
            "batchSize", "GPUSTACK_USAGE_DETAILS_ARCHIVE_BATCH_SIZE");

    private static final Map<String, String> DISTINCT =
            Map.of("retentionMonths", "8", "cron", "5 6 * * *", "batchSize", "77");

    @Test
    void a_data_source_is_enough() {
        PluginSettings settings = parse(Map.of("dataSource", "archive"), Map.of());

        assertThat(settings.dataSource()).isEqualTo("archive");
        assertThat(settings.pair()).isSameAs(UsageDetails.PAIR);
        assertThat(settings.schedule().text()).isEqualTo("0 3 * * *");
        assertThat(settings.archive())
                .isEqualTo(ArchiveSettings.defaults())
                .isEqualTo(new ArchiveSettings(
                        13,
                        1000,
                        1,
                        null,
                        Duration.ofSeconds(5),
                        Duration.ofSeconds(60),
                        Duration.ofSeconds(10),
                        Duration.ofMinutes(5),
                        Pace.full(),
                        false));
    }

    @Test
    void every_setting_is_a_property() {
        Map<String, String> properties = new HashMap<>(Map.of(
                "dataSource", "other",
                "pair", OtherPair.class.getName(),
                "retentionMonths", "1",
                "cron", "0 0 1 * *",
                "batchSize", "2",
                "timeBudget", "3h",
                "lockTimeout", "4ms",
                "statementTimeout", "5m",
                "idleTransactionTimeout", "6s",
                "retryTimeout", "7m"));
        properties.putAll(Map.of(
                "workers", "3",
                "pause", "8ms",
                "pauseShare", "0.5",
                "runWindow", "22:00-06:00",
                "targetBatchTime", "9ms",
                "maxReplicaLag", "10s",
                "createPartitions", "true",
                "handOver", "true"));
        PluginSettings settings = parse(properties, Map.of());

        assertThat(settings)
                .isEqualTo(new PluginSettings(
                        "other",
                        OtherPair.class.getName(),
                        OtherPair.PAIR,
                        CronSchedule.parse("0 0 1 * *"),
                        new ArchiveSettings(
                                1,
                                2,
                                3,
                                Duration.ofHours(3),
                                Duration.ofMillis(4),
                                Duration.ofMinutes(5),
                                Duration.ofSeconds(6),
                                Duration.ofMinutes(7),
                                new Pace(
                                        Duration.ofMillis(8),
                                        0.5,
                                        RunWindow.parse("22:00-06:00"),
                                        Duration.ofMillis(9),
                                        Duration.ofSeconds(10)),
                                true),
                        true));
        assertThat(settings.toProperties()).containsExactlyInAnyOrderEntriesOf(properties);
    }

    @Test
    void a_pair_can_be_named_instead() {
        Map<String, String> properties =
                Map.of("dataSource", "archive", "hotTable", " Billing.Invoices ", "ageColumns", "closed_at,opened_at");
        PluginSettings settings = parse(properties, Map.of());

        assertThat(settings.pair())
                .isEqualTo(ArchivePair.of(PairNames.of("billing.invoices", "closed_at", "opened_at")));
        assertThat(settings.pairClass()).isNull();
        assertThat(settings.table()).isEqualTo("billing.invoices");
        assertThat(settings.toProperties())
                .containsEntry("hotTable", "billing.invoices")
                .containsEntry("archiveTable", "billing.invoices_archive")
                .containsEntry("ageColumns", "closed_at, opened_at")
                .doesNotContainKeys("pair", "keyColumns", "where");

        Map<String, String> further = new HashMap<>(properties);
        further.putAll(
                Map.of("archiveTable", "cold.\"Old\"", "keyColumns", "tenant, \"No.\"", "where", "state = 'paid'"));
        PluginSettings all = parse(further, Map.of());
        assertThat(all.pair().names())
                .isEqualTo(new PairNames(
                        "billing.invoices",
                        "cold.\"Old\"",
                        List.of("tenant", "\"No.\""),
                        List.of("closed_at", "opened_at"),
                        "state = 'paid'"));
        assertThat(parse(all.toProperties(), Map.of())).isEqualTo(all).isNotEqualTo(settings);
    }

    @Test
    void a_named_pair_is_not_the_shipped_one_whatever_it_names() {
        Map<String, String> properties = Map.of(
                "dataSource", "archive", "hotTable", "model_usage_details", "ageColumns", "completed_at, created_at");

        assertThat(parse(properties, Map.of(VARIABLES.get("batchSize"), "77"))
                        .archive()
                        .batchSize())
                .isEqualTo(1000);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '\u0000', nullValues = "-", textBlock = """
            pair = io.usagearchiver.UsageDetails & hotTable = t & ageColumns = at | property pair = 'io.usagearchiver.UsageDetails' and property hotTable = 't': both tell which tables
            pair = io.usagearchiver.UsageDetails & where = true | property pair = 'io.usagearchiver.UsageDetails' and property where = 'true': both tell which tables
            ageColumns = at | property ageColumns = 'at' needs property hotTable, which is not set: the table whose rows are archived
            where = true | property where = 'true' needs property hotTable, which is not set
            archiveTable = t | property archiveTable = 't' needs property hotTable, which is not set
            keyColumns = id | property keyColumns = 'id' needs property hotTable, which is not set
            hotTable = t | property ageColumns is not set: must be the column that gives a row's age, or two
            """)
    void settings_of_a_pair_that_do_not_go_together_are_told(String lines, String told) {
        Map<String, String> properties = new HashMap<>(Map.of("dataSource", "archive"));
        for (String line : lines.split(" & ")) {
            properties.put(line.split(" = ")[0], line.split(" = ")[1]);
        }
        assertThatIllegalArgumentException()
                .isThrownBy(() -> parse(properties, Map.of()))
                .withMessageStartingWith(told);
    }

    @ParameterizedTest
    @CsvSource({"retentionMonths, 7, 8", "cron, 1 2 * * *, 3 4 * * *", "batchSize, 9, 10"})
    void a_property_comes_before_the_environment_and_that_before_the_default(
            String name, String property, String variable) {
        Map<String, String> environment = Map.of(VARIABLES.get(name), variable);

        assertThat(effective(with(name, property), environment).get(name)).isEqualTo(property);
        assertThat(effective(Map.of("dataSource", "archive"), environment).get(name))
                .isEqualTo(variable);
        assertThat(effective(with("pair", UsageDetails.class.getName()), environment)
                        .get(name))
                .isEqualTo(variable);
        assertThat(effective(Map.of("dataSource", "archive"), Map.of()).get(name))
                .isNotIn(property, variable);
    }

    @ParameterizedTest
    @CsvSource({
        "retentionMonths, USAGE_ARCHIVER_RETENTION_MONTHS, 13, 1200",
        "retentionMonths, USAGE_ARCHIVER_RETENTION_MONTHS, 13, 24000",
        "cron, USAGE_ARCHIVER_CRON, 0 4 * * *, not a cron",
        "batchSize, USAGE_ARCHIVER_BATCH_SIZE, 7, 5000"
    })
    void a_variable_of_the_archivers_own_comes_before_gpustacks_whatever_that_says_and_after_the_property(
            String name, String own, String value, String ofGpustack) {
        Map<String, String> environment = Map.of(own, value, VARIABLES.get(name), ofGpustack);

        assertThat(effective(Map.of("dataSource", "archive"), environment).get(name))
                .isEqualTo(value);
        assertThat(effective(with(name, DISTINCT.get(name)), environment).get(name))
                .isEqualTo(DISTINCT.get(name));
        assertThat(effective(with("pair", OtherPair.class.getName()), environment)
                        .get(name))
                .isNotEqualTo(ofGpustack)
                .isEqualTo(effective(Map.of("dataSource", "archive"), Map.of()).get(name));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> parse(Map.of("dataSource", "archive"), Map.of(own, "bad")))
                .withMessageStartingWith("environment variable " + own + " = 'bad': ");
    }

    @Test
    void what_comes_from_the_environment_is_told_and_what_was_meant_for_gpustack_alone_is_warned_of() {
        Map<String, String> off = Map.of(VARIABLES.get("retentionMonths"), "1200");
        assertThat(Variables.used(
                        parse(with("batchSize", "5"), off),
                        Map.of("batchSize", "5").keySet(),
                        off::get))
                .containsExactly(Map.entry("retentionMonths", VARIABLES.get("retentionMonths")));
        assertThat(warnings(Map.of(), off))
                .singleElement()
                .asString()
                .startsWith("retentionMonths is 1200, from the environment variable"
                        + " GPUSTACK_USAGE_DETAILS_RETENTION_MONTHS: rows that are younger stay hot.")
                .contains("USAGE_ARCHIVER_RETENTION_MONTHS");
        assertThat(warnings(Map.of(), Map.of(VARIABLES.get("retentionMonths"), "121")))
                .hasSize(1);

        assertThat(warnings(Map.of(), Map.of(VARIABLES.get("retentionMonths"), "120")))
                .isEmpty();
        assertThat(warnings(
                        Map.of(),
                        Map.of(VARIABLES.get("retentionMonths"), "1200", "USAGE_ARCHIVER_RETENTION_MONTHS", "1200")))
                .isEmpty();
        assertThat(warnings(Map.of("retentionMonths", "1200"), off)).isEmpty();
        assertThat(warnings(Map.of("pair", OtherPair.class.getName()), off)).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({
        "0 3 * * 0, true",
        "0 3 * * 1-5, true",
        "0 3 * * */2, true",
        "0 3 * * MON, false",
        "0 3 * * *, false",
        "0 3 1 * *, false",
        "0 0 3 ? * 1, false"
    })
    void a_cron_of_gpustacks_that_numbers_days_of_the_week_is_warned_of(String cron, boolean warned) {
        assertThat(warnings(Map.of(), Map.of(VARIABLES.get("cron"), cron))).hasSize(warned ? 1 : 0);
        assertThat(warnings(Map.of("cron", cron), Map.of(VARIABLES.get("cron"), cron)))
                .isEmpty();
    }

    private static List<String> warnings(Map<String, String> properties, Map<String, String> environment) {
        Map<String, String> all = new HashMap<>(properties);
        all.put("dataSource", "archive");
        PluginSettings settings = parse(all, environment);
        return Variables.warnings(settings, Variables.used(settings, all.keySet(), environment::get));
    }

    @Test
    void a_bad_property_is_refused_also_when_the_environment_has_a_good_value() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> parse(with("batchSize", ""), Map.of(VARIABLES.get("batchSize"), "10")));
    }

    @Test
    void the_environment_says_nothing_about_another_pair() {
        Map<String, String> garbage = new HashMap<>();
        VARIABLES.values().forEach(variable -> garbage.put(variable, "garbage"));

        assertThat(parse(with("pair", OtherPair.class.getName()), garbage).archive())
                .isEqualTo(ArchiveSettings.defaults());
    }

    @ParameterizedTest
    @CsvSource({"1, 1", "1200, 50000", "' 24 ', '\t24\n'"})
    void the_first_and_the_last_number_are_accepted_and_blanks_around_them(String months, String rows) {
        Map<String, String> properties =
                Map.of("dataSource", " archive ", "retentionMonths", months, "batchSize", rows);

        PluginSettings settings = parse(properties, Map.of());

        assertThat(settings.dataSource()).isEqualTo("archive");
        assertThat(settings.archive().retentionMonths()).isEqualTo(Integer.parseInt(months.strip()));
        assertThat(settings.archive().batchSize()).isEqualTo(Integer.parseInt(rows.strip()));
    }

    @ParameterizedTest
    @CsvSource({
        "1ms, 1ms",
        "1 ms, 1ms",
        "1500ms, 1500ms",
        "2s, 2s",
        "90m, 90m",
        "120m, 2h",
        "48h, 48h",
        "172800000ms, 48h"
    })
    void durations_have_a_unit(String text, String same) {
        for (String name : List.of(
                "timeBudget", "idleTransactionTimeout", "retryTimeout", "pause", "targetBatchTime", "maxReplicaLag")) {
            assertThat(effective(with(name, text), Map.of()).get(name)).isEqualTo(same);
        }
    }

    @ParameterizedTest
    @CsvSource({
        "lockTimeout, 60s, lockTimeout = '1m', statementTimeout = '1m' (the default)",
        "lockTimeout, 2h, lockTimeout = '2h', statementTimeout = '1m' (the default)",
        "statementTimeout, 5s, lockTimeout = '5s' (the default), statementTimeout = '5s'"
    })
    void a_lock_timeout_that_is_not_shorter_than_the_statement_timeout_is_refused_with_both(
            String name, String value, String lock, String statement) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> parse(with(name, value), Map.of()))
                .withMessage("property " + lock + " must be shorter than property " + statement
                        + ": a statement that waits for a lock would be taken for one that is too slow");
    }

    static Stream<Arguments> bad_values() {
        Stream<Arguments> numbers = Stream.of(
                        "0",
                        "-1",
                        "abc",
                        "",
                        " ",
                        "13.5",
                        "1e1",
                        "+13",
                        "0x10",
                        "1_000",
                        "1,000",
                        "٣",
                        "50001",
                        "2147483648",
                        "9223372036854775808",
                        "1000000000000000000000")
                .flatMap(value -> Stream.of(
                        arguments("retentionMonths", value, "must be a whole number from 1 to 1200"),
                        arguments("batchSize", value, "must be a whole number from 1 to 50000")));
        Stream<Arguments> durations = Stream.of(
                        "0",
                        "-1",
                        "abc",
                        "",
                        "13.5",
                        "13.5s",
                        "0ms",
                        "0s",
                        "-1s",
                        "30",
                        "5 sec",
                        "1d",
                        "PT5S",
                        "5S",
                        "49h",
                        "172800001ms",
                        "999999999h",
                        "1000000000000s")
                .flatMap(value -> Stream.of(
                                "timeBudget",
                                "lockTimeout",
                                "statementTimeout",
                                "idleTransactionTimeout",
                                "retryTimeout",
                                "pause",
                                "targetBatchTime",
                                "maxReplicaLag")
                        .map(name -> arguments(name, value, "must be a duration from 1ms to 48h")));
        Stream<Arguments> crons = Stream.of(
                arguments("cron", "garbage", "number of fields is 1"),
                arguments("cron", "", "empty"),
                arguments("cron", "0 0 31 2 *", "never fires"),
                arguments("cron", "0 0 13 * 5", "restricts both day-of-month and day-of-week"),
                arguments("cron", "60 * * * *", "Value 60 not in range [0, 59]"));
        Stream<Arguments> pairs = Stream.of(
                        "",
                        "no.such.Pair",
                        "java.lang.String",
                        Silent.class.getName(),
                        Secret.class.getName(),
                        Broken.class.getName(),
                        Demanding.class.getName())
                .map(value -> arguments("pair", value, "implements Supplier<ArchivePair<?>>, such as "));
        Stream<Arguments> sources =
                Stream.of("", " ").map(value -> arguments("dataSource", value, "must be the name of a data source"));
        Stream<Arguments> shares = Stream.of(
                        "", "-1", "100.1", "101", "1000", "NaN", "1e1", ".5", "0,5", "50 %", "0.1234")
                .map(value -> arguments("pauseShare", value, "must be a number from 0 to 100, such as 0.5 or 2"));
        Stream<Arguments> windows = Stream.of("", "22-6", "22:00-22:00")
                .map(value -> arguments("runWindow", value, "must be a window of the day in UTC, such as 22:00-06:00"));
        Stream<Arguments> names = Stream.of(
                arguments("hotTable", "", "must be a name as in SQL"),
                arguments("hotTable", "a.b.c", "must be schema.table"),
                arguments("archiveTable", "public.t", "must be another table than hotTable"),
                arguments("archiveTable", "", "must be a name as in SQL"),
                arguments("keyColumns", "", "must be names, separated by commas"),
                arguments("ageColumns", "a, b, c", "or two"),
                arguments("ageColumns", "", "must be names, separated by commas"),
                arguments("where", "", "must be an SQL condition"),
                arguments("where", "true; true", "without ;"));
        return Stream.of(numbers, durations, crons, pairs, sources, shares, windows, names)
                .flatMap(all -> all);
    }

    @ParameterizedTest
    @MethodSource("bad_values")
    void a_bad_value_is_refused_with_its_name_and_what_is_allowed(String name, String value, String allowed) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> parse(with(name, value), Map.of()))
                .withMessageStartingWith("property " + name + " = '" + value.strip() + "': ")
                .withMessageContaining(allowed);
        String variable = VARIABLES.get(name);
        if (variable != null) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> parse(Map.of("dataSource", "archive"), Map.of(variable, value)))
                    .withMessageStartingWith("environment variable " + variable + " = '" + value.strip() + "': ")
                    .withMessageContaining(allowed);
        }
    }

    @ParameterizedTest
    @CsvSource({"0, 0", "0.5, 0.5", "2, 2.0", "100, 100.0", "100.000, 100", "0.001, 0.001"})
    void a_share_is_a_number(String text, double share) {
        assertThat(parse(with("pauseShare", text), Map.of()).archive().pace().pauseShare())
                .isEqualTo(share);
    }

    @Test
    void a_data_source_must_be_named() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> parse(Map.of(), Map.of()))
                .withMessage("property dataSource is not set: must be the name of a data source of this Quartz"
                        + " instance");
    }

    @Test
    void months_are_refused_beyond_a_hundred_years() {
        assertThatIllegalArgumentException().isThrownBy(() -> parse(with("retentionMonths", "1201"), Map.of()));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "90m"})
    void the_text_of_all_settings_gives_the_same_settings_in_any_environment(String timeBudget) {
        Map<String, String> properties = with("cron", "0 0 3 ? * mon-fri");
        if (!timeBudget.isEmpty()) {
            properties.put("timeBudget", timeBudget);
        }
        PluginSettings settings = parse(properties, Map.of(VARIABLES.get("batchSize"), "77"));

        assertThat(parse(settings.toProperties(), Map.of(VARIABLES.get("batchSize"), "88")))
                .isEqualTo(settings);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '"', textBlock = """
            retentionMonths        | 0          | must be a whole number from 1 to 1200
            createPartitions       | yes        | must be true or false
            createPartitions       | TRUE       | must be true or false
            createPartitions       | ""         | must be true or false
            handOver               | on         | must be true or false
            handOver               | True       | must be true or false
            handOver               | 1          | must be true or false
            handOver               | ""         | must be true or false
            batchSize              | abc        | must be a whole number from 1 to 50000
            timeBudget             | 13.5       | must be a duration
            lockTimeout            | -1         | must be a duration
            statementTimeout       | 0ms        | must be a duration
            idleTransactionTimeout | ""         | must be a duration
            retryTimeout           | ""         | must be a duration
            cron                   | garbage    | number of fields is 1
            cron                   | ""         | empty
            cron                   | 0 0 31 2 * | never fires
            cron                   | 0 0 13 * 5 | restricts both
            cron                   | 60 * * * * | Value 60 not in range
            pair                   | no.Such    | must be the name of a public class
            hotTable               | a.b.c      | must be schema.table
            hotTable               | ""         | must be a name
            dataSource             | ""         | must be the name of a data source
            """)
    void a_bad_value_surfaces_when_the_scheduler_is_made(String name, String value, String allowed) {
        Properties properties = sample();
        properties.setProperty(archiver(name), value);

        assertThatThrownBy(() -> new TestScheduler(properties).close())
                .isInstanceOf(SchedulerException.class)
                .hasMessageStartingWith(archiver(name) + " = '" + value + "': ")
                .hasMessageContaining(allowed);
    }

    @ParameterizedTest
    @ValueSource(strings = {"batchSise", "handover", "hand-over", "createPartition"})
    void an_unknown_property_surfaces_when_the_scheduler_is_made(String name) {
        Properties properties = sample();
        properties.setProperty(archiver(name), "5");

        assertThatThrownBy(() -> new TestScheduler(properties).close())
                .isInstanceOf(SchedulerException.class)
                .hasStackTraceContaining(name);
    }

    @Test
    void a_missing_data_source_property_surfaces_when_the_scheduler_is_made() {
        Properties properties = sample();
        properties.remove(archiver("dataSource"));

        assertThatThrownBy(() -> new TestScheduler(properties).close())
                .isInstanceOf(SchedulerException.class)
                .hasMessageStartingWith(archiver("dataSource") + " is not set: ");
    }

    private static Properties sample() {
        return SampleConfig.of("jdbc:postgresql://127.0.0.1/nothing-connects-to-it", "nobody", "");
    }

    private static Map<String, String> with(String name, String value) {
        Map<String, String> properties = new HashMap<>(Map.of("dataSource", "archive"));
        if (List.of("hotTable", "archiveTable", "keyColumns", "ageColumns", "where")
                .contains(name)) {
            properties.putAll(Map.of("hotTable", "t", "ageColumns", "at"));
        }
        properties.put(name, value);
        return properties;
    }

    private static Map<String, String> effective(Map<String, String> properties, Map<String, String> environment) {
        return parse(properties, environment).toProperties();
    }

    private static PluginSettings parse(Map<String, String> properties, Map<String, String> environment) {
        return PluginSettings.parse(properties, name -> "property " + name, environment::get);
    }

    /** A pair other than the shipped one. */
    public static final class OtherPair implements Supplier<ArchivePair<?>> {
        static final ArchivePair<?> PAIR = ArchivePair.of(
                MODEL_USAGE_DETAILS,
                MODEL_USAGE_DETAILS_ARCHIVE,
                MODEL_USAGE_DETAILS.ID,
                MODEL_USAGE_DETAILS.CREATED_AT);

        @Override
        public ArchivePair<?> get() {
            return PAIR;
        }
    }

    /** Supplies nothing. */
    public static final class Silent implements Supplier<ArchivePair<?>> {
        @Override
        public ArchivePair<?> get() {
            return null;
        }
    }

    /** Cannot be made: not public. */
    private static final class Secret implements Supplier<ArchivePair<?>> {
        @Override
        public ArchivePair<?> get() {
            return UsageDetails.PAIR;
        }
    }

    /** Fails in code of its own. */
    public static final class Broken implements Supplier<ArchivePair<?>> {
        @Override
        public ArchivePair<?> get() {
            throw new IllegalStateException("no tables today");
        }
    }

    /** Cannot be made: its constructor wants something. */
    public static final class Demanding implements Supplier<ArchivePair<?>> {
        @SuppressWarnings("unused")
        public Demanding(String wanted) {}

        @Override
        public ArchivePair<?> get() {
            return UsageDetails.PAIR;
        }
    }
}
