package io.usagearchiver.peers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.awaitility.Awaitility.await;

import io.usagearchiver.ArchiveException;
import io.usagearchiver.ArchiveSettings;
import io.usagearchiver.Archiver;
import io.usagearchiver.ConnectionSource;
import io.usagearchiver.MeteredUsage;
import io.usagearchiver.ResourceEvents;
import io.usagearchiver.StopReason;
import io.usagearchiver.SweepFailedException;
import io.usagearchiver.SweepResult;
import io.usagearchiver.testing.NodeProcess;
import io.usagearchiver.testing.SampleConfig;
import io.usagearchiver.testing.TappedConnections;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import io.usagearchiver.testing.UsageRows;
import io.usagearchiver.testing.WholeRun;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Debian's PgBouncer between the archiver and its server. */
class PgBouncerTest {
    private static final Duration PATIENCE = Duration.ofSeconds(60);
    private static final String TRANSACTION = "pool_mode = transaction";
    private static final String ONE_SESSION = "default_pool_size = 1";
    private static final String UNPREPARED = "?prepareThreshold=0";
    private static final String HINT = "prepareThreshold=0 in the URL of each client";

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    private final UsageRows rows = new UsageRows(db);

    @ParameterizedTest
    @CsvSource({
        "transaction, default_pool_size = 1, ''",
        "transaction, default_pool_size = 1, ?prepareThreshold=0",
        "transaction, server_round_robin = 1, ''",
        "transaction, server_round_robin = 1, ?prepareThreshold=0",
        "transaction, server_reset_query_always = 1, ?prepareThreshold=0",
        "session, default_pool_size = 1, ?prepareThreshold=0",
        "session, default_pool_size = 1, ''",
    })
    void all_operations_pass(String mode, String setting, String options) {
        WholeRun.insertRows(db);
        try (PgBouncer pooler = new PgBouncer(db, "pool_mode = " + mode, setting)) {
            run(pooler, options);
        }
        WholeRun.assertDone(db);
    }

    /** From 1.21 on it knows prepared statements, if it is told how many; before that it does not know the setting. */
    @Test
    void prepared_statements_pass_where_it_keeps_them() {
        WholeRun.insertRows(db);
        if (PgBouncer.knowsPreparedStatements()) {
            try (PgBouncer pooler =
                    new PgBouncer(db, TRANSACTION, "default_pool_size = 2", "max_prepared_statements = 100")) {
                run(pooler, "");
            }
            WholeRun.assertDone(db);
        } else {
            assertThatThrownBy(() -> new PgBouncer(db, TRANSACTION, "max_prepared_statements = 100"))
                    .hasMessageContaining("unknown parameter: pgbouncer/max_prepared_statements");
        }
    }

    @Test
    void statement_pooling_is_refused_at_once() {
        rows.replaceWithExpired(10);
        try (PgBouncer pooler = new PgBouncer(db, "pool_mode = statement")) {
            Archiver archiver = usage(pooler, UNPREPARED).build();
            String told = "FATAL: transaction blocks not allowed in statement pooling mode"
                    + " (a sweep needs PgBouncer's pool_mode transaction or session)";

            assertThatExceptionOfType(ArchiveException.class)
                    .isThrownBy(archiver::checkSchema)
                    .withMessageEndingWith(told);
            assertThatExceptionOfType(ArchiveException.class)
                    .isThrownBy(archiver::sweep)
                    .withMessageEndingWith(told);
        }
        rows.assertAllHot();
    }

    /** With a pool of one, each client has the same session of the server. */
    @Test
    void the_next_client_of_a_servers_session_finds_it_as_it_was() throws SQLException {
        WholeRun.insertRows(db);
        try (PgBouncer pooler = new PgBouncer(db, TRANSACTION, ONE_SESSION)) {
            Map<String, List<String>> before = sessions(pooler);

            run(pooler, UNPREPARED);

            assertThat(sessions(pooler)).isEqualTo(before);
        }
    }

    /** What belongs to a session, by the role that its pool is for. */
    private static Map<String, List<String>> sessions(PgBouncer pooler) throws SQLException {
        return Map.of(
                TestDatabase.ARCHIVER, session(pooler, TestDatabase.ARCHIVER),
                TestDatabase.RESTORER, session(pooler, TestDatabase.RESTORER));
    }

    private static List<String> session(PgBouncer pooler, String role) throws SQLException {
        try (Connection client = client(pooler, role, UNPREPARED);
                Statement statement = client.createStatement();
                ResultSet found = statement.executeQuery("SELECT 'pid ' || pg_backend_pid()"
                        + " UNION ALL SELECT 'role ' || current_user || ' ' || session_user"
                        + " UNION ALL SELECT name || '=' || setting FROM pg_settings"
                        + " UNION ALL SELECT locktype || ' ' || mode FROM pg_locks WHERE pid = pg_backend_pid()"
                        + "   AND locktype NOT IN ('relation', 'virtualxid')"
                        + " UNION ALL SELECT 'temporary ' || relname FROM pg_class"
                        + "   WHERE relpersistence = 't' AND relkind = 'r'"
                        + " UNION ALL SELECT 'prepared ' || name FROM pg_prepared_statements"
                        + " UNION ALL SELECT 'cursor ' || name FROM pg_cursors WHERE name <> ''"
                        + " UNION ALL SELECT 'listens to ' || channel FROM pg_listening_channels() channel")) {
            List<String> values = new ArrayList<>();
            while (found.next()) {
                values.add(found.getString(1));
            }
            return values;
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "SET search_path = evil, pg_catalog, public",
                "SET default_transaction_isolation = 'serializable'; SET default_transaction_deferrable = on",
                "SET row_security = off; SET IntervalStyle = sql_standard; SET bytea_output = escape",
                "SET extra_float_digits = -15; SET xmloption = document; SET standard_conforming_strings = off",
                "SET lock_timeout = 1; SET statement_timeout = 1; SET idle_in_transaction_session_timeout = 1",
                "SET session_replication_role = replica",
                "CREATE TEMP TABLE model_usage_details (LIKE public.model_usage_details);"
                        + " CREATE TEMP TABLE usage_archive_sweep (LIKE public.usage_archive_sweep)",
                "LISTEN channel; SELECT pg_advisory_lock(pg_backend_pid()); DECLARE c CURSOR WITH HOLD FOR SELECT 1",
                "PREPARE \"S_1\" AS DELETE FROM public.model_usage_details_archive",
            })
    void what_another_client_leaves_in_the_servers_session_changes_nothing(String left) throws SQLException {
        WholeRun.insertRows(db);
        db.execute("CREATE SCHEMA evil; GRANT USAGE ON SCHEMA evil TO public;"
                + " CREATE FUNCTION evil.always(timestamp, timestamp) RETURNS boolean LANGUAGE sql AS 'SELECT true';"
                + " CREATE OPERATOR evil.< (LEFTARG = timestamp, RIGHTARG = timestamp, FUNCTION = evil.always)");
        allow("session_replication_role", true);
        try (PgBouncer pooler = new PgBouncer(db, TRANSACTION, ONE_SESSION)) {
            for (String role : List.of(TestDatabase.ARCHIVER, TestDatabase.RESTORER)) {
                try (Connection another = client(pooler, role, UNPREPARED)) {
                    TestDatabase.execute(another, left);
                }
            }
            run(pooler, UNPREPARED);
        } finally {
            allow("session_replication_role", false);
        }
        WholeRun.assertDone(db);
    }

    private void allow(String setting, boolean allowed) {
        db.execute((allowed
                        ? "GRANT SET ON PARAMETER " + setting + " TO "
                        : "REVOKE SET ON PARAMETER " + setting + " FROM ")
                + TestDatabase.ARCHIVER + ", " + TestDatabase.RESTORER);
    }

    /** The sessions of a pool differ: a sweep is checked in one of them and moves rows in another. */
    @Test
    void a_trigger_that_fires_in_one_of_the_sessions_alone_never_sees_a_row() throws SQLException {
        rows.replaceWithExpired(100);
        db.execute("CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
                + " CREATE TRIGGER swallow BEFORE INSERT ON model_usage_details_archive FOR EACH ROW"
                + " EXECUTE FUNCTION swallow();"
                + " ALTER TABLE model_usage_details_archive ENABLE REPLICA TRIGGER swallow");
        allow("session_replication_role", true);
        try (PgBouncer pooler = new PgBouncer(db, TRANSACTION, "default_pool_size = 2", "server_round_robin = 1");
                Connection one = client(pooler, TestDatabase.ARCHIVER, UNPREPARED);
                Connection other = client(pooler, TestDatabase.ARCHIVER, UNPREPARED)) {
            one.setAutoCommit(false);
            TestDatabase.execute(one, "SELECT 1");
            TestDatabase.execute(other, "SET session_replication_role = replica");
            one.rollback();

            // Each begins in another session.
            for (int sweep = 1; sweep <= 2; sweep++) {
                assertThatExceptionOfType(ArchiveException.class)
                        .isThrownBy(() -> usage(pooler, UNPREPARED).build().sweep())
                        .withMessageContaining("trigger swallow");
            }
        } finally {
            allow("session_replication_role", false);
        }
        assertThat(db.number("SELECT count(*) FROM model_usage_details")
                        + db.number("SELECT count(*) FROM model_usage_details_archive"))
                .isEqualTo(100);
    }

    @Test
    void another_role_that_a_client_leaves_behind_is_refused_what_it_may_not_do() throws SQLException {
        rows.replaceWithExpired(20);
        String nobody = db.name() + "_nobody";
        db.execute("CREATE ROLE " + nobody + "; GRANT " + nobody + " TO " + TestDatabase.ARCHIVER);
        try (PgBouncer pooler = new PgBouncer(db, TRANSACTION, ONE_SESSION);
                Connection another = client(pooler, TestDatabase.ARCHIVER, UNPREPARED)) {
            TestDatabase.execute(another, "SET ROLE " + nobody);
            assertThatExceptionOfType(ArchiveException.class)
                    .isThrownBy(() -> usage(pooler, UNPREPARED).build().sweep())
                    .withMessageContaining("rights are missing");
            rows.assertAllHot();

            TestDatabase.execute(another, "RESET ROLE");
            assertThat(usage(pooler, UNPREPARED).build().sweep().rowsMoved()).isEqualTo(20);
        } finally {
            db.execute("DROP ROLE " + nobody);
        }
        rows.assertMoved("true");
    }

    /** Each connection of the driver counts its statements from one. */
    @Test
    void where_the_driver_cannot_be_told_to_prepare_nothing_the_fault_says_what_to_set() throws SQLException {
        rows.replaceWithExpired(100);
        try (PgBouncer pooler = new PgBouncer(db, TRANSACTION, ONE_SESSION)) {
            ConnectionSource prepared = () -> unreachable(client(pooler, TestDatabase.ARCHIVER, ""));
            assertThat(usage(prepared).build().sweep().stopReason()).isEqualTo(StopReason.DRAINED);
            db.execute("TRUNCATE model_usage_details_archive; INSERT INTO model_usage_details TABLE original");

            assertThatExceptionOfType(ArchiveException.class)
                    .isThrownBy(() -> usage(prepared).build().sweep())
                    .withMessageContaining("prepared statement \"S_1\" already exists")
                    .withMessageContaining(HINT);
            rows.assertAllHot();

            assertThat(usage(pooler, UNPREPARED).build().sweep().rowsMoved()).isEqualTo(100);
        }
        rows.assertMoved("true");
    }

    /** A connection of a pool that does not let the driver's own be reached. */
    private static Connection unreachable(Connection connection) {
        return (Connection) Proxy.newProxyInstance(
                PgBouncerTest.class.getClassLoader(), new Class<?>[] {Connection.class}, (self, method, args) -> {
                    if (method.getName().equals("unwrap")) {
                        throw new SQLFeatureNotSupportedException();
                    }
                    try {
                        return method.invoke(connection, args);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }

    /**
     * Two archivers count their statements alike, so each finds the other's under the names of its own once it is led to
     * the session where the other one was: with another table, and the cutoff of this one.
     */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void another_archivers_statement_is_never_executed_in_place_of_ones_own(boolean reachable) throws SQLException {
        try (PgBouncer pooler = new PgBouncer(db, TRANSACTION, "default_pool_size = 2");
                Connection first = occupant(pooler);
                Connection second = occupant(pooler)) {
            ConnectionSource unreachable = () -> unreachable(client(pooler, TestDatabase.ARCHIVER, ""));
            occupyASession(first);
            sweepMeteredUsage(unreachable);
            occupyASession(second);
            leave(first);
            insertEvents(1, 200);
            Archiver archiver = events(reachable ? () -> client(pooler, TestDatabase.ARCHIVER, "") : unreachable)
                    .listener(UsageRows.afterBatch(8, () -> {
                        occupyASession(first);
                        leave(second);
                    }))
                    .build();

            Throwable fault = catchThrowable(archiver::sweep);

            assertOnlyExpiredMeteredUsageIsArchived();
            assertThat(db.number("SELECT count(*) FROM resource_events_archive"))
                    .isEqualTo(reachable ? 200 : 80);
            assertThat(db.number("SELECT count(*) FROM resource_events")).isEqualTo(reachable ? 0 : 120);
            if (reachable) {
                assertThat(fault).isNull();
            } else {
                assertThat(fault)
                        .isInstanceOf(SweepFailedException.class)
                        .hasMessageContaining("prepared statements of other clients")
                        .hasMessageContaining(HINT);
            }
        }
    }

    /** Its driver has been in another of the server's sessions before. */
    @Test
    void nor_on_a_connection_that_a_pool_has_kept() throws SQLException {
        try (PgBouncer pooler = new PgBouncer(db, TRANSACTION, "default_pool_size = 2");
                Connection first = occupant(pooler);
                Connection second = occupant(pooler);
                Connection kept = client(pooler, TestDatabase.ARCHIVER, "")) {
            occupyASession(first);
            sweepMeteredUsage(() -> unreachable(client(pooler, TestDatabase.ARCHIVER, "")));
            occupyASession(second);
            leave(first);
            insertEvents(1, 100);
            Archiver archiver = events(TappedConnections.keptOpen(kept)).build();
            assertThat(archiver.sweep().rowsMoved()).isEqualTo(100);
            occupyASession(first);
            leave(second);
            insertEvents(101, 200);

            assertThat(archiver.sweep().rowsMoved()).isEqualTo(100);

            assertOnlyExpiredMeteredUsageIsArchived();
        }
    }

    /** A hundred rows beyond its retention of 13 months, and another hundred beyond that of the events alone. */
    private void sweepMeteredUsage(ConnectionSource connections) {
        db.addExamples();
        db.execute("INSERT INTO metered_usage (id, meter_key, resource_type, resource_id, resource_name, bucket_start,"
                + " unit, created_at, updated_at) SELECT i, 'key', 'type', i, 'name', " + minutesAgo("100 - i")
                + " - CASE WHEN i <= 100 THEN interval '14 months' ELSE interval '3 months' END, 'unit', now(), now()"
                + " FROM generate_series(1, 200) i");
        Archiver.builder(MeteredUsage.PAIR, connections)
                .settings(ArchiveSettings.defaults().withBatchSize(10))
                .build()
                .sweep();
    }

    private void assertOnlyExpiredMeteredUsageIsArchived() {
        assertThat(db.strings("SELECT count(*) || ' up to ' || max(id) FROM metered_usage_archive"))
                .containsExactly("100 up to 100");
        assertThat(db.number("SELECT count(*) FROM metered_usage")).isEqualTo(100);
    }

    private void insertEvents(int from, int to) {
        db.execute("INSERT INTO resource_events (id, event_type, resource_type, resource_name, occurred_at, created_at,"
                + " updated_at) SELECT i, 'event', 'type', 'name', " + minutesAgo("200 - i")
                + " - interval '3 months', now(), now() FROM generate_series(" + from + ", " + to + ") i");
    }

    private static String minutesAgo(String minutes) {
        return "(now() AT TIME ZONE 'utc') - (" + minutes + ") * interval '1 minute'";
    }

    private static Archiver.Builder events(ConnectionSource connections) {
        return Archiver.builder(ResourceEvents.PAIR, connections)
                .settings(ArchiveSettings.defaults().withBatchSize(10).withRetentionMonths(1));
    }

    private static Connection occupant(PgBouncer pooler) throws SQLException {
        Connection connection = client(pooler, TestDatabase.ARCHIVER, UNPREPARED);
        connection.setAutoCommit(false);
        return connection;
    }

    /** Begins a transaction, for which the pooler needs one of the server's sessions. */
    private static void occupyASession(Connection connection) {
        UsageRows.execute(connection, "SELECT 1");
    }

    private static void leave(Connection connection) {
        try {
            connection.rollback();
        } catch (SQLException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void a_restart_in_the_middle_of_a_batch_costs_no_row() throws Exception {
        rows.replaceWithExpired(200);
        db.slowBatches(Duration.ofMillis(300));
        try (PgBouncer pooler = new PgBouncer(db, TRANSACTION)) {
            CompletableFuture<SweepResult> sweep = CompletableFuture.supplyAsync(
                    () -> usage(pooler, UNPREPARED).build().sweep());
            for (int restart = 1; restart <= 3; restart++) {
                long batches = restart;
                await("a batch is on its way")
                        .atMost(PATIENCE)
                        .until(() -> db.number("SELECT count(*) FROM usage_archive_sweep, pg_stat_activity"
                                        + " WHERE wait_event = 'PgSleep' AND datname = current_database()"
                                        + " AND batches >= " + batches)
                                == 1);
                pooler.terminate();
                pooler.start();
            }

            assertThat(sweep.get(60, TimeUnit.SECONDS).stopReason()).isEqualTo(StopReason.DRAINED);
        }
        rows.assertMoved("true");
        assertThat(rows.ledger("rows_moved || ' ' || state")).isEqualTo("200 DRAINED");
    }

    @Test
    void a_cluster_archives_and_another_node_takes_over_from_one_that_is_killed() throws Exception {
        rows.replaceWithExpired(4_000);
        try (PgBouncer pooler = new PgBouncer(db, TRANSACTION, "default_pool_size = 5");
                NodeProcess first = node(pooler, "first")) {
            await("it archives")
                    .atMost(PATIENCE)
                    .until(() -> db.number("SELECT count(*) FROM usage_archive_sweep WHERE batches > 10") > 0);
            try (NodeProcess second = node(pooler, "second")) {
                await("both have checked in")
                        .atMost(PATIENCE)
                        .until(() -> db.number("SELECT count(*) FROM qrtz_scheduler_state") == 2);
                signal("KILL", first);
                await("the other node has archived the rest")
                        .atMost(PATIENCE)
                        .until(() -> db.number("SELECT count(*) FROM usage_archive_sweep WHERE state = 'DRAINED'"
                                        + " AND node = 'second' AND fired_by = 'usageArchiver.cron'")
                                > 1);
                second.terminate();
                assertThat(second.ends(PATIENCE)).isTrue();
                assertThat(second.log()).doesNotContain("ERROR");
            }
        }
        rows.assertMoved("true");
        assertThat(db.number("SELECT sum(rows_moved) FROM usage_archive_sweep")).isEqualTo(4_000);
    }

    @Test
    void a_node_that_freezes_with_the_job_stores_lock_does_not_stop_the_cluster() throws Exception {
        try (PgBouncer pooler = new PgBouncer(db, TRANSACTION, "default_pool_size = 5");
                NodeProcess frozen = node(pooler, "frozen");
                Connection owner = db.connectAsOwner()) {
            await("it has fired")
                    .atMost(PATIENCE)
                    .until(() -> db.number("SELECT count(*) FROM usage_archive_sweep WHERE state = 'DRAINED'") > 1);
            owner.setAutoCommit(false);
            TestDatabase.execute(owner, "LOCK TABLE qrtz_fired_triggers IN SHARE MODE");
            await("it has the lock, and waits")
                    .atMost(PATIENCE)
                    .until(() -> db.number("SELECT count(*) FROM pg_locks w JOIN pg_locks l USING (pid)"
                                    + " WHERE NOT w.granted AND w.relation = 'qrtz_fired_triggers'::regclass"
                                    + " AND l.granted AND l.relation = 'qrtz_locks'::regclass")
                            > 0);
            signal("STOP", frozen);
            owner.rollback();
            await("nobody waits for the frozen node's answer but PostgreSQL")
                    .atMost(PATIENCE)
                    .until(() -> db.number("SELECT count(*) FROM pg_locks l JOIN pg_stat_activity USING (pid)"
                                    + " WHERE l.granted AND l.relation = 'qrtz_locks'::regclass"
                                    + " AND state LIKE 'idle in transaction%'")
                            > 0);

            try (NodeProcess other = node(pooler, "other")) {
                await("the other node fires")
                        .atMost(PATIENCE)
                        .until(() -> db.number("SELECT count(*) FROM usage_archive_sweep WHERE node = 'other'"
                                        + " AND fired_by = 'usageArchiver.cron'")
                                > 0);
            }
        }
    }

    private static void signal(String name, NodeProcess node) throws IOException, InterruptedException {
        int exitCode = new ProcessBuilder("sh", "-c", "kill -" + name + " " + node.pid())
                .inheritIO()
                .start()
                .waitFor();
        assertThat(exitCode).isZero();
    }

    /** The sample with the pooler's address, and what it says of one. */
    private static NodeProcess node(PgBouncer pooler, String name) {
        Properties properties = SampleConfig.of(pooler.url(), TestDatabase.ARCHIVER, TestDatabase.ARCHIVER);
        properties.merge(
                "org.quartz.dataSource." + SampleConfig.QUARTZ_DATA_SOURCE + ".URL",
                "&prepareThreshold=0",
                (url, more) -> "" + url + more);
        properties.setProperty("org.quartz.scheduler.instanceId", name);
        properties.setProperty(SampleConfig.archiver("batchSize"), "5");
        properties.setProperty(SampleConfig.archiver("cron"), "* * * * * ?");
        return NodeProcess.start(properties, Map.of());
    }

    private static void run(PgBouncer pooler, String options) {
        new WholeRun(
                        () -> client(pooler, TestDatabase.ARCHIVER, options),
                        () -> client(pooler, TestDatabase.RESTORER, options))
                .run();
    }

    /** An archiver of the usage pair with small batches, by the real time. */
    private static Archiver.Builder usage(PgBouncer pooler, String options) {
        return usage(() -> client(pooler, TestDatabase.ARCHIVER, options));
    }

    private static Archiver.Builder usage(ConnectionSource connections) {
        return Archiver.builder(TestedPair.USAGE, connections)
                .settings(ArchiveSettings.defaults().withBatchSize(10));
    }

    private static Connection client(PgBouncer pooler, String role, String options) throws SQLException {
        return DriverManager.getConnection(pooler.url() + options, role, role);
    }
}
