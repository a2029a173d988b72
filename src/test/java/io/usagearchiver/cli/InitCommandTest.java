package io.usagearchiver.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.usagearchiver.testing.TestDatabase;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code init} by an ordinary role that may create tables, on a database without any. */
class InitCommandTest {
    private static final String[] EVERYTHING = {
        "--role", TestDatabase.ARCHIVER, "--with-usage-tables", "--with-quartz-tables"
    };

    @TempDir
    private Path directory;

    private final TestDatabase db = TestDatabase.empty();
    private final List<String> roles = new ArrayList<>();
    private final String owner = role("owner_of_" + db.name());

    @BeforeEach
    void owner_may_create() {
        db.execute("GRANT CREATE ON SCHEMA public TO " + owner);
    }

    @AfterEach
    void drop_database_and_roles() throws SQLException {
        try (Connection connection = db.connectAsOwner()) {
            for (String role : roles) {
                TestDatabase.execute(connection, "DROP OWNED BY " + role + " CASCADE");
            }
            for (String role : roles) {
                TestDatabase.execute(connection, "DROP ROLE " + role);
            }
        }
        db.close();
    }

    @Test
    void without_options_only_the_ledger_is_created() {
        CommandRun run = initAsOwner();
        assertThat(run.err()).isEmpty();
        assertThat(run.exitCode()).isZero();
        assertThat(tables()).containsExactly("usage_archive_baseline", "usage_archive_hold", "usage_archive_sweep");
        assertThat(run.out().lines())
                .containsExactly(
                        "02-ledger.sql: 14 applied, 1 stood already",
                        "  CREATE TABLE public.usage_archive_sweep",
                        "  CREATE UNIQUE INDEX usage_archive_sweep_running ON public.usage_archive_sweep",
                        "  CREATE INDEX usage_archive_sweep_history ON public.usage_archive_sweep",
                        "  ALTER TABLE public.usage_archive_sweep ADD COLUMN direction",
                        "  ALTER TABLE public.usage_archive_sweep ADD COLUMN holds_version",
                        "  ALTER TABLE public.usage_archive_sweep ADD COLUMN live_until",
                        "  CREATE TABLE public.usage_archive_hold",
                        "  ALTER TABLE public.usage_archive_hold ADD COLUMN column_values",
                        "  ALTER TABLE public.usage_archive_hold REPLACE CONSTRAINT usage_archive_hold_filter",
                        "  ALTER TABLE public.usage_archive_hold REPLACE CONSTRAINT usage_archive_hold_columns",
                        "  ALTER TABLE public.usage_archive_hold REPLACE CONSTRAINT usage_archive_hold_table",
                        "  ALTER TABLE public.usage_archive_hold REPLACE CONSTRAINT usage_archive_hold_ages",
                        "  ALTER TABLE public.usage_archive_hold REPLACE CONSTRAINT usage_archive_hold_end",
                        "  CREATE TABLE public.usage_archive_baseline",
                        "07-status.sql: 3 applied, 1 stood already",
                        "  CREATE OR REPLACE FUNCTION public.usage_archive_backlog",
                        "  CREATE OR REPLACE VIEW public.usage_archive_status",
                        "  REVOKE EXECUTE ON FUNCTION public.usage_archive_backlog(timestamp) FROM PUBLIC",
                        "08-all-rows.sql: 0 applied, 1 stood already",
                        "Could not take a baseline of public.model_usage_details: ERROR: relation"
                                + " \"public.model_usage_details_archive\" does not exist (apply sql/02-ledger.sql if it is a"
                                + " table of the archiver's)");
    }

    @Test
    void with_everything_the_role_can_sweep() {
        CommandRun run = initAsOwner(EVERYTHING);
        assertThat(run.err()).isEmpty();
        assertThat(run.exitCode()).isZero();
        assertThat(run.out())
                .contains(
                        "01-usage-tables.sql: 18 applied, 0 stood already",
                        "  CREATE TABLE public.qrtz_locks",
                        "  INSERT INTO public.qrtz_locks",
                        "  GRANT UPDATE (updated_at) ON public.model_usage_details TO \"" + TestDatabase.ARCHIVER
                                + "\"",
                        "05-quartz-grants.sql: ",
                        "07-status.sql: 3 applied, 1 stood already\n",
                        """
                        08-all-rows.sql: 1 applied, 0 stood already
                          CREATE FUNCTION public.model_usage_details_all
                          CREATE VIEW public.model_usage_details_all
                        """,
                        "baseline of public.model_usage_details: 0 rows are archived\n");
        assertThat(db.strings("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"))
                .containsExactly(owner);
        assertThat(CommandRun.of("sweep", "--config", ConfigFiles.write(directory, db))
                        .exitCode())
                .isZero();
    }

    @Test
    void repeated_by_a_role_that_may_not_create_it_finds_everything_standing() {
        initAsOwner(EVERYTHING);
        CommandRun again = init("archive", EVERYTHING);
        assertThat(again.err()).isEmpty();
        assertThat(again.exitCode()).isZero();
        assertThat(again.out().lines())
                .hasSize(7)
                .allMatch(line -> line.matches("0\\d-.*\\.sql: 0 applied, \\d+ stood already"));
    }

    @Test
    void a_ledger_that_does_not_know_a_state_learns_it() {
        initAsOwner(EVERYTHING);
        db.execute("ALTER TABLE usage_archive_sweep DROP CONSTRAINT usage_archive_sweep_state,"
                + " ADD CONSTRAINT usage_archive_sweep_state CHECK (state IN ('RUNNING', 'DRAINED'))");
        assertThat(initAsOwner(EVERYTHING).out())
                .contains(
                        "02-ledger.sql: 1 applied, 14 stood already",
                        "  ALTER TABLE public.usage_archive_sweep REPLACE CONSTRAINT usage_archive_sweep_state");
        db.execute("INSERT INTO usage_archive_sweep (table_name, state, node, fired_by, cutoff, started_at)"
                + " VALUES ('t', 'OUTSIDE_WINDOW', 'n', 'f', '2020-01-01', '2020-01-01')");
        assertThat(initAsOwner(EVERYTHING).out()).contains("02-ledger.sql: 0 applied, 15 stood already");
    }

    /** As it was before holds could name columns. */
    @Test
    void a_table_of_holds_that_does_not_know_columns_learns_them_and_keeps_its_holds() {
        String role = role("role_of_" + db.name());
        initAsOwner("--with-usage-tables", "--restore-role", role);
        db.execute("ALTER TABLE usage_archive_hold DROP column_values CASCADE, ADD CONSTRAINT usage_archive_hold_filter"
                + " CHECK (age_from IS NOT NULL OR age_to IS NOT NULL OR id_min IS NOT NULL OR id_max IS NOT NULL"
                + " OR user_id IS NOT NULL OR model_id IS NOT NULL)");
        String hold = "INSERT INTO usage_archive_hold (table_name, reason, created_by, node, created_at, ";
        String values = " VALUES ('public.model_usage_details', 'lawsuit', 'dba', 'psql', now(), ";
        db.execute(hold + "user_id)" + values + "7)");

        assertThat(initAsOwner("--restore-role", role).out())
                .contains(
                        "02-ledger.sql: 3 applied, 12 stood already",
                        "  ALTER TABLE public.usage_archive_hold ADD COLUMN column_values",
                        "  ALTER TABLE public.usage_archive_hold REPLACE CONSTRAINT usage_archive_hold_filter",
                        "  ALTER TABLE public.usage_archive_hold REPLACE CONSTRAINT usage_archive_hold_columns",
                        "  GRANT INSERT (table_name, age_from, age_to, id_min, id_max, user_id, model_id, column_values,");

        db.execute(hold + "column_values)" + values + "'{\"operation\": \"chat\"}')");
        assertThat(db.strings("SELECT concat_ws(' ', user_id, column_values) FROM usage_archive_hold ORDER BY hold_id"))
                .containsExactly("7", "{\"operation\": \"chat\"}");
        assertThat(initAsOwner("--restore-role", role).out()).contains("02-ledger.sql: 0 applied, 15 stood already");
    }

    @Test
    void only_what_is_missing_is_created_again() {
        initAsOwner(EVERYTHING);
        db.execute(
                "DROP INDEX usage_archive_sweep_history; ALTER TABLE usage_archive_sweep DROP direction CASCADE; DELETE FROM qrtz_locks WHERE lock_name = 'STATE_ACCESS';"
                        + " REVOKE DELETE ON model_usage_details FROM " + TestDatabase.ARCHIVER);
        assertThat(initAsOwner(EVERYTHING).out().lines())
                .containsExactly(
                        "01-usage-tables.sql: 0 applied, 18 stood already",
                        "02-ledger.sql: 2 applied, 13 stood already",
                        "  CREATE INDEX usage_archive_sweep_history ON public.usage_archive_sweep",
                        "  ALTER TABLE public.usage_archive_sweep ADD COLUMN direction",
                        "03-quartz-tables.sql: 1 applied, 31 stood already",
                        "  INSERT INTO public.qrtz_locks",
                        "04-grants.sql: 2 applied, 9 stood already",
                        "  GRANT SELECT, DELETE ON public.model_usage_details TO \"" + TestDatabase.ARCHIVER + "\"",
                        "  GRANT INSERT (table_name, direction, state, node, fired_by, cutoff, started_at, finished_at,"
                                + " live_until) ON public.usage_archive_sweep TO \"" + TestDatabase.ARCHIVER + "\"",
                        "05-quartz-grants.sql: 0 applied, 12 stood already",
                        "07-status.sql: 1 applied, 3 stood already",
                        "  CREATE OR REPLACE VIEW public.usage_archive_status",
                        "08-all-rows.sql: 0 applied, 1 stood already");
    }

    @Test
    void a_view_of_all_rows_that_cannot_be_made_is_told_and_keeps_nothing_else_from_being_made() {
        initAsOwner(EVERYTHING);
        db.execute("DROP VIEW model_usage_details_all; DROP FUNCTION model_usage_details_all();"
                + " DROP INDEX usage_archive_sweep_history");
        db.execute("CREATE TABLE model_usage_details_all (mine int)");

        assertThat(initAsOwner().out())
                .contains(
                        "  CREATE INDEX usage_archive_sweep_history",
                        "08-all-rows.sql: 0 applied, 1 stood already\nno view public.model_usage_details_all: its name is"
                                + " another's or too long, this role may not create it, or the columns of the two tables"
                                + " differ\n");
    }

    @Test
    void the_archive_is_counted_once_as_a_baseline() {
        initAsOwner("--with-usage-tables");
        db.execute("DELETE FROM usage_archive_baseline");
        db.insertUsage("SELECT i, timestamp '2020-01-01', timestamp '2020-01-01' FROM generate_series(1, 1234) i");
        db.execute("INSERT INTO model_usage_details_archive TABLE model_usage_details");
        assertThat(initAsOwner().out()).endsWith("baseline of public.model_usage_details: 1,234 rows are archived\n");
        db.execute("DELETE FROM model_usage_details_archive WHERE id = 1");
        assertThat(initAsOwner().out()).doesNotContain("baseline");
        assertThat(db.strings("SELECT archived_rows FROM usage_archive_baseline"))
                .containsExactly("1234");
    }

    @Test
    void quartz_is_granted_only_where_its_tables_are() {
        CommandRun run = initAsOwner("--role", TestDatabase.ARCHIVER, "--with-usage-tables");
        assertThat(run.exitCode()).isZero();
        assertThat(run.out()).contains("04-grants.sql: ").doesNotContain("05-quartz-grants.sql");
    }

    @Test
    void a_role_of_its_own_may_restore_and_the_archivers_may_not() {
        String role = role("restorer_of_" + db.name());
        String[] options = {"--with-usage-tables", "--role", TestDatabase.ARCHIVER, "--restore-role", role};
        assertThat(initAsOwner(options).out())
                .contains(
                        "06-restore-grants.sql: 10 applied, 3 stood already",
                        "  GRANT SELECT, DELETE ON public.model_usage_details_archive TO \"" + role + "\"");
        assertThat(initAsOwner(options).out()).contains("06-restore-grants.sql: 0 applied, 13 stood already");
        assertThat(db.strings("SELECT grantee FROM information_schema.role_table_grants WHERE privilege_type = 'DELETE'"
                        + " AND table_name = 'model_usage_details_archive' AND grantee <> '" + owner + "'"))
                .containsExactly(role);
    }

    @ParameterizedTest
    @ValueSource(strings = {"--role", "--restore-role"})
    void what_an_earlier_version_granted_on_all_columns_is_taken_back(String option) {
        String role = role("role_of_" + db.name());
        initAsOwner("--with-usage-tables");
        String tables = option.equals("--role") ? "usage_archive_sweep" : "usage_archive_sweep, usage_archive_hold";
        db.execute("GRANT SELECT, INSERT, UPDATE ON " + tables + " TO " + role);
        String privileges = "SELECT string_agg(DISTINCT privilege_type, ' ') FROM information_schema.role_table_grants"
                + " WHERE table_name IN ('usage_archive_sweep', 'usage_archive_hold') AND grantee = '" + role + "'";
        assertThat(db.strings(privileges)).containsExactly("INSERT SELECT UPDATE");

        assertThat(initAsOwner(option, role).out())
                .contains("  REVOKE INSERT, UPDATE ON public.usage_archive_sweep FROM \"" + role
                        + "\"\n  GRANT INSERT (");
        assertThat(db.strings(privileges)).containsExactly("SELECT");
        assertThat(initAsOwner(option, role).out()).containsPattern("grants.sql: 0 applied, 1[13] stood already");
    }

    @Test
    void one_role_is_not_given_both_ways() {
        CommandRun run = initAsOwner("--with-usage-tables", "--role", "a b", "--restore-role", "a b");
        assertThat(run.err())
                .contains("--role and --restore-role: both are a b, and must be two roles")
                .hasLineCount(1);
        assertThat(run.exitCode()).isEqualTo(2);
        assertThat(tables()).isEmpty();
    }

    @Test
    void an_older_function_and_view_are_replaced_and_their_grants_stay() {
        initAsOwner(EVERYTHING);
        String reader = role("reader_of_" + db.name());
        String older = TestDatabase.scripts().get(6).replace("10001", "501").replace("0.001", "0.002");
        db.execute("SET ROLE " + owner + "; " + older + "; RESET ROLE; GRANT SELECT ON usage_archive_status TO "
                + reader + "; GRANT EXECUTE ON FUNCTION usage_archive_backlog(timestamp) TO " + reader);
        CommandRun mayNot = init("archive");
        assertThat(mayNot.exitCode()).isZero();
        assertThat(mayNot.out())
                .contains("07-status.sql: 0 applied, 2 stood already, 2 not replaced\n"
                        + "  not replaced: function public.usage_archive_backlog belongs to " + owner
                        + "; apply sql/07-status.sql as that role or as a superuser (ERROR: permission denied for schema"
                        + " public)\n  not replaced: view public.usage_archive_status belongs to " + owner);

        assertThat(initAsOwner().out())
                .contains("07-status.sql: 2 applied, 2 stood already\n"
                        + "  CREATE OR REPLACE FUNCTION public.usage_archive_backlog\n"
                        + "  CREATE OR REPLACE VIEW public.usage_archive_status\n");
        assertThat(db.strings("SELECT prosrc || pg_get_viewdef('usage_archive_status'::regclass) FROM pg_proc WHERE"
                        + " proname = 'usage_archive_backlog'"))
                .singleElement()
                .asString()
                .contains("10001", "0.001")
                .doesNotContain("LIMIT 501", "0.002");
        assertThat(db.strings("SELECT has_table_privilege('" + reader + "', 'usage_archive_status', 'SELECT') AND"
                        + " has_function_privilege('" + reader + "', 'usage_archive_backlog(timestamp)', 'EXECUTE')"))
                .containsExactly("t");
        assertThat(initAsOwner().out()).contains("07-status.sql: 0 applied, 4 stood already");
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void a_function_that_went_to_the_owner_of_the_hot_table_keeps_nothing_else_from_being_applied(boolean older) {
        initAsOwner("--with-usage-tables");
        String application = role("application_of_" + db.name());
        if (older) {
            db.execute("SET ROLE " + owner + "; "
                    + TestDatabase.scripts().get(6).replace("10001", "501") + "; RESET ROLE");
        } else {
            db.execute("REVOKE TEMPORARY ON DATABASE " + db.name() + " FROM PUBLIC");
        }
        db.execute("ALTER FUNCTION usage_archive_backlog(timestamp) OWNER TO " + application
                + "; ALTER TABLE usage_archive_sweep DROP COLUMN live_until");

        CommandRun run = initAsOwner("--role", TestDatabase.ARCHIVER);

        assertThat(run.err()).isEmpty();
        assertThat(run.exitCode()).isZero();
        assertThat(run.out())
                .contains(
                        "  ALTER TABLE public.usage_archive_sweep ADD COLUMN live_until\n",
                        "  GRANT SELECT ON public.usage_archive_hold TO ",
                        " 1 not replaced\n  not replaced: function public.usage_archive_backlog belongs to "
                                + application
                                + "; apply sql/07-status.sql as that role or as a superuser (ERROR: must be owner of"
                                + " function usage_archive_backlog)\n");
        assertThat(db.strings("SELECT usename FROM pg_user JOIN pg_proc ON proowner = usesysid WHERE proname ="
                        + " 'usage_archive_backlog'"))
                .containsExactly(application);
    }

    @Test
    void the_files_applied_otherwise_are_found_standing() {
        db.execute("SET ROLE " + owner + "; " + String.join(";", TestDatabase.scripts()) + "; RESET ROLE");
        assertThat(initAsOwner("--role", TestDatabase.ARCHIVER, "--restore-role", TestDatabase.RESTORER)
                        .out())
                .contains(
                        "04-grants.sql: 0 applied, 11 stood already",
                        "06-restore-grants.sql: 0 applied, 13 stood already",
                        "07-status.sql: 0 applied, 4 stood already");
    }

    @Test
    void the_function_of_the_backlog_goes_to_the_owner_of_the_hot_table_or_init_says_who_has_to_give_it() {
        String application = role("application_of_" + db.name());
        db.execute(TestDatabase.scripts().get(0) + "; ALTER TABLE model_usage_details OWNER TO " + application
                + "; GRANT CREATE ON SCHEMA public TO " + application);
        String told = "usage_archive_status shows no backlog: as a superuser, ALTER FUNCTION"
                + " public.usage_archive_backlog(timestamp without time zone) OWNER TO " + application + "\n";
        assertThat(initAsOwner().out()).contains("07-status.sql: 3 applied, 1 stood already\n", told);
        assertThat(initAsOwner().out()).contains("07-status.sql: 0 applied, 4 stood already\n" + told);

        db.execute("GRANT " + application + " TO " + owner);
        String given = "ALTER FUNCTION public.usage_archive_backlog(timestamp) OWNER TO " + application;
        assertThat(initAsOwner().out())
                .contains("07-status.sql: 2 applied, 2 stood already\n  " + given
                        + "\n  GRANT EXECUTE ON FUNCTION public.usage_archive_backlog(timestamp) TO " + owner)
                .doesNotContain("shows no backlog");
        assertThat(initAsOwner().out()).contains("07-status.sql: 0 applied, 4 stood already");
    }

    @Test
    void lock_rows_carry_the_name_of_the_scheduler() {
        String name = "Bob's :\"role\" -- ; $1";
        initAsOwner("org.quartz.scheduler.instanceName = " + name, new String[] {"--with-quartz-tables"});
        assertThat(db.strings("SELECT sched_name || '/' || lock_name FROM qrtz_locks ORDER BY 1"))
                .containsExactly(name + "/STATE_ACCESS", name + "/TRIGGER_ACCESS");
    }

    @ParameterizedTest
    @ValueSource(strings = {"Usage  Archiver", "a\"b", "x; DROP TABLE y --", "SELECT"})
    void names_of_roles_are_quoted(String name) {
        String identifier = "\"" + name.replace("\"", "\"\"") + "\"";
        role(identifier);
        String[] options = {"--with-usage-tables", "--role", name};
        assertThat(initAsOwner(options).exitCode()).isZero();
        assertThat(db.strings("SELECT grantee FROM information_schema.role_table_grants"
                        + " WHERE table_name = 'usage_archive_sweep' AND privilege_type = 'SELECT' AND grantee <> '"
                        + owner
                        + "'"))
                .containsExactly(name);
        assertThat(initAsOwner(options).out()).contains("04-grants.sql: 0 applied, 11 stood already");
    }

    @Test
    void a_role_that_does_not_exist_leaves_nothing_behind() {
        assertFault(
                initAsOwner("--with-usage-tables", "--with-quartz-tables", "--role", "nobody_here"),
                "Nothing was changed: there is no role nobody_here; create it first");
    }

    @Test
    void grants_on_usage_tables_that_are_missing_leave_nothing_behind() {
        assertFault(
                initAsOwner("--role", TestDatabase.ARCHIVER),
                "Nothing was changed: there is no table public.model_usage_details",
                "--with-usage-tables creates it");
    }

    @Test
    void a_role_that_may_not_create_is_told_whose_work_it_is() {
        assertFault(
                init("archive"),
                "Nothing was changed: CREATE TABLE public.usage_archive_sweep: ERROR: permission denied for schema public",
                "--data-source");
    }

    @Test
    void a_data_source_that_the_file_lacks_is_bad_usage() {
        CommandRun run = init("ownr");
        assertThat(run.err()).contains("has no data source ownr; it has [archive, owner, quartz]");
        assertThat(run.exitCode()).isEqualTo(2);
    }

    @Test
    void tables_that_gpustack_made_stay_as_they_are() {
        db.execute(TestDatabase.scripts().get(0));
        db.insertUsage("SELECT 1, timestamp '2020-01-01', timestamp '2020-01-01'");
        String before = catalogOfUsageTables();

        assertThat(initAsOwner().exitCode()).isZero();
        assertThat(initAsOwner("--with-usage-tables").out()).contains("01-usage-tables.sql: 0 applied, 18 stood");
        CommandRun foreign = initAsOwner("--role", TestDatabase.ARCHIVER);
        assertThat(foreign.exitCode()).isEqualTo(1);
        assertThat(foreign.err()).contains("permission denied for table model_usage_details", "--data-source");
        assertThat(catalogOfUsageTables()).isEqualTo(before);

        db.execute("GRANT " + owner + " TO CURRENT_USER; SET ROLE NONE");
        String superuser = db.strings("SELECT current_user").get(0);
        String file = ConfigFiles.write(directory, db, ConfigFiles.dataSource("gpustack", db, superuser, superuser));
        assertThat(CommandRun.of("init", "--config", file, "--data-source", "gpustack", "--role", TestDatabase.ARCHIVER)
                        .exitCode())
                .isZero();
        CommandRun sweep = CommandRun.of("sweep", "--config", file);
        assertThat(sweep.exitCode()).isZero();
        assertThat(db.number("SELECT count(*) FROM model_usage_details_archive"))
                .isEqualTo(1);
    }

    @Test
    void two_of_them_take_turns() throws SQLException {
        try (Connection other = db.connectAsOwner()) {
            other.setAutoCommit(false);
            TestDatabase.execute(other, "SELECT pg_advisory_xact_lock(hashtext('usage-archiver init'))");
            CompletableFuture<CommandRun> run = CompletableFuture.supplyAsync(this::initAsOwner);
            await().until(() -> db.number("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
                            + " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())")
                    == 1);
            assertThat(tables()).isEmpty();
            other.commit();
            assertThat(run.join().exitCode()).isZero();
        }
    }

    private CommandRun initAsOwner(String... options) {
        return initAsOwner("", options);
    }

    private CommandRun initAsOwner(String line, String[] options) {
        String file = ConfigFiles.write(directory, db, line, ConfigFiles.dataSource("owner", db, owner, owner));
        return run(file, "owner", options);
    }

    private CommandRun init(String dataSource, String... options) {
        String file = ConfigFiles.write(directory, db, ConfigFiles.dataSource("owner", db, owner, owner));
        return run(file, dataSource, options);
    }

    private static CommandRun run(String file, String dataSource, String[] options) {
        return CommandRun.of(
                Stream.concat(Stream.of("init", "--config", file, "--data-source", dataSource), Stream.of(options))
                        .toArray(String[]::new));
    }

    private void assertFault(CommandRun run, String... told) {
        assertThat(run.err()).contains(told).hasLineCount(1);
        assertThat(run.out()).isEmpty();
        assertThat(run.exitCode()).isEqualTo(1);
        assertThat(tables()).isEmpty();
    }

    private String role(String identifier) {
        db.execute("CREATE ROLE " + identifier + " LOGIN PASSWORD '" + identifier + "'");
        roles.add(identifier);
        return identifier;
    }

    private List<String> tables() {
        return db.strings("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1");
    }

    private String catalogOfUsageTables() {
        return db.strings("SELECT string_agg(c::text, ' ' ORDER BY c.relname) FROM pg_class c"
                        + " WHERE c.relname LIKE '%model_usage%' AND c.relkind <> 'v'")
                .get(0);
    }
}
