package io.usagearchiver.internal.inspect;

import io.usagearchiver.ArchivePair;
import io.usagearchiver.internal.postgres.NaiveUtc;
import io.usagearchiver.internal.postgres.OwnRows;
import io.usagearchiver.internal.postgres.QueryPlan;
import java.time.LocalDateTime;
import java.time.YearMonth;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.IntStream;
import org.jooq.Condition;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.impl.DSL;
import org.jspecify.annotations.Nullable;

/** How many rows of a hot table are of some age, as PostgreSQL's planner guesses from its statistics. Reads no row. */
final class BacklogEstimate {
    /** How many months are asked for one by one; older ones together. */
    private static final int MONTHS = 120;

    private final DSLContext tx;
    private final ArchivePair<?> pair;

    BacklogEstimate(DSLContext tx, ArchivePair<?> pair) {
        this.tx = tx;
        this.pair = pair;
    }

    /** The whole table. */
    long all() {
        return rows(DSL.noCondition());
    }

    /**
     * Rows whose age is a certain one of the age columns.
     *
     * @param from their age at least, or null for any
     * @param to what their age is before
     */
    long ofAge(int index, @Nullable String from, String to) {
        Field<?> age = pair.ages().get(index);
        // Unlike a sweep's num_nonnulls, IS NULL is a condition that there are statistics of.
        Condition ofThisAge = DSL.and(
                pair.ages().subList(0, index).stream().map(Field::isNull).toList());
        Condition young = from == null ? DSL.noCondition() : NaiveUtc.notBefore(age, from);
        return rows(pair.condition().and(ofThisAge).and(young).and(NaiveUtc.before(age, to)));
    }

    /** The rows of each month from that of the oldest age to the cutoff. */
    Map<String, Long> months(String oldestAge, LocalDateTime cutoff) {
        YearMonth last = YearMonth.from(cutoff);
        YearMonth first = last.minusMonths(MONTHS - 1L);
        Map<String, Long> months = new LinkedHashMap<>();
        boolean withYear = Character.isDigit(oldestAge.charAt(0)) && !oldestAge.endsWith("BC");
        if (withYear && YearMonth.from(NaiveUtc.parse(oldestAge)).isAfter(first)) {
            first = YearMonth.from(NaiveUtc.parse(oldestAge));
        } else {
            months.put("before " + first, ofMonths(null, start(first)));
        }
        for (YearMonth month = first; !month.isAfter(last); month = month.plusMonths(1)) {
            String end = month.equals(last) ? cutoff.toString() : start(month.plusMonths(1));
            months.put(month.toString(), ofMonths(start(month), end));
        }
        // The planner never guesses less than a row.
        months.values().removeIf(rows -> rows <= pair.ages().size());
        return months;
    }

    private long ofMonths(@Nullable String from, String to) {
        return IntStream.range(0, pair.ages().size())
                .mapToLong(index -> ofAge(index, from, to))
                .sum();
    }

    private static String start(YearMonth month) {
        return month.atDay(1).atStartOfDay().toString();
    }

    private long rows(Condition condition) {
        return QueryPlan.of(tx, tx.selectOne().from(OwnRows.of(pair.hot())).where(condition))
                .rows();
    }
}
