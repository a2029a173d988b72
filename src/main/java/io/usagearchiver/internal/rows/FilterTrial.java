package io.usagearchiver.internal.rows;

import static io.usagearchiver.generated.Tables.USAGE_ARCHIVE_HOLD;

import io.usagearchiver.ArchivePair;
import io.usagearchiver.RowFilter;
import io.usagearchiver.internal.postgres.NaiveUtc;
import io.usagearchiver.internal.postgres.SqlState;
import io.usagearchiver.internal.postgres.StorableText;
import io.usagearchiver.internal.postgres.TableName;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.jooq.Condition;
import org.jooq.DSLContext;
import org.jooq.exception.DataAccessException;
import org.jooq.impl.DSL;
import org.jooq.impl.SQLDataType;
import org.jspecify.annotations.Nullable;

/**
 * Tries filters against the live hot table before anybody relies on them. The server compares their values with one row of
 * nulls that has the table's columns, by the very conditions of a sweep: so it looks up each operator and reads each value,
 * but no row of the table.
 */
public final class FilterTrial {
    private final DSLContext tx;
    private final ArchivePair<?> pair;
    private final String hot;
    private final ColumnTrial columns;

    private FilterTrial(DSLContext tx, ArchivePair<?> pair) {
        this.tx = tx;
        this.pair = pair;
        this.hot = TableName.name(pair.hot());
        this.columns = ColumnTrial.of(tx, pair);
    }

    /** Reads the live types of the columns that filters can name. */
    public static FilterTrial of(DSLContext tx, ArchivePair<?> pair) {
        return new FilterTrial(tx, pair);
    }

    /**
     * Sees that a filter that somebody gives can be stored and honoured. Its keys and the values of columns come back as
     * PostgreSQL writes them, so that one without a zone, which is read as UTC, has one for whoever reads the hold, and one
     * that depends on the day is that of today.
     *
     * @throws IllegalArgumentException if it cannot
     */
    public RowFilter require(RowFilter filter) {
        ids(filter).forEach(id -> StorableText.require("id", id));
        ColumnTrial.requireStorable(filter);
        String problem = problem(filter);
        if (problem != null) {
            throw new IllegalArgumentException(problem);
        }
        return new RowFilter(
                filter.from(),
                filter.to(),
                storedId(filter.minId()),
                storedId(filter.maxId()),
                filter.userId(),
                filter.modelId(),
                columns.stored(tx, filter));
    }

    /** Whether all of them can be honoured, asked at once. */
    public boolean allFit(List<RowFilter> filters) {
        return filters.stream().allMatch(filter -> mismatch(filter) == null)
                && fault(DSL.and(filters.stream()
                                .flatMap(filter -> attempts(filter).stream())
                                .map(Attempt::fits)
                                .toList()))
                        == null;
    }

    /** Why a filter cannot be honoured, or null. */
    @Nullable
    public String problem(RowFilter filter) {
        String mismatch = mismatch(filter);
        if (mismatch != null) {
            return mismatch;
        }
        for (Attempt attempt : attempts(filter)) {
            String fault = fault(attempt.fits());
            if (fault != null) {
                return attempt.otherwise() + fault;
            }
        }
        return null;
    }

    /** What takes no server to tell. */
    private @Nullable String mismatch(RowFilter filter) {
        if (pair.key().size() > 1 && !ids(filter).isEmpty()) {
            return idRange(filter) + ": the key of " + hot + " has several columns; name rows by their age instead";
        }
        // Days have no time: the rest of the first or the last one would be passed over or taken unasked.
        boolean days = NaiveUtc.kind(pair.ages().get(0).getDataType()) == NaiveUtc.Kind.DAY;
        for (var moment : moments(filter).entrySet()) {
            if (days
                    && !NaiveUtc.isInfinite(moment.getValue())
                    && !moment.getValue().toLocalTime().equals(LocalTime.MIDNIGHT)) {
                return moment.getKey() + " " + NaiveUtc.literal(moment.getValue()) + ": ages of " + hot
                        + " are days; leave out the time of day";
            }
        }
        return columns.mismatch(filter);
    }

    private List<Attempt> attempts(RowFilter filter) {
        List<Attempt> attempts = new ArrayList<>();
        KeyColumns key = KeyColumns.of(pair.hot(), pair);
        for (String id : ids(filter)) {
            attempts.add(new Attempt(key.values(id).get(0).isNotNull(), "id " + id + ": not a key of " + hot));
        }
        String minId = filter.minId();
        String maxId = filter.maxId();
        if (minId != null && maxId != null) {
            attempts.add(
                    new Attempt(key.inOrder(minId, maxId), idRange(filter) + ": the first must not be after the last"));
        }
        moments(filter)
                .forEach((name, moment) -> attempts.add(new Attempt(
                        NaiveUtc.moment(NaiveUtc.literal(moment), SQLDataType.LOCALDATETIME)
                                .isNotNull(),
                        name + " " + NaiveUtc.literal(moment) + ": not a moment that PostgreSQL knows")));
        attempts.addAll(columns.attempts(filter));
        Condition matches = new FilterCondition(filter, pair.hot(), pair).matches();
        // Whatever an extension's operators make of nulls.
        attempts.add(new Attempt(
                matches.isNull().or(matches.isNotNull()), filter + ": cannot be compared with the rows of " + hot));
        return attempts;
    }

    /** Why a condition is not true, in PostgreSQL's words where it has any; null if it is true. */
    private @Nullable String fault(Condition fits) {
        try {
            // Nested: behind a savepoint, so that the transaction survives.
            boolean fit = tx.transactionResult(nested -> Boolean.TRUE.equals(nested.dsl()
                    .select(DSL.field(fits))
                    .from(DSL.table("(select 1) as one"))
                    .leftJoin(pair.hot())
                    .on(DSL.falseCondition())
                    .fetchSingle()
                    .value1()));
            return fit ? null : "";
        } catch (DataAccessException e) {
            if (SqlState.isPassing(e) || SqlState.isForbidden(e)) {
                throw e;
            }
            return " (" + SqlState.told(e) + ")";
        }
    }

    private @Nullable String storedId(@Nullable String id) {
        if (id == null) {
            return null;
        }
        String stored = tx.select(
                        KeyColumns.of(pair.hot(), pair).values(id).get(0).cast(SQLDataType.VARCHAR))
                .fetchSingle()
                .value1();
        int most = USAGE_ARCHIVE_HOLD.ID_MIN.getDataType().length();
        if (stored.codePointCount(0, stored.length()) > most) {
            throw new IllegalArgumentException(
                    "id " + id + ": must not be longer than " + most + " characters, which is what a hold can keep");
        }
        return stored;
    }

    /** The keys that are set. */
    private static List<String> ids(RowFilter filter) {
        return Stream.of(filter.minId(), filter.maxId())
                .filter(Objects::nonNull)
                .toList();
    }

    /** The keys as a person reads them. */
    private static String idRange(RowFilter filter) {
        return RowFilter.ids(filter.minId(), filter.maxId()).toString();
    }

    /** The ages that are set, by what they are called. */
    private static Map<String, LocalDateTime> moments(RowFilter filter) {
        Map<String, LocalDateTime> moments = new LinkedHashMap<>();
        LocalDateTime from = filter.from();
        LocalDateTime to = filter.to();
        if (from != null) {
            moments.put("from", from);
        }
        if (to != null) {
            moments.put("to", to);
        }
        return moments;
    }
}
