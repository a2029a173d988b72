package io.usagearchiver.cli;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * Lets a command that gets SIGTERM or SIGINT finish in order and choose its exit code; the JVM alone would exit with 143
 * as soon as its hooks return. A command that does not listen is ended at once.
 */
final class Termination {
    /** Node and sweep promise to be gone within five seconds. */
    private static final Duration LIMIT = Duration.ofMillis(4500);

    private final CompletableFuture<Integer> exitCode = new CompletableFuture<>();
    private volatile @Nullable Runnable action;

    /** Takes the signals of this JVM from now on. */
    void listen() {
        Runtime.getRuntime().addShutdownHook(new Thread(this::terminate, "termination"));
    }

    /** Sets what a signal does. It must lead the command to its end. */
    void onSignal(Runnable newAction) {
        action = newAction;
    }

    /** Does what a signal does. Returns whether the command will come to its end by it. */
    boolean signal() {
        Runnable current = action;
        if (current == null || exitCode.isDone()) {
            return false;
        }
        current.run();
        return true;
    }

    /** Ends the JVM with the command's exit code, also when a signal has begun to. */
    void exit(int code) {
        exitCode.complete(code);
        System.exit(code);
    }

    private void terminate() {
        if (!signal()) {
            return;
        }
        try {
            Runtime.getRuntime().halt(exitCode.get(LIMIT.toMillis(), TimeUnit.MILLISECONDS));
        } catch (TimeoutException | ExecutionException | InterruptedException e) {
            System.err.println("Not finished after " + LIMIT.toMillis() + " ms; ending all the same");
        }
    }
}
