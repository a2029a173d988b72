package io.usagearchiver.peers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.awaitility.Awaitility.await;

import io.usagearchiver.ArchiveException;
import io.usagearchiver.ArchiveSettings;
import io.usagearchiver.Archiver;
import io.usagearchiver.ConnectionSource;
import io.usagearchiver.Holds;
import io.usagearchiver.RowFilter;
import io.usagearchiver.SchemaDriftException;
import io.usagearchiver.StopSignal;
import io.usagearchiver.SweepResult;
import io.usagearchiver.testing.FaultServer;
import io.usagearchiver.testing.NodeProcess;
import io.usagearchiver.testing.SampleConfig;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Random;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A subscriber of the tables on a second PostgreSQL, which has what its publisher has. */
class LogicalReplicationTest {
    private static final String HOT = "model_usage_details";
    private static final String ARCHIVE = "model_usage_details_archive";
    /** Rows that no application touches have the first ids. */
    private static final int UNTOUCHED = 800;

    @AutoClose
    private static final FaultServer PUBLISHER = new FaultServer("wal_level=logical");

    @AutoClose
    private static final FaultServer SUBSCRIBER = new FaultServer();

    @BeforeEach
    void starts_with_expired_rows_and_others() {
        PUBLISHER.recreateDatabase();
        SUBSCRIBER.recreateDatabase();
        // What the subscriber's tables have already would be in the way of the first copy.
        SUBSCRIBER.execute("TRUNCATE qrtz_locks");
        PUBLISHER.execute(insert("SELECT i, timestamp '2020-01-01' + i * interval '1 minute' FROM generate_series(1, "
                + UNTOUCHED + ") i UNION ALL SELECT i, localtimestamp FROM generate_series(10001, 10500) i"));
    }

    @AfterEach
    void unsubscribes() {
        SUBSCRIBER.execute("DROP SUBSCRIPTION IF EXISTS s");
    }

    @Test
    void after_sweeps_and_restores_both_sides_are_equal_though_a_node_was_killed_and_both_servers_crashed()
            throws Exception {
        replicate("FOR ALL TABLES", "DEFAULT");
        try (Application application = new Application(7)) {
            try (NodeProcess node = NodeProcess.start(config(), Map.of())) {
                await().until(() -> batches() >= 3);
                // Which kills it.
            }
            assertThat(PUBLISHER.strings("SELECT state FROM usage_archive_sweep"))
                    .containsExactly("RUNNING");
            SUBSCRIBER.stopImmediately();
            try (NodeProcess node = NodeProcess.start(config(), Map.of())) {
                await().until(() -> batches() >= 8);
                PUBLISHER.stopImmediately();
                PUBLISHER.startAgain();
                SUBSCRIBER.startAgain();
                assertNoRowIsDoubledOrMissingUntilAllAreMoved();
            }
            restore(RowFilter.user(3));
            PUBLISHER.execute("UPDATE usage_archive_hold SET released_at = localtimestamp");
            assertThat(sweep(50).rowsMoved()).isPositive();
            restore(RowFilter.ids("1", "300"));
        }
        awaitSubscriber();
        assertEqual("t", "true", HOT, ARCHIVE);
        assertThat(SUBSCRIBER.number("SELECT count(*) FROM " + ARCHIVE)).isPositive();
        assertEqual("t", "true", "usage_archive_sweep", "usage_archive_hold", "usage_archive_baseline");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            FOR TABLES IN SCHEMA public                                                  | DEFAULT | t | true
            FOR TABLE HOT, ARC                                                           | DEFAULT | t | true
            FOR TABLE HOT, ARC                                                           | FULL    | t | true
            FOR TABLE HOT WHERE (user_id <> 3), ARC WHERE (user_id <> 3)                 | FULL    | t | user_id <> 3
            FOR TABLE HOT WHERE (id > 100), ARC WHERE (id > 100)                         | DEFAULT | t | id > 100
            FOR TABLE HOT (COLUMNS), ARC (COLUMNS)                                       | DEFAULT | row(COLUMNS) | true
            """)
    void under_load_a_subscriber_has_what_its_publication_has(
            String publication, String identity, String columns, String condition) throws Exception {
        replicate(expanded(publication), identity);
        try (Application application = new Application(11)) {
            assertThat(sweep(100).rowsMoved()).isGreaterThanOrEqualTo(UNTOUCHED);
            restore(RowFilter.ids("50", "350"));
        }
        awaitSubscriber();
        assertEqual(expanded(columns), condition, HOT, ARCHIVE);
    }

    @Test
    void without_deletes_moved_rows_stay_in_the_subscribers_hot_table_and_a_restore_stops_it() throws Exception {
        PUBLISHER.execute("CREATE PUBLICATION p_hot FOR TABLE model_usage_details WITH (publish = 'insert, update');"
                + " CREATE PUBLICATION p FOR TABLE model_usage_details_archive");
        subscribe("p, p_hot");
        assertThat(sweep(100).rowsMoved()).isEqualTo(UNTOUCHED);
        awaitSubscriber();
        assertThat(SUBSCRIBER.number("SELECT count(*) FROM " + HOT + " JOIN " + ARCHIVE + " USING (id)"))
                .isEqualTo(UNTOUCHED);

        restore(RowFilter.ids("1", "10"));
        await().until(() -> SUBSCRIBER.number("SELECT apply_error_count FROM pg_stat_subscription_stats") > 0);
    }

    /** As a filter on a column that is not of the replica identity does. */
    @Test
    void a_publication_that_would_refuse_deletes_is_refused_before_anything_is_moved() {
        PUBLISHER.execute("CREATE PUBLICATION p FOR TABLE model_usage_details WHERE (created_at > '2020-01-02')");
        assertThatExceptionOfType(SchemaDriftException.class)
                .isThrownBy(() -> sweep(100))
                .withMessageContaining("publishes deletes, which PostgreSQL refuses");
        PUBLISHER.execute("ALTER TABLE model_usage_details REPLICA IDENTITY FULL");
        assertThat(sweep(100).rowsMoved()).isEqualTo(UNTOUCHED);
    }

    @Test
    void a_subscriber_that_becomes_the_server_says_that_its_sequences_stand_behind() throws Exception {
        PUBLISHER.execute("INSERT INTO usage_archive_sweep (table_name, state, node, fired_by, cutoff, started_at)"
                + " SELECT 'public.model_usage_details', 'DRAINED', 'n', 'f', '2026-01-01', '2026-01-01'"
                + " FROM generate_series(1, 100);"
                + " INSERT INTO usage_archive_hold (table_name, user_id, reason, created_by, node, created_at, released_at)"
                + " VALUES ('public.model_usage_details', 1, 'r', 'c', 'n', '2026-01-01', '2026-01-01')");
        replicate("FOR ALL TABLES", "DEFAULT");
        awaitSubscriber();
        SUBSCRIBER.execute("DROP SUBSCRIPTION s");

        Archiver archiver = Archiver.builder(TestedPair.USAGE, as(TestDatabase.ARCHIVER, SUBSCRIBER))
                .build();
        SUBSCRIBER.execute(statementIn(catchThrowable(archiver::sweep)));
        assertThat(archiver.sweep().sweepId()).isEqualTo(101);

        Holds holds = Archiver.builder(TestedPair.USAGE, as(TestDatabase.RESTORER, SUBSCRIBER))
                .build()
                .holds();
        SUBSCRIBER.execute(statementIn(catchThrowable(() -> holds.hold(RowFilter.user(1), null, "reason"))));
        assertThat(holds.hold(RowFilter.user(1), null, "reason").id()).isEqualTo(2);
    }

    private static String statementIn(Throwable fault) {
        assertThat(fault)
                .isInstanceOf(ArchiveException.class)
                .hasMessageMatching(".*the sequence stands behind the rows.*: SELECT setval.*");
        return fault.getMessage().replaceFirst(".*: (SELECT setval.*)\\)$", "$1");
    }

    private static ConnectionSource as(String role, FaultServer server) {
        return () -> DriverManager.getConnection(server.url(), role, role);
    }

    private void replicate(String publication, String identity) throws SQLException {
        for (String table : List.of(HOT, ARCHIVE)) {
            PUBLISHER.execute("ALTER TABLE " + table + " REPLICA IDENTITY " + identity);
        }
        PUBLISHER.execute("CREATE PUBLICATION p " + publication);
        subscribe("p");
    }

    private void subscribe(String publications) {
        SUBSCRIBER.execute("CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1 user=postgres dbname=usage port="
                + PUBLISHER.port() + "' PUBLICATION " + publications);
        await("the first copy")
                .until(() ->
                        SUBSCRIBER.number("SELECT count(*) FROM pg_subscription_rel WHERE srsubstate <> 'r'") == 0);
    }

    private static void awaitSubscriber() {
        String written = PUBLISHER.strings("SELECT pg_current_wal_lsn()").get(0);
        await("the subscriber has what was written")
                .until(() -> PUBLISHER.number("SELECT count(*) FROM pg_replication_slots WHERE slot_name = 's'"
                                + " AND confirmed_flush_lsn >= '" + written + "'")
                        == 1);
    }

    /** The subscriber, too, sees a row leave the hot table and come into the archive in the same moment. */
    private static void assertNoRowIsDoubledOrMissingUntilAllAreMoved() {
        await().until(() -> {
            assertThat(SUBSCRIBER.number("SELECT count(*) FROM (SELECT id FROM " + HOT + " WHERE id <= " + UNTOUCHED
                            + " UNION ALL SELECT id FROM " + ARCHIVE + " WHERE id <= " + UNTOUCHED + ") r"))
                    .isEqualTo(UNTOUCHED);
            return PUBLISHER.number("SELECT count(*) FROM " + HOT + " WHERE id <= " + UNTOUCHED) == 0;
        });
    }

    private static void assertEqual(String row, String condition, String... tables) {
        for (String table : tables) {
            String rows = "SELECT (" + row + ")::text FROM " + table + " t WHERE ";
            assertThat(SUBSCRIBER.strings(rows + "true ORDER BY 1"))
                    .as(table)
                    .isEqualTo(PUBLISHER.strings(rows + condition + " ORDER BY 1"));
        }
    }

    private static long batches() {
        return PUBLISHER.number("SELECT coalesce(sum(batches), 0) FROM usage_archive_sweep");
    }

    private static SweepResult sweep(int batchSize) {
        return Archiver.builder(TestedPair.USAGE, as(TestDatabase.ARCHIVER, PUBLISHER))
                .settings(ArchiveSettings.defaults().withBatchSize(batchSize))
                .build()
                .sweep();
    }

    private static void restore(RowFilter filter) {
        assertThat(Archiver.builder(TestedPair.USAGE, as(TestDatabase.RESTORER, PUBLISHER))
                        .settings(ArchiveSettings.defaults().withBatchSize(50))
                        .build()
                        .restore(filter, null, "test", new StopSignal())
                        .counts()
                        .rowsMoved())
                .isPositive();
    }

    private static Properties config() {
        Properties properties = SampleConfig.of(PUBLISHER.url(), TestDatabase.ARCHIVER, TestDatabase.ARCHIVER);
        properties.setProperty(SampleConfig.archiver("batchSize"), "20");
        properties.setProperty(SampleConfig.archiver("pause"), "100ms");
        return properties;
    }

    private static String expanded(String text) {
        return text.replace("HOT", HOT)
                .replace("ARC", ARCHIVE)
                .replace(
                        "COLUMNS",
                        "id, user_id, model_name, date, prompt_token_count, completion_token_count, created_at,"
                                + " updated_at");
    }

    /** Of a query that gives id and created_at. */
    private static String insert(String rows) {
        return "INSERT INTO model_usage_details (id, user_id, model_name, date, prompt_token_count,"
                + " completion_token_count, created_at, updated_at)"
                + " SELECT id, id % 10, 'model', '2020-01-01', id, 1, c, c FROM (" + rows + ") AS source (id, c)";
    }

    /** Inserts, updates and deletes rows, expired ones too, until it is closed; also after a crash of the server. */
    private static final class Application implements AutoCloseable {
        private static final int INTERVAL_MILLIS = 5;

        private final Random random;
        private final ScheduledExecutorService thread = Executors.newSingleThreadScheduledExecutor();
        private final ScheduledFuture<?> steps;
        private Connection connection;
        private int lastId = 20_000;

        Application(long seed) {
            random = new Random(seed);
            steps = thread.scheduleWithFixedDelay(this::step, 0, INTERVAL_MILLIS, TimeUnit.MILLISECONDS);
        }

        private void step() {
            try {
                connection = connection == null ? PUBLISHER.connect() : connection;
                TestDatabase.execute(connection, next());
            } catch (SQLException e) {
                // The connection is gone, or there is none yet.
                assertThat(e.getSQLState()).matches("(08|57).*");
                connection = null;
            }
        }

        private String next() {
            int id = 20_000 + random.nextInt(lastId - 20_000 + 1);
            return switch (random.nextInt(4)) {
                case 0, 1 ->
                    insert("SELECT " + ++lastId + ", "
                            + (random.nextBoolean() ? "localtimestamp" : "timestamp '2021-01-01'"));
                case 2 ->
                    "UPDATE model_usage_details SET prompt_token_count = prompt_token_count + 1, user_name = 'x'"
                            + " WHERE id = " + id;
                default -> "DELETE FROM model_usage_details WHERE id = " + id;
            };
        }

        @Override
        public void close() throws Exception {
            steps.cancel(false);
            thread.shutdown();
            assertThat(thread.awaitTermination(1, TimeUnit.MINUTES)).isTrue();
            // What a step throws ends them.
            assertThat(steps.isCancelled())
                    .as("the application went on to the end")
                    .isTrue();
            if (connection != null) {
                connection.close();
            }
        }
    }
}
