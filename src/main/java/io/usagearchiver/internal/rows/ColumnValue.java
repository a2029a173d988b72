package io.usagearchiver.internal.rows;

import io.usagearchiver.internal.postgres.TableName;
import io.usagearchiver.internal.rows.LiveKey.Comparison;
import java.util.List;
import org.jooq.Condition;
import org.jooq.Context;
import org.jooq.Field;
import org.jooq.QueryPart;
import org.jooq.Table;
import org.jooq.impl.CustomCondition;
import org.jooq.impl.CustomField;
import org.jooq.impl.DSL;
import org.jooq.impl.SQLDataType;

/**
 * A value that a column of a live table is to equal. A text that PostgreSQL reads as one of the column's type, whatever that
 * is and whether or not the generated code knows the column, and compares by the type's own operator, as it does with a key.
 */
record ColumnValue(Table<?> table, String column, String text) {
    /** That a row has it; null where the column is. */
    Condition matches() {
        return equal(field(), value());
    }

    /** That the text is a value of the type. */
    Condition isOfType() {
        return DSL.condition("num_nonnulls({0}) = 1", value());
    }

    /** That the type knows which values are equal: arrays compare their elements by what an index or DISTINCT would, too. */
    Condition isComparable() {
        return DSL.condition("array[{0}] = array[{0}]", value());
    }

    /**
     * That a column can have it, whose type may cut or round it, or have only some values.
     *
     * @param type as it was declared, with its length or precision
     */
    Condition fits(String type) {
        return equal(DSL.field("cast({0} as {1})", DSL.val(text), DSL.raw(type)), value());
    }

    /** The text that PostgreSQL gives the value: it says the same at any time, where {@code today} does not. */
    Field<String> asWritten() {
        return value().cast(SQLDataType.VARCHAR);
    }

    private Field<?> field() {
        return DSL.field(TableName.qualified(table).append(column), SQLDataType.VARCHAR);
    }

    private Field<Object> value() {
        return CustomField.of(
                "value",
                SQLDataType.OTHER,
                context -> context.sql("cast(")
                        .visit(DSL.val(text))
                        .sql(" as ")
                        .sql(live(context).type(0))
                        .sql(')'));
    }

    private Condition equal(QueryPart one, QueryPart other) {
        return CustomCondition.of(context -> context.visit(one)
                .sql(' ')
                .sql(live(context).operator(0, Comparison.EQUAL))
                .sql(' ')
                .visit(other));
    }

    private LiveKey live(Context<?> context) {
        return LiveKey.of(context.configuration(), table, List.of(field()));
    }
}
