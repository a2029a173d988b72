package io.usagearchiver.internal.inspect;

import static org.jooq.impl.DSL.inline;

import io.usagearchiver.ArchivePair;
import io.usagearchiver.SweepResult;
import io.usagearchiver.internal.postgres.OwnRows;
import io.usagearchiver.internal.rows.KeyColumns;
import io.usagearchiver.internal.schema.PairSchema;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jooq.CommonTableExpression;
import org.jooq.Condition;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.Record;
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
record RowComparison(long identical, long different, List<String> identicalIds, List<String> differentIds) {
    private static final String KEY = "key_";

    /**
     * Compares the rows of some keys.
     *
     * @param keys a query that gives the key columns of the rows that both tables hold. It is run once, and before the rows
     *     are read: finding them by the tables' indexes alone must not fetch all other rows
     */
    static RowComparison find(DSLContext tx, ArchivePair<?> pair, PairSchema shape, Select<Record> keys) {
        CommonTableExpression<Record> both =
                DSL.name("both_hold").fields(names(pair)).asMaterialized(keys);
        List<Field<?>> key = columns(pair, "both_hold");
        CommonTableExpression<Record> compared = DSL.name("compared")
                .fields(names(pair, "identical"))
                .asMaterialized(tx.select(key)
                        .select(DSL.field(shape.identical(pair.archive(), pair.hot())))
                        .from(both)
                        .join(OwnRows.of(pair.hot()))
                        .on(KeyColumns.of(pair.hot(), pair).equal(key))
                        .join(OwnRows.of(pair.archive()))
                        .on(KeyColumns.of(pair.archive(), pair).equal(key)));
        Condition identical = DSL.condition(DSL.field(DSL.name("compared", "identical"), Boolean.class));
        Record row = tx.with(both, compared)
                .select(
                        count(tx, compared, identical),
                        count(tx, compared, identical.not()),
                        ids(tx, pair, compared, identical),
                        ids(tx, pair, compared, identical.not()))
                .fetchSingle();
        return new RowComparison(
                row.get(0, Long.class),
                row.get(1, Long.class),
                List.of(row.get(2, String[].class)),
                List.of(row.get(3, String[].class)));
    }

    private static Field<Long> count(DSLContext tx, CommonTableExpression<?> compared, Condition which) {
        return DSL.field(
                tx.select(DSL.count().coerce(SQLDataType.BIGINT)).from(compared).where(which));
    }

    private static Field<String[]> ids(
            DSLContext tx, ArchivePair<?> pair, CommonTableExpression<?> compared, Condition which) {
        List<Field<?>> key = columns(pair, "compared");
        return DSL.array(tx.select(KeyColumns.text(key))
                .from(compared)
                .where(which)
                .orderBy(key)
                .limit(inline(SweepResult.LISTED_IDS)));
    }

    /** The key's columns in one of the queries within, numbered: their names may clash with others there. */
    private static List<Field<?>> columns(ArchivePair<?> pair, String query) {
        return IntStream.range(0, pair.key().size())
                .<Field<?>>mapToObj(index -> DSL.field(
                        DSL.name(query, KEY + index), pair.key().get(index).getDataType()))
                .toList();
    }

    private static String[] names(ArchivePair<?> pair, String... further) {
        return Stream.concat(
                        IntStream.range(0, pair.key().size()).mapToObj(index -> KEY + index), Arrays.stream(further))
                .toArray(String[]::new);
    }
}
