package io.usagearchiver.internal.rows;

import io.usagearchiver.internal.postgres.NaiveUtc;
import io.usagearchiver.internal.postgres.OwnRows;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import org.jooq.Condition;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.Record3;
import org.jooq.Select;
import org.jooq.Table;
import org.jooq.impl.DSL;
import org.jooq.impl.SQLDataType;
import org.jspecify.annotations.Nullable;

/**
 * Rows to be moved, in the order in which they are paged: those whose age is one certain column, that is, whose columns
 * that count before it are null. A row is in one branch at most, and the branches together are exactly {@code
 * COALESCE(ages)} in the wanted range, but each reads the index of its own column. Rows that are wanted for something else
 * than their age are one branch, in the order of the key.
 */
public final class CandidateQuery {
    /** Of the keys of a page, which are in memory several times on their way to a batch and back. */
    private static final int PAGE_BYTES = 2 << 20;

    /**
     * Ascending with nulls last, or the other way round. A partial index over all that has an age is one, too: what is wanted has
     * one. Of a partitioned table, each partition that has rows must have one, its own or its part of the table's.
     */
    private static final String ORDERED_BY = """
            select not exists (select from ({0}) as stored (oid) where not exists (
              select from pg_catalog.pg_index x
              join pg_catalog.pg_class i on i.oid = x.indexrelid
              join pg_catalog.pg_am m on m.oid = i.relam and m.amname = 'btree'
              join pg_catalog.pg_attribute a on a.attrelid = x.indrelid and a.attnum = x.indkey[0]
              where x.indrelid = stored.oid and x.indisvalid and a.attname = {1}
                and x.indoption[0] in (0, 3)
                and (x.indpred is null or pg_catalog.pg_get_expr(x.indpred, x.indrelid)
                  = pg_catalog.format('(%I IS NOT NULL)', a.attname))))""";

    private final Table<?> table;
    private final KeyColumns key;
    private final Field<?> age;
    private final boolean byAge;
    private final boolean inStretches;
    private final Condition wanted;
    private final Condition estimable;
    private final CandidateQuery whole;

    CandidateQuery(
            Table<?> table,
            KeyColumns key,
            Field<?> age,
            boolean byAge,
            boolean inStretches,
            Condition wanted,
            Condition estimable) {
        this.table = table;
        this.key = key;
        this.age = age;
        this.byAge = byAge;
        this.inStretches = inStretches;
        this.wanted = wanted;
        this.estimable = estimable;
        this.whole = this;
    }

    private CandidateQuery(CandidateQuery of, Condition range) {
        this.table = of.table;
        this.key = of.key;
        this.age = of.age;
        this.byAge = of.byAge;
        this.inStretches = of.inStretches;
        this.wanted = of.wanted.and(range);
        this.estimable = of.estimable.and(range);
        this.whole = of.whole;
    }

    Table<?> table() {
        return table;
    }

    /** What the rows are in the order of, if by their ages. */
    Field<?> age() {
        return age;
    }

    /** What they are in the order of, first of all. */
    Field<?> first() {
        return order().get(0);
    }

    /** What the planner is asked for how many there are. */
    Condition estimable() {
        return estimable;
    }

    /** Whether a row is to be moved by this branch. */
    public Condition wanted() {
        return wanted;
    }

    /** Whether a row is one of these, and wanted. By its key: of few rows, the planner would rather compare each with all keys. */
    public Condition wantedAmong(List<String> keys) {
        return key.among(keys).and("({0}) is true", wanted);
    }

    /** The same, to be cut into stretches of time if an index of the live table is in the order of its ages. */
    public CandidateQuery inStretches(DSLContext tx) {
        boolean ordered = byAge && hasAnIndex(tx);
        return new CandidateQuery(table, key, age, byAge, ordered, wanted, estimable);
    }

    /** Whether an index of the live table is in the order of the ages. */
    private boolean hasAnIndex(DSLContext tx) {
        return tx.fetchSingle(ORDERED_BY, OwnRows.stored(tx.configuration(), table), DSL.val(age.getName()))
                .get(0, Boolean.class);
    }

    /** Whether it is to be cut into stretches of time. */
    boolean inStretches() {
        return inStretches;
    }

    /** The same for what comes after one cut and before another one; null for no such limit. */
    CandidateQuery between(@Nullable Cut from, @Nullable Cut to) {
        Condition range = DSL.and(from == null ? DSL.noCondition() : from.below(age))
                .and(to == null ? DSL.noCondition() : to.above(age));
        return new CandidateQuery(this, range);
    }

    /** That of which this one was {@link #between} two cuts. Whatever age a row of this one has by now: it is wanted. */
    CandidateQuery whole() {
        return whole;
    }

    /**
     * The first candidates, without locks: at most {@code limit}, in order, behind {@code cursor}; less where their keys
     * take more than {@value #PAGE_BYTES} bytes.
     *
     * @param cursor the page that was read before, or null for the first
     */
    Page page(DSLContext dsl, @Nullable Page cursor, int limit) {
        // One row with an array is read faster than thousands of rows.
        Table<?> read = pageQuery(dsl, cursor, limit).asTable("candidates");
        Field<String> key = DSL.field(DSL.name("candidates", "key"), SQLDataType.VARCHAR);
        Field<LocalDateTime> ofAge = DSL.field(DSL.name("candidates", "age"), SQLDataType.LOCALDATETIME);
        Table<?> page = dsl.select(
                        key,
                        ofAge,
                        DSL.field(
                                        "sum(octet_length({0})) over (rows unbounded preceding) - octet_length({0}) < {1}",
                                        SQLDataType.BOOLEAN, key, DSL.inline(PAGE_BYTES))
                                .as("fits"))
                .from(read)
                .asTable("page");
        Condition fits = DSL.condition(DSL.field(DSL.name("page", "fits"), SQLDataType.BOOLEAN));
        Record3<String[], String, Integer> row = dsl.select(
                        DSL.arrayAgg(page.field(key)).filterWhere(fits),
                        NaiveUtc.text(DSL.max(page.field(ofAge)).filterWhere(fits)),
                        DSL.count())
                .from(page)
                .fetchSingle();
        return new Page(
                row.value1() == null ? List.of() : List.of(row.value1()),
                row.value2() == null ? "" : row.value2(),
                row.value3());
    }

    /** What {@link #page} reads. */
    public Select<?> pageQuery(DSLContext dsl, @Nullable Page cursor, int limit) {
        return dsl.select(key.text().as("key"), NaiveUtc.naive(age).as("age"))
                .from(OwnRows.of(table))
                .where(wanted)
                .and(cursor == null ? DSL.noCondition() : behind(cursor))
                .orderBy(order())
                .limit(DSL.inline(limit));
    }

    private List<Field<?>> order() {
        List<Field<?>> order = new ArrayList<>(key.columns());
        if (byAge) {
            order.add(0, age);
        }
        return order;
    }

    private Condition behind(Page cursor) {
        return byAge
                ? key.behind(
                        List.of(age), List.of(NaiveUtc.moment(cursor.lastAge(), age.getDataType())), cursor.lastKey())
                : key.behind(List.of(), List.of(), cursor.lastKey());
    }

    /** Whether a row is left, apart from those with the given keys. */
    public boolean anyLeft(DSLContext dsl, List<String> keptBack) {
        return dsl.fetchExists(DSL.selectOne()
                .from(OwnRows.of(table))
                .where(wanted)
                .and(isNoneOf(keptBack))
                .orderBy(order().get(0))
                .limit(1));
    }

    /** That a row's key is none of these. Not an array comparison: that is linear for each row, a subquery is hashed. */
    Condition isNoneOf(Collection<String> keys) {
        return keys.isEmpty()
                ? DSL.noCondition()
                : DSL.condition("{0} not in (select unnest({1}))", key.text(), KeyColumns.array(keys));
    }

    /** Reads what has to be known to write down {@link #wantedAmong}. */
    public void learnKey(DSLContext tx) {
        String unused = tx.render(wantedAmong(List.of("")));
    }

    /** How many rows are wanted, counted up to a limit. */
    public long count(DSLContext dsl, long limit) {
        Table<?> rows = dsl.selectOne()
                .from(OwnRows.of(table))
                .where(wanted)
                .orderBy(order().get(0))
                .limit(DSL.inline(limit))
                .asTable("candidates");
        return dsl.fetchCount(rows);
    }

    /**
     * Candidates in order, and where the next page begins.
     *
     * @param rows how many were read, which is more than there are keys if these would take too many bytes
     */
    public record Page(List<String> keys, String lastAge, int rows) {
        public Page {
            keys = new ArrayList<>(keys);
        }

        boolean isCut() {
            return rows > keys.size();
        }

        String lastKey() {
            return keys.get(keys.size() - 1);
        }
    }
}
