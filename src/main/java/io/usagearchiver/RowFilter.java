package io.usagearchiver;

import java.time.LocalDateTime;
import java.time.LocalTime;
import java.util.ArrayList;
import java.util.List;
import org.jooq.Condition;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.Table;
import org.jooq.exception.DataAccessException;
import org.jooq.impl.DSL;
import org.jooq.impl.SQLDataType;
import org.jspecify.annotations.Nullable;

/**
 * Which rows of a pair are held or restored: those that match all that is set. A column that is null matches nothing.
 * Immutable.
 *
 * @param from the least age (naive UTC, inclusive), or null
 * @param to the age (naive UTC) before which rows match, or null
 * @param minId the least key, inclusive, as PostgreSQL writes it, or null
 * @param maxId the greatest key, inclusive, or null
 * @param userId the value of column {@code user_id}, for pairs that have it, or null
 * @param modelId the value of column {@code model_id}, for pairs that have it, or null
 */
public record RowFilter(
        @Nullable LocalDateTime from,
        @Nullable LocalDateTime to,
        @Nullable String minId,
        @Nullable String maxId,
        @Nullable Long userId,
        @Nullable Long modelId) {

    private static final String USER_ID = "user_id";
    private static final String MODEL_ID = "model_id";

    /**
     * Rejects a filter that is empty by what it says.
     *
     * @throws IllegalArgumentException if nothing is set, or {@code from} is not before {@code to}
     */
    public RowFilter {
        if (from == null && to == null && minId == null && maxId == null && userId == null && modelId == null) {
            throw new IllegalArgumentException(
                    "no filter is set: name a range of ages or ids, a user or a model, so that not all rows match");
        }
        if (from != null && to != null && !from.isBefore(to)) {
            throw new IllegalArgumentException("from " + from + " to " + to + ": from must be before to");
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
            parts.add("from " + text(from));
        }
        if (to != null) {
            parts.add((from == null ? "before " : "to ") + text(to));
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

    private static String text(LocalDateTime moment) {
        return moment.toString().replace('T', ' ');
    }

    /**
     * Sees that the filter makes sense for a pair.
     *
     * @throws IllegalArgumentException if the tables lack a column that it names, or its ids are none
     */
    void requireFit(DSLContext tx, ArchivePair<?> pair) {
        requireColumn(pair, USER_ID, userId);
        requireColumn(pair, MODEL_ID, modelId);
        requireDays(pair, "from", from);
        requireDays(pair, "to", to);
        if (pair.key().size() > 1 && (minId != null || maxId != null)) {
            throw new IllegalArgumentException(
                    "ids " + (minId == null ? "" : minId) + ".." + (maxId == null ? "" : maxId) + ": the key of "
                            + Shape.name(pair.hot()) + " has several columns; name rows by their age instead");
        }
        if (minId != null) {
            requireId(tx, pair, minId);
        }
        if (maxId != null) {
            requireId(tx, pair, maxId);
        }
        if (minId != null
                && maxId != null
                && !tx.fetchExists(
                        DSL.selectOne().where(Key.of(pair.hot(), pair).inOrder(minId, maxId)))) {
            throw new IllegalArgumentException(
                    "ids " + minId + ".." + maxId + ": the first must not be after the last");
        }
    }

    /** Days have no time: the rest of the first or the last one would be passed over or taken unasked. */
    private static void requireDays(ArchivePair<?> pair, String name, @Nullable LocalDateTime moment) {
        boolean days = NaiveUtc.kind(pair.ages().get(0).getDataType()) == NaiveUtc.Kind.DAY;
        if (days && moment != null && !moment.toLocalTime().equals(LocalTime.MIDNIGHT)) {
            throw new IllegalArgumentException(name + " " + text(moment) + ": ages of " + Shape.name(pair.hot())
                    + " are days; leave out the time of day");
        }
    }

    private static void requireColumn(ArchivePair<?> pair, String column, @Nullable Long value) {
        if (value != null && pair.hot().field(column) == null) {
            throw new IllegalArgumentException(
                    column + " " + value + ": " + Shape.name(pair.hot()) + " has no such column");
        }
    }

    private static void requireId(DSLContext tx, ArchivePair<?> pair, String id) {
        try {
            tx.select(Key.of(pair.hot(), pair).values(id)).fetch();
        } catch (DataAccessException e) {
            if (!Faults.isData(e)) {
                throw e;
            }
            throw new IllegalArgumentException(
                    "id " + id + ": not a key of " + Shape.name(pair.hot()) + " (" + Faults.message(e) + ")", e);
        }
    }

    /** That a row of one of a pair's tables matches all that is set; null where a column is. */
    Condition matches(Table<?> side, ArchivePair<?> pair) {
        return DSL.and(matchesAge(age(side, pair)), matchesOtherwise(side, pair));
    }

    /** The same for a row that is held back by it: never null, so that its negation is not, either. */
    Condition leavesOut(Table<?> side, ArchivePair<?> pair) {
        return DSL.condition("not coalesce({0}, false)", matches(side, pair));
    }

    /** Whether the filter speaks of the age. */
    boolean byAge() {
        return from != null || to != null;
    }

    /** That {@code age} is in the range. */
    Condition matchesAge(Field<?> age) {
        Condition condition = DSL.noCondition();
        if (from != null) {
            condition = condition.and(NaiveUtc.notBefore(age, from.toString()));
        }
        if (to != null) {
            condition = condition.and(NaiveUtc.before(age, to.toString()));
        }
        return condition;
    }

    /** That a row matches all that is set apart from its age. */
    Condition matchesOtherwise(Table<?> side, ArchivePair<?> pair) {
        Key key = Key.of(side, pair);
        return DSL.and(
                minId == null ? DSL.noCondition() : key.atLeast(minId),
                maxId == null ? DSL.noCondition() : key.atMost(maxId),
                equal(side, USER_ID, userId),
                equal(side, MODEL_ID, modelId));
    }

    private static Condition equal(Table<?> side, String column, @Nullable Long value) {
        return value == null
                ? DSL.noCondition()
                : DSL.field(Shape.qualified(side).append(column), SQLDataType.BIGINT)
                        .eq(value);
    }

    /** A row's age, whichever column it is. */
    static Field<?> age(Table<?> side, ArchivePair<?> pair) {
        List<Field<?>> ages = new ArrayList<>();
        pair.ages().forEach(age -> ages.add(Shape.column(side, age)));
        return DSL.coalesce((Field<?>) ages.get(0), ages.subList(1, ages.size()).toArray(Field[]::new));
    }
}
