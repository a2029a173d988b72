package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.usagearchiver.testing.TestDatabase;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

/** The ledger as the least-privileged role reads it, and as the view shows it. */
class SweepHistoryTest {
    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    private final UsageRows usage = new UsageRows(db);

    @Test
    void sweeps_are_told_as_they_ended_newest_first() {
        usage.replaceWithExpired(25);
        db.execute("INSERT INTO model_usage_details_archive SELECT * FROM model_usage_details WHERE id <= 5;"
                + " UPDATE model_usage_details_archive SET model_name = 'other' WHERE id <= 3");
        SweepResult first =
                usage.archiver(10).node("one").firedBy("cron").build().sweep();
        SweepResult second =
                usage.archiver().node("two").firedBy("startup").build().sweep();

        List<PastSweep> sweeps = newest(20);

        assertThat(sweeps).extracting(PastSweep::sweepId).containsExactly(second.sweepId(), first.sweepId());
        PastSweep past = sweeps.get(1);
        assertThat(past.table()).isEqualTo("public.model_usage_details");
        assertThat(past.direction()).isEqualTo("ARCHIVE");
        assertThat(past.state()).isEqualTo("DRAINED");
        assertThat(past.node()).isEqualTo("one");
        assertThat(past.firedBy()).isEqualTo("cron");
        assertThat(past.cutoff()).isEqualTo(UsageRows.CUTOFF);
        assertThat(past.rowsMoved()).isEqualTo(20);
        assertThat(past.rowsAlreadyThere()).isEqualTo(2);
        assertThat(past.rowsInConflict()).isEqualTo(3);
        assertThat(past.rowsKeptBack()).isEqualTo(3);
        assertThat(past.batches()).isEqualTo(3);
        assertThat(past.elapsed()).isEqualTo(first.elapsed());
        assertThat(past.moving()).isBetween(Duration.ZERO, past.elapsed());
        assertThat(past.rowsPerSecond()).isPositive();
        assertThat(past.finishedAt()).isAfterOrEqualTo(past.startedAt());
        assertThat(newest(1)).extracting(PastSweep::node).containsExactly("two");
    }

    @Test
    void a_sweep_that_runs_shows_how_long_it_has() {
        db.execute("INSERT INTO usage_archive_sweep (table_name, state, node, fired_by, cutoff, started_at) VALUES"
                + " ('public.model_usage_details', 'RUNNING', 'n', 'f', '2025-01-01',"
                + " timezone('UTC', now()) - interval '2 hours')");
        PastSweep running = newest(1).get(0);
        assertThat(running.isRunning()).isTrue();
        assertThat(running.finishedAt()).isNull();
        assertThat(running.elapsed()).isBetween(Duration.ofHours(2), Duration.ofHours(3));
        assertThat(running.moving()).isZero();
        assertThat(running.rowsPerSecond()).isZero();
    }

    @Test
    void other_tables_are_left_out_and_the_index_of_the_history_is_read() throws SQLException {
        db.execute(
                "INSERT INTO usage_archive_sweep (table_name, state, node, fired_by, cutoff, started_at, finished_at)"
                        + " SELECT CASE WHEN i % 2 = 0 THEN 'public.model_usage_details' ELSE 'public.other' END, 'DRAINED', 'n',"
                        + " 'f', '2025-01-01', '2026-01-01', '2026-01-01' FROM generate_series(1, 2000) i");
        List<String> statements = new ArrayList<>();
        List<PastSweep> sweeps = new SweepHistory(
                        UsageDetails.PAIR,
                        new TappedConnections(db.archiver(), (sql, connection) -> statements.add(sql)),
                        ArchiveSettings.defaults())
                .newest(30);
        assertThat(sweeps).hasSize(30).allMatch(sweep -> sweep.table().equals("public.model_usage_details"));
        assertThat(sweeps.get(0).sweepId()).isEqualTo(2000);

        String query = statements.get(1).replace("?", "'public.model_usage_details'");
        assertThat(explain(statements.get(0), query))
                .contains("Index Scan Backward using usage_archive_sweep_history")
                .doesNotContain("Sort");
    }

    @Test
    void a_ledger_that_is_not_there_and_a_bad_limit_are_told() {
        assertThatThrownBy(() -> newest(0)).hasMessage("limit = 0: must be 1 or more");
        db.execute("DROP TABLE usage_archive_sweep CASCADE");
        assertThatThrownBy(() -> newest(1))
                .isInstanceOf(ArchiveException.class)
                .hasMessageStartingWith("Could not read the ledger: ");
    }

    @Test
    void the_view_shows_the_ledger_and_the_backlog_in_the_row_of_the_newest_sweep() {
        usage.replaceWithExpired(25);
        Archiver archiver = Archiver.builder(UsageDetails.PAIR, db.archiver()).build();
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
    void a_role_that_has_nothing_but_the_view_reads_it() throws SQLException {
        usage.replaceWithExpired(5);
        usage.archiver().build().sweep();
        String grafana = "grafana_" + db.name();
        db.execute(
                "CREATE ROLE " + grafana + " LOGIN PASSWORD 'x'; GRANT SELECT ON usage_archive_status TO " + grafana);
        try (Connection connection = java.sql.DriverManager.getConnection(db.url(), grafana, "x");
                Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery("SELECT backlog_rows FROM usage_archive_status")) {
            assertThat(row.next()).isTrue();
            assertThat(row.getLong(1)).isZero();
            assertThatThrownBy(() -> statement.executeQuery("SELECT 1 FROM model_usage_details"))
                    .hasMessageContaining("permission denied");
        } finally {
            db.execute("DROP OWNED BY " + grafana + "; DROP ROLE " + grafana);
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

    /** Entries of the hot table's indexes; a session tells what it has read when it is asked to. */
    private long entriesRead(Runnable action) {
        String entries = "SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname = 'model_usage_details'";
        db.execute("SELECT pg_stat_force_next_flush()");
        long before = db.number(entries);
        action.run();
        db.execute("SELECT pg_stat_force_next_flush()");
        return db.number(entries) - before;
    }

    private String explain(String settings, String query) throws SQLException {
        return explain(settings, query, db.connectAsArchiver());
    }

    private static String explain(String settings, String query, Connection session) throws SQLException {
        try (session;
                Statement statement = session.createStatement()) {
            session.setAutoCommit(false);
            statement.execute(settings);
            StringBuilder plan = new StringBuilder();
            try (ResultSet lines = statement.executeQuery("EXPLAIN " + query)) {
                while (lines.next()) {
                    plan.append(lines.getString(1)).append('\n');
                }
            }
            return plan.toString();
        }
    }

    private List<PastSweep> newest(int limit) {
        return new SweepHistory(UsageDetails.PAIR, db.archiver(), ArchiveSettings.defaults()).newest(limit);
    }
}
