package io.usagearchiver;

import io.usagearchiver.internal.postgres.NaiveUtc;
import io.usagearchiver.internal.postgres.TableName;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Which rows of a pair are held or restored: those that match all that is set. A column that is null matches nothing.
 * Immutable.
 *
 * <pre>{@code
 * RowFilter.where("region", "eu").andWhere("tenant", "7f3a2c1e-0000-4000-8000-000000000001")
 * RowFilter.ages(from, to).andWhere("state", "disputed")
 * }</pre>
 *
 * <p>{@link Holds#hold}, {@link Archiver#restore} and {@link Archiver#previewRestore} try a filter against the live tables
 * first, and refuse it if a row could never match: an id that is no key, a user or model beyond the range of the column,
 * or one whose column is missing or of a type that no whole number compares with, such as {@code uuid} or {@code text}; a
 * value that is none of the column's, or of a type whose values cannot be told to be equal, such as {@code json}.
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
 * @param where the values that columns equal, by the exact names of the columns, which may be any of the live table; empty
 *     for none. A value is text that PostgreSQL reads as one of the column's type, a moment without a zone as UTC, and
 *     compares by the type's own operator and the column's collation: {@code 1.0} is {@code 1.00} in a {@code numeric}. No
 *     value stands for null; the empty text is the empty text
 */
public record RowFilter(
        @Nullable LocalDateTime from,
        @Nullable LocalDateTime to,
        @Nullable String minId,
        @Nullable String maxId,
        @Nullable Long userId,
        @Nullable Long modelId,
        Map<String, String> where) {

    /**
     * Rejects a filter that is empty by what it says.
     *
     * @throws IllegalArgumentException if nothing is set, {@code from} is not before {@code to}, or one of them leaves no row
     *     that expires
     */
    public RowFilter {
        if (from == null
                && to == null
                && minId == null
                && maxId == null
                && userId == null
                && modelId == null
                && where.isEmpty()) {
            throw new IllegalArgumentException("no filter is set: name a range of ages or ids, a user, a model, or a"
                    + " column's value, so that not all rows match");
        }
        // In the order of the names, whatever theirs was.
        where = Collections.unmodifiableMap(new TreeMap<>(Map.copyOf(where)));
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

    /**
     * A filter without values of columns by their names.
     *
     * @throws IllegalArgumentException as with them
     */
    public RowFilter(
            @Nullable LocalDateTime from,
            @Nullable LocalDateTime to,
            @Nullable String minId,
            @Nullable String maxId,
            @Nullable Long userId,
            @Nullable Long modelId) {
        this(from, to, minId, maxId, userId, modelId, Map.of());
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

    /** Rows whose {@code column} equals {@code value}. */
    public static RowFilter where(String column, String value) {
        return new RowFilter(null, null, null, null, null, null, Map.of(column, value));
    }

    /**
     * Those of the rows whose {@code column} equals {@code value}, too.
     *
     * @throws IllegalArgumentException if the column has a value already
     */
    public RowFilter andWhere(String column, String value) {
        String other = where.get(column);
        if (other != null) {
            throw new IllegalArgumentException("column " + TableName.part(column) + " is to equal both " + quoted(other)
                    + " and " + quoted(value) + ": name it once");
        }
        Map<String, String> all = new TreeMap<>(where);
        all.put(column, value);
        return new RowFilter(from, to, minId, maxId, userId, modelId, all);
    }

    private static String quoted(String value) {
        return "'" + value.replace("'", "''") + "'";
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
        where.forEach((column, value) -> parts.add(TableName.part(column) + " = " + quoted(value)));
        return String.join(", ", parts);
    }
}
