package io.usagearchiver;

import io.usagearchiver.internal.postgres.NaiveUtc;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Which rows of a pair are held or restored: those that match all that is set. A column that is null matches nothing.
 * Immutable.
 *
 * <p>{@link Holds#hold}, {@link Archiver#restore} and {@link Archiver#previewRestore} try a filter against the live tables
 * first, and refuse it if a row could never match: an id that is no key, a user or model beyond the range of the column,
 * or one whose column is missing or of a type that no whole number compares with, such as {@code uuid} or {@code text}.
 *
 * @param from the least age (naive UTC, inclusive), or null. {@link LocalDateTime#MIN} is {@code -infinity}: rows of that age
 *     match, too. Rounded up to the microsecond, as {@code to} is, which names the same rows. Where ages are days, a midnight
 * @param to the age (naive UTC) before which rows match, or null. {@link LocalDateTime#MAX} is {@code infinity}: all match
 *     but rows of that age, which never expire
 * @param minId the least key, inclusive, in PostgreSQL's text, by the order of the live column, or null; of at most 255
 *     characters, and only where the key has one column
 * @param maxId the greatest key, inclusive, or null
 * @param userId the value of column {@code user_id}, for tables that have it as a number, or null
 * @param modelId the value of column {@code model_id}, for tables that have it as a number, or null
 */
public record RowFilter(
        @Nullable LocalDateTime from,
        @Nullable LocalDateTime to,
        @Nullable String minId,
        @Nullable String maxId,
        @Nullable Long userId,
        @Nullable Long modelId) {

    /**
     * Rejects a filter that is empty by what it says.
     *
     * @throws IllegalArgumentException if nothing is set, {@code from} is not before {@code to}, or one of them leaves no row
     *     that expires
     */
    public RowFilter {
        if (from == null && to == null && minId == null && maxId == null && userId == null && modelId == null) {
            throw new IllegalArgumentException(
                    "no filter is set: name a range of ages or ids, a user or a model, so that not all rows match");
        }
        // Ages have whole microseconds: rounded up, the ends name the same rows.
        from = from == null ? null : NaiveUtc.roundedUp(from);
        to = to == null ? null : NaiveUtc.roundedUp(to);
        if (from != null && to != null && !from.isBefore(to)) {
            throw new IllegalArgumentException(
                    "from " + NaiveUtc.literal(from) + " to " + NaiveUtc.literal(to) + ": from must be before to");
        }
        if (LocalDateTime.MAX.equals(from) || LocalDateTime.MIN.equals(to)) {
            throw new IllegalArgumentException(
                    "from infinity, or to -infinity: no row that expires is of such an age; leave it out");
        }
    }

    /** Rows of an age (naive UTC) from {@code from}, inclusive, to {@code to}, exclusive; one of them may be null. */
    public static RowFilter ages(@Nullable LocalDateTime from, @Nullable LocalDateTime to) {
        return new RowFilter(from, to, null, null, null, null);
    }

    /** Rows with a key from {@code minId} to {@code maxId}, both inclusive; one of them may be null. */
    public static RowFilter ids(@Nullable String minId, @Nullable String maxId) {
        return new RowFilter(null, null, minId, maxId, null, null);
    }

    /** Rows of a user. */
    public static RowFilter user(long userId) {
        return new RowFilter(null, null, null, null, userId, null);
    }

    /** Rows of a model. */
    public static RowFilter model(long modelId) {
        return new RowFilter(null, null, null, null, null, modelId);
    }

    /** What is to match, as a person reads it. */
    @Override
    public String toString() {
        List<String> parts = new ArrayList<>();
        if (from != null) {
            parts.add("from " + NaiveUtc.literal(from));
        }
        if (to != null) {
            parts.add((from == null ? "before " : "to ") + NaiveUtc.literal(to));
        }
        if (minId != null || maxId != null) {
            parts.add("ids " + (minId == null ? "" : minId) + ".." + (maxId == null ? "" : maxId));
        }
        if (userId != null) {
            parts.add("user " + userId);
        }
        if (modelId != null) {
            parts.add("model " + modelId);
        }
        return String.join(", ", parts);
    }
}
