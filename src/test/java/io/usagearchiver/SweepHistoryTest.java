package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.usagearchiver.testing.TappedConnections;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import io.usagearchiver.testing.UsageRows;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

/** The ledger as the least-privileged role reads it. */
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
                        TestedPair.USAGE,
                        new TappedConnections(db.archiver(), (sql, connection) -> statements.add(sql)),
                        ArchiveSettings.defaults())
                .newest(30);
        assertThat(sweeps).hasSize(30).allMatch(sweep -> sweep.table().equals("public.model_usage_details"));
        assertThat(sweeps.get(0).sweepId()).isEqualTo(2000);

        statements.removeIf("select pg_catalog.pg_backend_pid()"::equals);
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
        return new SweepHistory(TestedPair.USAGE, db.archiver(), ArchiveSettings.defaults()).newest(limit);
    }
}
