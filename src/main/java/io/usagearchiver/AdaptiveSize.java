package io.usagearchiver;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * How many rows the next batch tries: always the most, or, with a target time, what the last batch has shown to take it.
 * Down at once and as far as need be; up by twice at most, so that one fast batch is not followed by one far too large.
 */
final class AdaptiveSize {
    /** Below this, a batch's round trips cost more than its rows. */
    static final int MIN_ROWS = 10;
    /** The first batch: of these not even a slow server has much to do. */
    static final int FIRST_ROWS = 100;

    private final int max;
    private final @Nullable Duration target;
    private int size;

    AdaptiveSize(int max, @Nullable Duration target) {
        this.max = max;
        this.target = target;
        this.size = target == null ? max : Math.min(max, FIRST_ROWS);
    }

    int size() {
        return size;
    }

    /** Learns from a batch that tried so many rows. */
    void took(int rows, Duration time) {
        if (target == null || rows == 0) {
            return;
        }
        boolean slow = time.compareTo(target) > 0;
        // A smaller batch than asked for that was fast says little: most of its time may have been its round trips.
        if (slow || rows >= size) {
            double fitting = (double) rows * target.toNanos() / Math.max(1, time.toNanos());
            int most = (int) Math.min(max, 2L * size);
            size = (int) Math.max(Math.min(MIN_ROWS, max), Math.min(most, fitting));
        }
    }
}
