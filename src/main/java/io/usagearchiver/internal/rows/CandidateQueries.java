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
import org.jooq.Field;
import org.jooq.Table;
import org.jooq.impl.DSL;

/** What a sweep or a restore wants, as queries: one for each age column, or one in all. */
public final class CandidateQueries {
    private CandidateQueries() {}

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
}
