package io.usagearchiver.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code sweep} by the least-privileged role. */
class SweepCommandTest {
    @TempDir
    private Path directory;

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    @Test
    void a_drained_sweep_prints_a_summary_and_exits_with_0() {
        insertExpired(1, 2500);
        CommandRun run = sweep();
        assertThat(run.err()).isEmpty();
        assertThat(run.exitCode()).isZero();
        assertThat(run.out()).matches("""
                        Sweep 1 of public.model_usage_details: DRAINED, no expired row is left
                          cutoff            \\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d(\\.\\d+)? UTC
                          moved             2,500 rows in 3 batches and \\d+\\.\\d s \\([0-9,]+ rows/s\\)
                        """);
    }

    @Tag(TestedPair.OF_CODE)
    @Test
    void settings_of_the_file_of_the_environment_and_of_the_command_line_count_in_this_order() {
        insertExpired(1, 60);
        String batchSize = "GPUSTACK_USAGE_DETAILS_ARCHIVE_BATCH_SIZE";
        String[] fromEnvironment = {"sweep", "--config", ConfigFiles.write(directory, db)};
        CommandRun.of(Map.of(batchSize, "20"), fromEnvironment);
        assertThat(lastSweep("batches")).isEqualTo("3");

        insertExpired(101, 60);
        String file = ConfigFiles.write(directory, db, "org.quartz.plugin.usageArchiver.batchSize = 30");
        CommandRun.of(Map.of(batchSize, "20"), "sweep", "--config", file);
        assertThat(lastSweep("batches")).isEqualTo("2");

        insertExpired(201, 60);
        CommandRun.of(Map.of(batchSize, "20"), "sweep", "--config", file, "--set", "batchSize=15");
        assertThat(lastSweep("batches")).isEqualTo("4");
        assertThat(lastSweep("fired_by")).isEqualTo("command line");
    }

    @Tag(TestedPair.OF_CODE)
    @Test
    void a_retention_that_is_to_switch_gpustacks_archiver_off_is_warned_of_and_the_archivers_own_goes_before_it() {
        insertExpired(1, 60);
        String file = ConfigFiles.write(directory, db);
        String off = "GPUSTACK_USAGE_DETAILS_RETENTION_MONTHS";
        for (String command : List.of("plan", "sweep")) {
            CommandRun run = CommandRun.of(Map.of(off, "1200"), command, "--config", file, "--json");
            assertThat(run.exitCode()).isZero();
            assertThat(run.err())
                    .startsWith((command.equals("plan")
                                    ? ""
                                    : "retentionMonths is from the environment variable " + off + "\n")
                            + "WARNING: retentionMonths is 1200, from the environment variable " + off + ": ");
        }
        assertThat(db.number("SELECT count(*) FROM model_usage_details_archive"))
                .isZero();

        CommandRun run =
                CommandRun.of(Map.of(off, "1200", "USAGE_ARCHIVER_RETENTION_MONTHS", "13"), "sweep", "--config", file);

        assertThat(run.err())
                .isEqualTo("retentionMonths is from the environment variable USAGE_ARCHIVER_RETENTION_MONTHS\n");
        assertThat(db.number("SELECT count(*) FROM model_usage_details_archive"))
                .isEqualTo(60);
    }

    @Test
    void json_is_one_object_with_exactly_these_members() {
        insertExpired(1, 30);
        archiveOtherwise("id <= 25");
        CommandRun run = sweep("--json", "--set", "batchSize=10");
        assertThat(run.err()).isEmpty();
        assertThat(run.exitCode()).isEqualTo(4);
        assertThat(jsonMembers(run.out()))
                .containsExactly(
                        "sweepId number",
                        "table string",
                        "cutoff string",
                        "stopReason string",
                        "rowsMoved number",
                        "rowsAlreadyArchived number",
                        "rowsInConflict number",
                        "rowsRejected number",
                        "batches number",
                        "elapsedMillis number",
                        "conflictingIds array",
                        "rejectedIds array");
        assertThat(json(run.out(), "stopReason")).isEqualTo("DRAINED");
        assertThat(json(run.out(), "table")).isEqualTo("public.model_usage_details");
        assertThat(json(run.out(), "rowsMoved")).isEqualTo("5");
        assertThat(json(run.out(), "rowsInConflict")).isEqualTo("25");
        assertThat(json(run.out(), "conflictingIds")).startsWith("[\"1\",").endsWith(",\"20\"]");
        assertThat(json(run.out(), "rejectedIds")).isEqualTo("[]");
        assertThat(db.number("SELECT count(*) FROM usage_archive_sweep WHERE sweep_id = " + json(run.out(), "sweepId")
                        + " AND cutoff AT TIME ZONE 'UTC' = '" + json(run.out(), "cutoff") + "'"))
                .isEqualTo(1);
    }

    @Test
    void rows_that_are_kept_back_are_listed_and_give_exit_code_4() {
        insertExpired(1, 25);
        archiveOtherwise("id <= 21");
        db.execute("INSERT INTO model_usage_details_archive SELECT * FROM model_usage_details WHERE id = 25");
        CommandRun run = sweep();
        assertThat(run.exitCode()).isEqualTo(4);
        assertThat(run.out())
                .contains("DRAINED, no expired row is left but those kept back\n")
                .contains("\n  moved             3 rows in 1 batches")
                .contains("\n  archived already  1 row, identical: deleted from the hot table\n")
                .contains("\n  in conflict       21 rows stay hot, the archive holds other content: 1, 2, ")
                .contains(", 20, ...\n");
    }

    @Test
    void a_time_budget_that_is_used_up_gives_exit_code_3() {
        insertExpired(1, 10);
        CommandRun run = sweep("--set", "timeBudget=1ms", "--set", "batchSize=5");
        assertThat(run.exitCode()).isEqualTo(3);
        assertThat(run.out()).startsWith("Sweep 1 of public.model_usage_details: TIME_BUDGET, the time budget is used");
    }

    @Test
    void rows_that_others_have_locked_give_exit_code_3() throws SQLException {
        insertExpired(1, 10);
        try (Connection other = db.connectAsOwner()) {
            other.setAutoCommit(false);
            TestDatabase.execute(other, "SELECT 1 FROM model_usage_details WHERE id = 5 FOR UPDATE");
            CommandRun run = sweep();
            assertThat(run.exitCode()).isEqualTo(3);
            assertThat(run.out()).contains("ROWS_LOCKED, what is left is locked", "moved             9 rows");
        }
        assertThat(sweep().exitCode()).isZero();
    }

    @Test
    void asked_to_stop_while_it_waits_for_the_ledger_it_leaves_no_trace_and_exits_with_3() throws SQLException {
        insertExpired(1, 10);
        Termination termination = new Termination();
        String file = ConfigFiles.write(directory, db);
        try (Connection other = db.connectAsOwner()) {
            other.setAutoCommit(false);
            TestDatabase.execute(other, "LOCK TABLE usage_archive_sweep");
            CompletableFuture<CommandRun> sweep = CompletableFuture.supplyAsync(
                    () -> CommandRun.of(termination, Map.of(), false, "sweep", "--json", "--config", file));
            await().until(() -> db.number("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation ="
                            + " 'usage_archive_sweep'::regclass")
                    == 1);
            assertThat(termination.signal()).isTrue();
            CommandRun run = sweep.join();
            assertThat(run.exitCode()).isEqualTo(3);
            assertThat(run.out()).isEmpty();
            assertThat(run.err()).contains("was asked to stop before it began").hasLineCount(1);
        }
        assertThat(db.number("SELECT count(*) FROM usage_archive_sweep")).isZero();
    }

    @Test
    void a_fault_in_the_middle_gives_the_result_so_far_on_stdout_the_fault_on_stderr_and_exit_code_1() {
        insertExpired(1, 10);
        refuseAllRows();
        CommandRun run = sweep("--json");
        assertThat(run.exitCode()).isEqualTo(1);
        assertThat(json(run.out(), "stopReason")).isEqualTo("FAILED");
        assertThat(json(run.out(), "rowsMoved")).isEqualTo("0");
        assertThat(run.err())
                .contains("permission denied for table metered_usage (apply sql/examples/grants.sql for the role")
                .hasLineCount(1);
    }

    @Test
    void a_missing_ledger_is_told_with_what_to_do_and_exit_code_1() {
        db.execute("DROP TABLE usage_archive_sweep CASCADE");
        CommandRun run = sweep("--json");
        assertThat(run.exitCode()).isEqualTo(1);
        assertThat(run.out()).isEmpty();
        assertThat(run.err())
                .contains("usage_archive_sweep does not exist; apply sql/02-ledger.sql")
                .contains("'usage-archiver init' creates what is missing");
    }

    @Test
    void tables_that_differ_are_told_with_every_difference_and_exit_code_1() {
        insertExpired(1, 10);
        db.execute("ALTER TABLE model_usage_details_archive DROP COLUMN operation;"
                + " ALTER TABLE model_usage_details ADD COLUMN extra int");
        CommandRun run = sweep();
        assertThat(run.exitCode()).isEqualTo(1);
        assertThat(run.out()).isEmpty();
        assertThat(run.err()).contains("lacks column operation", "lacks column extra");
        assertThat(db.number("SELECT count(*) FROM model_usage_details")).isEqualTo(10);
    }

    @Test
    void on_a_terminal_a_progress_line_runs_and_is_gone_before_the_summary() {
        insertExpired(1, 10);
        CommandRun run = CommandRun.onTerminal("sweep", "--config", ConfigFiles.write(directory, db));
        assertThat(run.out())
                .startsWith("\rLooking for rows older than ")
                .contains("\r" + " ".repeat(70) + "\rSweep 1 of");
        assertThat(run.err()).isEmpty();
    }

    @Test
    void json_has_no_progress_line_also_on_a_terminal() {
        insertExpired(1, 10);
        CommandRun run = CommandRun.onTerminal("sweep", "--json", "--config", ConfigFiles.write(directory, db));
        assertThat(run.out()).startsWith("{").doesNotContain("\r").hasLineCount(1);
    }

    @Test
    void a_fault_clears_the_progress_line() {
        insertExpired(1, 10);
        refuseAllRows();
        CommandRun run = CommandRun.onTerminal("sweep", "--config", ConfigFiles.write(directory, db));
        assertThat(run.out()).contains("\r" + " ".repeat(70) + "\rSweep 1 of public.model_usage_details: FAILED, ");
    }

    @Test
    void a_database_that_is_down_is_one_line() {
        assertThat(sweepWith("org.quartz.dataSource.archive.URL = jdbc:postgresql://127.0.0.1:1/none")
                        .err())
                .isEqualTo(
                        "No connection to the database: data source archive: Connection to 127.0.0.1:1 refused. Check"
                                + " that the hostname and port are correct and that the postmaster is accepting TCP/IP"
                                + " connections.\n");
    }

    @Test
    void a_login_that_is_refused_is_one_line_without_the_password() {
        CommandRun run = sweepWith(
                "org.quartz.dataSource.archive.acquireRetryDelay = 4000",
                "org.quartz.dataSource.archive.checkoutTimeout = 11000",
                "org.quartz.dataSource.archive.user = no_such_user",
                "org.quartz.dataSource.archive.password = sesame");
        assertThat(run.err())
                .startsWith("No connection to the database: data source archive: FATAL: ")
                .contains("no_such_user")
                .doesNotContain("sesame");
    }

    @Test
    void a_pool_that_cannot_be_made_is_one_line_with_the_reason() {
        assertThat(sweepWith("org.quartz.dataSource.archive.provider = hikaricp")
                        .err())
                .contains("archive", "checkoutTimeout");
        assertThat(sweepWith("org.quartz.dataSource.archive.driver =").err())
                .isEqualTo("Driver not specified for DataSource: archive\n");
    }

    /** A sweep that gets no connection. */
    private CommandRun sweepWith(String... lines) {
        CommandRun run = CommandRun.of("sweep", "--json", "--config", ConfigFiles.write(directory, db, lines));
        assertThat(run.exitCode()).isEqualTo(1);
        assertThat(run.out()).isEmpty();
        assertThat(run.err()).hasLineCount(1);
        return run;
    }

    /** By a right that no check can see beforehand. */
    private void refuseAllRows() {
        db.execute("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                + " RAISE insufficient_privilege USING MESSAGE = 'permission denied for table metered_usage'; END $$;"
                + " CREATE TRIGGER refuse BEFORE INSERT ON model_usage_details_archive"
                + " FOR EACH STATEMENT EXECUTE FUNCTION refuse()");
    }

    private CommandRun sweep(String... options) {
        return CommandRun.of(
                Stream.concat(Stream.of("sweep", "--config", ConfigFiles.write(directory, db)), Stream.of(options))
                        .toArray(String[]::new));
    }

    private void insertExpired(int firstId, int rows) {
        db.insertUsage("SELECT i, timestamp '2020-01-01' + i * interval '1 hour', timestamp '2020-01-01'"
                + " FROM generate_series(" + firstId + ", " + (firstId + rows - 1) + ") i");
    }

    /** Puts other rows with the same ids into the archive. */
    private void archiveOtherwise(String condition) {
        db.execute("INSERT INTO model_usage_details_archive SELECT * FROM model_usage_details WHERE " + condition
                + "; UPDATE model_usage_details_archive SET model_name = 'other'");
    }

    private String lastSweep(String column) {
        return db.strings("SELECT " + column + " FROM usage_archive_sweep ORDER BY sweep_id DESC LIMIT 1")
                .get(0);
    }

    /** Names and types of a JSON object's members. PostgreSQL reads it: strictly, and nothing may follow it. */
    private List<String> jsonMembers(String json) {
        return db.strings("SELECT key || ' ' || json_typeof(value) FROM json_each(" + literal(json) + ")");
    }

    private String json(String json, String member) {
        return db.strings("SELECT " + literal(json) + "::json ->> '" + member + "'")
                .get(0);
    }

    private static String literal(String text) {
        return "'" + text.replace("'", "''") + "'";
    }
}
