package io.usagearchiver.faults;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;

import com.mchange.v2.c3p0.ComboPooledDataSource;
import io.usagearchiver.ArchiveSettings;
import io.usagearchiver.Archiver;
import io.usagearchiver.StopReason;
import io.usagearchiver.StopSignal;
import io.usagearchiver.SweepFailedException;
import io.usagearchiver.SweepListener;
import io.usagearchiver.SweepProgress;
import io.usagearchiver.SweepResult;
import io.usagearchiver.testing.SlowPath;
import io.usagearchiver.testing.TcpProxy;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Faults of the network in the middle of a sweep of 100 expired rows, ten a batch. The driver has no timeout for an answer
 * of its own: where the sweep ends in time, it is the archiver that has seen to it.
 */
class NetworkTest {
    private static final int ROWS = 100;
    private static final ArchiveSettings SETTINGS = ArchiveSettings.defaults()
            .withBatchSize(10)
            .withTimeouts(Duration.ofMillis(900), Duration.ofSeconds(1), Duration.ofSeconds(1));
    /** No timeout of PostgreSQL ends a sweep that waits here, and no limit of its own. */
    private static final ArchiveSettings PATIENT =
            SETTINGS.withTimeouts(Duration.ofMinutes(59), Duration.ofHours(1), Duration.ofHours(1));

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    @AutoClose
    private final TcpProxy network = new TcpProxy(db.url());

    @AutoClose("shutdownNow")
    private final ExecutorService threads = Executors.newCachedThreadPool();

    @BeforeEach
    void loads_expired_rows() {
        db.insertUsage("SELECT i, timestamp '2020-01-01' + i * interval '1 hour', timestamp '2020-01-01'"
                + " FROM generate_series(1, " + ROWS + ") i");
        db.execute("CREATE TABLE before_the_sweep AS TABLE model_usage_details");
    }

    @Test
    void a_sweep_goes_on_over_connections_that_are_cut() throws Exception {
        assertDrained(sweep(SETTINGS, progress -> {
            if (progress.batches() % 3 == 1) {
                network.cut();
            }
        }));
    }

    @Test
    void a_slow_network_only_slows_a_sweep() throws Exception {
        network.delay(Duration.ofMillis(20));

        assertDrained(sweep(SETTINGS, progress -> {}));
    }

    @ParameterizedTest
    @CsvSource({
        "for update skip locked, true",
        "'insert into \"public\".\"model_usage_details_archive\"', true",
        "delete from, true",
        "'update \"public\".\"usage_archive_sweep\"', true",
        "COMMIT, true",
        "'with \"moved\"', false",
        "COMMIT, false"
    })
    void a_half_open_connection_is_noticed_soon_after_the_limit_of_its_statement(String statement, boolean slow)
            throws Exception {
        try (SlowPath path = new SlowPath(slow)) {
            assertDrained(sweep(SETTINGS, progress -> {
                if (progress.batches() == 4) {
                    network.loseAnswerTo(statement);
                }
            }));
        }

        assertThat(network.hasLostAnswer()).isTrue();
    }

    @Test
    void a_connection_that_is_half_open_between_transactions_is_noticed_likewise() throws Exception {
        assertDrained(sweep(SETTINGS, progress -> {
            if (progress.batches() == 4) {
                network.forget();
            }
        }));
    }

    @Test
    void an_outage_longer_than_the_retry_limit_fails_the_sweep_and_the_next_one_goes_on() throws Exception {
        SweepFailedException failure = catchThrowableOfType(
                SweepFailedException.class,
                () -> sweep(SETTINGS.withRetryTimeout(Duration.ofMillis(500)), progress -> {
                    if (progress.batches() == 4) {
                        network.refuse();
                    }
                }));

        assertThat(failure).hasMessageContaining("No connection to the database");
        assertThat(failure.result()).isNull();
        assertThat(db.strings("SELECT state || ' ' || rows_moved FROM usage_archive_sweep"))
                .containsExactly("RUNNING 40");
        network.accept();
        SweepResult next = sweep(SETTINGS, progress -> {});
        assertThat(next.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(db.strings("SELECT state || ' ' || rows_moved FROM usage_archive_sweep ORDER BY sweep_id"))
                .containsExactly("SUPERSEDED 40", "DRAINED 60");
        assertNothingLost();
    }

    @ParameterizedTest
    @ValueSource(strings = {"delete from", "COMMIT"})
    void a_request_to_stop_ends_a_sweep_whose_connection_is_half_open(String statement) throws Exception {
        StopSignal stop = new StopSignal();
        Future<SweepResult> sweep;
        // The one statement of a slice would hold the ledger row, too, which could not be closed then.
        try (SlowPath slow = new SlowPath()) {
            sweep = threads.submit(() -> archiver(PATIENT, progress -> {
                        if (progress.batches() == 4) {
                            network.loseAnswerTo(statement);
                        }
                    })
                    .sweep(stop));
            await().until(network::hasLostAnswer);
        }

        stop.request();

        SweepResult result = sweep.get(20, TimeUnit.SECONDS);
        assertThat(result.stopReason()).isEqualTo(StopReason.INTERRUPTED);
        assertThat(result.rowsMoved()).isEqualTo(statement.equals("COMMIT") ? 50 : 40);
        assertThat(db.number("SELECT count(*) FROM model_usage_details_archive"))
                .isEqualTo(result.rowsMoved());
        assertNothingLost();
    }

    @Test
    void a_connection_is_given_back_with_the_network_timeout_that_it_had() throws Exception {
        try (ComboPooledDataSource pool = new ComboPooledDataSource()) {
            pool.setJdbcUrl(network.url() + "?socketTimeout=4711");
            pool.setUser(TestDatabase.ARCHIVER);
            pool.setPassword(TestDatabase.ARCHIVER);
            pool.setMinPoolSize(1);
            pool.setMaxPoolSize(1);

            Archiver.builder(TestedPair.USAGE, pool::getConnection)
                    .settings(SETTINGS)
                    .build()
                    .sweep();

            try (Connection connection = pool.getConnection()) {
                assertThat(connection.getNetworkTimeout()).isEqualTo(4_711_000);
            }
        }
    }

    /** Sweeps to the end, which has to come long before any test is patient enough for an endless wait. */
    private SweepResult sweep(ArchiveSettings settings, Consumer<SweepProgress> afterBatch) throws Exception {
        Archiver archiver = archiver(settings, afterBatch);
        try {
            return threads.submit(() -> archiver.sweep()).get(60, TimeUnit.SECONDS);
        } catch (ExecutionException e) {
            throw (Exception) e.getCause();
        }
    }

    private Archiver archiver(ArchiveSettings settings, Consumer<SweepProgress> afterBatch) {
        return Archiver.builder(TestedPair.USAGE, this::connect)
                .settings(settings)
                .listener(new SweepListener() {
                    @Override
                    public void batchCommitted(SweepProgress progress) {
                        afterBatch.accept(progress);
                    }
                })
                .build();
    }

    /** Statements keep their text on their way, so that {@link TcpProxy#loseAnswerTo} knows them. */
    private Connection connect() throws SQLException {
        Connection connection = DriverManager.getConnection(
                network.url() + "?prepareThreshold=0&connectTimeout=2", TestDatabase.ARCHIVER, TestDatabase.ARCHIVER);
        TestDatabase.execute(connection, "SET TIME ZONE 'Asia/Kolkata'");
        return connection;
    }

    private void assertDrained(SweepResult result) {
        assertThat(result.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(result.rowsMoved()).isEqualTo(ROWS);
        assertThat(db.strings("SELECT state || ' ' || rows_moved FROM usage_archive_sweep"))
                .containsExactly("DRAINED " + ROWS);
        assertThat(db.number("SELECT count(*) FROM model_usage_details_archive"))
                .isEqualTo(ROWS);
        assertNothingLost();
    }

    private void assertNothingLost() {
        String now = "(TABLE model_usage_details UNION ALL TABLE model_usage_details_archive)";
        assertThat(db.strings("TABLE before_the_sweep EXCEPT ALL " + now)).isEmpty();
        assertThat(db.strings(now + " EXCEPT ALL TABLE before_the_sweep")).isEmpty();
    }
}
