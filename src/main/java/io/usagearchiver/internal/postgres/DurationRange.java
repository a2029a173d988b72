package io.usagearchiver.internal.postgres;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** The durations that a setting may be: PostgreSQL counts its timeouts in milliseconds, and ends them a little above. */
public final class DurationRange {
    /** The shortest one. */
    public static final Duration MIN = Duration.ofMillis(1);
    /** The longest one. */
    public static final Duration MAX = Duration.ofDays(2);

    private DurationRange() {}

    /**
     * Sees that a setting that is set is within.
     *
     * @throws IllegalArgumentException if not; it names the setting and its value
     */
    public static void require(String name, @Nullable Duration value) {
        if (value != null && (value.compareTo(MIN) < 0 || value.compareTo(MAX) > 0)) {
            throw new IllegalArgumentException(name + " = " + value + ": must be from 1 ms to 48 h");
        }
    }
}
