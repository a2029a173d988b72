package io.usagearchiver.internal.rows;

import io.usagearchiver.ArchivePair;
import io.usagearchiver.internal.postgres.NaiveUtc;
import io.usagearchiver.internal.postgres.OwnRows;
import io.usagearchiver.internal.postgres.TableName;
import java.time.LocalDateTime;
import java.time.YearMonth;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.QueryPart;
import org.jooq.Record;
import org.jooq.impl.DSL;
import org.jooq.impl.SQLDataType;
import org.jspecify.annotations.Nullable;

/**
 * Which rows a partitioned archive has no partition for, or none but a default one. PostgreSQL's own conditions of the partitions
 * are asked of a few rows of each month, whatever they are partitioned by.
 */
public final class PartitionsNeeded {
    /** How many rows are looked at, the oldest of each month. */
    private static final int ROWS_OF_A_MONTH = 100;

    /** How many months are looked at one by one, and older ones together. */
    private static final int MONTHS = 120;

    /** How many are named. */
    private static final int NAMED = 24;

    private static final String PARTITIONS = """
            select coalesce(pg_get_partition_constraintdef(t.relid), 'true') as condition, exists (
              select from pg_partition_ancestors(t.relid) a join pg_catalog.pg_class c on c.oid = a.relid
              where pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT') as is_default
            from pg_partition_tree(to_regclass({0})) t where t.isleaf""";

    private static final String MONTHS_WITHOUT = """
            select distinct case when isfinite(hot_.{6}) then to_char(hot_.{6}, 'YYYY-MM') else cast(hot_.{6} as text) end as month,
              coalesce({8}, false) as in_default, coalesce({10}, false) as handed_over
            from (
              select sampled_.* from (
                select cast('-infinity' as timestamp), cast({0} as timestamp)
                union all
                select start, start + interval '1 month'
                from generate_series(cast({0} as timestamp), cast({1} as timestamp), interval '1 month') as start)
                as month_ (from_, to_)
              cross join lateral (select * from {2} where {3} and {4} >= {5} order by {4} limit {9}) as sampled_) as hot_
            where not coalesce({7}, false)""";

    private final DSLContext tx;
    private final ArchivePair<?> pair;
    private final SortedSet<String> inNone = new TreeSet<>();
    private final SortedSet<String> inDefault = new TreeSet<>();
    private final SortedSet<String> handedOver = new TreeSet<>();
    private final QueryPart isHandedOver;

    private PartitionsNeeded(DSLContext tx, ArchivePair<?> pair, List<String> handedOver) {
        this.tx = tx;
        this.pair = pair;
        this.isHandedOver = anyOf(handedOver);
    }

    /**
     * What is to be told of rows whose age is before a moment, as far as indexes lead to them; one sentence each.
     *
     * @param until as a sweep's cutoff is
     * @param handedOver the conditions of rows that bring a partition with them, if the one in which they are is handed over
     */
    public static List<String> warnings(
            DSLContext tx, ArchivePair<?> pair, LocalDateTime until, List<String> handedOver) {
        PartitionsNeeded needed = new PartitionsNeeded(tx, pair, handedOver);
        if (OwnRows.areInPartitions(tx.configuration(), pair.archive())) {
            needed.look(until);
        }
        return needed.warnings();
    }

    private void look(LocalDateTime until) {
        var partitions = tx.fetch(PARTITIONS, TableName.regclass(pair.archive()));
        QueryPart ordinary = anyOf(partitions, false);
        QueryPart otherwise = anyOf(partitions, true);
        for (CandidateQuery branch : CandidateQueries.expired(pair, until, List.of())) {
            CandidateQuery indexed = branch.inStretches(tx);
            String oldest = indexed.inStretches() ? oldest(indexed) : null;
            if (oldest == null) {
                continue;
            }
            Field<?> age = indexed.age();
            tx.fetch(
                            MONTHS_WITHOUT,
                            DSL.val(first(oldest, until).atDay(1).atStartOfDay().toString()),
                            DSL.val(until.toString()),
                            OwnRows.of(pair.hot()),
                            indexed.wanted(),
                            age,
                            between(age),
                            DSL.name(age.getName()),
                            ordinary,
                            otherwise,
                            DSL.inline(ROWS_OF_A_MONTH),
                            isHandedOver)
                    .forEach(row -> of(row).add(row.get("month", String.class)));
        }
    }

    private SortedSet<String> of(Record row) {
        if (row.get("handed_over", Boolean.class)) {
            return handedOver;
        }
        return row.get("in_default", Boolean.class) ? inDefault : inNone;
    }

    /** What a row's age is not before, and that it is before the end of the month. */
    private static QueryPart between(Field<?> age) {
        return DSL.sql("{0} and {1} < {2}", ofType(age, "from_"), age, ofType(age, "to_"));
    }

    private static QueryPart ofType(Field<?> age, String bound) {
        Field<LocalDateTime> moment = DSL.field(DSL.name("month_", bound), SQLDataType.LOCALDATETIME);
        return switch (NaiveUtc.kind(age.getDataType())) {
            case ZONED -> DSL.sql("timezone('UTC', {0})", moment);
            case DAY -> DSL.sql("cast({0} as date)", moment);
            default -> moment;
        };
    }

    /** That a row is for one of those partitions: as PostgreSQL writes that, so nothing in it is a placeholder. */
    private static QueryPart anyOf(List<Record> partitions, boolean isDefault) {
        return anyOf(partitions.stream()
                .filter(partition -> partition.get("is_default", Boolean.class) == isDefault)
                .map(partition -> partition.get("condition", String.class))
                .toList());
    }

    private static QueryPart anyOf(List<String> conditions) {
        return DSL.raw(conditions.isEmpty() ? "false" : "(" + String.join(") or (", conditions) + ")");
    }

    private @Nullable String oldest(CandidateQuery branch) {
        return tx.select(NaiveUtc.text(branch.age()))
                .from(OwnRows.of(pair.hot()))
                .where(branch.wanted())
                .orderBy(branch.age())
                .limit(DSL.inline(1))
                .fetchOne(0, String.class);
    }

    private static YearMonth first(String oldest, LocalDateTime until) {
        YearMonth first = YearMonth.from(until).minusMonths(MONTHS);
        LocalDateTime age = NaiveUtc.parse(oldest);
        return NaiveUtc.isInfinite(age) || YearMonth.from(age).isBefore(first) ? first : YearMonth.from(age);
    }

    private List<String> warnings() {
        String archive = TableName.name(pair.archive());
        List<String> warnings = new ArrayList<>();
        if (!inNone.isEmpty()) {
            warnings.add(archive + " has no partition for rows of " + named(inNone)
                    + ": a sweep leaves them hot, rejected; CREATE TABLE … PARTITION OF " + archive + " …");
        }
        if (!handedOver.isEmpty()) {
            warnings.add(archive + " has no partition of their own for rows of " + named(handedOver)
                    + ": none is needed for a partition of the hot table that is handed over as a whole, which a sweep finds out;"
                    + " where it moves row by row, they need one, or a default one");
        }
        if (!inDefault.isEmpty()) {
            warnings.add(archive + " has none but its default partition for rows of " + named(inDefault)
                    + ": they go there, and have to be moved out of it before one of their own can be made");
        }
        return warnings;
    }

    private static String named(SortedSet<String> months) {
        String named = months.stream().limit(NAMED).collect(Collectors.joining(", "));
        return months.size() > NAMED ? named + " and " + (months.size() - NAMED) + " more months" : named;
    }
}
