package io.usagearchiver.faults;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import io.usagearchiver.ArchiveSettings;
import io.usagearchiver.Archiver;
import io.usagearchiver.ConnectionSource;
import io.usagearchiver.RestoreResult;
import io.usagearchiver.RowFilter;
import io.usagearchiver.SchemaDriftException;
import io.usagearchiver.StopReason;
import io.usagearchiver.StopSignal;
import io.usagearchiver.faults.Interleaving.Decision;
import io.usagearchiver.faults.Interleaving.Session;
import io.usagearchiver.testing.TappedConnections;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.time.LocalDateTime;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.slf4j.LoggerFactory;

/**
 * Movers of one table, an application's transaction that changes what they move, and a hold, in every order of their steps.
 *
 * <p>Where the table allows 99 interruptions, all orders are run, but one of two that differ only in two steps one after the
 * other which do not touch the same ({@link #commute}). Where that would be too many, those are run in which a session is
 * interrupted, that is, another one goes on though it could have gone on itself, no more often than the table says: what goes
 * wrong between sessions hardly ever needs more interruptions than one or two (Musuvathi and Qadeer, Iterative Context
 * Bounding, 2007). With {@code -Dinterleaving.interruptions=99} there are no bounds: two sweeps take minutes then.
 *
 * <p>The sessions, by the letters that they have in an order:
 *
 * <ul>
 *   <li>F, f: sweeps on the fast path. Steps: open the ledger row (once more after superseding another), read the holds and
 *       where slices end, move a slice, commit, look on; after a slice that was given back those of the slow path, too;
 *   <li>S, s: sweeps on the slow path: the batch's five statements are a step each;
 *   <li>R: a restore of the ids 2 to 6, which sets a hold on them and tells of it;
 *   <li>A: an application's transaction that changes row 5 if there is a restore, row 3, and the age of row 2, deletes row
 *       1, and commits;
 *   <li>H: a hold on row 2, which is stored, and told to the sweep that runs;
 *   <li>T: somebody creates a trigger that keeps row 2 out of the archive, and drops it again.
 * </ul>
 *
 * <p>{@code mvn test -Dtest=InterleavingsTest -Dinterleaving=FA:FFAAF} runs one order, as a failure names it, and tells its
 * steps; {@code -Dinterleaving=FA,SA} all orders of these sessions.
 */
class InterleavingsTest {
    private static final org.slf4j.Logger log = LoggerFactory.getLogger(InterleavingsTest.class);
    private static final int ALL = 99;
    private static final String CHOSEN = System.getProperty("interleaving", "");
    private static final LocalDateTime OLD = LocalDateTime.parse("2020-01-01T00:00:00");
    private static final LocalDateTime CURRENT = LocalDateTime.parse("2999-01-01T00:00:00");
    private static final RowFilter HELD = RowFilter.ids("2", "2");
    private static final RowFilter RESTORED = RowFilter.ids("2", "6");
    /** Only the lock timeout of the fast path is shorter than any order. */
    private static final ArchiveSettings SETTINGS = ArchiveSettings.defaults()
            .withTimeouts(Duration.ofSeconds(59), Duration.ofSeconds(60), Duration.ofSeconds(60));

    /** Of the application's changes, what does not lock or commit rows; of a slow batch, what works on rows it has locked. */
    private static final Map<String, Set<String>> COMMUTING = commuting();

    @AutoClose
    private static final TestDatabase db = TestDatabase.create();

    private static final Map<Character, Connection> connections = new HashMap<>();
    private static Level level;

    private final History history = new History();
    /** What was archived of rows under a hold when it counted. */
    private final Map<RowFilter, Set<String>> archivedBefore = new ConcurrentHashMap<>();

    private StopReason restored;

    @BeforeAll
    static void sessions_of_movers_and_others() throws SQLException {
        Logger logger = (Logger) LoggerFactory.getLogger("io.usagearchiver");
        level = logger.getLevel();
        logger.setLevel(Level.OFF);
        ((Logger) log).setLevel(Level.INFO);
        // No mover may lean on its own deadlock timeout, or on the statement's timeout that is taken from it.
        deadlockTimeoutOfTheServer("SET deadlock_timeout = '1min'");
        // Whoever has one as short as that goes the slow way.
        db.execute("CREATE FUNCTION hurry() RETURNS text LANGUAGE sql SECURITY DEFINER"
                + " AS $$ SELECT set_config('deadlock_timeout', '30ms', false) $$");
        db.execute("CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql"
                + " AS $$ BEGIN IF NEW.id = 2 THEN RETURN NULL; END IF; RETURN NEW; END $$");
        for (char name : "FfSsAT".toCharArray()) {
            boolean owner = name == 'A' || name == 'T';
            connections.put(name, owner ? db.connectAsOwner() : db.connectAsArchiver());
        }
        connections.put('R', db.restorer().open());
        connections.put('H', db.restorer().open());
        connections.put('o', db.connectAsOwner());
        connections.put('c', db.connectAsOwner());
        TestDatabase.execute(connections.get('S'), "SELECT hurry()");
        TestDatabase.execute(connections.get('s'), "SELECT hurry()");
        // Where somebody is in a deadlock with it, it is the one to end.
        TestDatabase.execute(connections.get('A'), "SET deadlock_timeout = '2s'");
    }

    @AfterAll
    static void as_before() throws SQLException {
        deadlockTimeoutOfTheServer("RESET deadlock_timeout");
        for (Connection connection : connections.values()) {
            connection.close();
        }
        ((Logger) LoggerFactory.getLogger("io.usagearchiver")).setLevel(level);
    }

    /** That of a role or a database would have all rows go the slow way. */
    private static void deadlockTimeoutOfTheServer(String change) throws SQLException {
        try (Connection superuser = db.connectAsOwner()) {
            TestDatabase.execute(superuser, "ALTER SYSTEM " + change);
            TestDatabase.execute(superuser, "SELECT pg_reload_conf()");
        }
        String expected = change.startsWith("SET") ? "60000" : "1000";
        await().until(() -> db.strings("SELECT setting FROM pg_settings WHERE name = 'deadlock_timeout'")
                .equals(List.of(expected)));
    }

    /**
     * Runs all orders.
     *
     * @param sessions their letters
     * @param interruptions how often a session is interrupted at most
     * @param least how many orders there are at least
     */
    @ParameterizedTest(name = "{0}")
    @CsvSource({
        "FA,  3, 80",
        "SA,  99, 60",
        "RA,  99, 10",
        "FH,  99, 10",
        "SH,  99, 20",
        "FT,  99, 10",
        "ST,  99, 20",
        "FR,  3, 40",
        "SR,  3, 60",
        "Ss,  3, 100",
        "Ff,  3, 60",
        "FS,  3, 100",
        "FSA, 1, 70",
        "FfA, 1, 50",
        "FfH, 1, 40",
        "FRA, 1, 70",
        "FHA, 1, 40",
        "SHA, 1, 60",
        "FSR, 1, 80"
    })
    void nothing_is_lost_doubled_miscounted_or_taken_from_a_hold_and_no_application_fails_in_any_order(
            String sessions, int interruptions, int least) throws Exception {
        if (CHOSEN.startsWith(sessions + ":")) {
            log.warn(
                    "{}",
                    run(sessions, CHOSEN.substring(sessions.length() + 1), false)
                            .told());
        } else if (CHOSEN.isEmpty() || List.of(CHOSEN.split(",")).contains(sessions)) {
            runAll(sessions, Integer.getInteger("interleaving.interruptions", interruptions), least);
        }
    }

    private void runAll(String sessions, int interruptions, int least) throws Exception {
        Deque<String> open = new ArrayDeque<>(List.of(""));
        Set<String> seen = new HashSet<>();
        Set<String> done = new HashSet<>();
        while (!open.isEmpty()) {
            Interleaving run = run(sessions, open.pop(), interruptions >= ALL);
            done.add(run.order());
            String order = "";
            int interrupted = 0;
            for (Decision decision : run.decisions()) {
                if (!decision.settled()) {
                    for (char other : decision.choices().toCharArray()) {
                        int then = interrupted + (decision.interrupts(other) ? 1 : 0);
                        if (other != decision.choice() && then <= interruptions && seen.add(order + other)) {
                            open.push(order + other);
                        }
                    }
                }
                order += decision.choice();
                interrupted += decision.interrupts() ? 1 : 0;
            }
        }
        log.info("{}: {} orders", sessions, done.size());
        assertThat(done).as("orders").hasSizeGreaterThanOrEqualTo(least);
    }

    private Interleaving run(String names, String order, boolean once) throws Exception {
        reset();
        List<Session> sessions = new ArrayList<>();
        for (char name : names.toCharArray()) {
            sessions.add(session(name, names.indexOf('R') >= 0));
        }
        Interleaving run = new Interleaving(connections.get('o'), sessions);
        try {
            run.run(order, once ? InterleavingsTest::commute : (a, b) -> false);
            check(sessions);
            return run;
        } catch (Throwable e) {
            throw new AssertionError(
                    "-Dinterleaving=" + names + ":" + run.order() + "\n" + run.told() + "\n" + e.getMessage(), e);
        }
    }

    /** Rows 1 to 3 are expired, 5 and 6 archived. */
    private void reset() throws SQLException {
        restored = null;
        archivedBefore.clear();
        Connection owner = connections.get('o');
        TestDatabase.execute(
                owner,
                "DROP TRIGGER IF EXISTS swallow ON model_usage_details_archive; DELETE FROM model_usage_details;"
                        + " DELETE FROM model_usage_details_archive; DELETE FROM usage_archive_sweep;"
                        + " DELETE FROM usage_archive_hold");
        List<Usage> rows = new ArrayList<>();
        for (int id : new int[] {1, 2, 3, 5, 6}) {
            rows.add(row(id, 1, OLD.plusDays(id)));
        }
        Usage.insert(owner, rows);
        rows.forEach(row -> history.acknowledged(row.id(), Optional.of(row)));
        TestDatabase.execute(
                owner,
                "WITH m AS (DELETE FROM model_usage_details WHERE id > 4 RETURNING *)"
                        + " INSERT INTO model_usage_details_archive SELECT * FROM m;"
                        + " INSERT INTO usage_archive_sweep (table_name, state, node, fired_by, cutoff, started_at, finished_at,"
                        + " rows_moved, batches) VALUES ('public.model_usage_details', 'DRAINED', 'node', 'test', '2021-01-01',"
                        + " timezone('UTC', clock_timestamp()), timezone('UTC', clock_timestamp()), 2, 1)");
    }

    private static Usage row(int id, long version, LocalDateTime age) {
        return new Usage(id, version, age, OLD);
    }

    /**
     * Whether two steps of different sessions, none of which has to wait, have the same effect in either order: they touch
     * different tables, or rows that the other one cannot touch, or one reads without locks what the other one has not
     * committed.
     */
    private static boolean commute(String a, String b) {
        return COMMUTING.getOrDefault(a, Set.of()).contains(b)
                || COMMUTING.getOrDefault(b, Set.of()).contains(a);
    }

    private Session session(char name, boolean withRestore) throws SQLException {
        Connection connection = connections.get(name);
        int pid = Interleaving.pid(connection);
        return switch (name) {
            case 'F', 'f' ->
                new Session(
                        name,
                        name + " (fast sweep)",
                        pid,
                        s -> archiver(s, connection).sweep());
            case 'S', 's' ->
                new Session(
                        name,
                        name + " (slow sweep)",
                        pid,
                        s -> archiver(s, connection).sweep());
            case 'R' ->
                new Session(name, "R (restore)", pid, s -> {
                    RestoreResult result =
                            archiver(s, connection).restore(RESTORED, null, "for a test", new StopSignal());
                    restored = result.counts().stopReason();
                });
            case 'H' ->
                new Session(name, "H (hold)", pid, s -> {
                    archiver(s, connection).holds().hold(HELD, null, "for a test");
                    archivedBefore.put(HELD, archived(HELD));
                });
            case 'A' -> new Session(name, "A (application)", pid, s -> change(s, connection, withRestore));
            case 'T' ->
                new Session(name, "T (trigger)", pid, s -> {
                    s.next("creates it");
                    TestDatabase.execute(
                            connection,
                            "CREATE TRIGGER swallow BEFORE INSERT ON model_usage_details_archive"
                                    + " FOR EACH ROW EXECUTE FUNCTION swallow()");
                    s.next("drops it");
                    TestDatabase.execute(connection, "DROP TRIGGER swallow ON model_usage_details_archive");
                });
            default -> throw new IllegalArgumentException("" + name);
        };
    }

    /** In an order that is none of the sweep's. */
    private void change(Session session, Connection connection, boolean withRestore) throws SQLException {
        connection.setAutoCommit(false);
        try {
            Map<Integer, Optional<Usage>> changed = new HashMap<>();
            for (Usage row : List.of(row(5, 2, OLD.plusDays(5)), row(3, 2, OLD.plusDays(3)), row(2, 2, CURRENT))) {
                if (row.id() < 5 || withRestore) {
                    session.next("updates row " + row.id());
                    if (row.update(connection) > 0) {
                        changed.put(row.id(), Optional.of(row));
                    }
                }
            }
            session.next("deletes row 1");
            if (row(1, 1, OLD).delete(connection) > 0) {
                changed.put(1, Optional.empty());
            }
            session.next("commits its changes");
            connection.commit();
            changed.forEach(history::acknowledged);
        } finally {
            connection.rollback();
        }
    }

    private static Map<String, Set<String>> commuting() {
        Set<String> ofOwnRows = Set.of("copies rows", "proves rows", "deletes rows");
        Set<String> ofOtherTables = Set.of("opens its ledger row", "counts the batch", "stores a hold");
        Set<String> ofOthers = new HashSet<>(ofOtherTables);
        ofOthers.addAll(Set.of("looks for rows", "tells a sweep of it"));
        Map<String, Set<String>> commuting = new HashMap<>();
        ofOwnRows.forEach(step -> commuting.put(step, ofOthers));
        commuting.put("stores a hold", Set.of("opens its ledger row", "counts the batch"));
        Set<String> ofChange = new HashSet<>(ofOthers);
        ofChange.addAll(ofOwnRows);
        for (String step : List.of("updates row 5", "updates row 3", "updates row 2", "deletes row 1")) {
            commuting.put(step, ofChange);
        }
        Set<String> ofCommit = new HashSet<>(ofOtherTables);
        ofCommit.addAll(ofOwnRows);
        commuting.put("commits its changes", ofCommit);
        return commuting;
    }

    private static Archiver archiver(Session session, Connection connection) {
        ConnectionSource source =
                new TappedConnections(TappedConnections.keptOpen(connection), new MoverSteps(session));
        return Archiver.builder(TestedPair.USAGE, source).settings(SETTINGS).build();
    }

    private void check(List<Session> sessions) throws SQLException {
        boolean altered = sessions.stream().anyMatch(session -> session.name() == 'T');
        for (Session session : sessions) {
            if (!(altered && session.fault() instanceof SchemaDriftException)) {
                assertThat(session.fault()).as("%s", session).isNull();
            }
        }
        Connection checking = connections.get('c');
        assertThat(restored == null ? Checker.check(history, checking) : Checker.checkContent(history, checking, 0))
                .isEmpty();
        assertThat(db.strings(
                        "SELECT state FROM usage_archive_sweep WHERE state = 'RUNNING' OR state = 'FAILED' AND NOT "
                                + altered))
                .isEmpty();
        archivedBefore.forEach((filter, before) -> assertThat(before)
                .as("archived of the rows under a hold when it was set, and now")
                .containsAll(archived(filter)));
        if (restored == StopReason.DRAINED) {
            assertThat(archived(RESTORED)).as("rows that were restored").isEmpty();
        }
    }

    private static Set<String> archived(RowFilter filter) {
        return Set.copyOf(db.strings("SELECT id FROM model_usage_details_archive WHERE id BETWEEN " + filter.minId()
                + " AND " + filter.maxId()));
    }

    /** Makes steps of those of a mover's statements that others can see, or that see what others do. */
    private static final class MoverSteps implements TappedConnections.Tap {
        private final Session session;
        private boolean inBatch;
        private boolean toLook;

        MoverSteps(Session session) {
            this.session = session;
        }

        @Override
        public void before(String sql, Connection connection) {
            if (sql.equals(TappedConnections.COMMIT)) {
                if (inBatch) {
                    session.next("commits");
                    inBatch = false;
                    toLook = true;
                }
            } else if (sql.startsWith("set local statement_timeout")) {
                inBatch = sql.contains("as \"deleted\"");
                if (inBatch) {
                    session.nextThatGivesUp("moves a slice");
                }
            } else if (sql.startsWith("insert into \"public\".\"usage_archive_sweep\"")) {
                session.next("opens its ledger row");
                toLook = true;
            } else if (sql.startsWith("insert into \"public\".\"usage_archive_hold\"")) {
                session.next("stores a hold");
            } else if (sql.startsWith("update \"public\".\"usage_archive_sweep\" set \"holds_version\"")) {
                session.next("tells a sweep of it");
            } else if (toLook && isLook(sql)) {
                toLook = false;
                session.next("looks for rows");
            } else {
                String step = stepOfBatch(sql);
                if (step != null) {
                    session.next(step);
                    inBatch = true;
                }
            }
        }

        private static boolean isLook(String sql) {
            return sql.startsWith("select \"public\".\"usage_archive_hold\"")
                    || sql.startsWith("select array_agg(cast(\"numbered\"")
                    || sql.startsWith("select array_agg(\"page\"");
        }

        private static String stepOfBatch(String sql) {
            if (sql.contains("skip locked")) {
                return "locks rows";
            } else if (sql.startsWith("insert into \"public\".\"model_usage_details")) {
                return "copies rows";
            } else if (sql.contains("for share")) {
                return "proves rows";
            } else if (sql.startsWith("delete from only")) {
                return "deletes rows";
            } else if (sql.startsWith("update \"public\".\"usage_archive_sweep\" set \"batches\"")) {
                return "counts the batch";
            }
            return null;
        }
    }
}
