package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import io.usagearchiver.testing.UsageRows;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The view of {@code sql/07-status.sql}, and whose rights its function has. */
class StatusViewTest {
    private static final String BACKLOG = "SELECT backlog_rows FROM usage_archive_status WHERE newest";

    private final TestDatabase db = TestDatabase.create();
    private final UsageRows usage = new UsageRows(db);
    private final List<String> roles = new ArrayList<>();

    @AfterEach
    void drop_database_and_roles() {
        for (String role : roles) {
            db.execute("REASSIGN OWNED BY " + role + " TO CURRENT_USER; DROP OWNED BY " + role + " CASCADE");
        }
        roles.forEach(role -> db.execute("DROP ROLE " + role));
        db.close();
    }

    @Test
    void the_view_shows_the_ledger_and_the_backlog_in_the_row_of_the_newest_sweep() {
        usage.replaceWithExpired(25);
        Archiver archiver = Archiver.builder(TestedPair.USAGE, db.archiver()).build();
        archiver.sweep();
        archiver.sweep();
        db.insertUsage("""
                SELECT i, c, d FROM (VALUES (101, timestamp '2020-02-01', timestamp '2020-01-01'),
                  (102, null, timestamp '2020-01-01'), (103, timezone('UTC', now()), timestamp '2020-01-01'),
                  (104, null, timezone('UTC', now()))) v (i, c, d)""");
        assertThat(db.strings("""
                SELECT concat_ws(' ', sweep_id, direction, state, rows_moved, newest, backlog_rows, backlog_rows_exact,
                  backlog_oldest_age, backlog_behind = expired_before - backlog_oldest_age)
                FROM usage_archive_status"""))
                .containsExactly("2 ARCHIVE DRAINED 0 t 2 t 2020-01-01 00:00:00 t", "1 ARCHIVE DRAINED 25 f");
        assertThat(db.strings("SELECT abs(extract(epoch FROM expired_before - (SELECT max(cutoff) FROM"
                        + " usage_archive_sweep))) < 60 FROM usage_archive_status WHERE newest"))
                .containsExactly("t");
    }

    /** Clamped days: 13 months before 31 March is the end of February. */
    @Test
    void the_view_knows_the_retention_period_of_the_newest_sweep_in_months() {
        for (String sweep :
                List.of("'2025-03-31 10:00', '2024-02-29 10:00'", "'2026-01-31 10:00', '2025-12-31 10:00'")) {
            db.execute("DELETE FROM usage_archive_sweep; INSERT INTO usage_archive_sweep (table_name, state, node,"
                    + " fired_by, started_at, cutoff) VALUES ('public.model_usage_details', 'DRAINED', 'n', 'f', "
                    + sweep
                    + ")");
            LocalDateTime started = LocalDateTime.parse(sweep.substring(1, 17).replace(' ', 'T'));
            int months = started.getMonthValue() == 3 ? 13 : 1;
            assertThat(db.strings("SELECT expired_before = timezone('UTC', now()) - interval '" + months + " months'"
                            + " FROM usage_archive_status"))
                    .containsExactly("t");
        }
    }

    @Test
    void the_view_counts_no_further_than_it_says_and_reads_by_index() throws SQLException {
        usage.archiver().build().sweep();
        db.insertUsage("SELECT i, CASE WHEN i % 2 = 0 THEN timestamp '2020-01-01' END, timestamp '2020-01-01' + i *"
                + " interval '1 second' FROM generate_series(1, 80000) i");
        String backlog = "SELECT backlog_rows_exact || ' ' || backlog_rows FROM usage_archive_status WHERE newest";
        // Of the 10,001 oldest by created_at, every other one never completed.
        assertThat(db.strings(backlog)).containsExactly("false 15002");
        assertThat(entriesRead(() -> db.strings(backlog))).isBetween(20_000L, 20_100L);
        db.execute("DELETE FROM model_usage_details WHERE id > 10000");
        assertThat(db.strings(backlog)).containsExactly("true 10000");
    }

    /** The application may alter its table, and drop it, as if there were no view. */
    @Test
    void the_view_does_not_bind_the_hot_table() {
        usage.archiver().build().sweep();
        db.execute("ALTER TABLE model_usage_details ALTER completed_at TYPE timestamptz, DROP COLUMN operation");
        db.execute("DROP TABLE model_usage_details");
        assertThat(db.strings("SELECT concat_ws(' ', sweep_id, newest, backlog_rows) FROM usage_archive_status"))
                .containsExactly("1 t");
    }

    @Test
    void a_row_that_is_infinitely_old_is_shown() {
        usage.archiver().build().sweep();
        db.insertUsage("SELECT 1, timestamp '-infinity', timestamp '2020-01-01'");
        assertThat(db.strings("SELECT concat_ws(' ', backlog_rows, backlog_rows_exact, backlog_oldest_age,"
                        + " backlog_behind IS NULL) FROM usage_archive_status"))
                .containsExactly("1 t -infinity t");
    }

    @Test
    void a_role_that_has_nothing_but_the_documented_grants_reads_it() throws SQLException {
        sweepAndLeave(3);
        String grafana = role("grafana");
        db.execute("GRANT SELECT ON usage_archive_status TO " + grafana + ";"
                + " GRANT EXECUTE ON FUNCTION usage_archive_backlog(timestamp) TO " + grafana);
        assertThat(as(grafana, BACKLOG)).isEqualTo("3");
        assertThatThrownBy(() -> as(grafana, "SELECT 1 FROM model_usage_details"))
                .hasMessageContaining("permission denied");
    }

    @Test
    void who_may_read_the_view_may_read_its_backlog_once_the_file_was_applied_and_nobody_else_may()
            throws SQLException {
        sweepAndLeave(3);
        String early = role("early");
        String late = role("late");
        String other = role("other");
        db.execute("GRANT SELECT ON usage_archive_status TO " + early);
        applyTheFile();
        db.execute("GRANT SELECT ON usage_archive_status TO " + late);
        assertThat(as(early, BACKLOG)).isEqualTo("3");
        assertThatThrownBy(() -> as(late, BACKLOG)).hasMessageContaining("permission denied for function");
        assertThatThrownBy(() -> as(other, "SELECT backlog_rows FROM usage_archive_backlog('2025-01-01')"))
                .hasMessageContaining("permission denied for function");

        db.execute("GRANT SELECT ON usage_archive_status TO PUBLIC");
        applyTheFile();
        assertThat(as(other, BACKLOG)).isEqualTo("3");
    }

    @Test
    void the_function_belongs_to_the_owner_of_the_hot_table() throws SQLException {
        String application = role("application");
        db.execute("ALTER TABLE model_usage_details OWNER TO " + application);
        sweepAndLeave(3);
        assertThat(db.strings(BACKLOG)).as("before").containsExactly((String) null);
        applyTheFile();
        assertThat(db.strings("SELECT pg_get_userbyid(proowner) FROM pg_proc WHERE proname = 'usage_archive_backlog'"))
                .containsExactly(unquoted(application));
        assertThat(db.strings(BACKLOG)).containsExactly("3");
        applyTheFile();
        assertThat(db.strings(BACKLOG)).as("applied again").containsExactly("3");
    }

    @Test
    void an_application_that_replaces_its_table_by_a_view_gains_nothing() throws SQLException {
        String application = role("application");
        db.execute("GRANT CREATE ON SCHEMA public TO " + application + "; ALTER TABLE model_usage_details OWNER TO "
                + application);
        sweepAndLeave(3);
        plantEscalation(application, "DROP TABLE model_usage_details");
        assertNoEscalation(application);
        applyTheFile();
        assertNoEscalation(application);
    }

    /** The owner of the schema may drop what is not its own. */
    @Test
    void a_schemas_owner_that_puts_a_view_or_a_table_in_the_place_of_a_superusers_gains_nothing() throws SQLException {
        String application = role("application");
        db.execute("ALTER SCHEMA public OWNER TO " + application);
        sweepAndLeave(3);
        plantEscalation(application, "DROP TABLE model_usage_details");
        assertNoEscalation(application);

        executeAs(
                application,
                "ALTER VIEW model_usage_details RENAME TO planted_view;"
                        + " CREATE FUNCTION escalates(integer) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS"
                        + " $$ BEGIN PERFORM public.escalate(); RETURN true; END $$;"
                        + " CREATE TABLE model_usage_details (completed_at timestamp, created_at timestamp)");
        executeAs(application, "CREATE INDEX ON model_usage_details (completed_at) WHERE escalates(1)");
        assertNoEscalation(application);
    }

    @Test
    void a_view_that_comes_while_the_function_waits_for_the_table_gains_nothing() throws SQLException {
        String application = role("application");
        db.execute("ALTER SCHEMA public OWNER TO " + application);
        sweepAndLeave(3);
        try (Connection session = connect(application)) {
            session.setAutoCommit(false);
            plantEscalation(session, "DROP TABLE model_usage_details");
            CompletableFuture<Void> reader = CompletableFuture.runAsync(() -> assertNoEscalation(application));
            await().until(() -> db.number("SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessShareLock'"
                            + " AND relation = 'model_usage_details'::regclass")
                    == 1);
            session.commit();
            reader.join();
        }
    }

    private void sweepAndLeave(int rows) {
        usage.archiver().build().sweep();
        db.insertUsage("SELECT i, timestamp '2020-01-01', timestamp '2020-01-01' FROM generate_series(101, "
                + (100 + rows) + ") i");
    }

    private void applyTheFile() {
        db.execute(TestDatabase.scripts().get(6));
    }

    private void plantEscalation(String role, String instead) throws SQLException {
        try (Connection session = connect(role)) {
            plantEscalation(session, instead);
        }
    }

    /** A view in the place of the table: reading it makes a superuser of its owner, if a superuser reads it. */
    private static void plantEscalation(Connection session, String instead) throws SQLException {
        TestDatabase.execute(
                session,
                instead + "; CREATE FUNCTION escalate() RETURNS timestamp LANGUAGE plpgsql AS"
                        + " $$ BEGIN EXECUTE format('ALTER ROLE %I SUPERUSER', '"
                        + session.getMetaData().getUserName()
                        + "'); RETURN '2020-01-01'; EXCEPTION WHEN insufficient_privilege THEN RETURN '2020-01-01'; END $$;"
                        + " CREATE VIEW model_usage_details AS SELECT escalate() AS completed_at, escalate() AS created_at");
    }

    private void assertNoEscalation(String application) {
        String grafana = role("reader_" + roles.size());
        db.execute("GRANT SELECT ON usage_archive_status TO " + grafana + ";"
                + " GRANT EXECUTE ON FUNCTION usage_archive_backlog(timestamp) TO " + grafana);
        String backlog;
        try {
            backlog = as(grafana, BACKLOG);
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
        assertThat(db.strings("SELECT rolsuper FROM pg_roles WHERE rolname = '" + unquoted(application) + "'"))
                .as("superuser")
                .containsExactly("f");
        assertThat(backlog).isNull();
    }

    /** A new role, quoted. */
    private String role(String name) {
        String role = '"' + name + " of " + db.name() + '"';
        db.execute("CREATE ROLE " + role + " LOGIN PASSWORD 'x'");
        roles.add(role);
        return role;
    }

    private Connection connect(String role) throws SQLException {
        return DriverManager.getConnection(db.url(), unquoted(role), "x");
    }

    private static String unquoted(String role) {
        return role.replace("\"", "");
    }

    private void executeAs(String role, String sql) throws SQLException {
        try (Connection session = connect(role)) {
            TestDatabase.execute(session, sql);
        }
    }

    private String as(String role, String query) throws SQLException {
        try (Connection session = connect(role);
                Statement statement = session.createStatement();
                ResultSet row = statement.executeQuery(query)) {
            assertThat(row.next()).isTrue();
            return row.getString(1);
        }
    }

    /** Entries of the hot table's indexes; a session tells what it has read when it is asked to. */
    private long entriesRead(Runnable action) {
        String entries = "SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname = 'model_usage_details'";
        db.execute("SELECT pg_stat_force_next_flush()");
        long before = db.number(entries);
        action.run();
        db.execute("SELECT pg_stat_force_next_flush()");
        return db.number(entries) - before;
    }
}
