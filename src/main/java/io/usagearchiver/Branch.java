package io.usagearchiver;

import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.jooq.Condition;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.Name;
import org.jooq.Record2;
import org.jooq.Result;
import org.jooq.conf.Settings;
import org.jooq.conf.StatementType;
import org.jooq.impl.DSL;
import org.jspecify.annotations.Nullable;

/**
 * The expired rows whose age is one certain column: that column is before the cutoff, and those that count before it are
 * null. A row is in one branch at most, and the branches together are exactly {@code COALESCE(ages) < cutoff}, but each
 * reads the index of its own column.
 */
final class Branch<K> {
    private final ArchivePair<K> pair;
    private final Field<LocalDateTime> age;
    private final Condition expired;
    private final Condition estimable;

    private Branch(ArchivePair<K> pair, int index, LocalDateTime cutoff) {
        this.pair = pair;
        this.age = pair.ages().get(index);
        Condition condition = age.lt(NaiveUtc.moment(cutoff.toString(), age.getDataType()));
        Condition asThePlannerKnowsIt = condition;
        if (index > 0) {
            for (Field<?> before : pair.ages().subList(0, index)) {
                asThePlannerKnowsIt = asThePlannerKnowsIt.and(before.isNull());
            }
            // IS NULL in a form that no index serves: the planner would read the whole NULL set, expired or not.
            condition = condition.and(
                    DSL.condition("num_nonnulls({0}) = 0", DSL.list(pair.ages().subList(0, index))));
        }
        this.expired = condition;
        this.estimable = asThePlannerKnowsIt;
    }

    /** The branches of a pair, in the order in which the age columns count. */
    static <K> List<Branch<K>> of(ArchivePair<K> pair, LocalDateTime cutoff) {
        return IntStream.range(0, pair.ages().size())
                .mapToObj(index -> new Branch<>(pair, index, cutoff))
                .toList();
    }

    /** Whether a row is expired by this branch. */
    Condition expired() {
        return expired;
    }

    /**
     * The oldest candidates, without locks: at most {@code limit}, in the order of age and key, behind {@code cursor}.
     *
     * @param cursor the page that was read before, or null for the first
     */
    Page<K> page(DSLContext dsl, @Nullable Page<K> cursor, int limit) {
        Condition behind = cursor == null
                ? DSL.noCondition()
                : DSL.row(age, pair.key())
                        .gt(
                                NaiveUtc.moment(cursor.lastAge(), age.getDataType()),
                                DSL.val(cursor.lastKey(), pair.key()));
        Result<Record2<K, String>> rows = dsl.select(pair.key(), NaiveUtc.text(age))
                .from(pair.hot())
                .where(expired)
                .and(behind)
                .orderBy(age, pair.key())
                .limit(DSL.inline(limit))
                .fetch();
        String lastAge = rows.isEmpty() ? "" : rows.get(rows.size() - 1).value2();
        return new Page<>(rows.getValues(pair.key()), lastAge);
    }

    /** Whether an expired row is left, apart from those with the given keys. */
    boolean anyLeft(DSLContext dsl, List<K> keptBack) {
        // Not an array comparison: that is linear in the array for each row, a subquery is hashed.
        Condition other = keptBack.isEmpty()
                ? DSL.noCondition()
                : DSL.condition("{0} not in (select unnest({1}))", pair.key(), Keys.array(pair.key(), keptBack));
        return dsl.fetchExists(DSL.selectOne()
                .from(pair.hot())
                .where(expired)
                .and(other)
                .orderBy(age)
                .limit(1));
    }

    /**
     * The planner's estimate of how many rows are expired, or null where it has no statistics: it would guess then. Reads no
     * row. All branches have to know theirs.
     */
    static <K> @Nullable Long estimate(DSLContext dsl, ArchivePair<K> pair, List<Branch<K>> branches) {
        Name table = Shape.qualified(pair.hot());
        for (Branch<K> branch : branches) {
            boolean known = dsl.fetchSingle(
                            "select exists (select from pg_catalog.pg_stats where schemaname = {0} and tablename = {1}"
                                    + " and attname = {2})",
                            DSL.val(table.first()), DSL.val(table.last()), DSL.val(branch.age.getName()))
                    .get(0, Boolean.class);
            if (!known) {
                return null;
            }
        }
        // With values in its text: binds would have a generic plan, which guesses a third.
        DSLContext inlined =
                DSL.using(dsl.configuration().derive(new Settings().withStatementType(StatementType.STATIC_STATEMENT)));
        return branches.stream()
                .mapToLong(branch -> Math.round(
                        inlined.explain(inlined.selectOne().from(pair.hot()).where(branch.estimable))
                                .rows()))
                .sum();
    }

    /** Candidates in order, and where the next page begins. */
    record Page<K>(List<K> keys, String lastAge) {
        Page {
            keys = new ArrayList<>(keys);
        }

        K lastKey() {
            return keys.get(keys.size() - 1);
        }
    }
}
