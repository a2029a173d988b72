package io.usagearchiver;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.stream.IntStream;
import org.jooq.Condition;
import org.jooq.Field;
import org.jooq.Table;
import org.jooq.impl.DSL;
import org.jooq.impl.SQLDataType;

/**
 * The key of one of a pair's tables, of one column or of several.
 *
 * <p>Values cross JDBC as the text that PostgreSQL gives them, that of several columns as one array of texts. Text reads
 * back as the same value whatever its type is and whatever Java class the generated code has for it, and two texts are
 * equal in Java when they are the same: not so for a {@code byte[]}, or for a {@code timestamp} in a zone with daylight
 * saving.
 */
final class Key {
    private final Table<?> table;
    private final List<Field<?>> columns;

    private Key(Table<?> table, List<Field<?>> columns) {
        this.table = table;
        this.columns = columns;
    }

    /** The key of one side of a pair. */
    static Key of(Table<?> side, ArchivePair<?> pair) {
        List<Field<?>> columns = new ArrayList<>();
        pair.key().forEach(column -> columns.add(Shape.column(side, column)));
        return new Key(side, columns);
    }

    /** The columns, in the order in which rows are paged. */
    List<Field<?>> columns() {
        return columns;
    }

    /** The value as text. */
    Field<String> text() {
        return text(columns);
    }

    /** The text of a key whose columns are these. */
    static Field<String> text(List<? extends Field<?>> columns) {
        List<Field<String>> texts =
                columns.stream().map(column -> column.cast(SQLDataType.VARCHAR)).toList();
        return texts.size() == 1 ? texts.get(0) : DSL.array(texts).cast(SQLDataType.VARCHAR);
    }

    /** Texts as a bind of PostgreSQL's array type. */
    static Field<String[]> array(Collection<String> keys) {
        return DSL.val(keys.toArray(String[]::new));
    }

    /** The columns' values in a text, as binds of their types. */
    List<Field<?>> values(String key) {
        return values(DSL.val(key));
    }

    private List<Field<?>> values(Field<String> key) {
        if (columns.size() == 1) {
            return List.of(PlainType.cast(key, columns.get(0).getDataType()));
        }
        return IntStream.range(0, columns.size())
                .<Field<?>>mapToObj(index -> PlainType.cast(
                        DSL.field("(cast({0} as varchar[]))[{1}]", SQLDataType.VARCHAR, key, DSL.inline(index + 1)),
                        columns.get(index).getDataType()))
                .toList();
    }

    /** That the key is the same as the other one. */
    Condition equal(List<? extends Field<?>> others) {
        return DSL.and(IntStream.range(0, columns.size())
                .mapToObj(index -> equal(columns.get(index), others.get(index)))
                .toList());
    }

    private static <T> Condition equal(Field<T> column, Field<?> other) {
        return column.eq(other.coerce(column.getDataType()));
    }

    /** That the key is one of {@code keys}. */
    Condition among(Collection<String> keys) {
        if (columns.size() == 1) {
            return among(columns.get(0), keys);
        }
        // No index serves an array of rows. So each is looked up by its index, and the table is read by what was found
        // there. OFFSET 0 keeps the planner from turning the lookups into a join that reads a whole index.
        return DSL.condition(
                "{0}.ctid = any(array(select found_row.ctid from unnest({1}) as wanted_key (value)"
                        + " cross join lateral (select {0}.ctid from only {0} where {2} offset 0) as found_row))",
                Shape.qualified(table), array(keys), equal(values(DSL.field("wanted_key.value", SQLDataType.VARCHAR))));
    }

    private static <T> Condition among(Field<T> column, Collection<String> keys) {
        return column.eq(DSL.any(PlainType.cast(keys, column.getDataType())));
    }
}
