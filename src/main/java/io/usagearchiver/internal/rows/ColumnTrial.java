package io.usagearchiver.internal.rows;

import io.usagearchiver.ArchivePair;
import io.usagearchiver.RowFilter;
import io.usagearchiver.internal.postgres.StorableText;
import io.usagearchiver.internal.postgres.TableName;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jooq.Condition;
import org.jooq.DSLContext;
import org.jooq.impl.DSL;
import org.jspecify.annotations.Nullable;

/** What a filter says of columns of the live hot table by their names, for {@link FilterTrial}. */
final class ColumnTrial {
    private final ArchivePair<?> pair;
    private final String hot;
    private final Map<String, String> liveTypes;

    private ColumnTrial(ArchivePair<?> pair, Map<String, String> liveTypes) {
        this.pair = pair;
        this.hot = TableName.name(pair.hot());
        this.liveTypes = liveTypes;
    }

    /** Reads the live types of the columns. */
    static ColumnTrial of(DSLContext tx, ArchivePair<?> pair) {
        return new ColumnTrial(
                pair,
                tx.fetch(
                                "select a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod)"
                                        + " from pg_catalog.pg_attribute a where a.attrelid = pg_catalog.to_regclass({0})"
                                        + " and a.attnum > 0 and not a.attisdropped",
                                TableName.regclass(pair.hot()))
                        .intoMap(row -> row.get(0, String.class), row -> row.get(1, String.class)));
    }

    /** That all of it can be stored. */
    static void requireStorable(RowFilter filter) {
        filter.where().forEach((column, value) -> {
            StorableText.require("where column", column);
            StorableText.require("where column " + column + " =", value);
        });
    }

    /** What takes no server to tell. */
    @Nullable
    String mismatch(RowFilter filter) {
        for (var number : numbers(filter).entrySet()) {
            if (!liveTypes.containsKey(number.getKey())) {
                return number.getKey() + " " + number.getValue() + ": " + hot + " has no such column";
            }
        }
        for (var value : filter.where().entrySet()) {
            if (!liveTypes.containsKey(value.getKey())) {
                return named(value) + ": " + hot + " has no such column";
            }
        }
        return null;
    }

    List<Attempt> attempts(RowFilter filter) {
        List<Attempt> attempts = new ArrayList<>();
        numbers(filter)
                .forEach((column, number) -> attempts.add(new Attempt(
                        canBe(column, number),
                        column + " " + number + ": " + theColumnIs(column)
                                + ", which has no such value; it can be a whole number within the range of a column"
                                + " of numbers")));
        for (var named : filter.where().entrySet()) {
            ColumnValue value = value(named);
            String isOf = named(named) + ": " + theColumnIs(named.getKey());
            attempts.add(new Attempt(value.isOfType(), isOf + ", which has no such value"));
            attempts.add(new Attempt(value.isComparable(), isOf + ", whose values cannot be told to be equal"));
            attempts.add(new Attempt(value.fits(type(named.getKey())), isOf + ", which has no such value"));
        }
        return attempts;
    }

    /** The values that columns must equal, as PostgreSQL writes them. */
    Map<String, String> stored(DSLContext tx, RowFilter filter) {
        Map<String, String> stored = new LinkedHashMap<>();
        for (var named : filter.where().entrySet()) {
            stored.put(
                    named.getKey(),
                    tx.select(value(named).asWritten()).fetchSingle().value1());
        }
        return stored;
    }

    private ColumnValue value(Map.Entry<String, String> named) {
        return new ColumnValue(pair.hot(), named.getKey(), named.getValue());
    }

    private static String named(Map.Entry<String, String> value) {
        return "where column " + RowFilter.where(value.getKey(), value.getValue());
    }

    private String theColumnIs(String column) {
        return "the column of " + hot + " is " + type(column);
    }

    private String type(String column) {
        return String.valueOf(liveTypes.get(column));
    }

    /** That a column of the live type, with its length or range, can have a number. */
    private Condition canBe(String column, Long number) {
        return DSL.condition(
                "cast(cast({0} as bigint) as {1}) = cast({0} as bigint)", DSL.val(number), DSL.raw(type(column)));
    }

    /** The columns of numbers that a filter has fields for, if they are set. */
    private static Map<String, Long> numbers(RowFilter filter) {
        Map<String, Long> numbers = new LinkedHashMap<>();
        Long userId = filter.userId();
        Long modelId = filter.modelId();
        if (userId != null) {
            numbers.put(FilterCondition.USER_ID, userId);
        }
        if (modelId != null) {
            numbers.put(FilterCondition.MODEL_ID, modelId);
        }
        return numbers;
    }
}
