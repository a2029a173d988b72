package io.usagearchiver.faults;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.awaitility.Awaitility.await;

import io.usagearchiver.ArchiveException;
import io.usagearchiver.ArchiveSettings;
import io.usagearchiver.Archiver;
import io.usagearchiver.ConnectionSource;
import io.usagearchiver.Pace;
import io.usagearchiver.RowFilter;
import io.usagearchiver.StopReason;
import io.usagearchiver.StopSignal;
import io.usagearchiver.SweepListener;
import io.usagearchiver.SweepProgress;
import io.usagearchiver.SweepResult;
import io.usagearchiver.faults.SchemaChange.Way;
import io.usagearchiver.testing.FaultServer;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeoutException;
import java.util.stream.IntStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One change of the schema, and what became of the rows: a sweep or a restore that meets it, others while it is in force,
 * its undoing, and sweeps that must move all that is expired then. Some changes are brief: they are undone before the sweep
 * that met them has ended, if it goes on. What is wrong is written down, whenever it shows.
 */
final class SchemaRound {
    private static final Logger log = LoggerFactory.getLogger(SchemaRound.class);
    private static final int ROWS = 180;
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final Duration POLL = Duration.ofMillis(3);

    /** Whose rows are under a hold for ever, and so never in the archive. A seventh of all. */
    private static final String HELD = "model_id = 3";

    private static final String EXPIRED =
            "coalesce(completed_at, created_at) < now() AT TIME ZONE 'UTC' - interval '13 months'";

    private static final String DEADLOCK = "40P01";

    private final FaultServer server;
    private final History history;
    private final Writers writers;
    private final SchemaChange change;
    private final Way way;
    private final Moment moment;
    private final boolean isBrief;
    private final long atBatch;
    private final ArchiveSettings settings;
    private final Random random;
    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final List<String> violations = Collections.synchronizedList(new ArrayList<>());
    private final List<String> outcomes = new ArrayList<>();
    /** Of a restore: what it moves, under a hold. */
    private RowFilter restored;

    /** Of the sweep that meets the change. */
    private volatile long batches;

    private volatile boolean ended;
    private volatile boolean met;
    private volatile CompletableFuture<Void> changing;
    private volatile boolean undone;

    /** When the change comes. */
    enum Moment {
        /** Between two transactions. */
        BETWEEN,
        /** It has begun between two transactions, and commits when the next one waits for it, or goes on beside it. */
        BEFORE_COMMIT,
        /** It comes in the middle of a batch, and waits for that if it has to. */
        BEHIND_A_BATCH
    }

    SchemaRound(FaultServer server, History history, Writers writers, SchemaChange change, Random random) {
        this.server = server;
        this.history = history;
        this.writers = writers;
        this.change = change;
        this.random = random;
        Way some = random.nextInt(3) > 0 ? Way.ARCHIVE : Way.RESTORE;
        this.way = change.only() == null ? some : change.only();
        this.moment = Moment.values()[random.nextInt(Moment.values().length)];
        this.isBrief = !change.crashes() && random.nextInt(4) == 0;
        int batchSize = 8 + random.nextInt(16);
        this.atBatch = random.nextInt(ROWS * 6 / 7 / batchSize - 1);
        this.settings = ArchiveSettings.defaults()
                .withBatchSize(batchSize)
                .withTimeouts(Duration.ofSeconds(3), Duration.ofSeconds(20), Duration.ofSeconds(10))
                .withRetryTimeout(Duration.ofSeconds(15))
                .withPace(Pace.full().withPause(Duration.ofMillis(1), 0));
    }

    /** Makes a database anew for rounds. */
    static Writers prepare(FaultServer server, History history, long seed) throws SQLException {
        server.recreateDatabase();
        server.execute("ALTER ROLE usage_archiver NOBYPASSRLS; ALTER ROLE usage_restorer NOBYPASSRLS");
        server.execute(named(SchemaChanges.SETUP));
        server.execute("INSERT INTO usage_archive_hold (table_name, model_id, reason, created_by, node, created_at)"
                + " VALUES ('public.model_usage_details', 3, 'for ever', 'test', 'test', '2020-01-01')");
        Writers writers = new Writers(server::connect, history, seed, 2);
        writers.load(2 * ROWS);
        insertYoung(server, history);
        return writers;
    }

    /** Rows that nobody changes, and that become expired in two hours: whoever mistakes a time zone moves them early. */
    private static void insertYoung(FaultServer server, History history) throws SQLException {
        LocalDateTime age = LocalDateTime.now(ZoneOffset.UTC)
                .minusMonths(ArchiveSettings.DEFAULT_RETENTION_MONTHS)
                .plusHours(2)
                .truncatedTo(ChronoUnit.MICROS);
        List<Usage> young = IntStream.range(0, 20)
                .mapToObj(i -> new Usage(500_000 + i, 0, i % 2 == 0 ? age : null, age))
                .toList();
        try (Connection connection = server.connect()) {
            Usage.insert(connection, young);
        }
        young.forEach(row -> history.acknowledged(row.id(), Optional.of(row)));
    }

    /** Whether the change came when at least one batch had been committed and rows were left for the next one. */
    boolean metASweep() {
        return met;
    }

    List<String> outcomes() {
        return outcomes;
    }

    Moment moment() {
        return moment;
    }

    /** Runs it. Returns what is wrong: nothing, if all is well. */
    List<String> run() throws Exception {
        try {
            drain();
            if (way == Way.ARCHIVE) {
                writers.load(ROWS);
            } else {
                restored = someArchived();
            }
            if (!change.isQuiet()) {
                writers.start();
            }
            execute(change.given());
            sweep(way, true);
            if (changing == null) {
                apply();
            } else {
                changing.get(LIMIT.toSeconds(), SECONDS);
            }
            if (way == Way.RESTORE) {
                sweep(Way.RESTORE, false);
            }
            sweep(Way.ARCHIVE, false);
            if (change.crashes()) {
                server.stopImmediately();
                server.startAgain();
                sweep(Way.ARCHIVE, false);
            }
            writers.stop();
            undo();
            check();
            endHold();
            drain();
            check();
        } catch (ExecutionException | TimeoutException | SQLException | RuntimeException e) {
            log.error("{}", this, e);
            violation("NOT RUN: " + e);
        } finally {
            threads.shutdownNow();
        }
        return violations;
    }

    @Override
    public String toString() {
        return change.name() + " (" + way + ", " + moment + " after batch " + atBatch + " of " + settings.batchSize()
                + " rows" + (met ? "" : ", before its first batch or after its last") + (isBrief ? ", brief" : "")
                + "): " + String.join(", ", outcomes);
    }

    private void violation(String what) {
        violations.add(what);
    }

    /** Sweeps until nothing is left, and sees that nothing is. */
    private void drain() throws Exception {
        sweep(Way.ARCHIVE, false);
        String outcome = outcomes.remove(outcomes.size() - 1);
        long left = server.number(sql("SELECT count(*) FROM ONLY HOT WHERE NOT " + HELD + " AND " + EXPIRED));
        if (!outcome.equals(StopReason.DRAINED.name()) || left > 0) {
            violation("STUCK: nothing is in the way, but a sweep ended " + outcome + " with " + left + " rows left");
        }
    }

    /** Sweeps or restores, for no longer than a minute. */
    private void sweep(Way direction, boolean changing) throws Exception {
        StopSignal stop = new StopSignal();
        Archiver.Builder builder =
                Archiver.builder(TestedPair.USAGE, connections(direction)).settings(settings);
        if (changing) {
            builder.listener(new Listener());
        }
        Archiver archiver = builder.build();
        Callable<SweepResult> work = () -> direction == Way.ARCHIVE
                ? archiver.sweep(stop)
                : archiver.restore(restored, null, "a test", stop).counts();
        ended = false;
        Future<SweepResult> sweep = threads.submit(work);
        try {
            SweepResult result = sweep.get(LIMIT.toSeconds(), SECONDS);
            outcomes.add(result.stopReason() + (result.keptRowsBack() ? " with rows kept back" : ""));
        } catch (ExecutionException e) {
            if (!(e.getCause() instanceof ArchiveException)) {
                violation("FAULT: " + e.getCause());
            }
            outcomes.add(e.getCause().getClass().getSimpleName());
        } catch (TimeoutException e) {
            violation("ENDLESS: still sweeping after " + LIMIT.toSeconds() + " s");
            outcomes.add("ENDLESS");
            stop.request();
            try {
                sweep.get(LIMIT.toSeconds(), SECONDS);
            } catch (ExecutionException stopped) {
                // How it ends now does not matter.
            }
        } finally {
            ended = true;
        }
    }

    private ConnectionSource connections(Way direction) {
        String role = direction == Way.ARCHIVE ? TestDatabase.ARCHIVER : TestDatabase.RESTORER;
        return () -> {
            Connection connection = DriverManager.getConnection(server.url(), role, role);
            TestDatabase.execute(connection, "SET TIME ZONE 'Asia/Kolkata'");
            return connection;
        };
    }

    /** By their ids or their ages. */
    private RowFilter someArchived() {
        String column = random.nextBoolean() ? "id" : "coalesce(completed_at, created_at)";
        int offset = random.nextInt(ROWS / 2);
        List<String> ends = server.strings(sql("SELECT unnest(array[min(c), max(c)]) FROM (SELECT " + column
                + " AS c FROM ONLY ARC ORDER BY 1 OFFSET " + offset + " LIMIT " + ROWS + ") AS range"));
        if (column.equals("id")) {
            return RowFilter.ids(ends.get(0), ends.get(1));
        }
        return RowFilter.ages(
                LocalDateTime.parse(ends.get(0).replace(' ', 'T')),
                LocalDateTime.parse(ends.get(1).replace(' ', 'T')));
    }

    private String wanted() {
        if (way == Way.ARCHIVE) {
            return "(NOT " + HELD + " AND " + EXPIRED + ")";
        }
        return restored.minId() != null
                ? "(id BETWEEN " + restored.minId() + " AND " + restored.maxId() + ")"
                : "(coalesce(completed_at, created_at) >= timestamp '" + restored.from()
                        + "' AND coalesce(completed_at, created_at) < timestamp '" + restored.to() + "')";
    }

    private void undo() {
        if (undone) {
            return;
        }
        undone = true;
        if (!change.harm().isEmpty()) {
            server.strings(sql(change.harm())).forEach(this::violation);
        }
        try {
            inTransaction(change.undo());
            execute("DROP TABLE IF EXISTS chaos.kept, chaos.ghosts;"
                    + " UPDATE LEDGER SET live_until = NULL WHERE state = 'RUNNING'");
        } catch (SQLException e) {
            violation("UNDO: " + e.getMessage());
        }
    }

    /** Ends the hold of a restore, which must have kept in the hot table what was restored. */
    private void endHold() throws Exception {
        if (way == Way.RESTORE) {
            String held = sql("SELECT id FROM ONLY HOT WHERE WANTED");
            List<String> restoredIds = new ArrayList<>(server.strings(held));
            sweep(Way.ARCHIVE, false);
            outcomes.remove(outcomes.size() - 1);
            restoredIds.removeAll(server.strings(held));
            restoredIds.forEach(id -> violation("HELD: " + id + " is archived again"));
            server.execute(
                    "UPDATE usage_archive_hold SET released_at = now() AT TIME ZONE 'UTC' WHERE reason = 'a test'");
        }
    }

    private void check() throws SQLException {
        long others = server.number("SELECT coalesce(sum(n), 0) FROM chaos.others");
        try (Connection connection = server.connect()) {
            Checker.checkContent(history, connection, others).forEach(v -> violation(v.toString()));
        }
        server.strings(named(SchemaChanges.ALTERED)).forEach(row -> violation("ALTERED: " + row));
        server.strings(sql("SELECT id FROM ONLY ARC WHERE " + HELD))
                .forEach(id -> violation("HELD: " + id + " is archived"));
    }

    private void execute(String sql) {
        server.execute(sql(sql));
    }

    private String sql(String text) {
        boolean archives = way == Way.ARCHIVE;
        return named(text.replace("SOURCE", archives ? "HOT" : "ARC")
                .replace("TARGET", archives ? "ARC" : "HOT")
                .replace("MOVER", archives ? TestDatabase.ARCHIVER : TestDatabase.RESTORER)
                .replace("WANTED", text.contains("WANTED") ? wanted() : ""));
    }

    private static String named(String text) {
        return text.replace("HOT", Usage.HOT)
                .replace("ARC", Usage.ARCHIVE)
                .replace("LEDGER", "usage_archive_sweep")
                .replace("HOLDS", "usage_archive_hold");
    }

    private void apply() throws SQLException {
        inTransaction(change.apply());
        execute(change.then());
    }

    /** Once more where it was chosen as the victim of a deadlock. */
    private void inTransaction(String text) throws SQLException {
        while (true) {
            try (Connection connection = begin(text)) {
                connection.commit();
                return;
            } catch (SQLException e) {
                if (!DEADLOCK.equals(e.getSQLState())) {
                    throw e;
                }
            }
        }
    }

    private Connection begin(String text) throws SQLException {
        Connection connection = server.connect();
        try {
            connection.setAutoCommit(false);
            TestDatabase.execute(connection, sql(text));
            return connection;
        } catch (SQLException e) {
            connection.close();
            throw new SQLException(sql(text) + ": " + e.getMessage(), e.getSQLState(), e);
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

    /** Has the change come. Called between two transactions of the sweep. */
    private void begin(SweepProgress progress) throws SQLException {
        boolean left = server.number(sql("SELECT count(*) FROM SOURCE WHERE WANTED")) > 0;
        switch (moment) {
            case BETWEEN -> {
                apply();
                changing = CompletableFuture.completedFuture(null);
            }
            case BEFORE_COMMIT -> {
                Connection connection = begin(change.apply());
                long now = progress.batches();
                changing = async(() -> {
                    try (connection) {
                        awaitWaiting("usename ~ '^usage_'", () -> ended || batches > now + 1);
                        connection.commit();
                    }
                    execute(change.then());
                });
            }
            case BEHIND_A_BATCH -> {
                Connection counting =
                        begin("SELECT FROM LEDGER WHERE sweep_id = " + progress.sweepId() + " FOR UPDATE");
                changing = async(() -> {
                    CompletableFuture<Void> applying;
                    try (counting) {
                        awaitWaiting("usename ~ '^usage_'", () -> ended);
                        applying = async(this::apply);
                        awaitWaiting("usename = 'postgres' AND query !~ 'pg_stat_activity'", applying::isDone);
                        counting.rollback();
                    }
                    applying.get(LIMIT.toSeconds(), SECONDS);
                });
            }
        }
        met = left && progress.batches() > 0;
    }

    private CompletableFuture<Void> async(Task task) {
        CompletableFuture<Void> result = new CompletableFuture<>();
        threads.execute(() -> {
            try {
                task.run();
                result.complete(null);
            } catch (Throwable e) {
                result.completeExceptionally(e);
            }
        });
        return result;
    }

    private interface Task {
        void run() throws Exception;
    }

    private final class Listener implements SweepListener {
        @Override
        public void sweepStarted(SweepProgress progress) {
            batchCommitted(progress);
        }

        @Override
        public void batchCommitted(SweepProgress progress) {
            batches = progress.batches();
            try {
                if (changing == null && batches >= atBatch) {
                    begin(progress);
                } else if (isBrief && changing != null && changing.isDone()) {
                    undo();
                }
            } catch (SQLException | RuntimeException e) {
                changing = CompletableFuture.failedFuture(e);
            }
        }
    }
}
