package io.usagearchiver.faults;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Level;
import io.usagearchiver.ArchiveException;
import io.usagearchiver.ArchiveSettings;
import io.usagearchiver.ConnectionSource;
import io.usagearchiver.StopReason;
import io.usagearchiver.SweepFailedException;
import io.usagearchiver.SweepResult;
import io.usagearchiver.testing.Calls;
import io.usagearchiver.testing.CapturedLog;
import io.usagearchiver.testing.FaultServer;
import io.usagearchiver.testing.TestDatabase;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeoutException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One change of the schema at one step of a hand-over, and what became of the rows: a sweep that meets it, another while it is in
 * force, its undoing, and a sweep that must move all that is expired then, one way or the other.
 */
final class HandOverRound {
    private static final Logger log = LoggerFactory.getLogger(HandOverRound.class);
    private static final String HAND_OVER = "io.usagearchiver.HandOver";
    private static final int ROWS = 60;
    private static final String EXPIRED = "at < '2025-01-01'";
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final Duration POLL = Duration.ofMillis(3);
    private static final String DEADLOCK = "40P01";

    /** GRANT takes no lock of the table that it alters. */
    private static final String CONCURRENTLY_UPDATED = "XX000";

    private final FaultServer server;
    private final Calls calls;
    private final SchemaChange change;
    private final HandOverStep step;
    private final int month;
    private final boolean staysOpen;
    private final boolean hasRest;
    private final ArchiveSettings settings;
    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final List<String> violations = new ArrayList<>();
    private final List<String> outcomes = new ArrayList<>();
    private volatile CompletableFuture<Void> changing;
    private volatile boolean ended;

    HandOverRound(FaultServer server, SchemaChange change, Random random) {
        this.server = server;
        this.calls = Calls.of(server);
        this.change = change;
        this.step = HandOverStep.values()[random.nextInt(HandOverStep.values().length)];
        // The first one is on its way then.
        this.month = random.nextBoolean() ? 1 : 2 + random.nextInt(2);
        this.staysOpen = random.nextInt(3) == 0;
        this.hasRest = random.nextBoolean();
        this.settings = ArchiveSettings.defaults()
                .withHandOver(true)
                .withBatchSize(8 + random.nextInt(100))
                .withTimeouts(Duration.ofSeconds(3), Duration.ofSeconds(20), Duration.ofSeconds(10))
                .withRetryTimeout(Duration.ofSeconds(15));
    }

    /** Makes a database anew for rounds. */
    static void prepare(FaultServer server) {
        server.recreateDatabase();
        server.execute(HandOverChanges.SETUP.replace("MOVER", TestDatabase.ARCHIVER));
    }

    /** Whether the change came when the sweep was at its step. */
    boolean metASweep() {
        return changing != null;
    }

    List<String> outcomes() {
        return outcomes;
    }

    /** How many partitions were handed over, of three. */
    long handedOver() {
        return Calls.EXPIRED.stream()
                .filter(calls.partitions("call_archive")::contains)
                .count();
    }

    /** Runs it. Returns what is wrong: nothing, if all is well. */
    List<String> run() throws Exception {
        try {
            calls.create(ROWS);
            execute("GRANT ALL ON HOT, ARC TO PUBLIC");
            if (hasRest) {
                makeRest();
            }
            execute(change.given());
            sweep(step.connections(server.url(), this::meet));
            boolean met = metASweep();
            if (met) {
                changing.get(LIMIT.toSeconds(), SECONDS);
            } else {
                apply();
            }
            sweep(connections());
            if (!change.harm().isEmpty()) {
                server.strings(sql(change.harm())).forEach(violations::add);
            }
            inTransaction(change.undo(), false);
            check(calls::assertNothingLost);
            makeRest();
            SweepResult last = sweep(connections());
            if (last == null || last.stopReason() != StopReason.DRAINED || last.keptRowsBack()) {
                violations.add("STUCK: nothing is in the way, but the sweep ended " + outcomes.get(2));
            }
            check(() -> calls.assertArchived(EXPIRED));
            check(calls::assertNothingLost);
            check(calls::assertNothingLeftBehind);
        } catch (ExecutionException | TimeoutException | SQLException | RuntimeException e) {
            log.error("{}", this, e);
            violations.add("NOT RUN: " + e);
        } finally {
            threads.shutdownNow();
        }
        return violations;
    }

    @Override
    public String toString() {
        return change.name()
                        .replace("PART", "the partition")
                        .replace("HOT", "the hot table")
                        .replace("ARC", "the archive")
                + " (" + step + (metASweep() ? "" : ", not met") + ", month " + month + (staysOpen ? ", open" : "")
                + (hasRest ? ", with a default partition" : "") + "): " + String.join(", ", outcomes);
    }

    private void check(Runnable assertion) {
        try {
            assertion.run();
        } catch (AssertionError e) {
            violations.add(e.getMessage());
        }
    }

    /** For rows that move one by one. */
    private void makeRest() {
        execute("CREATE TABLE IF NOT EXISTS call_archive_rest PARTITION OF ARC DEFAULT;"
                + " ALTER TABLE call_archive_rest OWNER TO MOVER");
    }

    private ConnectionSource connections() {
        return () -> DriverManager.getConnection(server.url(), TestDatabase.ARCHIVER, TestDatabase.ARCHIVER);
    }

    /** Sweeps, and notes how that ended. Returns null if it failed. */
    private SweepResult sweep(ConnectionSource connections) throws Exception {
        ended = false;
        try (CapturedLog captured = new CapturedLog()) {
            Future<SweepResult> sweep = threads.submit(
                    () -> Calls.archiver(connections).settings(settings).build().sweep());
            try {
                SweepResult result = sweep.get(LIMIT.toSeconds(), SECONDS);
                int whole = captured.messages(Level.INFO, HAND_OVER).size();
                List<String> reasons = captured.messages(Level.WARN, HAND_OVER);
                outcomes.add(result.stopReason() + (result.keptRowsBack() ? " with rows kept back" : "") + ", " + whole
                        + " handed over" + (reasons.isEmpty() ? "" : ", others not"));
                log.info("{}", reasons);
                if (result.rowsMoved() > (long) whole * ROWS && reasons.isEmpty()) {
                    violations.add("SILENT: rows moved one by one, and nobody was told why");
                }
                return result;
            } catch (ExecutionException e) {
                log.info("{}", e.getCause().toString());
                if (!(e.getCause() instanceof ArchiveException)
                        || e.getCause() instanceof SweepFailedException && changing == null) {
                    violations.add("FAULT: " + e.getCause());
                }
                outcomes.add(e.getCause().getClass().getSimpleName());
                return null;
            }
        } finally {
            ended = true;
        }
    }

    /** The sweep is at the step. */
    private boolean meet() {
        CompletableFuture<Void> begun = new CompletableFuture<>();
        changing = begun;
        threads.execute(() -> {
            try {
                apply();
                begun.complete(null);
            } catch (Throwable e) {
                begun.completeExceptionally(e);
            }
        });
        awaitWaiting("usename = 'postgres'", () -> begun.isDone() || isOpen);
        return true;
    }

    /** Whether the change is made, and to be committed when the sweep waits for it. */
    private volatile boolean isOpen;

    private void apply() throws SQLException {
        inTransaction(change.apply(), staysOpen && changing != null);
        if (!change.then().isEmpty()) {
            try {
                execute(change.then());
            } catch (IllegalStateException e) {
                if (!e.getCause().getMessage().contains("is not a partition of")) {
                    throw e;
                }
            }
        }
    }

    /** Once more where it was chosen as the victim of a deadlock, or the sweep altered the same at the same time. */
    private void inTransaction(String text, boolean open) throws SQLException {
        while (true) {
            try (Connection connection = server.connect()) {
                connection.setAutoCommit(false);
                TestDatabase.execute(connection, sql(text));
                if (open) {
                    isOpen = true;
                    awaitWaiting("usename = '" + TestDatabase.ARCHIVER + "'", () -> ended);
                }
                connection.commit();
                return;
            } catch (SQLException e) {
                if (!DEADLOCK.equals(e.getSQLState()) && !CONCURRENTLY_UPDATED.equals(e.getSQLState())) {
                    throw new SQLException(sql(text) + ": " + e.getMessage(), e.getSQLState(), e);
                }
            }
        }
    }

    /** Waits until one of these sessions waits for a lock, or nothing is to be waited for any more. */
    private void awaitWaiting(String sessions, Callable<Boolean> over) {
        await().pollInterval(POLL)
                .until(() -> over.call()
                        || server.number("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                                        + " AND wait_event_type = 'Lock' AND " + sessions)
                                > 0);
    }

    private void execute(String sql) {
        server.execute(sql(sql));
    }

    private String sql(String text) {
        Map<String, String> names = Map.of(
                "HOT",
                "call",
                "ARC",
                "call_archive",
                "PART",
                "call_2024_%02d".formatted(month),
                "BOUNDS",
                Calls.bounds(2024, month),
                "SINCE",
                "2024-%02d-01".formatted(month),
                "UNTIL",
                "2024-%02d-01".formatted(month + 1),
                "LEDGER",
                "usage_archive_sweep",
                "MOVER",
                TestDatabase.ARCHIVER);
        return Pattern.compile("\\b(" + String.join("|", names.keySet()) + ")\\b")
                .matcher(text)
                .replaceAll(match -> Matcher.quoteReplacement(names.get(match.group())));
    }
}
