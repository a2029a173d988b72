package io.usagearchiver.internal.rows;

import io.usagearchiver.internal.postgres.OwnRows;
import io.usagearchiver.internal.postgres.TableName;
import java.util.List;
import org.jooq.Condition;
import org.jooq.Field;
import org.jooq.Name;
import org.jooq.Table;
import org.jooq.impl.CustomField;
import org.jooq.impl.DSL;
import org.jooq.impl.SQLDataType;

/**
 * Where a table has its rows, which stay there as long as they are locked: a text of the {@code ctid}, behind the number of the
 * partition if there are any, since others have rows of the same {@code ctid}.
 */
public final class RowPlaces {
    private final Table<?> table;
    private final KeyColumns key;
    private final Name ctid;
    private final Name partition;

    public RowPlaces(Table<?> table, KeyColumns key) {
        this.table = table;
        this.key = key;
        this.ctid = TableName.qualified(table).append("ctid");
        this.partition = TableName.qualified(table).append("tableoid");
    }

    /** That of a row. */
    public Field<String> text() {
        return CustomField.of(
                "place",
                SQLDataType.VARCHAR,
                context -> context.visit(
                        OwnRows.areInPartitions(context.configuration(), table)
                                ? DSL.field("concat({0}, {1})", SQLDataType.VARCHAR, partition, ctid)
                                : DSL.field(ctid).cast(SQLDataType.VARCHAR)));
    }

    /**
     * That a row is at one of some places.
     *
     * @param keys of the rows there, at least: what PostgreSQL can leave out partitions by
     */
    public Condition among(List<String> places, List<String> keys) {
        List<String> ctids = places.stream()
                .map(place -> place.substring(place.indexOf('(')))
                .toList();
        Condition there = DSL.condition("{0} = any (cast({1} as tid[]))", ctid, KeyColumns.array(ctids));
        if (places.stream().allMatch(place -> place.startsWith("("))) {
            return there;
        }
        List<String> partitions = places.stream()
                .map(place -> place.substring(0, place.indexOf('(')))
                .toList();
        return there.and(key.within(KeyColumns.array(keys)))
                .and(DSL.condition(
                        "(({0}, {1}) in (select * from unnest(cast({2} as oid[]), cast({3} as tid[])))) is true",
                        partition, ctid, KeyColumns.array(partitions), KeyColumns.array(ctids)));
    }
}
