package io.usagearchiver.internal.rows;

import io.usagearchiver.ArchivePair;
import io.usagearchiver.internal.postgres.OwnRows;
import io.usagearchiver.internal.postgres.TableName;
import io.usagearchiver.internal.rows.LiveKey.Comparison;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.stream.IntStream;
import org.jooq.Condition;
import org.jooq.Context;
import org.jooq.Field;
import org.jooq.Select;
import org.jooq.Table;
import org.jooq.impl.CustomCondition;
import org.jooq.impl.CustomField;
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
public final class KeyColumns {
    private final Table<?> table;
    private final List<Field<?>> columns;

    private KeyColumns(Table<?> table, List<Field<?>> columns) {
        this.table = table;
        this.columns = columns;
    }

    /** The key of one side of a pair. */
    public static KeyColumns of(Table<?> side, ArchivePair<?> pair) {
        List<Field<?>> columns = new ArrayList<>();
        pair.key().forEach(column -> columns.add(TableName.column(side, column)));
        return new KeyColumns(side, columns);
    }

    /** The columns, in the order in which rows are paged. */
    public List<Field<?>> columns() {
        return columns;
    }

    /** The value as text. */
    public Field<String> text() {
        return text(columns);
    }

    /** The text of a key whose columns are these. */
    public static Field<String> text(List<? extends Field<?>> columns) {
        List<Field<String>> texts =
                columns.stream().map(column -> column.cast(SQLDataType.VARCHAR)).toList();
        return texts.size() == 1 ? texts.get(0) : DSL.array(texts).cast(SQLDataType.VARCHAR);
    }

    /** Texts as a bind of PostgreSQL's array type. */
    public static Field<String[]> array(Collection<String> keys) {
        return DSL.val(keys.toArray(String[]::new));
    }

    /** The columns' values in a text, as binds of their types. */
    List<Field<?>> values(String key) {
        return values(DSL.val(key));
    }

    private List<Field<?>> values(Field<String> key) {
        return IntStream.range(0, columns.size())
                .<Field<?>>mapToObj(index -> value(
                        index,
                        columns.size() == 1
                                ? key
                                : DSL.field(
                                        "(cast({0} as varchar[]))[{1}]",
                                        SQLDataType.VARCHAR, key, DSL.inline(index + 1))))
                .toList();
    }

    private Field<?> value(int index, Field<String> text) {
        return CustomField.of(
                "value",
                columns.get(index).getDataType(),
                context -> context.sql("cast(")
                        .visit(text)
                        .sql(" as ")
                        .sql(live(context).type(index))
                        .sql(')'));
    }

    /** That the key is the same as the other one. */
    public Condition equal(List<? extends Field<?>> others) {
        return DSL.and(IntStream.range(0, columns.size())
                .mapToObj(index -> compare(columns.get(index), index, Comparison.EQUAL, others.get(index)))
                .toList());
    }

    /** Of a key of one column: that it is {@code least} or greater. */
    Condition atLeast(String least) {
        return compare(columns.get(0), 0, Comparison.GREATER_OR_EQUAL, value(0, DSL.val(least)));
    }

    /** Of a key of one column: that it is {@code greatest} or less. */
    Condition atMost(String greatest) {
        return compare(columns.get(0), 0, Comparison.LESS_OR_EQUAL, value(0, DSL.val(greatest)));
    }

    /** Of a key of one column, of a row of nulls: that one value is not greater than another one by the column's collation. */
    Condition inOrder(String least, String greatest) {
        return compare(
                DSL.field("coalesce({0}, {1})", columns.get(0), value(0, DSL.val(least))),
                0,
                Comparison.LESS_OR_EQUAL,
                value(0, DSL.val(greatest)));
    }

    private Condition compare(Field<?> one, int column, Comparison comparison, Field<?> other) {
        return CustomCondition.of(context -> context.visit(one)
                .sql(' ')
                .sql(live(context).operator(column, comparison))
                .sql(' ')
                .visit(other));
    }

    /**
     * That a row comes after another one, in the order of an age and then of the key, or of the key alone.
     *
     * @param age the age and that of the other row; both empty for the key alone
     */
    Condition behind(List<Field<?>> age, List<Field<?>> otherAge, String otherKey) {
        List<Field<?>> order = concat(age, columns);
        List<Field<?>> other = concat(otherAge, values(otherKey));
        return CustomCondition.of(context -> {
            LiveKey live = live(context);
            List<String> plain = age.stream().map(column -> ">").toList();
            List<String> plainOrEqual = age.stream().map(column -> ">=").toList();
            context.visit(behind(
                    order,
                    other,
                    concat(plain, live.operators(Comparison.GREATER)),
                    concat(plainOrEqual, live.operators(Comparison.GREATER_OR_EQUAL))));
        });
    }

    /** A comparison of rows has one operator for all columns: where theirs are not of one schema, it is spelt out. */
    private static Condition behind(
            List<Field<?>> order, List<Field<?>> other, List<String> greater, List<String> greaterOrEqual) {
        if (greater.stream().distinct().count() == 1) {
            return DSL.condition("({0}) {1} ({2})", DSL.list(order), DSL.raw(greater.get(0)), DSL.list(other));
        }
        int size = order.size();
        return DSL.condition(
                "{0} {1} {2} and ({0} {3} {2} or {4})",
                order.get(0),
                DSL.raw(greaterOrEqual.get(0)),
                other.get(0),
                DSL.raw(greater.get(0)),
                behind(
                        order.subList(1, size),
                        other.subList(1, size),
                        greater.subList(1, size),
                        greaterOrEqual.subList(1, size)));
    }

    private static <T> List<T> concat(List<? extends T> first, List<? extends T> second) {
        List<T> all = new ArrayList<>(first);
        all.addAll(second);
        return all;
    }

    /** That the key is one of {@code keys}. */
    public Condition among(Collection<String> keys) {
        Condition lookedUp = KeyLookup.among(table, array(keys), equal(values(KeyLookup.WANTED)), within(array(keys)));
        if (columns.size() > 1) {
            return lookedUp;
        }
        return CustomCondition.of(context -> {
            LiveKey live = live(context);
            if (live.isArray(0)) {
                // An array of arrays is one of more dimensions, whose elements are the innermost.
                context.visit(lookedUp);
                return;
            }
            context.visit(columns.get(0))
                    .sql(' ')
                    .sql(live.operator(0, Comparison.EQUAL))
                    .sql(" any (cast(")
                    .visit(array(keys))
                    .sql(" as ")
                    .sql(live.type(0))
                    .sql("[]))");
        });
    }

    /** No more than that the key may be one of some, but PostgreSQL leaves out partitions by it. */
    Condition within(Field<String[]> keys) {
        return KeyLookup.within(columns, values(KeyLookup.BOUND), keys);
    }

    /** That the other table of the pair holds the key, where it is one of {@code keys}. */
    public Condition heldBy(KeyColumns other, Collection<String> keys) {
        Select<?> held = DSL.select(other.columns).from(OwnRows.of(other.table)).where(other.among(keys));
        return CustomCondition.of(context -> {
            List<String> equals = live(context).operators(Comparison.EQUAL).stream()
                    .distinct()
                    .toList();
            context.visit(
                    equals.size() == 1
                            ? DSL.condition("({0}) {1} any ({2})", DSL.list(columns), DSL.raw(equals.get(0)), held)
                            // Not by DSL.exists, whose signature is another one in later versions of jOOQ.
                            : DSL.condition(
                                    "exists ({0})",
                                    DSL.selectOne()
                                            .from(OwnRows.of(other.table))
                                            .where(other.among(keys))
                                            .and(equal(other.columns))));
        });
    }

    private LiveKey live(Context<?> context) {
        return LiveKey.of(context.configuration(), table, columns);
    }
}
