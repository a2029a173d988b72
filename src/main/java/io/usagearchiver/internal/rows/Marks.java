package io.usagearchiver.internal.rows;

import io.usagearchiver.internal.postgres.NaiveUtc;
import io.usagearchiver.internal.postgres.OwnRows;
import java.util.List;
import org.jooq.Condition;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.Record4;
import org.jooq.Select;
import org.jooq.Table;
import org.jooq.impl.DSL;
import org.jooq.impl.SQLDataType;
import org.jspecify.annotations.Nullable;

/**
 * The ages at some of the candidates that come next, and no more of them.
 *
 * @param interval how many candidates there are from mark to mark
 * @param ages of the rows at the marks
 * @param next the ages of the rows behind them; the last one may have none
 * @param rows how many there are, without the one behind the last mark
 * @param isLast whether there are no more
 * @param lastAge of the last one, empty if there is none
 */
record Marks(int interval, List<String> ages, List<String> next, int rows, boolean isLast, String lastAge) {
    /**
     * The ages at some marks among the next candidates, without locks.
     *
     * @param from where they begin; null for the first
     * @param interval how many candidates there are from mark to mark
     * @param count how many marks at most
     */
    static Marks read(DSLContext dsl, CandidateQuery query, @Nullable Cut from, int interval, int count) {
        Field<?> age = query.age();
        int most = interval * count;
        Table<?> candidates = read(dsl, query, from, most + 1).asTable("candidates");
        Field<?> ofRow = DSL.field(DSL.name("candidates", "age"), age.getDataType());
        Table<?> rows = dsl.select(ofRow, DSL.rowNumber().over().as("position"))
                .from(candidates)
                .asTable("numbered");
        Field<Integer> position = DSL.field(DSL.name("numbered", "position"), SQLDataType.INTEGER);
        Field<?> moment = DSL.field(DSL.name("numbered", "age"), age.getDataType());
        Field<String> text = NaiveUtc.text(moment);
        Condition counts = position.le(DSL.inline(most));
        Record4<String[], String[], Integer, String> read = dsl.select(
                        DSL.arrayAgg(text)
                                .filterWhere(counts.and(
                                        position.mod(DSL.inline(interval)).eq(DSL.inline(0)))),
                        DSL.arrayAgg(text)
                                .filterWhere(position.gt(DSL.inline(1))
                                        .and(position.minus(DSL.inline(1))
                                                .mod(DSL.inline(interval))
                                                .eq(DSL.inline(0)))),
                        DSL.count(),
                        NaiveUtc.text(DSL.max(moment).filterWhere(counts)))
                .from(rows)
                .fetchSingle();
        int found = read.value3();
        return new Marks(
                interval,
                read.value1() == null ? List.of() : List.of(read.value1()),
                read.value2() == null ? List.of() : List.of(read.value2()),
                Math.min(found, most),
                found <= most,
                read.value4() == null ? "" : read.value4());
    }

    private static Select<?> read(DSLContext dsl, CandidateQuery query, @Nullable Cut from, int limit) {
        Field<?> age = query.age();
        return dsl.select(age.as("age"))
                .from(OwnRows.of(query.table()))
                .where(query.wanted())
                .and(from == null ? DSL.noCondition() : from.below(age))
                .orderBy(age)
                .limit(DSL.inline(limit));
    }

    int count() {
        return ages.size();
    }

    String age(int mark) {
        return ages.get(mark - 1);
    }

    /** Whether the row behind the mark is as old as the one at it. */
    boolean isAmongOneAge(int mark) {
        return mark <= next.size() && next.get(mark - 1).equals(age(mark));
    }
}
