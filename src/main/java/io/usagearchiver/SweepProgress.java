package io.usagearchiver;

import java.time.Duration;
import java.time.LocalDateTime;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * How far a running sweep has come, by its own count; the exact figures are in the {@link SweepResult}.
 *
 * @param sweepId the ledger row
 * @param table the hot table, as {@code schema.table}
 * @param cutoff rows whose age is before this moment (naive UTC) are expired
 * @param rowsMoved rows inserted into the archive and deleted from the hot table so far
 * @param batches transactions committed so far
 * @param elapsed since the opening of the sweep
 * @param oldestAgeLeft the age (naive UTC, as PostgreSQL writes it) up to which the sweep has come, or null before its
 *     first page
 * @param batchTime how long the last transaction took, or null before the first
 * @param expiredEstimate the planner's estimate of the expired rows, taken before the first batch; null until then, and
 *     where it has no statistics
 */
public record SweepProgress(
        long sweepId,
        String table,
        LocalDateTime cutoff,
        long rowsMoved,
        long batches,
        Duration elapsed,
        @Nullable String oldestAgeLeft,
        @Nullable Duration batchTime,
        @Nullable Long expiredEstimate) {

    /** The moved rows per second, since the opening. */
    public long rowsPerSecond() {
        return rowsMoved * 1000 / Math.max(1, elapsed.toMillis());
    }

    /** The moved rows in percent of the estimate, or null without an estimate, or where it has proved too low. */
    public @Nullable Integer percent() {
        return expiredEstimate == null || rowsMoved >= expiredEstimate
                ? null
                : (int) (rowsMoved * 100 / expiredEstimate);
    }

    /** How long the sweep will still take by its pace so far, or null where {@link #percent} is, or nothing is moved yet. */
    public @Nullable Duration timeLeft() {
        return percent() == null || expiredEstimate == null || rowsMoved == 0
                ? null
                : Duration.ofMillis((long) ((double) elapsed.toMillis() * (expiredEstimate - rowsMoved) / rowsMoved));
    }

    /** One line for people: with percent and time left, or else with the age up to which the sweep has come. */
    public String text() {
        Integer percent = percent();
        Duration left = timeLeft();
        return String.format(Locale.ROOT, "%,d rows moved", rowsMoved)
                + (percent == null ? "" : " (" + percent + " %)")
                + String.format(Locale.ROOT, ", %,d rows/s", rowsPerSecond())
                + (left == null
                        ? String.format(", oldest left %.16s", oldestAgeLeft)
                        : ", about " + text(left) + " left");
    }

    private static String text(Duration duration) {
        if (duration.compareTo(Duration.ofMinutes(2)) < 0) {
            return duration.toSeconds() + " s";
        }
        return duration.compareTo(Duration.ofHours(2)) < 0 ? duration.toMinutes() + " min" : duration.toHours() + " h";
    }
}
