package io.usagearchiver.internal.rows;

import io.usagearchiver.ArchivePair;
import io.usagearchiver.RowFilter;
import io.usagearchiver.internal.postgres.NaiveUtc;
import io.usagearchiver.internal.postgres.TableName;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.jooq.Condition;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.Name;
import org.jooq.Record3;
import org.jooq.Record4;
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

    /** A partial index over all that has an age is one, too: what is wanted has one. */
    private static final String ORDERED_BY = """
            select exists (
              select from pg_catalog.pg_index x
              join pg_catalog.pg_class i on i.oid = x.indexrelid
              join pg_catalog.pg_am m on m.oid = i.relam and m.amname = 'btree'
              join pg_catalog.pg_attribute a on a.attrelid = x.indrelid and a.attnum = x.indkey[0]
              where x.indrelid = pg_catalog.to_regclass({0}) and x.indisvalid and a.attname = {1}
                and (x.indpred is null or pg_catalog.pg_get_expr(x.indpred, x.indrelid)
                  = pg_catalog.format('(%I IS NOT NULL)', a.attname)))""";

    private final Table<?> table;
    private final KeyColumns key;
    private final Field<?> age;
    private final boolean byAge;
    private final boolean inStretches;
    private final Condition wanted;
    private final Condition estimable;

    private CandidateQuery(
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
    }

    /** The expired rows that no hold keeps, in the order in which the age columns count. */
    public static List<CandidateQuery> expired(ArchivePair<?> pair, LocalDateTime cutoff, List<RowFilter> holds) {
        Table<?> hot = pair.hot();
        Condition free = DSL.and(holds.stream()
                .map(hold -> new FilterCondition(hold, hot, pair).leavesOut())
                .toList());
        return ofAges(
                pair,
                hot,
                age -> NaiveUtc.before(age, cutoff.toString()),
                pair.condition().and(free),
                pair.condition());
    }

    /** The archived rows that match a filter. */
    public static List<CandidateQuery> matching(ArchivePair<?> pair, RowFilter filter) {
        Table<?> archive = pair.archive();
        FilterCondition condition = new FilterCondition(filter, archive, pair);
        Condition otherwise = condition.matchesOtherwise();
        if (condition.byAge()) {
            return ofAges(pair, archive, condition::matchesAge, otherwise, otherwise);
        }
        return List.of(new CandidateQuery(
                archive,
                KeyColumns.of(archive, pair),
                FilterCondition.age(archive, pair),
                false,
                false,
                otherwise,
                otherwise));
    }

    private static List<CandidateQuery> ofAges(
            ArchivePair<?> pair,
            Table<?> table,
            Function<Field<?>, Condition> inRange,
            Condition otherwise,
            Condition otherwiseEstimable) {
        List<Field<?>> ages = new ArrayList<>();
        pair.ages().forEach(age -> ages.add(TableName.column(table, age)));
        return IntStream.range(0, ages.size())
                .mapToObj(index -> {
                    Field<?> age = ages.get(index);
                    List<Field<?>> before = ages.subList(0, index);
                    // IS NULL in a form that no index serves: the planner would read the whole NULL set, wanted or not.
                    Condition first =
                            index == 0 ? DSL.noCondition() : DSL.condition("num_nonnulls({0}) = 0", DSL.list(before));
                    Condition asThePlannerKnowsIt =
                            DSL.and(before.stream().map(Field::isNull).toList());
                    Condition range = inRange.apply(age);
                    return new CandidateQuery(
                            table,
                            KeyColumns.of(table, pair),
                            age,
                            true,
                            false,
                            range.and(first).and(otherwise),
                            range.and(asThePlannerKnowsIt).and(otherwiseEstimable));
                })
                .toList();
    }

    /** Whether a row is to be moved by this branch. */
    public Condition wanted() {
        return wanted;
    }

    /** Whether a row is one of these, and to be moved by this branch. */
    Condition wantedAmong(List<String> keys) {
        return key.among(keys).and(wanted);
    }

    /** The same, to be cut into stretches of time if an index of the live table is in the order of its ages. */
    public CandidateQuery inStretches(DSLContext tx) {
        boolean ordered = byAge
                && tx.fetchSingle(ORDERED_BY, TableName.regclass(table), DSL.val(age.getName()))
                        .get(0, Boolean.class);
        return new CandidateQuery(table, key, age, byAge, ordered, wanted, estimable);
    }

    /** Whether it is to be cut into stretches of time. */
    boolean inStretches() {
        return inStretches;
    }

    /** The same for what comes after one cut and before another one; null for no such limit. */
    CandidateQuery between(@Nullable Cut from, @Nullable Cut to) {
        Condition range = DSL.and(from == null ? DSL.noCondition() : from.below(age))
                .and(to == null ? DSL.noCondition() : to.above(age));
        return new CandidateQuery(table, key, age, byAge, inStretches, wanted.and(range), estimable.and(range));
    }

    /**
     * The ages at some marks among the next candidates, without locks.
     *
     * @param from where they begin; null for the first
     * @param interval how many candidates there are from mark to mark
     * @param count how many marks at most
     */
    Slices.Marks marks(DSLContext dsl, @Nullable Cut from, int interval, int count) {
        int most = interval * count;
        Table<?> candidates = marksQuery(dsl, from, most + 1).asTable("candidates");
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
        return new Slices.Marks(
                interval,
                read.value1() == null ? List.of() : List.of(read.value1()),
                read.value2() == null ? List.of() : List.of(read.value2()),
                Math.min(found, most),
                found <= most,
                read.value4() == null ? "" : read.value4());
    }

    /** What {@link #marks} reads. */
    public Select<?> marksQuery(DSLContext dsl, @Nullable Cut from, int limit) {
        return dsl.select(age.as("age"))
                .from(TableName.only(table))
                .where(wanted)
                .and(from == null ? DSL.noCondition() : from.below(age))
                .orderBy(age)
                .limit(DSL.inline(limit));
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
                .from(TableName.only(table))
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
                .from(TableName.only(table))
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

    /**
     * The planner's estimate of how many rows are wanted, not counting what holds keep of them, or null where it has no
     * statistics: it would guess then. Reads no row. All branches have to know theirs.
     */
    public static @Nullable Long estimate(DSLContext dsl, List<CandidateQuery> branches) {
        for (CandidateQuery branch : branches) {
            Name table = TableName.qualified(branch.table);
            boolean known = dsl.fetchSingle(
                            "select exists (select from pg_catalog.pg_stats where schemaname = {0} and tablename = {1}"
                                    + " and attname = {2})",
                            DSL.val(table.first()),
                            DSL.val(table.last()),
                            DSL.val(branch.order().get(0).getName()))
                    .get(0, Boolean.class);
            if (!known) {
                return null;
            }
        }
        return branches.stream()
                .mapToLong(branch -> Math.round(dsl.explain(dsl.selectOne()
                                .from(TableName.only(branch.table))
                                .where(branch.estimable))
                        .rows()))
                .sum();
    }

    /** How many rows are wanted, counted up to a limit. */
    public long count(DSLContext dsl, long limit) {
        Table<?> rows = dsl.selectOne()
                .from(TableName.only(table))
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
