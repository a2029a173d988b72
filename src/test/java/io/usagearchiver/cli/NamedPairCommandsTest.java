package io.usagearchiver.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The command line on an archiver that has no class of a pair, but names its tables and columns. */
class NamedPairCommandsTest extends FurtherPairsCommandsTest {
    private static final String PREFIX = "org.quartz.plugin.resourceEvents.";

    @Override
    String pair() {
        return PREFIX + "hotTable = resource_events\n" + PREFIX + "ageColumns = occurred_at\n";
    }

    @Override
    String toMake() {
        return "'usage-archiver init --create-archive' makes it, unless archiveTable is to name another one";
    }

    @Test
    void the_condition_is_quoted_by_plan_and_sweep() {
        String where = "event_type = 'created' and id <= 100";
        String option = "--set=where=" + where;

        assertThat(run("plan", option).out())
                .contains("  expired       100 rows, counted", "--set where = '" + where + "'\n");
        assertThat(run("sweep", option).out())
                .contains("  where             " + where + "\n", "  moved             99 rows in 1 batches");
        assertThat(run("sweep", option, "--json").out()).contains("\"where\":\"" + where + "\"");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '\u0000', textBlock = """
            hotTable=resource_event   | hotTable = 'public.resource_event': there is no such table in this database; did you mean public.resource_events
            ageColumns=occured_at     | ageColumns = 'occured_at': public.resource_events has no column occured_at; it has id, occurred_at,
            ageColumns=resource_name  | ageColumns = 'resource_name': resource_name of public.resource_events is character varying
            keyColumns=ids            | keyColumns = 'ids': public.resource_events has no column ids
            keyColumns=event_type     | hot public.resource_events has no primary key or full unique index on exactly event_type, not null
            archiveTable=old          | archive public.old does not exist; 'usage-archiver init --create-archive' makes it
            where=even_type = 'x'     | where = 'even_type = 'x'': ERROR: column "even_type" does not exist
            where=id                  | where = 'id': ERROR: argument of WHERE must be type boolean, not type integer
            """)
    void a_name_that_the_database_does_not_have_ends_a_sweep_and_a_plan_with_exit_code_1(String set, String told) {
        CommandRun sweep = run("sweep", "--set", set);
        assertThat(sweep.exitCode()).isEqualTo(1);
        assertThat(sweep.err()).contains("  - " + told);

        CommandRun plan = run("plan", "--set", set);
        assertThat(plan.exitCode()).isEqualTo(1);
        assertThat(plan.out()).contains("    - " + told).endsWith("A sweep would fail, and change nothing.\n");
        assertThat(db.number("SELECT count(*) FROM resource_events")).isEqualTo(1500);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '\u0000', textBlock = """
            hotTable=a.b.c                       | --set hotTable = 'a.b.c': must be schema.table, or a table of the schema public
            where=true; drop table x             | --set where = 'true; drop table x': must be one SQL condition without ; outside of a text
            keyColumns=a,a                       | --set keyColumns = 'a, a': must not name a column twice
            pair=io.usagearchiver.ResourceEvents | --set pair = 'io.usagearchiver.ResourceEvents' and
            hottable=x                           | --set hottable: there is no such setting; did you mean hotTable?
            """)
    void a_bad_value_ends_each_command_with_exit_code_2(String set, String told) {
        for (String command : List.of("sweep", "plan")) {
            CommandRun run = run(command, "--set", set);
            assertThat(run.exitCode()).isEqualTo(2);
            assertThat(run.err()).startsWith(told);
        }
    }
}
