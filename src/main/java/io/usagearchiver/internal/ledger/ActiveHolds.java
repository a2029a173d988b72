package io.usagearchiver.internal.ledger;

import static io.usagearchiver.generated.Tables.USAGE_ARCHIVE_HOLD;

import io.usagearchiver.ArchivePair;
import io.usagearchiver.Hold;
import io.usagearchiver.RowFilter;
import io.usagearchiver.SchemaDriftException;
import io.usagearchiver.generated.tables.UsageArchiveHold;
import io.usagearchiver.internal.postgres.SqlState;
import io.usagearchiver.internal.postgres.TableName;
import io.usagearchiver.internal.rows.FilterTrial;
import io.usagearchiver.internal.schema.Direction;
import io.usagearchiver.internal.schema.LivePair;
import java.util.List;
import java.util.Objects;
import java.util.function.Supplier;
import org.jooq.DSLContext;
import org.jooq.exception.DataAccessException;
import org.jooq.impl.DSL;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The holds that count now. Each is tried before a sweep relies on it. One that cannot be honoured stops the sweep: what it was
 * to keep is not known.
 */
public final class ActiveHolds {
    private static final UsageArchiveHold H = USAGE_ARCHIVE_HOLD;
    private static final Logger log = LoggerFactory.getLogger("io.usagearchiver.StoredHolds");

    private ActiveHolds() {}

    /** The holds that count now on the hot table of a pair, tried. */
    public static List<Hold> active(DSLContext tx, ArchivePair<?> pair) {
        return tried(
                tx,
                pair,
                tx.select(StoredHolds.fields())
                        .from(H)
                        .where(StoredHolds.on(DSL.val(TableName.name(pair.hot()))))
                        .and(StoredHolds.ACTIVE)
                        .orderBy(H.HOLD_ID)
                        .fetch(StoredHolds::hold));
    }

    /** The holds, those that count now with why they cannot be honoured. */
    static List<Hold> tried(DSLContext tx, ArchivePair<?> pair, List<Hold> holds) {
        List<RowFilter> filters = filters(holds);
        if (filters.isEmpty()) {
            return holds;
        }
        FilterTrial trial = FilterTrial.of(tx, LivePair.read(tx, pair));
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
    public static List<RowFilter> filters(List<Hold> holds) {
        return holds.stream()
                .filter(hold -> hold.active() && hold.problem() == null)
                .map(Hold::filter)
                .filter(Objects::nonNull)
                .toList();
    }

    /** Which holds cannot be honoured, and how to mend that, one sentence each. */
    public static List<String> differences(List<Hold> holds) {
        return holds.stream()
                .filter(Hold::stopsSweeps)
                .map(hold -> "holds " + TableName.name(H) + " has hold " + hold.id() + ", which cannot be honoured: "
                        + hold.problem() + "; correct its row, or release it: usage-archiver release " + hold.id())
                .toList();
    }

    /** Holds that keep nothing, since there is no such table, or it is the archive; one sentence each. */
    public static List<String> keepingNothing(DSLContext tx, ArchivePair<?> pair) {
        return tx.select(H.HOLD_ID, H.TABLE_NAME)
                .from(H)
                .where(StoredHolds.ACTIVE)
                .and(H.TABLE_NAME.eq(TableName.name(pair.archive())).or(StoredHolds.LOST))
                .orderBy(H.HOLD_ID)
                .fetch(row -> "hold " + row.value1() + " keeps nothing: " + row.value2()
                        + (row.value2().equals(TableName.name(pair.archive()))
                                ? " is the archive; a hold names the hot table"
                                : " does not exist"));
    }

    /** What keeps holds from being read at all. */
    public static String unreadable(DataAccessException fault) {
        return "holds " + TableName.name(H) + " cannot be read: " + SqlState.message(fault)
                + (SqlState.isMissing(fault) || SqlState.isOfTypes(fault)
                        ? "; its columns must be as sql/02-ledger.sql has them"
                        : "");
    }

    /**
     * What a sweep has to leave.
     *
     * @param read reads the holds that count now
     * @throws SchemaDriftException if one cannot be honoured, or they cannot be read
     */
    public static List<RowFilter> toHonour(DSLContext tx, ArchivePair<?> pair, Supplier<List<Hold>> read) {
        List<Hold> holds;
        try {
            holds = tried(tx, pair, read.get());
        } catch (DataAccessException e) {
            if (SqlState.isPassing(e)) {
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
