package io.usagearchiver;

import static io.usagearchiver.generated.Tables.USAGE_ARCHIVE_SWEEP;

import io.usagearchiver.generated.tables.UsageArchiveSweep;
import java.time.Duration;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.Record;
import org.jooq.impl.DSL;
import org.jooq.impl.SQLDataType;
import org.jspecify.annotations.Nullable;

/**
 * Whether an archiver can do its work, as its database says: so it is the same on every node.
 *
 * @param status what it comes to
 * @param message a sentence for people
 * @param sinceLastSweep how long ago, by the database's clock, the last sweep of any node began; null without one, or where
 *     the ledger could not be read
 */
public record Health(
        Status status, String message, @Nullable Duration sinceLastSweep) {
    private static final UsageArchiveSweep L = USAGE_ARCHIVE_SWEEP;

    /** What a health comes to. */
    public enum Status {
        /** It can sweep, and its last sweep did not fail. */
        OK,
        /** The database does not allow a sweep; the message says why. */
        DISABLED,
        /** A fault ended its last sweep; the message has it. */
        LAST_SWEEP_FAILED,
        /** The database does not answer, or not to this. */
        NO_ANSWER
    }

    /** Whether nobody has to do anything. */
    public boolean ok() {
        return status == Status.OK;
    }

    /** Reads how the last sweep of a table ended. One that was refused before it began says nothing about that. */
    static Health read(DSLContext tx, String table) {
        Field<String> finished = NaiveUtc.text(DSL.field("date_trunc('second', {0})", L.FINISHED_AT));
        Field<Long> since = DSL.field(
                "cast(extract(epoch from {0} - {1}) * 1000 as bigint)", SQLDataType.BIGINT, NaiveUtc.NOW, L.STARTED_AT);
        Record last = tx.select(L.SWEEP_ID, L.STATE, L.NODE, finished, L.MESSAGE, since)
                .from(L)
                .where(L.TABLE_NAME.eq(table))
                .and(L.DIRECTION.eq(Direction.ARCHIVE.name()))
                .and(L.BATCHES.gt(0L).or(L.STATE.notIn(StopReason.OUTSIDE_WINDOW.name(), StopReason.BUSY.name())))
                .orderBy(L.SWEEP_ID.desc())
                .limit(1)
                .fetchOne();
        if (last == null) {
            return new Health(Status.OK, "no sweep of " + table + " yet", null);
        }
        String sweep = "sweep " + last.get(L.SWEEP_ID) + " of " + table + " on " + last.get(L.NODE);
        String end = last.get(finished);
        Duration age = Duration.ofMillis(last.get(since));
        if (StopReason.FAILED.name().equals(last.get(L.STATE))) {
            return new Health(
                    Status.LAST_SWEEP_FAILED, sweep + " failed at " + end + " UTC: " + last.get(L.MESSAGE), age);
        }
        String told = end == null ? " is running" : " ended " + last.get(L.STATE) + " at " + end + " UTC";
        return new Health(Status.OK, sweep + told, age);
    }
}
