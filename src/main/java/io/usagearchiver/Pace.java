package io.usagearchiver;

import io.usagearchiver.internal.postgres.DurationRange;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * How a sweep spares what else uses the database. By default it spares nothing: batch follows batch. Immutable; a bad
 * value is refused with its name.
 *
 * @param pause the shortest pause between two batches, or null for none
 * @param pauseShare the shortest pause as a share of the time of the batch before it, 0 (the default) to {@value
 *     #MAX_PAUSE_SHARE}: at 1 a sweep works half of the time. Of this and {@code pause} the longer one counts
 * @param runWindow when sweeps may run, or null for always. One that would begin outside ends at once, one that runs ends
 *     with {@link StopReason#OUTSIDE_WINDOW} between two batches
 * @param targetBatchTime how long a batch should take, or null for batches of {@link ArchiveSettings#batchSize()} rows. A
 *     sweep begins with 100 rows and goes as far up as {@code batchSize} and as far down as
 *     10: after a batch that took too long to what would have taken the target time, after
 *     a full one that was faster likewise, but to no more than twice as many
 * @param maxReplicaLag how far the replay of a streaming replica may be behind before the sweep waits for it, or null to
 *     go on whatever they do. Needs the privileges of {@code pg_monitor}; where they are missing, nothing is swept.
 *     Replicas that are not connected are not waited for
 */
public record Pace(
        @Nullable Duration pause,
        double pauseShare,
        @Nullable RunWindow runWindow,
        @Nullable Duration targetBatchTime,
        @Nullable Duration maxReplicaLag) {
    /** The largest share of a batch's time. */
    public static final int MAX_PAUSE_SHARE = 100;

    private static final Pace FULL = new Pace(null, 0, null, null, null);

    /** Rejects values out of range. */
    public Pace {
        if (!(pauseShare >= 0 && pauseShare <= MAX_PAUSE_SHARE)) {
            throw new IllegalArgumentException(
                    "pauseShare = " + pauseShare + ": must be a number from 0 to " + MAX_PAUSE_SHARE);
        }
        DurationRange.require("pause", pause);
        DurationRange.require("targetBatchTime", targetBatchTime);
        DurationRange.require("maxReplicaLag", maxReplicaLag);
    }

    /** No pauses, at any time, batches of full size, whatever the replicas do. */
    public static Pace full() {
        return FULL;
    }

    /** This pace with other pauses: the longer of a fixed one, if any, and a share of the last batch's time. */
    public Pace withPause(@Nullable Duration fixed, double share) {
        return new Pace(fixed, share, runWindow, targetBatchTime, maxReplicaLag);
    }

    /** This pace within another window, or at any time. */
    public Pace withRunWindow(@Nullable RunWindow window) {
        return new Pace(pause, pauseShare, window, targetBatchTime, maxReplicaLag);
    }

    /** This pace with batches that aim at a time, or of a fixed size. */
    public Pace withTargetBatchTime(@Nullable Duration target) {
        return new Pace(pause, pauseShare, runWindow, target, maxReplicaLag);
    }

    /** This pace with another limit for the lag of replicas, or with none. */
    public Pace withMaxReplicaLag(@Nullable Duration limit) {
        return new Pace(pause, pauseShare, runWindow, targetBatchTime, limit);
    }
}
