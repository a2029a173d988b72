package io.usagearchiver;

import org.jspecify.annotations.Nullable;

/**
 * A sweep ended by a fault. Its committed batches stand; the one that failed was rolled back whole, so no row was lost
 * or doubled, and the next sweep goes on from there.
 */
public final class SweepFailedException extends ArchiveException {
    private static final long serialVersionUID = 1;

    private final transient @Nullable SweepResult result;
    private final transient @Nullable Hold hold;

    /** For the archiver. */
    public SweepFailedException(String message, Throwable cause, @Nullable SweepResult result, @Nullable Hold hold) {
        super(message, cause);
        this.result = result;
        this.hold = hold;
    }

    /** What the sweep had done by then, or null if its ledger row could not be read or closed. */
    public @Nullable SweepResult result() {
        return result;
    }

    /** The hold that a restore had set by then, and that stays until it ends or is released; or null. */
    public @Nullable Hold hold() {
        return hold;
    }
}
