package io.usagearchiver.internal.rows;

import io.usagearchiver.internal.postgres.NaiveUtc;
import io.usagearchiver.internal.postgres.OwnRows;
import io.usagearchiver.internal.postgres.TableName;
import java.util.ArrayList;
import java.util.List;
import org.jooq.Condition;
import org.jooq.Field;
import org.jooq.QueryPart;
import org.jooq.Table;
import org.jooq.impl.CustomCondition;
import org.jooq.impl.DSL;
import org.jooq.impl.SQLDataType;

/** How rows are found by an array of keys where no index serves a comparison with that: as with keys of several columns. */
final class KeyLookup {
    /** The text of the key that is looked up. */
    static final Field<String> WANTED = DSL.field("wanted_key.value", SQLDataType.VARCHAR);

    /** The text of each of the keys that rows are between. */
    static final Field<String> BOUND = DSL.field("bound_key.value", SQLDataType.VARCHAR);

    private KeyLookup() {}

    /**
     * That a row's key is one of some. Each is looked up by its index, and the table is read by what was found there. OFFSET 0
     * keeps the planner from turning the lookups into a join that reads a whole index. Partitions have rows of the same {@code
     * ctid}, so there it is looked at once more whether those that were read so are those that were found; IS TRUE keeps that
     * from becoming a join as well.
     *
     * @param isWanted that a row's key is {@link #WANTED}
     * @param within that it may be one of them, as {@link #within} tells
     */
    static Condition among(Table<?> table, Field<String[]> keys, Condition isWanted, Condition within) {
        String found = " from unnest({1}) as wanted_key (value)"
                + " cross join lateral (select {0}.tableoid, {0}.ctid from {3} where {2} offset 0) as found_row";
        String read = "{0}.ctid = any(array(select found_row.ctid" + found + "))";
        String ofPartition =
                "(({0}.tableoid, {0}.ctid) in (select found_row.tableoid, found_row.ctid" + found + ")) is true";
        QueryPart[] parts = {TableName.qualified(table), keys, isWanted, OwnRows.of(table)};
        return CustomCondition.of(context -> context.visit(
                OwnRows.areInPartitions(context.configuration(), table)
                        ? DSL.condition(read, parts)
                                .and(DSL.condition(ofPartition, parts))
                                .and(within)
                        : DSL.condition(read, parts)));
    }

    /**
     * That what a key has of moments is between the least and the greatest of some keys: no more than that it may be one of them,
     * but PostgreSQL leaves out partitions by it.
     *
     * @param values of {@link #BOUND}, one for each column
     */
    static Condition within(List<Field<?>> columns, List<Field<?>> values, Field<String[]> keys) {
        List<Condition> bounds = new ArrayList<>();
        for (int index = 0; index < columns.size(); index++) {
            Field<?> column = columns.get(index);
            if (NaiveUtc.kind(column.getDataType()) != NaiveUtc.Kind.OTHER) {
                bounds.add(DSL.condition(
                        "{0} between (select min({1}) from unnest({2}) as bound_key (value))"
                                + " and (select max({1}) from unnest({2}) as bound_key (value))",
                        column, values.get(index), keys));
            }
        }
        return DSL.and(bounds);
    }
}
