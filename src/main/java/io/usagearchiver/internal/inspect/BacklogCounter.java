package io.usagearchiver.internal.inspect;

import io.usagearchiver.ArchivePair;
import io.usagearchiver.Plan;
import io.usagearchiver.RowFilter;
import io.usagearchiver.SweepResult;
import io.usagearchiver.internal.postgres.NaiveUtc;
import io.usagearchiver.internal.postgres.OwnRows;
import io.usagearchiver.internal.postgres.QueryPlan;
import io.usagearchiver.internal.rows.CandidateQueries;
import io.usagearchiver.internal.rows.CandidateQuery;
import io.usagearchiver.internal.rows.KeyColumns;
import io.usagearchiver.internal.schema.PairSchema;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.Record;
import org.jooq.Select;
import org.jooq.impl.DSL;
import org.jooq.impl.SQLDataType;
import org.jspecify.annotations.Nullable;

/**
 * Counts the expired rows of a hot table, up to a limit, by the indexes that a sweep reads. Where there are more, or an
 * index is missing, PostgreSQL's planner is asked how many there may be.
 */
final class BacklogCounter {
    private final ArchivePair<?> pair;
    private final LocalDateTime cutoff;
    private final int batchSize;
    private final long limit;
    private final List<CandidateQuery> branches;
    private List<Long> counts = List.of();

    /**
     * The expired rows of a pair.
     *
     * @param holds what keeps rows hot all the same; only counted rows leave them out, the planner's estimate does not
     */
    BacklogCounter(ArchivePair<?> pair, LocalDateTime cutoff, List<RowFilter> holds, int batchSize, long limit) {
        this.pair = pair;
        this.cutoff = cutoff;
        this.batchSize = batchSize;
        this.limit = limit;
        this.branches = CandidateQueries.expired(pair, cutoff, holds);
    }

    public Plan.Backlog count(DSLContext tx) {
        List<QueryPlan> pages = branches.stream()
                .map(branch -> QueryPlan.of(tx, branch.pageQuery(tx, null, batchSize)))
                .toList();
        boolean indexed = pages.stream().noneMatch(page -> page.index() == null);
        BacklogEstimate estimated = new BacklogEstimate(tx, pair);
        String oldestAge = indexed ? oldestAge(tx) : null;
        Map<String, Long> months = new TreeMap<>();
        if (indexed) {
            counts = counts(tx, months);
        }
        boolean exact = indexed && sum(counts) <= limit;
        List<Long> rows = counts;
        if (!exact) {
            rows = IntStream.range(0, branches.size())
                    .mapToObj(index -> estimated.ofAge(index, null, cutoff.toString()))
                    .toList();
            months = oldestAge == null ? Map.of() : estimated.months(oldestAge, cutoff);
        }
        List<Plan.AgeBranch> found = new ArrayList<>();
        for (int i = 0; i < branches.size(); i++) {
            found.add(new Plan.AgeBranch(
                    pair.ages().get(i).getName(), pages.get(i).index(), rows.get(i)));
        }
        long total = Math.max(sum(counts), sum(rows));
        long tableBytes = tableBytes(tx);
        double share = (double) total / Math.max(1, Math.max(total, estimated.all()));
        return new Plan.Backlog(
                total,
                exact,
                oldestAge,
                Math.round(tableBytes * share),
                tableBytes,
                months.entrySet().stream()
                        .map(month -> new Plan.Month(month.getKey(), month.getValue()))
                        .toList(),
                found);
    }

    /** Those of the counted rows whose key the archive holds; null if none could be counted. */
    public Plan.@Nullable Overlap overlap(DSLContext tx, PairSchema shape) {
        if (counts.isEmpty()) {
            return null;
        }
        KeyColumns archived = KeyColumns.of(pair.archive(), pair);
        KeyColumns hot = KeyColumns.of(pair.hot(), pair);
        long left = limit;
        long identical = 0;
        long different = 0;
        List<String> differentIds = new ArrayList<>();
        for (int i = 0; i < branches.size(); i++) {
            var candidates = oldest(tx, i, hot.columns(), left).asTable("candidates");
            RowComparison twins = RowComparison.find(
                    tx,
                    pair,
                    shape,
                    tx.select(archived.columns())
                            .from(candidates)
                            .join(OwnRows.of(pair.archive()))
                            .on(archived.equal(List.of(candidates.fields()))));
            left = Math.max(0, left - counts.get(i));
            identical += twins.identical();
            different += twins.different();
            differentIds.addAll(twins.differentIds());
        }
        return new Plan.Overlap(
                limit - left,
                identical,
                different,
                differentIds.stream().limit(SweepResult.LISTED_IDS).toList());
    }

    /** The counts of the branches, which end when one more than the limit is found; and of their months. */
    private List<Long> counts(DSLContext tx, Map<String, Long> months) {
        List<Long> found = new ArrayList<>();
        for (int i = 0; i < branches.size(); i++) {
            Field<String> month = DSL.field(
                            "case when isfinite({0}) then to_char({0}, 'YYYY-MM') else cast({0} as text) end",
                            SQLDataType.VARCHAR, NaiveUtc.naive(pair.ages().get(i)))
                    .as("month");
            var rows = oldest(tx, i, List.of(month), limit + 1 - sum(found)).asTable("expired");
            long ofBranch = 0;
            for (var row : tx.select(rows.field(month), DSL.count().coerce(SQLDataType.BIGINT))
                    .from(rows)
                    .groupBy(rows.field(month))
                    .fetch()) {
                months.merge(row.value1(), row.value2(), Long::sum);
                ofBranch += row.value2();
            }
            found.add(ofBranch);
        }
        return found;
    }

    private Select<Record> oldest(DSLContext tx, int branch, List<? extends Field<?>> columns, long rows) {
        return tx.select(columns)
                .from(OwnRows.of(pair.hot()))
                .where(branches.get(branch).wanted())
                .orderBy(pair.ages().get(branch))
                .limit(DSL.inline(Math.max(0, rows)));
    }

    private @Nullable String oldestAge(DSLContext tx) {
        List<Field<Object>> ages = IntStream.range(0, branches.size())
                .mapToObj(branch -> DSL.field(
                        "({0})",
                        oldest(tx, branch, List.of(NaiveUtc.naive(pair.ages().get(branch))), 1)))
                .toList();
        return tx.select(NaiveUtc.text(DSL.field("least({0})", SQLDataType.LOCALDATETIME, DSL.list(ages))))
                .fetchSingle()
                .value1();
    }

    private long tableBytes(DSLContext tx) {
        return tx.select(DSL.field(
                        "(select coalesce(sum(pg_table_size(stored.oid)), 0) from ({0}) as stored (oid))",
                        SQLDataType.BIGINT, OwnRows.stored(tx.configuration(), pair.hot())))
                .fetchSingle()
                .value1();
    }

    private static long sum(List<Long> counts) {
        return counts.stream().mapToLong(Long::longValue).sum();
    }
}
