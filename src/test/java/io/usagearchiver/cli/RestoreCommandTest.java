package io.usagearchiver.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.usagearchiver.testing.TestDatabase;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code restore}, {@code hold}, {@code release} and {@code holds}, by the role for them; {@code sweep} by the archiver's. */
class RestoreCommandTest {
    @TempDir
    private Path directory;

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    private String file;

    @BeforeEach
    void thirty_archived_rows() {
        file = ConfigFiles.write(
                directory, db, ConfigFiles.dataSource("restore", db, TestDatabase.RESTORER, TestDatabase.RESTORER));
        db.insertUsage("SELECT i, timestamp '2024-01-01' + i * interval '1 minute', timestamp '2024-01-01'"
                + " FROM generate_series(1, 30) i");
        db.execute(
                "INSERT INTO model_usage_details_archive TABLE model_usage_details; DELETE FROM model_usage_details");
    }

    @Test
    void a_restore_says_what_came_back_and_until_when_it_stays() {
        CommandRun run = run("restore", "--ids", "5..", "--to", "2024-01-01T00:20", "--hold-until", "2100-01-31");
        assertThat(run.err()).isEmpty();
        assertThat(run.exitCode()).isZero();
        assertThat(run.out()).matches("""
                        Restore 1 of public.model_usage_details: DRAINED, no matching row is left in the archive
                          rows              before 2024-01-01 00:20, ids 5\\.\\.
                          hold              1, until 2100-01-31 00:00 UTC: restored
                          restored          15 rows in 1 batches and \\d+\\.\\d s \\([0-9,]+ rows/s\\)
                        """);
        assertThat(CommandRun.of("sweep", "--config", file).out()).contains("moved             0 rows");
        assertThat(hotIds()).isEqualTo("5 6 7 8 9 10 11 12 13 14 15 16 17 18 19");
        assertThat(db.strings("SELECT fired_by FROM usage_archive_sweep")).containsOnly("command line");
    }

    @Test
    void rows_in_conflict_are_listed_and_exit_with_4() {
        db.execute("INSERT INTO model_usage_details SELECT * FROM model_usage_details_archive WHERE id IN (3, 7, 8);"
                + " UPDATE model_usage_details SET operation = 'other' WHERE id IN (3, 7)");
        CommandRun dry = run("restore", "--user", "7", "--dry-run");
        CommandRun run = run("restore", "--ids", "..10", "--hold-until", "2100-01-31", "--reason", "audit");
        assertThat(dry.exitCode()).isZero();
        assertThat(dry.out()).isEqualTo("""
                        Dry run: nothing was changed
                          rows              user 7
                          archived          3 rows
                          to be restored    2 rows
                          in conflict       1 row stays archived, the hot table holds other content: 7
                        """);
        assertThat(run.exitCode()).isEqualTo(4);
        assertThat(run.out())
                .contains(
                        "no matching row is left in the archive but those kept back",
                        "  hold              1, until 2100-01-31 00:00 UTC: audit",
                        "  hot already       1 row, identical: deleted from the archive",
                        "  in conflict       2 rows stay archived, the hot table holds other content: 3, 7");
    }

    @Test
    void json_is_one_object() {
        assertThat(run("restore", "--user", "7", "--dry-run", "--json").out())
                .isEqualTo("{\"rowsMatching\":3,\"rowsRestorable\":3,\"rowsIdentical\":0,\"rowsInConflict\":0,"
                        + "\"conflictingIds\":[]}\n");
        assertThat(run("restore", "--user", "7", "--hold-until", "2100-01-31", "--batch-size", "2", "--json")
                        .out())
                .startsWith("{\"sweepId\":1,\"table\":\"public.model_usage_details\",")
                .contains("\"rowsMoved\":3,", "\"batches\":2,")
                .endsWith("\"holdId\":1}\n");
        assertThat(run("holds", "--json").out())
                .startsWith("[{\"holdId\":1,\"table\":\"public.model_usage_details\",\"active\":true,\"from\":null,")
                .contains(
                        "\"userId\":7,\"modelId\":null,\"where\":{},\"reason\":\"restored\",\"createdBy\":\"usage_restorer\"")
                .contains("\"until\":\"2100-01-31T00:00:00Z\"")
                .endsWith("}]\n");
    }

    @Test
    void holds_are_set_listed_and_released() {
        CommandRun hold = run("hold", "--user", "7", "--reason", "lawsuit 4711");
        run("hold", "--from", "2024-01-01", "--until", "2100-01-31 22:30", "--reason", "audit");
        assertThat(hold.err()).isEmpty();
        assertThat(hold.exitCode()).isZero();
        assertThat(hold.out()).isEqualTo("""
                        Hold 1 of public.model_usage_details, until it is released: lawsuit 4711
                          rows              user 7
                        """);
        assertThat(run("holds").out()).matches("""
                        hold  since \\(UTC\\) +until \\(UTC\\) +rows +reason
                           2  \\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d  2100-01-31 22:30  from 2024-01-01 00:00 +audit \\(usage_restorer\\)
                           1  \\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d  open              user 7 +lawsuit 4711 \\(usage_restorer\\)
                        """);

        assertThat(run("release", "1").out())
                .matches("Hold 1 of public.model_usage_details, released .* UTC by usage_restorer: lawsuit 4711\n.*\n");
        db.execute("UPDATE usage_archive_hold SET created_at = '2019-01-01', hold_until = '2020-01-01'"
                + " WHERE hold_id = 2");
        assertThat(run("holds").out()).isEqualTo("There are no holds.\n");
        assertThat(run("holds", "--all").out()).contains("2020-01-01 00:00 (over)", "released");
    }

    @Test
    void rows_are_named_by_the_values_of_any_columns() {
        for (String table : List.of("model_usage_details", "model_usage_details_archive")) {
            db.execute("ALTER TABLE " + table + " ADD \"say \"\"a=b\"\"\" text");
        }
        db.execute(
                "UPDATE model_usage_details_archive SET operation = CASE WHEN id < 11 THEN 'it''s = chat' ELSE '' END,"
                        + " \"say \"\"a=b\"\"\" = id % 3");
        String[] which = {"--where-column", "operation=it's = chat", "--where-column", "\"say \"\"a=b\"\"\"=1"};

        CommandRun dry = run(with(which, "restore", "--dry-run"));
        assertThat(dry.err()).isEmpty();
        assertThat(dry.out()).isEqualTo("""
                        Dry run: nothing was changed
                          rows              operation = 'it''s = chat', "say ""a=b\""" = '1'
                          archived          4 rows
                          to be restored    4 rows
                        """);
        assertThat(run(with(which, "restore", "--hold-until", "2100-01-31")).out())
                .contains("  restored          4 rows in 1 batches");
        assertThat(CommandRun.of("sweep", "--config", file).out()).contains("moved             0 rows");
        assertThat(hotIds()).isEqualTo("1 4 7 10");
        assertThat(run("hold", "--reason", "x", "--user", "7", "--where-column", "operation=")
                        .out())
                .endsWith("  rows              user 7, operation = ''\n");
        assertThat(run("holds").out()).contains("user 7, operation = ''", "operation = 'it''s = chat', \"say");
        assertThat(run("holds", "--json").out())
                .contains("\"userId\":7,\"modelId\":null,\"where\":{\"operation\":\"\"},\"reason\":\"x\"")
                .contains("\"where\":{\"operation\":\"it's = chat\",\"say \\\"a=b\\\"\":\"1\"},");
        assertThat(CommandRun.of("plan", "--config", file).exitCode()).isZero();
    }

    private static String[] with(String[] which, String... command) {
        return Stream.of(command, which).flatMap(Stream::of).toArray(String[]::new);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            restore --ids 1..2 | Until when are the rows to stay in the hot table? Give --hold-until.
            restore --hold-until 2100-01-01 | Which rows? Give at least one of --from, --to, --ids, --user, --model and --where-column.
            restore --where-column operation --dry-run | --where-column operation: must be NAME=VALUE, such as region=eu
            restore --where-column =chat --dry-run | --where-column =chat: must be NAME=VALUE
            restore --where-column "operation=chat --dry-run | --where-column "operation=chat: must be NAME=VALUE
            restore --where-column a=1 --where-column "a"=2 --dry-run | --where-column "a"=2: a is given twice, and no row equals two values
            restore --where-column region=eu --dry-run | where column region = 'eu': public.model_usage_details has no such column
            hold --reason x --where-column date=today-ish | where column date = 'today-ish': the column of public.model_usage_details is date, which has no such value
            restore --where-column user_id= --hold-until 2100-01-01 | where column user_id = '': the column of public.model_usage_details is integer
            restore --ids 1..2 --hold-until 2100-02-30 | --hold-until 2100-02-30: must be a day or a moment in UTC, such as
            restore --ids .. --dry-run | --ids ..: must be A..B, A.., ..B or one id
            restore --ids a..b --dry-run | id a: not a key of public.model_usage_details
            restore --ids 9..5 --dry-run | ids 9..5: the first must not be after the last
            restore --from 2024-01-02 --to 2024-01-01 --dry-run | from must be before to
            restore --ids 1..2 --hold-until 2020-01-01 | hold until 2020-01-01T00:00: that is past
            restore --ids 1 --hold-until 2100-01-01 --batch-size 0 | batchSize = 0: must be a whole number from 1 to 50000
            restore --user x --dry-run | Invalid value for option '--user'
            hold --user 7 | Missing required option: '--reason=TEXT'
            hold --reason x | Which rows?
            hold --reason x --user 99999999999 | user_id 99999999999: the column of public.model_usage_details is integer, which has no such value
            restore --user 99999999999 --hold-until 2100-01-01 | user_id 99999999999: the column of
            restore --model 99999999999 --dry-run | model_id 99999999999: the column of
            release 77 | hold 77: there is no such hold on public.model_usage_details
            release x | Invalid value for positional parameter
            """)
    void a_mistake_is_told_and_nothing_is_changed(String command, String told) {
        CommandRun run = run(command.split(" "));
        assertThat(run.err()).contains(told);
        assertThat(run.exitCode()).isEqualTo(2);
        assertThat(run.out()).isEmpty();
        assertThat(hotIds()).isNull();
        assertThat(db.number("SELECT (SELECT count(*) FROM usage_archive_hold) + count(*) FROM usage_archive_sweep"))
                .isZero();
    }

    @Test
    void a_ledger_of_before_holds_by_columns_is_told_with_what_mends_it() {
        db.execute("ALTER TABLE usage_archive_hold DROP column_values CASCADE");
        for (CommandRun run : List.of(
                run("hold", "--user", "7", "--reason", "x"),
                run("holds"),
                run("restore", "--user", "7", "--hold-until", "2100-01-01"),
                CommandRun.of("sweep", "--config", file))) {
            assertThat(run.err()).contains("column_values", "apply sql/02-ledger.sql");
            assertThat(run.exitCode()).isEqualTo(1);
        }
        assertThat(db.number("SELECT count(*) FROM usage_archive_hold")).isZero();
    }

    @Test
    void a_hold_that_cannot_be_honoured_is_listed_and_released() {
        db.execute(
                "INSERT INTO usage_archive_hold (table_name, id_min, hold_until, reason, created_by, node, created_at)"
                        + " VALUES ('public.model_usage_details', 'abc', 'infinity', 'by hand', 'dba', 'psql', '-infinity')");
        CommandRun sweep = CommandRun.of("sweep", "--config", file);
        assertThat(sweep.exitCode()).isEqualTo(1);
        assertThat(sweep.err())
                .contains("Archival of public.model_usage_details is disabled", "has hold 1, which cannot be honoured");
        CommandRun list = run("holds");
        assertThat(list.err()).isEmpty();
        assertThat(list.out()).matches("""
                        hold  since \\(UTC\\) +until \\(UTC\\) +rows +reason
                           1  -infinity         open              ids abc\\.\\. +by hand \\(dba\\)
                        Hold 1 cannot be honoured, so that sweeps archive nothing: id abc: not a key .*; correct its row, or release it
                        """);
        assertThat(run("holds", "--json").out())
                .contains(
                        "\"minId\":\"abc\"", "\"createdAt\":\"-infinity\"", "\"until\":null", "\"problem\":\"id abc: ");
        assertThat(run("release", "1").out()).startsWith("Hold 1 of public.model_usage_details, released ");
        assertThat(CommandRun.of("sweep", "--config", file).exitCode()).isZero();
    }

    @Test
    void a_restore_that_fails_or_is_not_finished_tells_of_the_hold_that_stays() {
        db.execute("CREATE FUNCTION full_disk(integer) RETURNS boolean LANGUAGE plpgsql AS"
                + " $$ BEGIN RAISE 'no space' USING ERRCODE = '53100'; END $$;"
                + " ALTER TABLE model_usage_details ADD CHECK (full_disk(id)) NOT VALID");
        CommandRun failed = run("restore", "--ids", "1..2", "--hold-until", "2100-01-01");
        assertThat(failed.exitCode()).isEqualTo(1);
        assertThat(failed.out())
                .contains(
                        "FAILED, what was committed before the fault stands",
                        "  hold              1, until 2100-01-01 00:00 UTC: restored",
                        "it stays; 'usage-archiver release 1' ends it");
        assertThat(failed.err())
                .contains("no space", "Hold 1, which it had set, stays: usage-archiver release 1 ends it");
        CommandRun json = run("restore", "--ids", "1..2", "--hold-until", "2100-01-01", "--json");
        assertThat(json.exitCode()).isEqualTo(1);
        assertThat(json.out()).contains("\"stopReason\":\"FAILED\"").endsWith("\"holdId\":2}\n");
    }

    @Test
    void a_live_restore_makes_sweeps_and_restores_exit_with_3() {
        db.execute("INSERT INTO usage_archive_sweep (table_name, direction, state, node, fired_by, cutoff, started_at,"
                + " live_until) VALUES ('public.model_usage_details', 'RESTORE', 'RUNNING', 'node', 'test', '2020-01-01',"
                + " now(), now() + interval '1 day')");
        CommandRun sweep = CommandRun.of("sweep", "--config", file);
        assertThat(sweep.exitCode()).isEqualTo(3);
        assertThat(sweep.out()).contains("BUSY, a restore holds the table");
        CommandRun restore = run("restore", "--ids", "1..2", "--hold-until", "2100-01-01");
        assertThat(restore.exitCode()).isEqualTo(3);
        assertThat(restore.out()).contains("BUSY, another restore holds the table; nothing was done");
    }

    @Test
    void the_archivers_own_role_is_told_what_it_lacks() {
        CommandRun run = CommandRun.of("restore", "--config", file, "--ids", "1..2", "--hold-until", "2100-01-01");
        assertThat(run.exitCode()).isEqualTo(1);
        assertThat(run.err())
                .contains("No row of public.model_usage_details can be restored", "06-restore-grants.sql")
                .contains("--restore-role");
    }

    /** Each row is in one of the tables, unchanged, and a repetition brings back the rest. */
    @Test
    void a_restore_that_is_killed_loses_nothing() throws Exception {
        db.insertUsage("SELECT i, timestamp '2024-01-01', timestamp '2024-01-01' FROM generate_series(31, 20000) i");
        db.execute("INSERT INTO model_usage_details_archive TABLE model_usage_details; DELETE FROM model_usage_details;"
                + " CREATE TABLE original AS TABLE model_usage_details_archive");
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                Main.class.getName()));
        command.addAll(arguments("restore", "--ids", "1..", "--hold-until", "2100-01-31", "--batch-size", "1"));
        Process process = new ProcessBuilder(command)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        try {
            await().atMost(Duration.ofMinutes(1))
                    .pollInterval(Duration.ofMillis(20))
                    .until(() -> db.number("SELECT coalesce(sum(batches), 0) FROM usage_archive_sweep") > 20);
        } finally {
            process.destroyForcibly().onExit().join();
        }
        await().until(() -> db.number("SELECT count(*) FROM pg_stat_activity WHERE usename = '" + TestDatabase.RESTORER
                        + "' AND datname = current_database()")
                == 0);
        assertThat(db.number("SELECT count(*) FROM model_usage_details"))
                .isEqualTo(db.number("SELECT rows_moved FROM usage_archive_sweep"))
                .isBetween(20L, 19_999L);
        assertNothingIsLost();

        assertThat(CommandRun.of("sweep", "--config", file).out()).contains("BUSY");
        db.execute("UPDATE usage_archive_sweep SET live_until = '2020-01-01'"); // a quarter of an hour later
        assertThat(run("restore", "--ids", "1..", "--hold-until", "2100-01-31").exitCode())
                .isZero();
        assertThat(db.number("SELECT count(*) FROM model_usage_details_archive"))
                .isZero();
        assertNothingIsLost();
    }

    private void assertNothingIsLost() {
        assertThat(db.strings("(TABLE model_usage_details UNION ALL TABLE model_usage_details_archive)"
                        + " EXCEPT ALL TABLE original"))
                .isEmpty();
        assertThat(db.strings("TABLE original EXCEPT ALL"
                        + " (TABLE model_usage_details UNION ALL TABLE model_usage_details_archive)"))
                .isEmpty();
    }

    private CommandRun run(String... command) {
        return CommandRun.of(arguments(command).toArray(String[]::new));
    }

    private List<String> arguments(String... command) {
        List<String> arguments = new ArrayList<>(List.of(command));
        arguments.addAll(List.of("--config", file, "--data-source", "restore"));
        return arguments;
    }

    private String hotIds() {
        return db.strings("SELECT string_agg(id::text, ' ' ORDER BY id) FROM model_usage_details")
                .get(0);
    }
}
