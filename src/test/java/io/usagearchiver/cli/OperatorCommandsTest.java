package io.usagearchiver.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.usagearchiver.testing.TestDatabase;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code plan}, {@code history} and {@code verify} by the least-privileged role: what is printed, and the exit codes. */
class OperatorCommandsTest {
    @TempDir
    private Path directory;

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    @Test
    void a_plan_is_written_for_people() {
        insertExpired(1, 2500);
        conflictAndTwin();
        CommandRun run = run("plan");
        assertThat(run.err()).isEmpty();
        assertThat(run.exitCode()).isZero();
        assertThat(run.out()).matches("""
                        What a sweep of public.model_usage_details would do now; nothing is changed
                          cutoff        \\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d(\\.\\d+)? UTC, 13 months ago
                          settings      .*quartz.*\\.properties: org.quartz.plugin.usageArchiver.dataSource = 'archive'
                          expired       2,500 rows, counted, the oldest of 2020-01-01 01:00:00
                          size          about \\d+\\.\\d kB of the table's \\d+\\.\\d kB, their share of it
                          batches       3 of up to 1,000 rows
                          duration      not known, no past sweep has moved a row
                          indexes       completed_at  ix_model_usage_details_completed_at  \\(2,500 rows\\)
                                        created_at    ix_model_usage_details_created_at  \\(0 rows\\)
                          by month      2020-01                   743
                                        2020-02                   696
                                        2020-03                   744
                                        2020-04                   317
                          schema        allows a sweep
                          grants        complete for usage_archiver
                          archived      1 row in the archive already, identical
                          in conflict   1 row would stay hot, the archive holds other content: 1
                        (?s)  warnings      .*
                          not seen      how long other roles' transactions are open, and how far replicas are behind;
                                        GRANT pg_monitor TO usage_archiver lets it see
                        A sweep would be let through.
                        """);
    }

    @Test
    void a_plan_of_more_rows_than_the_limit_says_that_it_is_an_estimate_and_its_duration_comes_from_the_ledger() {
        insertExpired(1, 1000);
        assertThat(run("sweep").exitCode()).isZero();
        insertExpired(2001, 1000);
        db.execute("ANALYZE model_usage_details");
        CommandRun run = run("plan", "--count-limit", "500", "--set", "batchSize=100", "--set", "retentionMonths=20");
        assertThat(run.exitCode()).isZero();
        assertThat(run.out())
                .contains("UTC, 20 months ago\n")
                .containsPattern("expired       about [\\d,]+ rows, the planner's estimate, the oldest of 2020-")
                .contains("(more than the 500 that --count-limit lets it count, or no index to do it by)")
                .containsPattern("batches       about 1\\d of up to 100 rows")
                .containsPattern("duration      about \\d+\\.\\d s at [\\d,]+ rows/s, as the last sweep had")
                .contains("of the 500 rows that are oldest, none is in the archive already");
    }

    @Test
    void a_plan_of_a_sweep_that_would_fail_lists_why_and_exits_with_1() {
        db.execute("ALTER TABLE model_usage_details_archive DROP COLUMN operation; DROP INDEX"
                + " ix_model_usage_details_completed_at; REVOKE DELETE ON model_usage_details FROM usage_archiver");
        CommandRun run = run("plan");
        assertThat(run.exitCode()).isEqualTo(1);
        assertThat(run.err()).isEmpty();
        assertThat(run.out())
                .contains("completed_at  NONE: each page reads the whole table; CREATE INDEX CONCURRENTLY ON"
                        + " public.model_usage_details (completed_at) helps")
                .contains("\n  schema        REFUSED:\n    - archive public.model_usage_details_archive lacks column")
                .contains("\n  grants        MISSING; as the owner of the tables:\n"
                        + "    - GRANT DELETE ON public.model_usage_details TO usage_archiver\n")
                .endsWith("A sweep would fail, and change nothing.\n");
        assertThat(run("sweep").exitCode()).isEqualTo(1);
    }

    @Test
    void a_plan_of_a_sweep_that_would_move_nothing_now_says_why_and_exits_with_3_as_the_sweep_does() {
        insertExpired(1, 10);
        db.execute("INSERT INTO usage_archive_sweep (table_name, direction, state, node, fired_by, cutoff, started_at,"
                + " live_until) VALUES ('public.model_usage_details', 'RESTORE', 'RUNNING', 'node-1', 'test', now(),"
                + " '2026-01-01', 'infinity')");
        CommandRun run = run("plan");
        assertThat(run.exitCode()).isEqualTo(3);
        assertThat(run.out())
                .contains(
                        "\n  now           NOTHING would be moved:\n    - restore 1 is RUNNING on node-1 since 2026-01-01"
                                + " 00:00 UTC: a sweep that begins now ends BUSY at once\n")
                .endsWith("A sweep would be let through, but move nothing now.\n");
        assertThat(json(run("plan", "--json").out(), "$.verdict")).isEqualTo("\"NOT_NOW\"");
        assertThat(run("sweep").exitCode()).isEqualTo(3);
    }

    @Test
    void a_plan_that_could_not_look_at_all_rows_says_so_and_exits_with_4() {
        insertExpired(1, 10);
        db.execute("DROP INDEX ix_model_usage_details_completed_at");
        CommandRun run = run("plan");
        assertThat(run.exitCode()).isEqualTo(4);
        assertThat(run.out())
                .contains("\n  archived      not looked for: rows that the archive holds already\n")
                .endsWith("A sweep would be let through, as far as is known.\n");
    }

    @Test
    void a_setting_is_told_with_where_it_was_set_also_if_that_is_the_environment() {
        String file =
                ConfigFiles.write(directory, db, "org.quartz.plugin.usageArchiver.lockTimeout = ${LOCK_SECONDS}s");
        Map<String, String> environment = Map.of(
                "LOCK_SECONDS", "3",
                "GPUSTACK_USAGE_DETAILS_RETENTION_MONTHS", "1200",
                "GPUSTACK_USAGE_DETAILS_ARCHIVE_BATCH_SIZE", "7");
        CommandRun run = CommandRun.of(environment, "plan", "--config", file, "--set", "batchSize=50");
        assertThat(run.out())
                .contains("UTC, 1,200 months ago\n  settings      --set batchSize = '50'\n                " + file
                        + ": org.quartz.plugin.usageArchiver.dataSource = 'archive'\n                " + file
                        + ": org.quartz.plugin.usageArchiver.lockTimeout (${LOCK_SECONDS}) = '3s'\n"
                        + "                environment variable GPUSTACK_USAGE_DETAILS_RETENTION_MONTHS = '1200'\n")
                .doesNotContain("ARCHIVE_BATCH_SIZE");

        CommandRun bad = CommandRun.of(Map.of("LOCK_SECONDS", "x"), "plan", "--config", file);
        assertThat(bad.exitCode()).isEqualTo(2);
        assertThat(bad.err())
                .startsWith(file + ": org.quartz.plugin.usageArchiver.lockTimeout (${LOCK_SECONDS}) = 'xs': must be a"
                        + " duration");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            DROP TABLE usage_archive_hold                                                                                   | true
            REVOKE DELETE ON model_usage_details FROM usage_archiver                                                        | true
            DROP INDEX usage_archive_sweep_running                                                                          | true
            ALTER TABLE model_usage_details ALTER id TYPE bigint; ALTER TABLE model_usage_details_archive ALTER id TYPE bigint | false
            ALTER TABLE usage_archive_hold DROP reason                                                                      | false
            ALTER TABLE model_usage_details SET UNLOGGED                                                                    | false
            """)
    void only_a_refusal_that_init_mends_points_at_it(String change, boolean mended) {
        db.execute(change);
        CommandRun run = run("sweep");
        assertThat(run.exitCode()).isEqualTo(1);
        assertThat(run.err().contains("'usage-archiver init'")).isEqualTo(mended);
    }

    @Test
    void a_plan_with_a_hold_that_cannot_be_honoured_says_so_and_exits_with_1() {
        insertExpired(1, 10);
        db.execute("INSERT INTO usage_archive_hold (table_name, user_id, reason, created_by, node, created_at)"
                + " VALUES ('public.model_usage_details', 99999999999, 'by hand', 'dba', 'psql', now())");
        CommandRun run = run("plan");
        assertThat(run.exitCode()).isEqualTo(1);
        assertThat(run.out())
                .contains(
                        "\n  schema        REFUSED:\n    - holds public.usage_archive_hold has hold 1, which cannot be"
                                + " honoured: user_id 99999999999: the column of public.model_usage_details is integer")
                .contains("release it: usage-archiver release 1\n")
                .endsWith("A sweep would fail, and change nothing.\n");
    }

    @Test
    void a_plan_in_json_is_one_object_with_exactly_these_members() {
        insertExpired(1, 3);
        conflictAndTwin();
        CommandRun run = run("plan", "--json");
        assertThat(run.err()).isEmpty();
        assertThat(members(run.out(), "$"))
                .containsExactly(
                        "table string",
                        "archive string",
                        "cutoff string",
                        "retentionMonths number",
                        "batchSize number",
                        "countLimit number",
                        "allowsSweep boolean",
                        "verdict string",
                        "expired object",
                        "batches number",
                        "durationMillis null",
                        "rowsPerSecond null",
                        "paceOfSweeps number",
                        "schemaDifferences array",
                        "missingGrants array",
                        "waits array",
                        "archivedAlready object",
                        "warnings array",
                        "role string",
                        "seesOtherSessions boolean",
                        "settings array");
        assertThat(json(run.out(), "$.expired.months")).isEqualTo("{\"2020-01\": 3}");
        assertThat(json(run.out(), "$.expired.rows")).isEqualTo("3");
        assertThat(json(run.out(), "$.expired.exact")).isEqualTo("true");
        assertThat(json(run.out(), "$.expired.branches[0].index")).contains("ix_model_usage_details_completed_at");
        assertThat(json(run.out(), "$.archivedAlready"))
                .isEqualTo("{\"looked\": 3, \"different\": 1, \"identical\": 1, \"differentIds\": [\"1\"]}");
    }

    @Test
    void history_is_a_table_newest_first_with_messages_below() {
        assertThat(run("history").out()).isEqualTo("No sweep yet.\n");
        insertExpired(1, 10);
        conflictAndTwin();
        run("sweep");
        db.execute("""
                UPDATE usage_archive_sweep SET node = 'node-1', finished_at = started_at + interval '1.5 s';
                INSERT INTO usage_archive_sweep (table_name, state, direction, node, fired_by, cutoff, batches, rows_moved,
                  started_at, last_batch_at, finished_at, message) VALUES ('public.model_usage_details', 'FAILED', 'RESTORE',
                  'node-2', 'command line', '2026-02-01', 1235, 1234567, '2026-02-01', '2026-02-01 00:01:40',
                  '2026-02-01 01:30:00.5', E'first line\\nsecond line')""");
        CommandRun run = run("history");
        assertThat(run.err()).isEmpty();
        assertThat(run.exitCode()).isZero();
        assertThat(run.out()).matches("""
                        SWEEP  STARTED \\(UTC\\)          DURATION  ENDED               MOVED  KEPT BACK  ROWS/S  CUTOFF \\(UTC\\)         FIRED BY      NODE
                            2  2026-02-01 00:00     1 h 30 min  RESTORE FAILED  1,234,567          0  12,346                       command line  node-2
                               first line
                               second line
                            1  \\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d +1\\.5 s  DRAINED                 8          1 +[\\d,]+  \\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d  command line  node-1
                        """);
        assertThat(run("history", "--limit", "1").out()).contains("RESTORE").doesNotContain("DRAINED");
    }

    @Test
    void history_in_json_is_one_object_with_a_list() {
        assertThat(run("history", "--json").out()).isEqualTo("{\"sweeps\":[]}\n");
        insertExpired(1, 10);
        run("sweep");
        CommandRun run = run("history", "--json");
        assertThat(members(run.out(), "$.sweeps[0]"))
                .containsExactly(
                        "sweepId number",
                        "table string",
                        "direction string",
                        "state string",
                        "node string",
                        "firedBy string",
                        "cutoff string",
                        "rowsMoved number",
                        "rowsAlreadyThere number",
                        "rowsInConflict number",
                        "rowsRejected number",
                        "batches number",
                        "rowsPerSecond number",
                        "startedAt string",
                        "finishedAt string",
                        "elapsedMillis number",
                        "message null");
        assertThat(json(run.out(), "$.sweeps[0].rowsMoved")).isEqualTo("10");
    }

    @Test
    void verify_without_a_baseline_says_how_to_take_one_and_exits_with_3() {
        CommandRun run = run("verify");
        assertThat(run.exitCode()).isEqualTo(3);
        assertThat(run.out())
                .startsWith("Reading the keys of an unknown number of hot and an unknown number of archived rows, and"
                        + " counting these: 16.0 kB of indexes, and of the archive up to ")
                .contains(" Ends after 1h at the latest.\npublic.model_usage_details and ")
                .contains("\n  archived early  not to be told before the first sweep\n")
                .contains(
                        "\n  sums            NOT compared, the archive was never counted: 'usage-archiver init' takes a")
                .endsWith("\nWhat could be compared holds.\n");
    }

    @Test
    void verify_exits_with_0_when_all_holds_and_with_4_when_not() {
        insertExpired(1, 10);
        db.execute("INSERT INTO usage_archive_baseline VALUES ('public.model_usage_details', 0, '2026-01-01')");
        run("sweep");
        CommandRun run = run("verify");
        assertThat(run.err()).isEmpty();
        assertThat(run.exitCode()).isZero();
        assertThat(run.out().lines().skip(1).toList().toString()).matches("""
                        \\[public.model_usage_details and public.model_usage_details_archive, \
                          ids in both     none, \
                          archived early  none, all are older than the newest cutoff, [-0-9:. ]+ UTC, \
                          sums            0 at the baseline of 2026-01-01 00:00 \\+ 10 moved - 0 restored = 10, and so many are there, \
                        All of it holds.]""");

        db.execute("INSERT INTO model_usage_details SELECT * FROM model_usage_details_archive WHERE id <= 3;"
                + " UPDATE model_usage_details SET model_name = 'other' WHERE id <= 2;"
                + " DELETE FROM model_usage_details_archive WHERE id > 8;"
                + " UPDATE model_usage_details_archive SET completed_at = '2026-01-01' WHERE id = 8");
        CommandRun wrong = run("verify");
        assertThat(wrong.exitCode()).isEqualTo(4);
        assertThat(wrong.out())
                .contains("\n  ids in both     1 row, identical: 3\n  ids in both     2 rows, DIFFERENT: 1, 2\n")
                .containsPattern("\n  archived early  1 row NOT older than the newest cutoff, .* UTC: 8\n")
                .contains("= 10, but there are 8: 2 TOO FEW\n")
                .endsWith("\nNOT all of it holds.\n");

        CommandRun json = run("verify", "--json", "--timeout", "30s");
        assertThat(json.exitCode()).isEqualTo(4);
        assertThat(json.err())
                .startsWith("Reading the keys of ")
                .contains("after 30s at")
                .hasLineCount(1);
        assertThat(members(json.out(), "$"))
                .containsExactly(
                        "table string",
                        "archive string",
                        "clean boolean",
                        "complete boolean",
                        "identicalInBoth object",
                        "differentInBoth object",
                        "newestCutoff string",
                        "younger object",
                        "archivedRows number",
                        "moved number",
                        "restored number",
                        "baselineRows number",
                        "baselineTakenAt string",
                        "surplus number");
        assertThat(json(json.out(), "$.surplus")).isEqualTo("-2");
        assertThat(json(json.out(), "$.differentInBoth")).isEqualTo("{\"ids\": [\"1\", \"2\"], \"rows\": 2}");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            plan    | --count-limit | -1  | --count-limit -1: must be 0 or more rows
            history | --limit       | 0   | --limit 0: must be a whole number from 1 to 100000
            verify  | --timeout     | 2d  | --timeout 2d: must be a duration from 1ms to 48h, such as 500ms, 30s, 15m or 2h
            plan    | --set         | x=1 | --set x: there is no such setting
            """)
    void a_bad_value_is_told_with_what_is_allowed(String command, String option, String value, String told) {
        CommandRun run = run(command, option, value);
        assertThat(run.exitCode()).isEqualTo(2);
        assertThat(run.err()).startsWith(told).hasLineCount(1);
        assertThat(run.out()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({"plan", "history", "verify"})
    void a_database_that_is_down_is_one_line(String command) {
        CommandRun run = CommandRun.of(command, "--config", ConfigFiles.write(directory, null));
        assertThat(run.exitCode()).isEqualTo(1);
        assertThat(run.err()).startsWith("No connection to the database: ").hasLineCount(1);
        assertThat(run.out()).isEmpty();
    }

    private CommandRun run(String command, String... options) {
        return CommandRun.of(
                Stream.concat(Stream.of(command, "--config", ConfigFiles.write(directory, db)), Stream.of(options))
                        .toArray(String[]::new));
    }

    private void insertExpired(int firstId, int rows) {
        db.insertUsage("SELECT i, timestamp '2020-01-01' + i * interval '1 hour', timestamp '2020-01-01'"
                + " FROM generate_series(" + firstId + ", " + (firstId + rows - 1) + ") i");
    }

    /** Row 1 is archived with other content, row 2 as it is. */
    private void conflictAndTwin() {
        db.execute("INSERT INTO model_usage_details_archive SELECT * FROM model_usage_details WHERE id <= 2;"
                + " UPDATE model_usage_details_archive SET model_name = 'other' WHERE id = 1");
    }

    private List<String> members(String json, String path) {
        return db.strings("SELECT key || ' ' || json_typeof(value) FROM json_each((" + literal(json) + "::json)"
                + (path.equals("$") ? "" : " -> 'sweeps' -> 0") + ")");
    }

    private String json(String json, String path) {
        return db.strings("SELECT jsonb_path_query(" + literal(json) + ", '" + path + "')")
                .get(0);
    }

    private static String literal(String text) {
        return "'" + text.replace("'", "''") + "'";
    }
}
