package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.usagearchiver.testing.Rival;
import io.usagearchiver.testing.SlowPath;
import io.usagearchiver.testing.TappedConnections;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** One mover at a time, and counts that are exact whatever is killed when. Every seventh row is archived already. */
class FenceTest {
    private static final String TABLE = "public.model_usage_details";
    /** How long a sweep waits for what a test holds. */
    private static final Duration PATIENCE = Duration.ofMinutes(1);

    private static final String COUNTS_ITS_BATCH = "update %usage_archive_sweep%rows_moved%";

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    private int rows;

    @BeforeEach
    void references_whose_checks_a_delete_or_its_commit_can_be_made_to_wait_for() {
        db.execute("CREATE TABLE before AS TABLE model_usage_details");
        db.execute("CREATE TABLE bill (usage_id integer REFERENCES model_usage_details)");
        db.execute("CREATE TABLE invoice (usage_id integer REFERENCES model_usage_details"
                + " DEFERRABLE INITIALLY DEFERRED)");
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2})
    void an_older_sweep_moves_nothing_any_more_once_a_newer_one_has_begun(int batchesBefore) {
        insertExpired(12);
        List<String> statesDuringNewer = new ArrayList<>();
        AtomicReference<SweepResult> newer = new AtomicReference<>();
        StopSignal stopNewer = new StopSignal();
        SweepListener stopAfterOneBatch = after(1, () -> {
            statesDuringNewer.addAll(states());
            stopNewer.request();
        });
        SweepListener runNewer = after(
                batchesBefore,
                () -> newer.set(archiver(db.archiver(), stopAfterOneBatch).sweep(stopNewer)));

        SweepResult older = archiver(db.archiver(), runNewer).sweep();

        assertThat(statesDuringNewer).containsExactly("SUPERSEDED", "RUNNING");
        assertThat(states()).containsExactly("SUPERSEDED", "INTERRUPTED");
        assertThat(older.stopReason()).isEqualTo(StopReason.SUPERSEDED);
        assertThat(older.batches()).isEqualTo(batchesBefore);
        assertThat(newer.get().batches()).isEqualTo(1);
        assertThat(db.number("SELECT count(*) FROM model_usage_details")).isEqualTo(9 - 3L * batchesBefore);
        assertExact();
    }

    @Test
    void a_batch_in_flight_is_rolled_back_when_a_newer_sweep_begins_before_it_is_counted() throws Exception {
        insertExpired(3);
        try (Rival rival = new Rival(db, Statement.COPY.blocker)) {
            CompletableFuture<SweepResult> older = start(archiver(db.archiver()));
            rival.awaitWaiting(1, Statement.COPY.pattern);
            SweepResult newer = archiver(db.archiver()).sweep();
            rival.close();

            assertThat(newer.stopReason()).isEqualTo(StopReason.ROWS_LOCKED);
            assertThat(older.get().stopReason()).isEqualTo(StopReason.SUPERSEDED);
            assertThat(older.get().batches()).isZero();
        }
        assertThat(db.number("SELECT count(*) FROM model_usage_details")).isEqualTo(3);
        assertExact();
    }

    @Test
    void a_batch_that_is_being_committed_is_waited_for_and_counted() throws Exception {
        insertExpired(6);
        // A slice of one statement would wait for a moment only.
        try (SlowPath slow = new SlowPath();
                Rival rival = new Rival(db, Statement.COMMIT.blocker)) {
            SweepListener waitForNewer = after(1, () -> await().until(() -> states().size() == 2));
            CompletableFuture<SweepResult> older = start(archiver(db.archiver(), waitForNewer));
            rival.awaitWaiting(1, Statement.COMMIT.pattern);
            CompletableFuture<SweepResult> newer = start(archiver(db.archiver()));
            rival.awaitWaiting(1, "insert into %usage_archive_sweep%");
            assertThat(states()).containsExactly("RUNNING");
            rival.close();

            assertThat(older.get().stopReason()).isEqualTo(StopReason.SUPERSEDED);
            assertThat(older.get().batches()).isEqualTo(1);
            assertThat(newer.get().stopReason()).isEqualTo(StopReason.DRAINED);
        }
        assertDrained();
    }

    @Test
    void a_node_that_is_frozen_in_a_transaction_does_not_prevent_a_takeover() {
        insertExpired(6);
        AtomicReference<String> last = new AtomicReference<>("");
        AtomicReference<SweepResult> newer = new AtomicReference<>();
        ConnectionSource frozenBeforeItsCommit = new TappedConnections(db.archiver(), (sql, connection) -> {
            if (sql.equals(TappedConnections.COMMIT) && last.get().contains("rows_moved") && newer.get() == null) {
                newer.set(archiver(db.archiver()).sweep());
            }
            last.set(sql);
        });
        ArchiveSettings settings = settings().withTimeouts(PATIENCE.minusSeconds(1), PATIENCE, Duration.ofMillis(500));

        sweepOrFail(archiver(frozenBeforeItsCommit, settings, new SweepListener() {}));

        assertThat(newer.get().stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(states()).containsExactly("SUPERSEDED", "DRAINED");
        assertThat(db.number("SELECT rows_moved FROM usage_archive_sweep ORDER BY sweep_id LIMIT 1"))
                .isZero();
        assertDrained();
    }

    @Test
    void sweeps_that_open_at_the_same_instant_take_turns() throws Exception {
        insertExpired(210);
        List<Long> running = Collections.synchronizedList(new ArrayList<>());
        SweepListener countRunning = new SweepListener() {
            @Override
            public void batchCommitted(SweepProgress progress) {
                running.add(db.number("SELECT count(*) FROM usage_archive_sweep WHERE state = 'RUNNING'"));
            }
        };
        List<CompletableFuture<SweepResult>> sweeps;
        try (Rival opener = new Rival(db, ledgerRow(TABLE))) {
            sweeps = Stream.generate(() -> start(archiver(db.archiver(), countRunning)))
                    .limit(8)
                    .toList();
            opener.awaitWaiting(8, "insert into %usage_archive_sweep%");
            opener.commit();
            CompletableFuture.allOf(sweeps.toArray(CompletableFuture[]::new)).get();
        }
        assertThat(running).isNotEmpty().allMatch(count -> count <= 1);
        assertThat(states()).hasSize(9).doesNotContain("RUNNING", "FAILED");
        for (CompletableFuture<SweepResult> sweep : sweeps) {
            SweepResult result = sweep.get();
            assertThat(db.strings("SELECT concat_ws(' ', state, rows_moved, rows_already_archived, batches)"
                            + " FROM usage_archive_sweep WHERE sweep_id = " + result.sweepId()))
                    .containsExactly("%s %d %d %d"
                            .formatted(
                                    result.stopReason(),
                                    result.rowsMoved(),
                                    result.rowsAlreadyArchived(),
                                    result.batches()));
        }
        archiver(db.archiver()).sweep(); // what was locked by a batch that the last one superseded
        assertDrained();
    }

    @Test
    void a_sweep_of_another_table_is_not_superseded() {
        db.execute(ledgerRow("public.other"));
        archiver(db.archiver()).sweep();
        assertThat(states()).containsExactly("RUNNING", "DRAINED");
    }

    /**
     * Also after it: that is before the next one.
     *
     * @param once whether the node finds the database again; else its sweep fails and the next one takes over
     */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void counts_are_exact_when_the_backend_is_killed_before_any_of_a_sweeps_statements(boolean once) {
        ArchiveSettings settings = settings().withRetryTimeout(once ? PATIENCE : Duration.ofMillis(1));
        int first = 0;
        boolean killed = true;
        while (killed) {
            insertExpired(7);
            int from = first;
            AtomicInteger statements = new AtomicInteger();
            ConnectionSource connections = new TappedConnections(db.archiver(), (sql, connection) -> {
                int statement = statements.getAndIncrement();
                if (once ? statement == from : statement >= from) {
                    kill(pid(connection));
                }
            });
            sweepOrFail(archiver(connections, settings, new SweepListener() {}));
            assertExact();
            killed = statements.get() > from;
            first++;
            if (db.number("SELECT count(*) FROM model_usage_details") > 0) {
                archiver(db.archiver()).sweep();
            }
        }
        assertThat(first).as("statements of a sweep of three batches").isGreaterThan(30);
        assertThat(states()).containsOnly(once ? new String[] {"DRAINED"} : new String[] {"SUPERSEDED", "DRAINED"});
        assertDrained();
    }

    @ParameterizedTest
    @EnumSource
    void counts_are_exact_when_the_backend_is_killed_during_a_statement(Statement statement) throws Exception {
        insertExpired(10);
        AtomicReference<Rival> rival = new AtomicReference<>();
        Archiver archiver =
                archiver(db.archiver(), after(1, () -> rival.compareAndSet(null, new Rival(db, statement.blocker))));
        CompletableFuture<Void> sweep =
                CompletableFuture.runAsync(() -> sweepOrFail(archiver), task -> new Thread(task).start());
        await().pollInterval(Duration.ofMillis(10)).until(() -> rival.get() != null);
        kill(rival.get().awaitWaiting(1, statement.pattern).get(0));
        rival.get().close();
        sweep.get();

        assertExact();
        archiver(db.archiver()).sweep();
        assertDrained();
    }

    /** The statements of a batch, each with what makes it wait and how to know it. */
    enum Statement {
        LOCK("LOCK TABLE model_usage_details IN EXCLUSIVE MODE", "select % for update skip locked%"),
        COPY("LOCK TABLE model_usage_details_archive IN SHARE MODE", Rival.COPY),
        PROVE("SELECT FROM model_usage_details_archive FOR UPDATE", Rival.PROOF),
        DELETE("LOCK TABLE bill IN ACCESS EXCLUSIVE MODE", "delete from %"),
        FENCE("SELECT FROM usage_archive_sweep FOR UPDATE", COUNTS_ITS_BATCH),
        COMMIT("LOCK TABLE invoice IN ACCESS EXCLUSIVE MODE", "COMMIT");

        private final String blocker;
        private final String pattern;

        Statement(String blocker, String pattern) {
            this.blocker = blocker;
            this.pattern = pattern;
        }
    }

    /** Rows whose third and every seventh after it are archived already; the sixth and so on never completed. */
    private void insertExpired(int count) {
        db.insertUsage("""
                SELECT i, CASE WHEN i % 7 <> 6 THEN timestamp '2020-01-01' + i * interval '1 minute' END,
                  timestamp '2020-01-01' + i * interval '1 minute' FROM generate_series({0} + 1, {0} + {1}) i
                """.replace("{0}", "" + rows).replace("{1}", "" + count));
        db.execute("INSERT INTO before SELECT * FROM model_usage_details WHERE id > " + rows);
        db.execute("INSERT INTO model_usage_details_archive SELECT * FROM model_usage_details"
                + " WHERE id % 7 = 3 AND id > " + rows);
        rows += count;
    }

    private static ArchiveSettings settings() {
        return ArchiveSettings.defaults()
                .withBatchSize(3)
                .withTimeouts(PATIENCE.minusSeconds(1), PATIENCE, Duration.ofSeconds(10));
    }

    private static Archiver archiver(ConnectionSource connections) {
        return archiver(connections, new SweepListener() {});
    }

    private static Archiver archiver(ConnectionSource connections, SweepListener listener) {
        return archiver(connections, settings(), listener);
    }

    private static Archiver archiver(ConnectionSource connections, ArchiveSettings settings, SweepListener listener) {
        return Archiver.builder(TestedPair.USAGE, connections)
                .settings(settings)
                .listener(listener)
                .build();
    }

    /** Does something on the sweep's own thread once so many batches are committed. */
    private static SweepListener after(int batches, Runnable action) {
        return new SweepListener() {
            @Override
            public void sweepStarted(SweepProgress progress) {
                batchCommitted(progress);
            }

            @Override
            public void batchCommitted(SweepProgress progress) {
                if (progress.batches() == batches) {
                    action.run();
                }
            }
        };
    }

    private static CompletableFuture<SweepResult> start(Archiver archiver) {
        return CompletableFuture.supplyAsync(archiver::sweep, task -> new Thread(task).start());
    }

    private static void sweepOrFail(Archiver archiver) {
        try {
            archiver.sweep();
        } catch (ArchiveException e) {
            assertThat(e).hasRootCauseInstanceOf(SQLException.class);
        }
    }

    private static String ledgerRow(String table) {
        return "INSERT INTO usage_archive_sweep (table_name, state, node, fired_by, cutoff, started_at)" + " VALUES ('"
                + table + "', 'RUNNING', 'node', 'test', '2020-01-01', timezone('UTC', now()))";
    }

    private static String pid(Connection connection) throws SQLException {
        try (var statement = connection.createStatement();
                var row = statement.executeQuery("SELECT pg_backend_pid()")) {
            row.next();
            return row.getString(1);
        }
    }

    /** Kills a session and waits until it is gone. */
    private void kill(String pid) {
        assertThat(db.strings("SELECT pg_terminate_backend(" + pid + ")")).containsExactly("t");
        await().pollInterval(Duration.ofMillis(5))
                .until(() -> db.number("SELECT count(*) FROM pg_stat_activity WHERE pid = " + pid) == 0);
    }

    private List<String> states() {
        return db.strings("SELECT state FROM usage_archive_sweep ORDER BY sweep_id");
    }

    private void assertDrained() {
        assertThat(db.number("SELECT count(*) FROM model_usage_details")).isZero();
        assertThat(db.number("SELECT count(*) FROM usage_archive_sweep WHERE state = 'RUNNING'"))
                .isZero();
        assertExact();
    }

    /** That no row is lost, doubled or changed, and that the ledger counts what happened to the tables. */
    private void assertExact() {
        assertThat(db.strings("""
                        (TABLE before EXCEPT (TABLE model_usage_details UNION TABLE model_usage_details_archive))
                        UNION ALL
                        ((TABLE model_usage_details UNION TABLE model_usage_details_archive) EXCEPT TABLE before)
                        UNION ALL
                        SELECT model_usage_details.* FROM model_usage_details JOIN model_usage_details_archive USING (id) WHERE id % 7 <> 3
                        """))
                .as("ids of rows that are lost, changed or in both tables")
                .isEmpty();
        // A batch copies at least one row, and rows that one batch copied are those that one transaction inserted.
        assertThat(db.strings("""
                        SELECT concat_ws(' ', coalesce(sum(rows_moved), 0), coalesce(sum(rows_already_archived), 0),
                          coalesce(sum(rows_in_conflict), 0), coalesce(sum(rows_rejected), 0), coalesce(sum(batches), 0)) FROM usage_archive_sweep
                        """)).isEqualTo(db.strings("""
                        SELECT concat_ws(' ', count(*) FILTER (WHERE id % 7 <> 3),
                          count(*) FILTER (WHERE id % 7 = 3 AND id NOT IN (SELECT id FROM model_usage_details)), 0, 0,
                          count(DISTINCT xmin::text) FILTER (WHERE id % 7 <> 3)) FROM model_usage_details_archive
                        """));
    }
}
