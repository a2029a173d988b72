package io.usagearchiver.faults;

import io.usagearchiver.ConnectionSource;
import io.usagearchiver.SweepResult;
import io.usagearchiver.testing.Calls;
import io.usagearchiver.testing.TappedConnections;
import io.usagearchiver.testing.TestDatabase;
import java.io.IOException;
import java.sql.Connection;
import java.sql.DriverManager;
import java.util.concurrent.Callable;

/** A statement of the first partition's hand-over, which is just about to be sent. Also a program that does not come further. */
enum HandOverStep {
    LOOK(") and not coalesce("),
    ADD_CHECK(" not valid"),
    VALIDATE_CHECK(" validate constraint "),
    LOCK_PARTITION(" in share mode"),
    SEE_ROWS("select count(*), count(*) filter"),
    COUNT("set \"batches\""),
    MOVE(" detach partition "),
    COMMIT(TappedConnections.COMMIT),
    NEXT("");

    private final String text;

    HandOverStep(String text) {
        this.text = text;
    }

    /** Connections with which something happens when a sweep has come to this step, once. */
    ConnectionSource connections(String url, Callable<?> fault) {
        return new TappedConnections(
                () -> DriverManager.getConnection(url, TestDatabase.ARCHIVER, TestDatabase.ARCHIVER), new Tap(fault));
    }

    private final class Tap implements TappedConnections.Tap {
        private final Callable<?> fault;
        private boolean moved;
        private boolean committed;
        private boolean done;

        private Tap(Callable<?> fault) {
            this.fault = fault;
        }

        @Override
        public void before(String sql, Connection connection) {
            boolean hit = sql.contains(text)
                    && (HandOverStep.this != COMMIT || moved)
                    && (HandOverStep.this != NEXT || committed);
            committed |= moved && sql.equals(TappedConnections.COMMIT);
            moved |= sql.contains(MOVE.text);
            if (hit && !done) {
                done = true;
                try {
                    fault.call();
                } catch (Exception e) {
                    throw new IllegalStateException(e);
                }
            }
        }
    }

    /** Sweeps until the step given by its name, and sends itself a signal there; then tells how the sweep ended. */
    public static void main(String... arguments) {
        String signal = arguments[2];
        SweepResult result = Calls.archiver(valueOf(arguments[1]).connections(arguments[0], () -> signal(signal)))
                .build()
                .sweep();
        System.out.println("ended " + result.stopReason() + " with " + result.rowsMoved());
    }

    private static int signal(String signal) throws IOException, InterruptedException {
        return new ProcessBuilder(
                        "kill",
                        "-" + signal,
                        String.valueOf(ProcessHandle.current().pid()))
                .start()
                .waitFor();
    }
}
