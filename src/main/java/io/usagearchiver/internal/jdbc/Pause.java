package io.usagearchiver.internal.jdbc;

import io.usagearchiver.Pace;
import java.time.Duration;

/** The pause between two batches, in which a run gives no sign of life. */
public final class Pause {
    private Pause() {}

    /** The longer one of the fixed pause, if any, and the share of the time that the batch before took. */
    public static Duration after(Duration batch, Pace pace) {
        Duration shared = Duration.ofNanos((long) (batch.toNanos() * pace.pauseShare()));
        Duration fixed = pace.pause();
        return fixed == null || shared.compareTo(fixed) > 0 ? shared : fixed;
    }
}
