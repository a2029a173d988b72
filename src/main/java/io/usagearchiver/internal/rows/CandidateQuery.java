package io.usagearchiver.internal.rows;

import io.usagearchiver.ArchivePair;
import io.usagearchiver.RowFilter;
import io.usagearchiver.internal.postgres.NaiveUtc;
import io.usagearchiver.internal.postgres.TableName;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.jooq.Condition;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.Name;
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

    private final Table<?> table;
    private final KeyColumns key;
    private final Field<?> age;
    private final boolean byAge;
    private final Condition wanted;
    private final Condition estimable;

    private CandidateQuery(
            Table<?> table, KeyColumns key, Field<?> age, boolean byAge, Condition wanted, Condition estimable) {
        this.table = table;
        this.key = key;
        this.age = age;
        this.byAge = byAge;
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
                            range.and(first).and(otherwise),
                            range.and(asThePlannerKnowsIt).and(otherwiseEstimable));
                })
                .toList();
    }

    /** Whether a row is to be moved by this branch. */
    public Condition wanted() {
        return wanted;
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
        // Not an array comparison: that is linear in the array for each row, a subquery is hashed.
        Condition other = keptBack.isEmpty()
                ? DSL.noCondition()
                : DSL.condition("{0} not in (select unnest({1}))", key.text(), KeyColumns.array(keptBack));
        return dsl.fetchExists(DSL.selectOne()
                .from(TableName.only(table))
                .where(wanted)
                .and(other)
                .orderBy(order().get(0))
                .limit(1));
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
