package io.usagearchiver;

import static org.jooq.impl.DSL.inline;

import java.util.List;
import org.jooq.CommonTableExpression;
import org.jooq.Condition;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.Record;
import org.jooq.Record1;
import org.jooq.Record2;
import org.jooq.Select;
import org.jooq.impl.DSL;
import org.jooq.impl.SQLDataType;

/**
 * Keys that both tables of a pair hold, and whether their rows are the same in every column.
 *
 * @param identical how many are
 * @param different how many are not
 * @param identicalIds the first {@value SweepResult#LISTED_IDS} that are, by key
 * @param differentIds the first {@value SweepResult#LISTED_IDS} that are not
 */
record TwinRows(long identical, long different, List<String> identicalIds, List<String> differentIds) {

    /**
     * Compares the rows of some keys.
     *
     * @param keys a query that gives the keys that both tables hold. It is run once, and before the rows are read: finding
     *     them by the tables' indexes alone must not fetch all other rows
     */
    static <K> TwinRows find(DSLContext tx, ArchivePair<K> pair, Shape shape, Select<Record1<K>> keys) {
        CommonTableExpression<Record1<K>> both =
                DSL.name("both_hold").fields("key").asMaterialized(keys);
        Field<K> key = DSL.field(DSL.name("both_hold", "key"), pair.key().getDataType());
        CommonTableExpression<Record2<K, Boolean>> compared = DSL.name("compared")
                .fields("key", "identical")
                .asMaterialized(tx.select(key, DSL.field(shape.identical(pair.archive(), pair.hot())))
                        .from(both)
                        .join(pair.hot())
                        .on(pair.key().eq(key))
                        .join(pair.archive())
                        .on(Shape.column(pair.archive(), pair.key()).eq(key)));
        Condition identical = DSL.condition(DSL.field(DSL.name("compared", "identical"), Boolean.class));
        Record row = tx.with(both, compared)
                .select(
                        count(tx, compared, identical),
                        count(tx, compared, identical.not()),
                        ids(tx, pair, compared, identical),
                        ids(tx, pair, compared, identical.not()))
                .fetchSingle();
        return new TwinRows(
                row.get(0, Long.class),
                row.get(1, Long.class),
                List.of(row.get(2, String[].class)),
                List.of(row.get(3, String[].class)));
    }

    private static Field<Long> count(DSLContext tx, CommonTableExpression<?> compared, Condition which) {
        return DSL.field(
                tx.select(DSL.count().coerce(SQLDataType.BIGINT)).from(compared).where(which));
    }

    private static <K> Field<String[]> ids(
            DSLContext tx, ArchivePair<K> pair, CommonTableExpression<?> compared, Condition which) {
        Field<K> key = DSL.field(DSL.name("compared", "key"), pair.key().getDataType());
        return DSL.array(tx.select(key.cast(SQLDataType.VARCHAR))
                .from(compared)
                .where(which)
                .orderBy(key)
                .limit(inline(SweepResult.LISTED_IDS)));
    }
}
