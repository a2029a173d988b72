package io.usagearchiver.internal.rows;

import io.usagearchiver.ArchivePair;
import io.usagearchiver.RowFilter;
import io.usagearchiver.internal.postgres.NaiveUtc;
import io.usagearchiver.internal.postgres.TableName;
import java.util.ArrayList;
import java.util.List;
import org.jooq.Condition;
import org.jooq.Field;
import org.jooq.Table;
import org.jooq.impl.DSL;
import org.jooq.impl.SQLDataType;
import org.jspecify.annotations.Nullable;

/** What a filter asks of the rows of one of a pair's tables. */
record FilterCondition(RowFilter filter, Table<?> side, ArchivePair<?> pair) {
    static final String USER_ID = "user_id";
    static final String MODEL_ID = "model_id";

    /** That a row matches all that is set; null where a column is. */
    Condition matches() {
        return DSL.and(matchesAge(age(side, pair)), matchesOtherwise());
    }

    /** The same for a row that is held back by it: never null, so that its negation is not, either. */
    Condition leavesOut() {
        return DSL.condition("not coalesce({0}, false)", matches());
    }

    /** Whether the filter speaks of the age. */
    boolean byAge() {
        return filter.from() != null || filter.to() != null;
    }

    /** That {@code age} is in the range. */
    Condition matchesAge(Field<?> age) {
        return DSL.and(
                filter.from() == null ? DSL.noCondition() : NaiveUtc.notBefore(age, NaiveUtc.literal(filter.from())),
                filter.to() == null ? DSL.noCondition() : NaiveUtc.before(age, NaiveUtc.literal(filter.to())));
    }

    /** That a row matches all that is set apart from its age. */
    Condition matchesOtherwise() {
        KeyColumns key = KeyColumns.of(side, pair);
        String minId = filter.minId();
        String maxId = filter.maxId();
        return DSL.and(
                minId == null ? DSL.noCondition() : key.atLeast(minId),
                maxId == null ? DSL.noCondition() : key.atMost(maxId),
                equal(USER_ID, filter.userId()),
                equal(MODEL_ID, filter.modelId()),
                DSL.and(filter.where().entrySet().stream()
                        .map(named -> new ColumnValue(side, named.getKey(), named.getValue()).matches())
                        .toList()));
    }

    private Condition equal(String column, @Nullable Long value) {
        return value == null
                ? DSL.noCondition()
                : DSL.field(TableName.qualified(side).append(column), SQLDataType.BIGINT)
                        .eq(value);
    }

    /** A row's age, whichever column it is. */
    static Field<?> age(Table<?> side, ArchivePair<?> pair) {
        List<Field<?>> ages = new ArrayList<>();
        pair.ages().forEach(age -> ages.add(TableName.column(side, age)));
        return DSL.coalesce((Field<?>) ages.get(0), ages.subList(1, ages.size()).toArray(Field[]::new));
    }
}
