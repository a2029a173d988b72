package io.usagearchiver.faults;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.usagearchiver.ArchiveSettings;
import io.usagearchiver.Archiver;
import io.usagearchiver.StopReason;
import io.usagearchiver.SweepListener;
import io.usagearchiver.SweepProgress;
import io.usagearchiver.SweepResult;
import io.usagearchiver.testing.FaultServer;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import java.sql.DriverManager;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** PostgreSQL is stopped with {@code immediate} in the middle of a sweep, and started again on the same data. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class CrashTest {
    private static final Logger log = LoggerFactory.getLogger(CrashTest.class);
    private static final Duration PATIENCE = Duration.ofSeconds(60);
    private static final int CRASHES = 3;

    @AutoClose
    private final FaultServer server = new FaultServer();

    /** Lets a crash undo what was committed asynchronously, unless somebody else's commit has flushed it. */
    CrashTest() {
        server.execute("alter system set wal_writer_delay = '10s'");
        server.strings("select pg_reload_conf()");
    }

    @Test
    void a_sweep_goes_on_by_itself_when_the_server_is_back() throws Exception {
        long seed = new Random().nextLong();
        log.info("Seed {}", seed);
        Random random = new Random(seed);
        List<Long> millis = new ArrayList<>();
        try (Bench bench = new Bench(server, seed, 20_000, 2, Map.of("batchSize", "3", "cron", "0 0 0 1 1 ?"))) {
            bench.cluster.awaitSweeping();
            bench.cluster.awaitMembers();
            for (int i = 0; i < CRASHES; i++) {
                Pause.upTo(Duration.ofMillis(500), random);

                server.stopImmediately();
                server.startAgain();

                long back = System.nanoTime();
                String instant = server.strings("select clock_timestamp() at time zone 'UTC'")
                        .get(0);
                bench.cluster.awaitSweeping("last_batch_at > '" + instant + "'");
                millis.add(Duration.ofNanos(System.nanoTime() - back).toMillis());
            }
            bench.assertNoViolation();
        }
        Collections.sort(millis);
        log.info(
                "From the return of a crashed server to the next batch, {} crashes: min {} ms, median {} ms, max {} ms",
                CRASHES,
                millis.get(0),
                millis.get(CRASHES / 2),
                millis.get(CRASHES - 1));
    }

    @Test
    void batches_that_a_crash_has_undone_are_moved_again() {
        server.recreateDatabase();
        server.execute("insert into model_usage_details (id, model_name, date, prompt_token_count,"
                + " completion_token_count, created_at, updated_at) select i, 'model', '2020-01-01', i, i,"
                + " timestamp '2020-01-01' + i * interval '1 second', '2020-01-01' from generate_series(1, 500) i");
        List<Long> rowsMoved = new ArrayList<>();

        SweepResult result = Archiver.builder(
                        TestedPair.USAGE,
                        () -> DriverManager.getConnection(server.url(), TestDatabase.ARCHIVER, TestDatabase.ARCHIVER))
                .settings(ArchiveSettings.defaults().withBatchSize(10))
                .listener(new SweepListener() {
                    @Override
                    public void batchCommitted(SweepProgress progress) {
                        rowsMoved.add(progress.rowsMoved());
                        if (rowsMoved.size() == 30) {
                            server.stopImmediately();
                            server.startAgain();
                        }
                    }
                })
                .build()
                .sweep();

        assertThat(rowsMoved.get(29)).isEqualTo(300);
        assertThat(rowsMoved.get(30)).as("rows moved after the next batch").isLessThan(310);
        assertThat(result.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(result.rowsMoved()).isEqualTo(500);
        assertThat(result.batches()).isEqualTo(50);
        assertThat(server.number("select count(*) from model_usage_details_archive where prompt_token_count = id"))
                .isEqualTo(500);
        assertThat(server.number("select count(*) from model_usage_details")).isZero();
        log.info("A crash has undone {} of 30 batches", 30 - (rowsMoved.get(30) / 10 - 1));
    }

    @Test
    void an_outage_longer_than_the_retry_limit_is_one_error_and_the_next_firing_goes_on() throws Exception {
        // Seldom enough for the server to be back by the next firing, on a busy machine too.
        try (Bench bench = new Bench(
                server, 1, 4_000, 2, Map.of("batchSize", "5", "cron", "*/20 * * * * ?", "retryTimeout", "1s"))) {
            bench.cluster.awaitMembers();
            bench.cluster.awaitSweeping();

            server.stopImmediately();
            await("the sweep has failed")
                    .atMost(PATIENCE)
                    .until(() -> !errors(bench).isEmpty());
            server.startAgain();
            bench.assertDrainedWithoutViolation();

            assertThat(errors(bench))
                    .singleElement()
                    .asString()
                    .contains("Sweep ", " failed: No connection to the database");
            assertThat(server.strings("select state from usage_archive_sweep order by sweep_id"))
                    .contains("SUPERSEDED")
                    .doesNotContain("FAILED");
        }
    }

    /** What the archiver's job has logged as an error. */
    private static List<String> errors(Bench bench) {
        List<String> errors = new ArrayList<>();
        Pattern error = Pattern.compile("ERROR ArchiveJob - (.*)");
        bench.cluster.nodes().forEach(node -> {
            Matcher matcher = error.matcher(node.log());
            while (matcher.find()) {
                errors.add(matcher.group(1));
            }
        });
        return errors;
    }
}
