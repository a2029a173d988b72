package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.usagearchiver.testing.SlowPath;
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
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Tables and ledger against each other, by the least-privileged role. */
class VerifierTest {
    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    private final UsageRows usage = new UsageRows(db);

    @Test
    void what_a_sweep_leaves_behind_holds() {
        rowsAndBaseline(25);
        usage.archiver(10).build().sweep();
        Verification found = verify();
        assertThat(found.clean()).isTrue();
        assertThat(found.complete()).isTrue();
        assertThat(found.apart()).isTrue();
        assertThat(found.newestCutoff()).isEqualTo(UsageRows.CUTOFF);
        assertThat(found.archivedRows()).isEqualTo(25);
        assertThat(found.moved()).isEqualTo(25);
        assertThat(found.baseline().archivedRows()).isZero();
        assertThat(found.surplus()).isZero();
    }

    @Test
    void ids_in_both_tables_are_told_apart_and_listed() {
        rowsAndBaseline(60);
        db.execute("INSERT INTO model_usage_details_archive SELECT * FROM model_usage_details WHERE id <= 50;"
                + " UPDATE model_usage_details_archive SET model_name = 'other' WHERE id <= 25");
        Verification found = verify();
        assertThat(found.different()).isEqualTo(25);
        assertThat(found.differentIds()).hasSize(20).startsWith("1", "2").endsWith("20");
        assertThat(found.identical()).isEqualTo(25);
        assertThat(found.identicalIds()).hasSize(20).startsWith("26").endsWith("45");
        assertThat(found.apart()).isFalse();
        assertThat(found.clean()).isFalse();
    }

    @Test
    void rows_that_were_archived_already_or_are_in_conflict_leave_the_sums_right() {
        usage.replaceWithExpired(10);
        db.execute("INSERT INTO model_usage_details_archive SELECT * FROM model_usage_details WHERE id <= 5;"
                + " UPDATE model_usage_details_archive SET model_name = 'other' WHERE id <= 3");
        verifier(true).takeBaseline();
        usage.archiver().build().sweep();
        Verification found = verify();
        assertThat(found.baseline().archivedRows()).isEqualTo(5);
        assertThat(found.moved()).isEqualTo(5);
        assertThat(found.surplus()).isZero();
        assertThat(found.differentIds()).containsExactly("1", "2", "3");
        assertThat(found.identical()).isZero();
        assertThat(found.clean()).isFalse();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            completed_at = timestamp '2025-05-15 12:00'                    | 1
            completed_at = timestamp '2025-05-15 11:59:59.999999'          | 0
            completed_at = 'infinity'                                      | 1
            completed_at = NULL, created_at = timestamp '2025-05-15 12:00' | 1
            completed_at = NULL, created_at = timestamp '2025-05-15 11:00' | 0
            created_at = timestamp '2026-01-01'                            | 0
            """)
    void nothing_archived_may_be_younger_than_the_newest_cutoff(String change, long younger) {
        rowsAndBaseline(5);
        usage.archiver().build().sweep();
        // An older cutoff, and the moment of a restore, do not count.
        db.execute("INSERT INTO usage_archive_sweep (table_name, state, node, fired_by, started_at, cutoff, direction)"
                + " VALUES ('public.model_usage_details', 'DRAINED', 'n', 'f', '2026-01-01', '2024-01-01', 'ARCHIVE'),"
                + " ('public.model_usage_details', 'DRAINED', 'n', 'f', '2026-01-01', '2026-01-01', 'RESTORE')");
        db.execute("UPDATE model_usage_details_archive SET " + change + " WHERE id = 3");
        Verification found = verify();
        assertThat(found.younger()).isEqualTo(younger);
        assertThat(found.youngerIds()).isEqualTo(younger == 0 ? List.of() : List.of("3"));
        assertThat(found.clean()).isEqualTo(younger == 0);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            DELETE FROM model_usage_details_archive WHERE id <= 2 | -2
            INSERT INTO model_usage_details_archive TABLE model_usage_details; DELETE FROM model_usage_details | 1
            UPDATE usage_archive_sweep SET rows_moved = rows_moved + 7 | -7
            """)
    void an_archive_that_was_changed_past_the_ledger_is_found(String change, long surplus) {
        rowsAndBaseline(10);
        usage.archiver().build().sweep();
        db.insertUsage("SELECT 12, timestamp '2020-01-01', timestamp '2020-01-01'");
        db.execute(change);
        Verification found = verify();
        assertThat(found.surplus()).isEqualTo(surplus);
        assertThat(found.clean()).isFalse();
    }

    /** A restore takes out of the archive what it moves, and what the hot table held already. */
    @Test
    void restored_rows_are_no_longer_expected() {
        rowsAndBaseline(20);
        usage.archiver().build().sweep();
        db.execute("INSERT INTO usage_archive_sweep (table_name, state, node, fired_by, started_at, cutoff, direction,"
                + " rows_moved, rows_already_archived, rows_in_conflict, rows_rejected) VALUES"
                + " ('public.model_usage_details', 'DRAINED', 'n', 'f', '2026-01-01', '2026-01-01', 'RESTORE', 4, 2, 9, 8);"
                + " INSERT INTO model_usage_details SELECT * FROM model_usage_details_archive WHERE id <= 6;"
                + " DELETE FROM model_usage_details_archive WHERE id <= 6");
        Verification found = verify();
        assertThat(found.restored()).isEqualTo(6);
        assertThat(found.surplus()).isZero();
        assertThat(found.clean()).isTrue();
    }

    @Test
    void without_a_baseline_the_sums_are_not_compared() {
        usage.replaceWithExpired(5);
        Verification found = verify();
        assertThat(found.complete()).isFalse();
        assertThat(found.surplus()).isNull();
        assertThat(found.clean()).isTrue();
        assertThat(found.newestCutoff()).isNull();
    }

    @Test
    void a_baseline_is_what_the_ledger_does_not_know_and_is_taken_once() {
        usage.replaceWithExpired(30);
        db.execute("INSERT INTO model_usage_details_archive SELECT * FROM model_usage_details WHERE id <= 10;"
                + " DELETE FROM model_usage_details WHERE id <= 10");
        usage.archiver().build().sweep();
        assertThat(verifier(true).takeBaseline())
                .hasValueSatisfying(
                        baseline -> assertThat(baseline.archivedRows()).isEqualTo(10));
        assertThat(verify().clean()).isTrue();
        db.execute("DELETE FROM model_usage_details_archive WHERE id = 11");
        assertThat(verifier(true).takeBaseline()).isEmpty();
        assertThat(verify().surplus()).isEqualTo(-1);
    }

    @Test
    void the_role_of_sweeps_takes_no_baseline() {
        assertThatThrownBy(() -> verifier(false).takeBaseline())
                .isInstanceOf(ArchiveException.class)
                .hasMessageContaining("permission denied for table usage_archive_baseline");
    }

    @Test
    void it_holds_while_a_sweep_runs_between_its_batches_and_within_one() {
        rowsAndBaseline(30);
        List<Verification> found = new ArrayList<>();
        AtomicBoolean within = new AtomicBoolean();
        ConnectionSource tapped = new TappedConnections(db.archiver(), (sql, connection) -> {
            if (sql.startsWith("update \"public\".\"usage_archive_sweep\"") && sql.contains("\"rows_moved\" + ")) {
                within.set(true);
            } else if (sql.equals(TappedConnections.COMMIT) && within.getAndSet(false)) {
                found.add(verify());
            }
        });
        try (SlowPath slow = new SlowPath()) {
            Archiver.builder(TestedPair.USAGE, tapped)
                    .settings(ArchiveSettings.defaults().withBatchSize(10))
                    .listener(UsageRows.afterBatch(2, () -> found.add(verify())))
                    .build()
                    .sweep();
        }
        assertThat(found).extracting(Verification::archivedRows).containsExactly(0L, 10L, 20L, 20L);
        assertThat(found).allMatch(Verification::clean);
    }

    /** A batch that commits between its statements must not be seen by some of them only. */
    @Test
    void all_is_read_in_one_snapshot() {
        rowsAndBaseline(10);
        ConnectionSource tapped = new TappedConnections(db.archiver(), (sql, connection) -> {
            if (sql.contains("count(*)") && sql.endsWith("from only \"public\".\"model_usage_details_archive\"")) {
                usage.archiver().build().sweep();
            }
        });
        Verification found = verifier(tapped).verify(Duration.ofMinutes(1), cost -> {}, new StopSignal());
        assertThat(found.archivedRows()).isZero();
        assertThat(found.clean()).isTrue();
        assertThat(db.number("SELECT count(*) FROM model_usage_details_archive"))
                .isEqualTo(10);
    }

    @Test
    void the_cost_is_told_before_it_is_paid() {
        usage.replaceWithExpired(1000);
        db.execute("ANALYZE model_usage_details");
        List<String> order = new ArrayList<>();
        List<Verification.Cost> costs = new ArrayList<>();
        ConnectionSource tapped = new TappedConnections(db.archiver(), (sql, connection) -> {
            if (sql.contains("count(*)")) {
                order.add("count");
            }
        });
        verifier(tapped)
                .verify(
                        Duration.ofMinutes(1),
                        cost -> {
                            order.add("cost");
                            costs.add(cost);
                        },
                        new StopSignal());
        assertThat(order).startsWith("cost", "count").containsOnlyOnce("cost");
        assertThat(costs.get(0).hotRows()).isEqualTo(1000);
        assertThat(costs.get(0).archivedRows()).isEqualTo(-1);
        assertThat(costs.get(0).indexBytes())
                .isEqualTo(db.number("SELECT pg_relation_size('model_usage_details_pkey') +"
                        + " pg_relation_size('model_usage_details_archive_pkey')"));
    }

    @Test
    void it_ends_when_its_time_is_up() throws SQLException {
        try (Connection other = db.connectAsOwner()) {
            other.setAutoCommit(false);
            TestDatabase.execute(other, "LOCK TABLE model_usage_details_archive");
            assertThatThrownBy(() -> verifier(db.archiver()).verify(Duration.ofMillis(300), c -> {}, new StopSignal()))
                    .isInstanceOf(ArchiveException.class)
                    .hasMessage("Could not verify public.model_usage_details: not done within 0.3 s; nothing is known");
        }
    }

    @Tag(TestedPair.OF_CODE)
    @Test
    void tables_that_no_sweep_is_let_through_to_are_verified_all_the_same() {
        rowsAndBaseline(10);
        usage.archiver().build().sweep();
        db.execute("INSERT INTO model_usage_details SELECT * FROM model_usage_details_archive WHERE id = 4;"
                + " ALTER TABLE model_usage_details DROP COLUMN operation;"
                + " ALTER TABLE model_usage_details_archive ALTER COLUMN user_id TYPE bigint");
        Verification found = verify();
        assertThat(found.identicalIds()).containsExactly("4");
        assertThat(found.surplus()).isZero();
        db.execute("DROP TABLE model_usage_details CASCADE");
        assertThatThrownBy(this::verify)
                .hasMessage(
                        "Could not verify public.model_usage_details: there is no table public.model_usage_details");
    }

    /** The keys are merged by their indexes: memory does not grow with the tables, and no row is read but the twins'. */
    @Test
    void keys_are_compared_by_their_indexes_alone() throws SQLException {
        db.insertUsage("SELECT i, timestamp '2020-01-01', timestamp '2020-01-01' FROM generate_series(1, 20000) i");
        db.execute(
                "INSERT INTO model_usage_details_archive SELECT * FROM model_usage_details;"
                        + " DELETE FROM model_usage_details_archive WHERE id % 2 = 0; DELETE FROM model_usage_details WHERE id % 2 = 1");
        db.execute("VACUUM (ANALYZE) model_usage_details");
        db.execute("VACUUM (ANALYZE) model_usage_details_archive");
        List<String> statements = new ArrayList<>();
        verifier(new TappedConnections(db.archiver(), (sql, connection) -> statements.add(sql)))
                .verify(Duration.ofMinutes(1), cost -> {}, new StopSignal());
        try (Connection session = db.connectAsArchiver();
                Statement statement = session.createStatement()) {
            session.setAutoCommit(false);
            for (String sql : statements) {
                if (sql.contains("set local")) {
                    statement.execute(sql);
                } else if (sql.contains("both_hold")) {
                    StringBuilder plan = new StringBuilder();
                    try (ResultSet lines = statement.executeQuery("EXPLAIN " + sql)) {
                        while (lines.next()) {
                            plan.append(lines.getString(1)).append('\n');
                        }
                    }
                    assertThat(plan.toString())
                            .contains("Merge Join")
                            .contains("Index Only Scan using model_usage_details_pkey")
                            .contains("Index Only Scan using model_usage_details_archive_pkey")
                            .doesNotContain("Hash", "Seq Scan", "Bitmap");
                    return;
                }
            }
        }
        throw new AssertionError("no statement that compares keys: " + statements);
    }

    private void rowsAndBaseline(int rows) {
        usage.replaceWithExpired(rows);
        verifier(true).takeBaseline();
    }

    private Verification verify() {
        return verifier(false).verify(Duration.ofMinutes(1), cost -> {}, new StopSignal());
    }

    private Verifier verifier(boolean owner) {
        return verifier(owner ? db::connectAsOwner : db.archiver());
    }

    private Verifier verifier(ConnectionSource connections) {
        return new Verifier(TestedPair.USAGE, connections, ArchiveSettings.defaults());
    }
}
