package io.usagearchiver;

import java.time.Duration;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * Whether an archiver does its work, as its database says: so it is the same on every node. {@link Archiver#health} knows no
 * schedule; {@code io.usagearchiver.quartz.ArchiverHealth} also knows whether sweeps come when they should.
 *
 * @param status what it comes to
 * @param message a sentence for people
 * @param sinceLastSweep how long ago, by the database's clock, the last sweep of any node began; null without one, or where
 *     the ledger could not be read
 * @param idle how long ago the last sweep of any node ended, or was kept from beginning by a restore; zero while one runs. A
 *     firing outside of the run window is none. Null as above
 * @param sinceLastSuccess how long ago a sweep of any node last came to its end: drained but for locked or kept-back rows, or
 *     at the end of its time. Null as above
 * @param rowsKeptBack the rows that had to stay hot then
 * @param lastSweepId the last sweep's ledger row; 0 without one
 * @param nextFiring when the job store has the next sweep; null if it has none, or was not asked
 */
public record Health(
        Status status,
        String message,
        @Nullable Duration sinceLastSweep,
        @Nullable Duration idle,
        @Nullable Duration sinceLastSuccess,
        long rowsKeptBack,
        long lastSweepId,
        @Nullable Instant nextFiring) {
    /** What a health comes to. */
    public enum Status {
        // The worst last: metrics of several archivers show the greatest.
        /** It can sweep, its last sweep did not fail, and none is overdue. */
        OK,
        /** No sweep has come though the schedule had one; the message says what to look at. */
        LATE,
        /** A sweep or a restore is RUNNING in the ledger, but nothing was heard of it for longer than it may be silent. */
        NO_SIGN_OF_LIFE,
        /** The database does not allow a sweep; the message says why. */
        DISABLED,
        /** A fault ended its last sweep; the message has it. */
        LAST_SWEEP_FAILED,
        /** The database, or the job store, does not answer, or not to this. */
        NO_ANSWER
    }

    /** Whether nobody has to do anything. */
    public boolean ok() {
        return status == Status.OK;
    }

    /** One of which nothing is known but this. */
    public static Health of(Status status, String message) {
        return new Health(status, message, null, null, null, 0, 0, null);
    }

    /** The same but for what it comes to. */
    public Health with(Status newStatus, String newMessage) {
        return new Health(
                newStatus, newMessage, sinceLastSweep, idle, sinceLastSuccess, rowsKeptBack, lastSweepId, nextFiring);
    }

    /** The same with what the job store has. */
    public Health withNextFiring(@Nullable Instant firing) {
        return new Health(status, message, sinceLastSweep, idle, sinceLastSuccess, rowsKeptBack, lastSweepId, firing);
    }
}
