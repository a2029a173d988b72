package io.usagearchiver.faults;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.usagearchiver.StopReason;
import io.usagearchiver.SweepResult;
import io.usagearchiver.testing.Calls;
import io.usagearchiver.testing.FaultServer;
import io.usagearchiver.testing.TestDatabase;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.DriverManager;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** At each step of a hand-over, the node is killed or frozen, or the server crashes: the partition is in one of the tables. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class HandOverFaultsTest {
    private static final int ROWS = 500;
    private static final Duration PATIENCE = Duration.ofSeconds(60);
    private static final String OLD = "at < '2025-01-01'";

    @AutoClose
    private final FaultServer server = new FaultServer();

    private final Calls calls = Calls.of(server);

    @BeforeEach
    void three_months_and_another() {
        calls.create(ROWS);
    }

    @ParameterizedTest
    @EnumSource
    void a_node_that_is_killed_leaves_the_partition_in_one_of_the_tables(HandOverStep step) throws Exception {
        Process node = start(step, "KILL");
        assertThat(node.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
        assertThat(node.exitValue()).as(output(node)).isEqualTo(137);

        await("its session has ended").atMost(PATIENCE).until(() -> sessions() == 0);
        calls.assertNothingLost();
        assertThat(calls.partitions("call_archive"))
                .isEqualTo(step == HandOverStep.NEXT ? Calls.EXPIRED.subList(0, 1) : List.of());
        assertDrains();
    }

    @ParameterizedTest
    @EnumSource
    void a_frozen_node_is_superseded_and_hands_over_nothing_when_it_thaws(HandOverStep step) throws Exception {
        Process node = start(step, "STOP");
        try {
            await("frozen").atMost(PATIENCE).until(() -> state(node).equals("T"));

            assertDrains();

            signal(node, "CONT");
            assertThat(node.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
            assertThat(output(node)).contains("ended SUPERSEDED with " + (step == HandOverStep.NEXT ? ROWS : 0));
        } finally {
            node.destroyForcibly();
        }
        calls.assertNothingLost();
        calls.assertArchived(OLD);
    }

    @ParameterizedTest
    @EnumSource
    void a_sweep_goes_on_when_a_crashed_server_is_back(HandOverStep step) {
        SweepResult result = Calls.archiver(step.connections(server.url(), () -> {
                    server.stopImmediately();
                    server.startAgain();
                    calls.assertNothingLost();
                    return true;
                }))
                .build()
                .sweep();

        assertThat(result.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(result.rowsMoved()).isEqualTo(3L * ROWS);
        assertThat(result.batches()).isEqualTo(3);
        calls.assertNothingLost();
        calls.assertArchived(OLD);
        calls.assertNothingLeftBehind();
    }

    /** Another node finishes what the first one has left. */
    private void assertDrains() {
        SweepResult result = Calls.archiver(
                        () -> DriverManager.getConnection(server.url(), TestDatabase.ARCHIVER, TestDatabase.ARCHIVER))
                .build()
                .sweep();
        assertThat(result.stopReason()).isEqualTo(StopReason.DRAINED);
        calls.assertNothingLost();
        calls.assertArchived(OLD);
        calls.assertNothingLeftBehind();
        assertThat(calls.partitions("call_archive")).isEqualTo(Calls.EXPIRED);
    }

    private long sessions() {
        return server.number("SELECT count(*) FROM pg_stat_activity WHERE usename = '" + TestDatabase.ARCHIVER + "'");
    }

    private Process start(HandOverStep step, String signal) throws IOException {
        Path output = Files.createTempFile("hand-over", ".log");
        output.toFile().deleteOnExit();
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xmx256m",
                        "-XX:TieredStopAtLevel=1",
                        "-Dorg.jooq.no-logo=true",
                        "-Dorg.jooq.no-tips=true",
                        "-cp",
                        System.getProperty("java.class.path"),
                        HandOverStep.class.getName(),
                        server.url(),
                        step.name(),
                        signal)
                .redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .start();
        outputs.put(process, output);
        return process;
    }

    private final Map<Process, Path> outputs = new HashMap<>();

    private String output(Process process) throws IOException {
        return Files.readString(outputs.get(process), StandardCharsets.UTF_8);
    }

    private static String state(Process process) throws IOException {
        String stat = Files.readString(Path.of("/proc/" + process.pid() + "/stat"));
        return stat.substring(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
    }

    private static void signal(Process process, String signal) throws IOException, InterruptedException {
        new ProcessBuilder("kill", "-" + signal, String.valueOf(process.pid()))
                .start()
                .waitFor();
    }
}
