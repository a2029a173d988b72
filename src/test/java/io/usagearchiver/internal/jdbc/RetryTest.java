package io.usagearchiver.internal.jdbc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Level;
import com.mchange.v2.c3p0.ComboPooledDataSource;
import io.usagearchiver.ArchiveSettings;
import io.usagearchiver.Archiver;
import io.usagearchiver.Pace;
import io.usagearchiver.StopReason;
import io.usagearchiver.SweepFailedException;
import io.usagearchiver.SweepResult;
import io.usagearchiver.testing.CapturedLog;
import io.usagearchiver.testing.Rival;
import io.usagearchiver.testing.SlowPath;
import io.usagearchiver.testing.TappedConnections;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.postgresql.PGConnection;
import org.slf4j.LoggerFactory;

/** Real errors of PostgreSQL in the middle of a sweep of 100 expired rows, ten a batch. */
class RetryTest {
    private static final ArchiveSettings SETTINGS = ArchiveSettings.defaults()
            .withBatchSize(10)
            .withTimeouts(Duration.ofSeconds(5), Duration.ofSeconds(20), Duration.ofSeconds(10));

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    @AutoClose
    private final CapturedLog log = new CapturedLog();

    @BeforeEach
    void loads_expired_rows() {
        db.insertUsage(
                "SELECT i, timestamp '2020-01-01' + i * interval '1 hour', timestamp '2020-01-01' FROM generate_series(1, 100) i");
        db.execute("CREATE TABLE before_the_sweep AS TABLE model_usage_details");
    }

    @ParameterizedTest
    @CsvSource({
        "set transaction, true",
        "'select array_agg(\"page\"', true",
        "for update, true",
        "insert into, true",
        "delete from, true",
        "'update \"public\".\"usage_archive_sweep\"', true",
        "commit, true",
        "'\"numbered\"', false",
        "'with \"moved\"', false",
        "commit, false"
    })
    void a_transaction_whose_backend_is_terminated_is_repeated_on_another_connection(String statement, boolean slow) {
        // One page holds all candidates.
        int which = isOfPage(statement) ? 1 : 9;
        AtomicInteger seen = new AtomicInteger();
        SweepResult result;
        try (SlowPath path = new SlowPath(slow)) {
            result = sweep(SETTINGS, (sql, connection) -> {
                if (sql.contains(statement) && seen.incrementAndGet() == which) {
                    terminate(connection);
                }
            });
        }

        assertThat(seen).hasValueGreaterThanOrEqualTo(which);
        assertDrained(result, 100, 10);
    }

    /** A pool that takes it for a leak, for instance, closes it without a word; some fault is thrown then, or another. */
    @ParameterizedTest
    @CsvSource({
        "set transaction, false, true",
        "'select array_agg(\"page\"', false, true",
        "for update, false, true",
        "insert into, true, true",
        "delete from, false, true",
        "'update \"public\".\"usage_archive_sweep\"', false, true",
        "commit, false, true",
        "commit, true, true",
        "'with \"moved\"', false, false",
        "'with \"moved\"', true, false",
        "commit, false, false"
    })
    void a_transaction_whose_connection_was_closed_by_someone_else_is_repeated_on_another_one(
            String statement, boolean runtimeException, boolean slow) {
        int which = isOfPage(statement) ? 1 : 9;
        AtomicInteger seen = new AtomicInteger();
        SweepResult result;
        try (SlowPath path = new SlowPath(slow)) {
            result = sweep(SETTINGS, (sql, connection) -> {
                if (sql.contains(statement) && seen.incrementAndGet() == which) {
                    connection.close();
                    if (runtimeException) {
                        throw new IllegalStateException("connection is closed");
                    }
                }
            });
        }

        assertDrained(result, 100, 10);
    }

    private static boolean isOfPage(String statement) {
        return statement.contains("page") || statement.contains("numbered");
    }

    /** The pool closes a connection's statements first. */
    @Test
    void a_statement_that_was_closed_by_someone_else_is_repeated_on_another_connection() {
        AtomicInteger inserts = new AtomicInteger();
        SweepResult result = sweep(SETTINGS, (sql, connection) -> {
            if (sql.contains("insert into \"public\".\"model") && inserts.incrementAndGet() == 3) {
                try (PreparedStatement closed = connection.prepareStatement("SELECT 1")) {
                    closed.close();
                    closed.execute();
                }
            }
        });

        assertDrained(result, 100, 10);
        assertThat(log.messages(Level.WARN, "io.usagearchiver.Retry"))
                .anyMatch(m -> m.contains("statement has been closed"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"25P03", "25P04", "57P05"})
    void a_transaction_that_a_timeout_of_the_session_has_ended_is_repeated(String state) {
        AtomicInteger inserts = new AtomicInteger();
        SweepResult result = sweep(SETTINGS, (sql, connection) -> {
            if (sql.contains("insert into \"public\".\"model") && inserts.incrementAndGet() == 3) {
                TestDatabase.execute(
                        connection, "DO $$ BEGIN RAISE EXCEPTION 'timed out' USING ERRCODE = '" + state + "'; END $$");
            }
        });

        assertDrained(result, 100, 10);
    }

    /** As a RELEASE SAVEPOINT that fails, which jOOQ does not tell. */
    @Test
    void a_transaction_that_a_fault_has_aborted_that_nobody_heard_of_is_repeated() {
        AtomicInteger inserts = new AtomicInteger();
        SweepResult result = sweep(SETTINGS, (sql, connection) -> {
            if (sql.contains("insert into \"public\".\"model") && inserts.incrementAndGet() == 3) {
                assertThatExceptionOfType(SQLException.class)
                        .isThrownBy(() -> TestDatabase.execute(connection, "SELECT 1 / 0"));
            }
        });

        assertDrained(result, 100, 10);
    }

    @Test
    void a_pool_that_takes_connections_back_in_mid_sweep_does_not_end_it() {
        db.execute("DELETE FROM model_usage_details");
        db.insertUsage("SELECT i, timestamp '2020-01-01' + i * interval '1 minute', timestamp '2020-01-01'"
                + " FROM generate_series(1, 4000) i");
        db.execute("DROP TABLE before_the_sweep; CREATE TABLE before_the_sweep AS TABLE model_usage_details");
        AtomicInteger opened = new AtomicInteger();
        try (ComboPooledDataSource pool = new ComboPooledDataSource()) {
            pool.setJdbcUrl(db.url());
            pool.setUser(TestDatabase.ARCHIVER);
            pool.setPassword(TestDatabase.ARCHIVER);
            pool.setMinPoolSize(1);
            pool.setUnreturnedConnectionTimeout(1);

            SweepResult result = Archiver.builder(TestedPair.USAGE, () -> {
                        opened.incrementAndGet();
                        return pool.getConnection();
                    })
                    .settings(ArchiveSettings.defaults()
                            .withBatchSize(50)
                            .withPace(Pace.full().withPause(Duration.ofMillis(30), 0)))
                    .build()
                    .sweep();

            assertThat(opened).hasValueGreaterThan(1);
            assertDrained(result, 4000, 80);
        }
    }

    @Test
    void a_commit_whose_answer_was_lost_is_counted_once() {
        AtomicInteger commits = new AtomicInteger();
        SweepResult result = sweep(SETTINGS, (sql, connection) -> {
            if (sql.equals(TappedConnections.COMMIT) && commits.incrementAndGet() == 8) {
                commitWithoutAnAnswer(connection);
            }
        });

        assertDrained(result, 100, 10);
    }

    @Test
    void a_sweep_whose_opening_was_committed_without_an_answer_goes_on_with_its_row() {
        AtomicInteger opening = new AtomicInteger();
        SweepResult result = sweep(SETTINGS, (sql, connection) -> {
            if (sql.startsWith("insert into \"public\".\"usage_archive_sweep\"")) {
                opening.compareAndSet(0, 1);
            } else if (sql.equals(TappedConnections.COMMIT) && opening.compareAndSet(1, 2)) {
                commitWithoutAnAnswer(connection);
            }
        });

        assertDrained(result, 100, 10);
        assertThat(db.strings("SELECT state FROM usage_archive_sweep")).containsExactly("DRAINED");
    }

    @Test
    void a_conflict_in_a_commit_whose_answer_was_lost_is_counted_once() {
        db.execute("INSERT INTO model_usage_details_archive SELECT * FROM model_usage_details WHERE id % 10 = 5");
        db.execute("UPDATE model_usage_details_archive SET user_name = 'other'");
        AtomicInteger commits = new AtomicInteger();
        SweepResult result = sweep(SETTINGS, (sql, connection) -> {
            if (sql.equals(TappedConnections.COMMIT) && commits.incrementAndGet() == 8) {
                commitWithoutAnAnswer(connection);
            }
        });

        assertThat(result.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(result.rowsMoved()).isEqualTo(90);
        assertThat(result.rowsInConflict()).isEqualTo(10);
        assertThat(result.conflictingIds()).containsExactly("5", "15", "25", "35", "45", "55", "65", "75", "85", "95");
    }

    /** Before the deletion of separate statements, or before the commit of a single one. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void a_transaction_that_postgresql_ended_because_the_node_was_frozen_is_repeated(boolean slow) {
        AtomicInteger deletes = new AtomicInteger();
        SweepResult result;
        try (SlowPath path = new SlowPath(slow)) {
            result = sweep(
                    SETTINGS.withTimeouts(Duration.ofSeconds(5), Duration.ofSeconds(20), Duration.ofSeconds(2)),
                    (sql, connection) -> {
                        int batch = sql.contains("delete from only ") ? deletes.incrementAndGet() : deletes.get();
                        if (batch == 3 && (slow || sql.equals(TappedConnections.COMMIT))) {
                            deletes.incrementAndGet();
                            awaitEnd(connection);
                        }
                    });
        }

        assertDrained(result, 100, 10);
    }

    @Test
    void a_deadlock_is_repeated() throws Exception {
        ArchiveSettings patient =
                SETTINGS.withTimeouts(Duration.ofSeconds(59), Duration.ofMinutes(1), Duration.ofMinutes(1));
        // PostgreSQL ends the session that notices: the sweep, since the rival looks much later.
        db.execute(
                "ALTER ROLE " + TestDatabase.ARCHIVER + " IN DATABASE " + db.name() + " SET deadlock_timeout = '8s'");

        try (Rival rival =
                new Rival(db, "INSERT INTO model_usage_details_archive SELECT * FROM before_the_sweep WHERE id = 55")) {
            CompletableFuture<SweepResult> sweep =
                    CompletableFuture.supplyAsync(() -> sweep(patient, (sql, connection) -> {}));
            rival.awaitWaiting(1, Rival.COPY);
            rival.execute("SET deadlock_timeout = '1min'");
            rival.execute("UPDATE model_usage_details SET user_name = 'last' WHERE id = 55");
            rival.execute("DELETE FROM model_usage_details_archive WHERE id = 55");
            rival.commit();

            assertThat(sweep.join().rowsMoved()).isEqualTo(100);
            assertThat(db.strings("SELECT user_name FROM model_usage_details_archive WHERE id = 55"))
                    .containsExactly("last");
            assertThat(db.number("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"))
                    .isEqualTo(1);
        }
    }

    @Test
    void a_lock_that_times_out_is_waited_for_again() throws Exception {
        AtomicInteger copies = new AtomicInteger();
        try (Rival rival =
                new Rival(db, "INSERT INTO model_usage_details_archive SELECT * FROM before_the_sweep WHERE id = 55")) {
            CompletableFuture<SweepResult> sweep = CompletableFuture.supplyAsync(() -> sweep(
                    SETTINGS.withTimeouts(Duration.ofMillis(50), Duration.ofSeconds(20), Duration.ofSeconds(10)),
                    (sql, connection) -> {
                        if (sql.contains("insert into \"public\".\"model_usage_details_archive\"")) {
                            copies.incrementAndGet();
                        }
                    }));
            await().untilAtomic(copies, org.hamcrest.Matchers.greaterThan(8));
            rival.close();

            assertDrained(sweep.join(), 100, 10);
        }
    }

    @Test
    void a_fault_that_lasts_longer_than_the_limit_fails_the_sweep_and_loses_nothing() throws Exception {
        try (Rival rival =
                new Rival(db, "INSERT INTO model_usage_details_archive SELECT * FROM before_the_sweep WHERE id = 55")) {
            SweepFailedException failure = catchThrowableOfType(
                    SweepFailedException.class,
                    () -> sweep(
                            SETTINGS.withRetryTimeout(Duration.ofMillis(500))
                                    .withTimeouts(
                                            Duration.ofMillis(50), Duration.ofSeconds(20), Duration.ofSeconds(10)),
                            (sql, connection) -> {}));

            assertThat(failure).hasMessageContaining("canceling statement due to lock timeout");
            assertThat(failure.result().stopReason()).isEqualTo(StopReason.FAILED);
            assertThat(failure.result().rowsMoved()).isEqualTo(50);
            assertThat(db.strings("SELECT message FROM usage_archive_sweep")).allMatch(m -> m.contains("lock timeout"));
        }
        assertNothingLost();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "ADD CHECK (id NOT IN (7, 8, 53))",
                "ADD CHECK (id NOT IN (7, 8, 53)) NOT VALID",
                "ADD UNIQUE (prompt_token_count)",
                "ADD UNIQUE (prompt_token_count) DEFERRABLE INITIALLY DEFERRED"
            })
    void only_the_rows_that_the_archive_refuses_stay_hot(String constraint) {
        db.execute("UPDATE model_usage_details SET prompt_token_count = -1 WHERE id IN (7, 8, 53)");
        db.insertUsage("SELECT 1000, timestamp '2019-01-01', timestamp '2019-01-01'");
        db.execute("UPDATE model_usage_details SET prompt_token_count = -1 WHERE id = 1000");
        db.execute("DROP TABLE before_the_sweep; CREATE TABLE before_the_sweep AS TABLE model_usage_details");
        db.execute("ALTER TABLE model_usage_details_archive " + constraint);

        SweepResult result = sweep(SETTINGS, (sql, connection) -> {});

        assertThat(result.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(result.rowsMoved()).isEqualTo(98);
        assertThat(result.rowsRejected()).isEqualTo(3);
        assertThat(result.rejectedIds()).containsExactly("7", "8", "53");
        assertThat(db.strings("SELECT id FROM model_usage_details ORDER BY id")).containsExactly("7", "8", "53");
        assertThat(db.strings("SELECT message FROM usage_archive_sweep").get(0))
                .contains("7: ERROR: ")
                .contains("violates");
        assertThat(log.messages(Level.WARN, Archiver.class))
                .containsExactly(
                        "3 rows of public.model_usage_details stay hot: the archive refuses them, for the reasons"
                                + " in the ledger's message. The first: 7, 8, 53");
        assertNothingLost();
        assertThat(sweep(SETTINGS, (sql, connection) -> {}).rowsRejected()).isEqualTo(3);
    }

    /** PostgreSQL's DETAIL has the whole row or its key, its CONTEXT what a function was called with. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "ADD CHECK (user_name <> 'my secret')",
                "ADD UNIQUE (user_name)",
                "ADD UNIQUE (user_name) DEFERRABLE INITIALLY DEFERRED",
                "ADD CHECK (raising(user_name))"
            })
    void what_is_in_a_row_that_is_refused_reaches_neither_ledger_nor_log(String constraint) {
        db.execute("UPDATE model_usage_details SET user_name = 'my secret' WHERE id IN (7, 8)");
        db.execute("CREATE FUNCTION raising(name text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN"
                + " IF name = 'my secret' THEN RAISE EXCEPTION E'refused by\n  a rule' USING DETAIL = name; END IF;"
                + " RETURN true; END $$");
        db.execute("UPDATE model_usage_details SET user_name = id WHERE id NOT IN (7, 8)");
        db.execute("ALTER TABLE model_usage_details_archive " + constraint);
        Throwable thrown = null;
        try {
            sweep(SETTINGS, (sql, connection) -> {});
        } catch (SweepFailedException e) {
            thrown = e;
            LoggerFactory.getLogger(RetryTest.class).error("as a host logs it", e);
        }

        assertThat(db.strings("SELECT message FROM usage_archive_sweep").get(0))
                .containsAnyOf("violates", "ERROR: refused by a rule")
                .doesNotContain("my secret", "DETAIL", "Detail", "Where");
        assertThat(log.everything()).doesNotContain("my secret");
        for (Throwable cause = thrown; cause != null; cause = cause.getCause()) {
            assertThat(cause.toString()).doesNotContain("my secret").doesNotContain("Detail");
        }
    }

    @Test
    void a_backlog_of_refused_rows_comes_to_an_end() {
        db.execute("ALTER TABLE model_usage_details_archive ADD CHECK (id < 0)");

        SweepResult result = sweep(SETTINGS, (sql, connection) -> {});

        assertThat(result.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(result.rowsRejected()).isEqualTo(100);
        assertThat(result.rejectedIds()).hasSize(SweepResult.LISTED_IDS);
        assertThat(result.rowsMoved()).isZero();
        assertNothingLost();
    }

    @Test
    void a_batch_that_is_too_slow_is_halved() {
        db.execute("""
                CREATE FUNCTION slow(integer) RETURNS boolean LANGUAGE plpgsql AS $$
                DECLARE
                  rows integer := coalesce(nullif(current_setting('test.rows', true), ''), '0')::integer + 1;
                BEGIN
                  PERFORM set_config('test.rows', rows::text, true);
                  PERFORM pg_sleep(600) WHERE rows > 5;
                  RETURN true;
                END $$""");
        db.execute("ALTER TABLE model_usage_details_archive ADD CHECK (slow(id))");
        db.execute("DELETE FROM model_usage_details WHERE id > 10");
        db.execute("DELETE FROM before_the_sweep WHERE id > 10");

        SweepResult result = sweep(
                SETTINGS.withTimeouts(Duration.ofSeconds(2), Duration.ofSeconds(3), Duration.ofSeconds(10)),
                (sql, connection) -> {});

        assertDrained(result, 10, 2);
    }

    private SweepResult sweep(ArchiveSettings settings, TappedConnections.Tap tap) {
        return Archiver.builder(TestedPair.USAGE, new TappedConnections(db.archiver(), tap))
                .settings(settings)
                .build()
                .sweep();
    }

    private void terminate(Connection connection) throws SQLException {
        db.strings("SELECT pg_terminate_backend(" + pid(connection) + ", 5000)");
    }

    /** The COMMIT that is sent after this one fails: to the sweep, its own has had no answer. */
    private void commitWithoutAnAnswer(Connection connection) throws SQLException {
        connection.commit();
        // The driver sends a COMMIT only within a transaction.
        TestDatabase.execute(connection, "SELECT");
        terminate(connection);
    }

    private void awaitEnd(Connection connection) throws SQLException {
        int pid = pid(connection);
        await().until(() -> db.number("SELECT count(*) FROM pg_stat_activity WHERE pid = " + pid) == 0);
    }

    private static int pid(Connection connection) throws SQLException {
        return connection.unwrap(PGConnection.class).getBackendPID();
    }

    private void assertDrained(SweepResult result, long rows, long batches) {
        assertThat(result.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(result.rowsMoved()).isEqualTo(rows);
        assertThat(result.batches()).isEqualTo(batches);
        assertThat(db.number("SELECT count(*) FROM model_usage_details_archive"))
                .isEqualTo(rows);
        assertThat(db.number("SELECT count(*) FROM usage_archive_sweep")).isEqualTo(1);
        assertNothingLost();
    }

    private void assertNothingLost() {
        String now = "(TABLE model_usage_details UNION ALL TABLE model_usage_details_archive)";
        assertThat(db.strings("TABLE before_the_sweep EXCEPT ALL " + now)).isEmpty();
        assertThat(db.strings(now + " EXCEPT ALL TABLE before_the_sweep")).isEmpty();
    }
}
