package io.usagearchiver;

import org.jspecify.annotations.Nullable;

/**
 * A sweep ended by a fault. Its committed batches stand; the one that failed was rolled back whole, so no row was lost
 * or doubled, and the next sweep goes on from there.
 */
public final class SweepFailedException extends ArchiveException {
    private static final long serialVersionUID = 1;

    private final transient @Nullable SweepResult result;

    SweepFailedException(String message, Throwable cause, @Nullable SweepResult result) {
        super(message, cause);
        this.result = result;
    }

    /** What the sweep had done by then, or null if its ledger row could not be read or closed. */
    public @Nullable SweepResult result() {
        return result;
    }
}
