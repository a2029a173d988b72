package io.usagearchiver.faults;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.BiPredicate;
import java.util.stream.Collectors;

/**
 * Sessions that go on step by step in one order, as in PostgreSQL's isolation tester. A step runs from one call of {@link
 * Session#next} to the next one. Where it waits for a lock that another session holds, the others go on, and it is over
 * when it can be; a session that gives up waiting by itself may also be chosen to do so before another one goes on.
 *
 * <p>A step is chosen once all sessions are between two steps, or wait for another one. So an order is a sequence of
 * sessions, and the same one does the same each time. What a clock decides is only whether one that gives up by itself has
 * done so while others went on: what it does then is a step of another order, too.
 */
final class Interleaving {
    /** How long a step may take that waits for nobody, or for one who is not going to go on. */
    private static final Duration PATIENCE = Duration.ofSeconds(20);
    /** How long a step is given before somebody looks whether it waits. */
    private static final long LOOK_MILLIS = 3;

    private final Connection observer;
    private final List<Session> sessions;
    private final List<Decision> decisions = new ArrayList<>();
    private final List<String> log = new ArrayList<>();
    /** Those that could have gone on before the last step, if nobody waited then or does now. */
    private List<Session> before = List.of();

    private Session last;
    private String lastStep = "";
    private boolean abandoned;

    /**
     * Sessions before their first step.
     *
     * @param observer a superuser's
     */
    Interleaving(Connection observer, List<Session> sessions) {
        this.observer = observer;
        this.sessions = sessions;
    }

    /**
     * Runs the sessions to their ends: in the order given and then, where that is over, each as far as it can go on.
     *
     * @param independent whether two steps commute if none of them has to wait: beyond the order given, one of the two orders
     *     is left out
     */
    void run(String order, BiPredicate<String, String> independent) throws Exception {
        try {
            for (Session session : sessions) {
                session.start(this);
                settle(null);
            }
            int chosen = 0;
            List<Session> ready = settle(null);
            while (!ready.isEmpty()) {
                boolean given = chosen < order.length();
                List<Session> choices = ready;
                if (!given) {
                    choices = ready.stream()
                            .filter(s -> !isRepetition(s, independent))
                            .toList();
                }
                boolean goesOn = last != null && ready.contains(last);
                Session next = given
                        ? named(ready, order.charAt(chosen++))
                        : choices.contains(last) ? last : choices.isEmpty() ? ready.get(0) : choices.get(0);
                if (next != null) {
                    decisions.add(new Decision(
                            next.name, names(choices), goesOn ? last.name : ' ', given || choices.isEmpty()));
                    ready = step(next);
                }
            }
        } finally {
            abandon();
        }
    }

    private List<Session> step(Session next) throws Exception {
        before = sessions.stream().anyMatch(s -> s.waits)
                ? List.of()
                : sessions.stream().filter(s -> s.state == State.BETWEEN_STEPS).toList();
        last = next;
        lastStep = next.step;
        synchronized (this) {
            if (next.state == State.BETWEEN_STEPS) {
                log.add(next + " " + next.step);
                next.state = State.IN_STEP;
                notifyAll();
            } else {
                log.add(next + " waits until it gives up");
            }
        }
        List<Session> ready = settle(next);
        if (next.waits) {
            log.add(next + " has to wait");
            before = List.of();
        }
        return ready.isEmpty() ? settle(null) : ready;
    }

    /**
     * Whether another order has a step before the last one, with which it has nothing to do: it could have been done then.
     * Sessions that wait, or whose wait ends, have to do with each other.
     */
    private boolean isRepetition(Session session, BiPredicate<String, String> independent) {
        return before.contains(session)
                && sessions.indexOf(session) < sessions.indexOf(last)
                && independent.test(session.step, lastStep);
    }

    private static Session named(List<Session> some, char name) {
        return some.stream().filter(s -> s.name == name).findFirst().orElse(null);
    }

    private static String names(List<Session> some) {
        return some.stream().map(s -> String.valueOf(s.name)).collect(Collectors.joining());
    }

    /** What was chosen, in order. */
    List<Decision> decisions() {
        return decisions;
    }

    /** The order that was carried out. */
    String order() {
        return decisions.stream().map(d -> String.valueOf(d.choice)).collect(Collectors.joining());
    }

    /** What happened, a line for each step. */
    String told() {
        return String.join("\n", log);
    }

    /**
     * Waits until each session is between two steps, or has to wait for another one.
     *
     * @param toEnd one that was chosen while it waited: that wait has to end, too
     * @return those that can go on
     */
    private List<Session> settle(Session toEnd) throws Exception {
        Session waitedOut = toEnd != null && toEnd.waits ? toEnd : null;
        long start = System.nanoTime();
        while (true) {
            List<Session> inStep;
            synchronized (this) {
                if (sessions.stream().anyMatch(s -> s.state == State.IN_STEP)) {
                    wait(LOOK_MILLIS);
                }
                inStep = sessions.stream().filter(s -> s.state == State.IN_STEP).toList();
            }
            Set<Integer> waiting = waiting(inStep);
            synchronized (this) {
                inStep = sessions.stream().filter(s -> s.state == State.IN_STEP).toList();
                sessions.forEach(s -> s.waits = s.state == State.IN_STEP && waiting.contains(s.pid));
                List<Session> ready = sessions.stream()
                        .filter(s -> s.state == State.BETWEEN_STEPS || s.waits && s.givesUp)
                        .toList();
                boolean settled = inStep.stream().allMatch(s -> s.waits) && (waitedOut == null || !waitedOut.waits);
                boolean over = sessions.stream().allMatch(s -> s.state == State.ENDED);
                if (settled && (over || !ready.isEmpty() || toEnd != null)) {
                    return ready;
                }
            }
            if (System.nanoTime() - start > PATIENCE.toNanos()) {
                throw new AssertionError(sessions.stream()
                        .filter(s -> s.state == State.IN_STEP)
                        .map(s -> s + " " + s.step + (s.waits ? " and waits for a lock" : ""))
                        .collect(Collectors.joining(", ", "", ", and nobody gives way")));
            }
        }
    }

    /** Those of the sessions that wait for a lock. */
    private Set<Integer> waiting(List<Session> inStep) throws SQLException {
        Set<Integer> waiting = new HashSet<>();
        if (!inStep.isEmpty()) {
            try (PreparedStatement query = observer.prepareStatement(
                    "select pid from unnest(?) as s (pid) where cardinality(pg_blocking_pids(pid)) > 0")) {
                query.setArray(
                        1,
                        observer.createArrayOf(
                                "integer", inStep.stream().map(s -> s.pid).toArray()));
                try (ResultSet rows = query.executeQuery()) {
                    while (rows.next()) {
                        waiting.add(rows.getInt(1));
                    }
                }
            }
        }
        return waiting;
    }

    private synchronized void abandon() {
        abandoned = true;
        notifyAll();
    }

    /**
     * What was chosen.
     *
     * @param choices the sessions that could have been
     * @param before the session that could have gone on, or a blank
     * @param settled whether there is no other order to be tried: the order said so, or all that are left are repetitions
     */
    record Decision(char choice, String choices, char before, boolean settled) {
        boolean interrupts() {
            return interrupts(choice);
        }

        boolean interrupts(char another) {
            return before != ' ' && another != before;
        }
    }

    private enum State {
        IN_STEP,
        BETWEEN_STEPS,
        ENDED
    }

    /** What a session does. */
    interface Script {
        void run(Session session) throws Exception;
    }

    /** A session of the server, with a thread of its own while it is run. */
    static final class Session {
        private final char name;
        private final String what;
        private final int pid;
        private final Script script;
        private Interleaving run;
        private State state;
        private String step = "begins";
        private boolean givesUp;
        private boolean waits;
        private Throwable fault;

        /**
         * A session before its first step.
         *
         * @param pid its server process
         */
        Session(char name, String what, int pid, Script script) {
            this.name = name;
            this.what = what;
            this.pid = pid;
            this.script = script;
        }

        /** The next step begins when it is chosen. */
        void next(String what) {
            next(what, false);
        }

        /** The next step begins when it is chosen; it gives up by itself if it has to wait. */
        void nextThatGivesUp(String what) {
            next(what, true);
        }

        private void next(String what, boolean mayGiveUp) {
            synchronized (run) {
                step = what;
                givesUp = mayGiveUp;
                state = State.BETWEEN_STEPS;
                run.notifyAll();
                while (state == State.BETWEEN_STEPS && !run.abandoned) {
                    try {
                        run.wait();
                    } catch (InterruptedException e) {
                        throw new IllegalStateException(e);
                    }
                }
                if (run.abandoned) {
                    throw new IllegalStateException("the others have ended without " + this);
                }
            }
        }

        private void start(Interleaving interleaving) {
            run = interleaving;
            state = State.IN_STEP;
            Thread thread = new Thread(this::runScript, what);
            thread.setDaemon(true);
            thread.start();
        }

        private void runScript() {
            try {
                script.run(this);
            } catch (Throwable e) {
                fault = e;
            } finally {
                synchronized (run) {
                    state = State.ENDED;
                    run.notifyAll();
                }
            }
        }

        /** What has ended it too early, or null. */
        Throwable fault() {
            return fault;
        }

        char name() {
            return name;
        }

        @Override
        public String toString() {
            return what;
        }
    }

    /** The server process of a connection. */
    static int pid(Connection connection) throws SQLException {
        try (ResultSet row = connection.createStatement().executeQuery("select pg_backend_pid()")) {
            row.next();
            return row.getInt(1);
        }
    }
}
