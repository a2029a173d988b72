package io.usagearchiver.internal.move;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * How many rows the next batch tries: the most, or, with a target time, what the last batch has shown to take it. Down at
 * once and as far as need be; up by twice at most, so that one fast batch is not followed by one far too large.
 *
 * <p>A batch whose statement timed out is halved, and the half is kept as long as it works: each batch of the full size lets
 * the next be a sixteenth larger. From then on there is a target in any case, half of the statement timeout.
 */
public final class AdaptiveBatchSize {
    /** Below this, a batch's round trips cost more than its rows. */
    static final int MIN_ROWS = 10;
    /** The first batch: of these not even a slow server has much to do. */
    static final int FIRST_ROWS = 100;

    private static final int CEILING_GROWTH = 16;
    /** A batch that lacks less than this part of its rows is a full one: stretches of time end where they can. */
    private static final int NEARLY = 8;

    private final int max;
    private final Duration statementTimeout;
    private @Nullable Duration target;
    private int min;
    private int ceiling;
    private int size;

    AdaptiveBatchSize(int max, @Nullable Duration target, Duration statementTimeout) {
        this.max = max;
        this.target = target;
        this.statementTimeout = statementTimeout;
        this.min = Math.min(MIN_ROWS, max);
        this.ceiling = max;
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
        if (slow || rows >= size - size / NEARLY) {
            double fitting = (double) rows * target.toNanos() / Math.max(1, time.toNanos());
            ceiling = slow ? ceiling : Math.min(max, ceiling + Math.max(1, ceiling / CEILING_GROWTH));
            int most = (int) Math.min(ceiling, 2L * size);
            size = (int) Math.max(min, Math.min(most, fitting));
        }
    }

    /** Learns from a batch of so many rows of which a statement timed out. */
    void timedOut(int rows) {
        Duration half = statementTimeout.dividedBy(2);
        target = target == null || target.compareTo(half) > 0 ? half : target;
        min = 1;
        size = Math.max(min, Math.min(size, rows / 2));
        ceiling = size;
    }
}
