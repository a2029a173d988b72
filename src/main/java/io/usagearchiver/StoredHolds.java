package io.usagearchiver;

import static io.usagearchiver.generated.Tables.USAGE_ARCHIVE_HOLD;

import io.usagearchiver.generated.tables.UsageArchiveHold;
import java.time.DateTimeException;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Supplier;
import org.jooq.Condition;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.Record;
import org.jooq.TableField;
import org.jooq.exception.DataAccessException;
import org.jooq.impl.DSL;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The holds as their table has them. Anybody may have written them, so each that counts is tried before a sweep relies on
 * it. One that cannot be honoured stops the sweep: what it was to keep is not known.
 */
final class StoredHolds {
    private static final UsageArchiveHold H = USAGE_ARCHIVE_HOLD;

    private static final Logger log = LoggerFactory.getLogger(StoredHolds.class);

    /** In quotes only where it has to be. */
    private static final String PART =
            "(" + TableName.PLAIN_PART + "|\"(?!" + TableName.PLAIN_PART + "\"([.]|$))([^\"]|\"\")+\")";

    /** The names that {@link TableName#name} writes. The table's constraint has the same text. */
    static final String NAME = "^" + PART + "[.]" + PART + "$";

    private static final Condition NAMED = DSL.condition("{0} ~ {1}", H.TABLE_NAME, DSL.val(NAME));

    /**
     * That there is nothing of its name. Looked up in the catalog, since to_regclass is an error where the role has no
     * right on the schema; and of names alone, since to take another text apart is an error, too.
     */
    private static final Condition LOST = DSL.condition(
            "case when {0} then not exists (select from pg_catalog.pg_class c"
                    + " join pg_catalog.pg_namespace n on n.oid = c.relnamespace"
                    + " where n.nspname = (pg_catalog.parse_ident({1}))[1]"
                    + " and c.relname = (pg_catalog.parse_ident({1}))[2]) else false end",
            NAMED, H.TABLE_NAME);

    /** That a hold counts now. */
    static final Condition ACTIVE = H.RELEASED_AT
            .isNull()
            .or(H.RELEASED_AT.gt(NaiveUtc.NOW))
            .and(H.HOLD_UNTIL.isNull().or(H.HOLD_UNTIL.gt(NaiveUtc.NOW)));

    private static final Field<Boolean> IS_ACTIVE = DSL.field(ACTIVE).as("hold_is_active");
    private static final Field<Boolean> IS_NAMED = DSL.field(NAMED).as("hold_is_named");
    private static final Field<Boolean> IS_LOST = DSL.field(LOST).as("hold_is_lost");

    private StoredHolds() {}

    /** What {@link #hold} reads. */
    static List<Field<?>> fields() {
        List<Field<?>> fields = new ArrayList<>(List.of(
                H.HOLD_ID,
                H.TABLE_NAME,
                H.ID_MIN,
                H.ID_MAX,
                H.USER_ID,
                H.MODEL_ID,
                H.REASON,
                H.CREATED_BY,
                H.NODE,
                H.RELEASED_BY,
                IS_ACTIVE,
                IS_NAMED,
                IS_LOST));
        List.of(H.AGE_FROM, H.AGE_TO, H.CREATED_AT, H.HOLD_UNTIL, H.RELEASED_AT)
                .forEach(moment -> fields.add(NaiveUtc.text(moment).as(textOf(moment))));
        return fields;
    }

    private static String textOf(TableField<?, LocalDateTime> moment) {
        return moment.getName() + "_text";
    }

    /** Holds on a table, and those that may have been meant for it: they name none, or one that is not there. */
    static Condition on(Field<String> table) {
        return H.TABLE_NAME.eq(table).or(DSL.not(NAMED)).or(LOST);
    }

    /** The hold of a row with {@link #fields}; not tried yet. */
    static Hold hold(Record row) {
        List<String> problems = new ArrayList<>();
        if (!row.get(IS_NAMED)) {
            problems.add("table_name " + row.get(H.TABLE_NAME)
                    + ": must be schema.table, a part in quotes where it is not plain lower case, and only there");
        }
        LocalDateTime created = moment(row, H.CREATED_AT, problems);
        LocalDateTime until = moment(row, H.HOLD_UNTIL, problems);
        LocalDateTime released = moment(row, H.RELEASED_AT, problems);
        RowFilter filter = filter(row, problems);
        if (row.get(IS_LOST)) {
            problems = List.of(TableName.missing(row.get(H.TABLE_NAME)));
        }
        return new Hold(
                row.get(H.HOLD_ID),
                row.get(H.TABLE_NAME),
                filter,
                row.get(H.REASON),
                row.get(H.CREATED_BY),
                row.get(H.NODE),
                created == null ? LocalDateTime.MIN : created,
                LocalDateTime.MAX.equals(until) ? null : until,
                released,
                row.get(H.RELEASED_BY),
                row.get(IS_ACTIVE),
                problems.isEmpty() ? null : String.join("; ", problems));
    }

    private static @Nullable RowFilter filter(Record row, List<String> problems) {
        LocalDateTime from = moment(row, H.AGE_FROM, problems);
        LocalDateTime to = moment(row, H.AGE_TO, problems);
        if (!problems.isEmpty()) {
            return null;
        }
        try {
            return new RowFilter(
                    from, to, row.get(H.ID_MIN), row.get(H.ID_MAX), row.get(H.USER_ID), row.get(H.MODEL_ID));
        } catch (IllegalArgumentException e) {
            problems.add(String.valueOf(e.getMessage()));
            return null;
        }
    }

    private static @Nullable LocalDateTime moment(
            Record row, TableField<?, LocalDateTime> column, List<String> problems) {
        String text = row.get(textOf(column), String.class);
        try {
            return text == null ? null : NaiveUtc.parse(text);
        } catch (DateTimeException e) {
            problems.add(column.getName() + " " + text + ": must be a timestamp without a zone");
            return null;
        }
    }

    /** The holds that count now on the hot table of a pair, tried. */
    static List<Hold> active(DSLContext tx, ArchivePair<?> pair) {
        return tried(
                tx,
                pair,
                tx.select(fields())
                        .from(H)
                        .where(on(DSL.val(TableName.name(pair.hot()))))
                        .and(ACTIVE)
                        .orderBy(H.HOLD_ID)
                        .fetch(StoredHolds::hold));
    }

    /** The holds, those that count now with why they cannot be honoured. */
    static List<Hold> tried(DSLContext tx, ArchivePair<?> pair, List<Hold> holds) {
        List<RowFilter> filters = filters(holds);
        if (filters.isEmpty()) {
            return holds;
        }
        FilterTrial trial = FilterTrial.of(tx, pair);
        if (trial.allFit(filters)) {
            return holds;
        }
        return holds.stream()
                .map(hold -> {
                    RowFilter filter = hold.filter();
                    return filter == null || hold.problem() != null || !hold.active()
                            ? hold
                            : withProblem(hold, trial.problem(filter));
                })
                .toList();
    }

    private static Hold withProblem(Hold hold, @Nullable String problem) {
        return new Hold(
                hold.id(),
                hold.table(),
                hold.filter(),
                hold.reason(),
                hold.createdBy(),
                hold.node(),
                hold.createdAt(),
                hold.until(),
                hold.releasedAt(),
                hold.releasedBy(),
                hold.active(),
                problem);
    }

    /** What the holds keep that count now and can be honoured. */
    static List<RowFilter> filters(List<Hold> holds) {
        return holds.stream()
                .filter(hold -> hold.active() && hold.problem() == null)
                .map(Hold::filter)
                .filter(Objects::nonNull)
                .toList();
    }

    /** Which holds cannot be honoured, and how to mend that, one sentence each. */
    static List<String> differences(List<Hold> holds) {
        return holds.stream()
                .filter(Hold::stopsSweeps)
                .map(hold -> "holds " + TableName.name(H) + " has hold " + hold.id() + ", which cannot be honoured: "
                        + hold.problem() + "; correct its row, or release it: usage-archiver release " + hold.id())
                .toList();
    }

    /** Holds that keep nothing, since there is no such table, or it is the archive; one sentence each. */
    static List<String> keepingNothing(DSLContext tx, ArchivePair<?> pair) {
        return tx.select(H.HOLD_ID, H.TABLE_NAME)
                .from(H)
                .where(ACTIVE)
                .and(H.TABLE_NAME.eq(TableName.name(pair.archive())).or(LOST))
                .orderBy(H.HOLD_ID)
                .fetch(row -> "hold " + row.value1() + " keeps nothing: " + row.value2()
                        + (row.value2().equals(TableName.name(pair.archive()))
                                ? " is the archive; a hold names the hot table"
                                : " does not exist"));
    }

    /** What keeps holds from being read at all. */
    static String unreadable(DataAccessException fault) {
        return "holds " + TableName.name(H) + " cannot be read: " + Faults.message(fault)
                + (Faults.isMissing(fault) || Faults.isOfTypes(fault)
                        ? "; its columns must be as sql/02-ledger.sql has them"
                        : "");
    }

    /**
     * What a sweep has to leave.
     *
     * @param read reads the holds that count now
     * @throws SchemaDriftException if one cannot be honoured, or they cannot be read
     */
    static List<RowFilter> toHonour(DSLContext tx, ArchivePair<?> pair, Supplier<List<Hold>> read) {
        List<Hold> holds;
        try {
            holds = tried(tx, pair, read.get());
        } catch (DataAccessException e) {
            if (Faults.isPassing(e)) {
                throw e;
            }
            throw drift(pair, List.of(unreadable(e)));
        }
        List<String> differences = differences(holds);
        if (!differences.isEmpty()) {
            throw drift(pair, differences);
        }
        holds.stream()
                .filter(hold -> hold.active() && hold.problem() != null)
                .forEach(hold -> log.warn(
                        "Hold {} keeps nothing: {}; if it was meant for {}, its rows are archived: correct it, or release"
                                + " it: usage-archiver release {}",
                        hold.id(),
                        hold.problem(),
                        TableName.name(pair.hot()),
                        hold.id()));
        return filters(holds);
    }

    private static SchemaDriftException drift(ArchivePair<?> pair, List<String> differences) {
        return Direction.ARCHIVE.drift(TableName.name(pair.hot()), differences, "");
    }
}
