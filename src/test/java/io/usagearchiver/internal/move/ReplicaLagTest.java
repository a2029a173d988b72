package io.usagearchiver.internal.move;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Level;
import io.usagearchiver.ArchiveSettings;
import io.usagearchiver.Archiver;
import io.usagearchiver.Health;
import io.usagearchiver.Pace;
import io.usagearchiver.SchemaDriftException;
import io.usagearchiver.StopReason;
import io.usagearchiver.StopSignal;
import io.usagearchiver.SweepResult;
import io.usagearchiver.testing.CapturedLog;
import io.usagearchiver.testing.ReplicatedServer;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;

/** Sweeps of a primary with a streaming replica. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@Timeout(60) // A wait that nothing ends would go on for an hour.
class ReplicaLagTest {
    private static final int ROWS = 500;

    /** A batch every 50 ms, so that a sweep is not done before it has looked at the replica twice. */
    private static final ArchiveSettings SETTINGS = ArchiveSettings.defaults()
            .withBatchSize(10)
            .withPace(Pace.full().withPause(Duration.ofMillis(50), 0).withMaxReplicaLag(Duration.ofMillis(500)));

    @AutoClose
    private final ReplicatedServer server = new ReplicatedServer();

    @AutoClose("shutdownNow")
    private final ExecutorService threads = Executors.newCachedThreadPool();

    @BeforeEach
    void expired_rows() {
        server.execute("GRANT pg_monitor TO " + TestDatabase.ARCHIVER
                + "; TRUNCATE model_usage_details, model_usage_details_archive, usage_archive_sweep;"
                + " INSERT INTO model_usage_details (id, model_name, date, prompt_token_count, completion_token_count,"
                + " created_at, updated_at) SELECT i, 'm', '2020-01-01', 1, 1, '2020-01-01', '2020-01-01'"
                + " FROM generate_series(1, " + ROWS + ") i");
        server.awaitReplay();
    }

    @AfterEach
    void replay() {
        server.resumeReplay();
    }

    @Test
    void a_sweep_waits_for_a_replica_that_is_too_far_behind_and_goes_on_when_it_has_caught_up() throws Exception {
        try (CapturedLog log = new CapturedLog()) {
            server.pauseReplay();
            Future<SweepResult> sweep = threads.submit(() -> archiver(SETTINGS).sweep());
            awaitWaiting(log);
            String moved = moved();
            assertThat(Integer.parseInt(moved)).isLessThan(ROWS);
            await("the waiting sweep is idle, without locks")
                    .until(() -> "t"
                            .equals(server.string("SELECT bool_and(state = 'idle' AND NOT EXISTS"
                                    + " (SELECT FROM pg_locks l WHERE l.pid = a.pid)) FROM pg_stat_activity a"
                                    + " WHERE usename = 'usage_archiver'")));
            awaitFurtherLook();
            assertThat(moved()).as("rows moved while it waits").isEqualTo(moved);
            assertThat(warnings(log)).hasSize(1);

            server.resumeReplay();

            assertThat(sweep.get(30, TimeUnit.SECONDS).stopReason()).isEqualTo(StopReason.DRAINED);
            assertThat(moved()).isEqualTo(String.valueOf(ROWS));
            // It may have to wait for the replica once more.
            assertThat(warnings(log))
                    .allSatisfy(warning -> assertThat(warning)
                            .matches(
                                    "Sweep \\d+ of public.model_usage_details waits for replica replica_one, whose replay is"
                                            + " \\d+\\.\\d+ s behind: maxReplicaLag is 0\\.5 s"));
            assertThat(log.messages(Level.INFO, "io.usagearchiver.Pacing"))
                    .hasSameSizeAs(warnings(log))
                    .allSatisfy(
                            info -> assertThat(info)
                                    .matches(
                                            "Sweep \\d+ of public.model_usage_details goes on after \\d+\\.\\d+ s: the replicas have caught up"));
        }
    }

    @Test
    void a_request_to_stop_ends_the_wait() throws Exception {
        try (CapturedLog log = new CapturedLog()) {
            server.pauseReplay();
            StopSignal stop = new StopSignal();
            Future<SweepResult> sweep = threads.submit(() -> archiver(SETTINGS).sweep(stop));
            awaitWaiting(log);
            stop.request();

            assertThat(sweep.get(30, TimeUnit.SECONDS).stopReason()).isEqualTo(StopReason.INTERRUPTED);
        }
    }

    @Test
    void the_wait_counts_against_the_time_budget() {
        try (CapturedLog log = new CapturedLog()) {
            server.pauseReplay();
            SweepResult result =
                    archiver(SETTINGS.withTimeBudget(Duration.ofSeconds(10))).sweep();

            assertThat(result.stopReason()).isEqualTo(StopReason.TIME_BUDGET);
            assertThat(warnings(log)).hasSize(1);
        }
    }

    @Test
    void a_sweep_that_waits_ends_when_another_one_takes_over() throws Exception {
        try (CapturedLog log = new CapturedLog()) {
            server.pauseReplay();
            Future<SweepResult> sweep = threads.submit(() -> archiver(SETTINGS).sweep());
            awaitWaiting(log);

            assertThat(archiver(ArchiveSettings.defaults()).sweep().stopReason())
                    .isEqualTo(StopReason.DRAINED);

            assertThat(sweep.get(30, TimeUnit.SECONDS).stopReason()).isEqualTo(StopReason.SUPERSEDED);
        }
    }

    @Test
    void a_replica_that_keeps_up_is_not_waited_for() {
        try (CapturedLog log = new CapturedLog()) {
            Pace pace = SETTINGS.pace().withMaxReplicaLag(Duration.ofSeconds(10));

            assertThat(archiver(SETTINGS.withPace(pace)).sweep().stopReason()).isEqualTo(StopReason.DRAINED);

            assertThat(warnings(log)).isEmpty();
        }
    }

    @Test
    void a_role_that_may_not_look_at_replicas_is_told_what_it_lacks_and_nothing_moves() {
        server.execute("REVOKE pg_monitor FROM " + TestDatabase.ARCHIVER);
        Archiver archiver = archiver(SETTINGS);
        String told = "rights are missing: GRANT pg_monitor TO usage_archiver (maxReplicaLag asks for it)";

        assertThatExceptionOfType(SchemaDriftException.class)
                .isThrownBy(archiver::checkSchema)
                .satisfies(e -> assertThat(e.differences()).containsExactly(told));
        assertThatExceptionOfType(SchemaDriftException.class).isThrownBy(archiver::sweep);

        assertThat(archiver.health().status()).isEqualTo(Health.Status.DISABLED);
        assertThat(moved()).isEqualTo("0");
        assertThat(archiver(ArchiveSettings.defaults()).sweep().stopReason()).isEqualTo(StopReason.DRAINED);
    }

    @Test
    void a_replica_that_stands_still_is_behind_by_the_age_of_what_it_has_not_replayed() {
        ReplicaLag lag = new ReplicaLag();
        assertThat(lag.furthest(List.of(replica(100, 90, null)), 0).time()).isZero();
        assertThat(lag.furthest(List.of(replica(200, 90, 3L)), seconds(5)).time())
                .isEqualTo(Duration.ofSeconds(5));
        assertThat(lag.furthest(List.of(replica(200, 99, null)), seconds(9)).time())
                .isEqualTo(Duration.ofSeconds(9));
        // It has passed the mark; the next one is at 300.
        assertThat(lag.furthest(List.of(replica(300, 150, 2L)), seconds(10)).time())
                .isEqualTo(Duration.ofMillis(2));
        assertThat(lag.furthest(List.of(replica(300, 150, 2L)), seconds(14)).time())
                .isEqualTo(Duration.ofSeconds(4));
    }

    @Test
    void what_postgresql_tells_counts_unless_the_replica_has_replayed_everything() {
        ReplicaLag lag = new ReplicaLag();
        assertThat(lag.furthest(List.of(replica(100, 90, 7000L)), 0).time()).isEqualTo(Duration.ofSeconds(7));
        assertThat(lag.furthest(List.of(replica(100, 100, 7000L)), 0).time()).isZero();
    }

    @Test
    void of_several_replicas_the_one_that_is_furthest_behind_counts() {
        ReplicaLag lag = new ReplicaLag();
        assertThat(lag.furthest(List.of(), 0)).isNull();
        assertThat(lag.furthest(
                        List.of(
                                new ReplicaLag.Replica("a", 100, 90, 2L),
                                new ReplicaLag.Replica("b", 100, 90, 3L),
                                new ReplicaLag.Replica("c", 100, 90, null)),
                        0))
                .isEqualTo(new ReplicaLag.Lag("b", Duration.ofMillis(3)));
    }

    private static ReplicaLag.Replica replica(long written, long replayed, Long told) {
        return new ReplicaLag.Replica("r", written, replayed, told);
    }

    private static long seconds(long seconds) {
        return Duration.ofSeconds(seconds).toNanos();
    }

    private Archiver archiver(ArchiveSettings settings) {
        return Archiver.builder(TestedPair.USAGE, server::connectAsArchiver)
                .settings(settings)
                .build();
    }

    private void awaitWaiting(CapturedLog log) {
        await().until(() -> !warnings(log).isEmpty());
    }

    /** It looks once a second. */
    private void awaitFurtherLook() {
        String last = "SELECT max(query_start) FROM pg_stat_activity WHERE usename = 'usage_archiver'";
        String look = server.string(last);
        await().until(() -> server.string("SELECT (" + last + ") > timestamptz '" + look + "' + interval '1 s'")
                .equals("t"));
    }

    private static List<String> warnings(CapturedLog log) {
        return log.messages(Level.WARN, "io.usagearchiver.Pacing");
    }

    private String moved() {
        return server.string("SELECT count(*) FROM model_usage_details_archive");
    }
}
