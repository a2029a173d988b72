package io.usagearchiver.internal.inspect;

import static io.usagearchiver.generated.Tables.USAGE_ARCHIVE_SWEEP;

import io.usagearchiver.ArchivePair;
import io.usagearchiver.PastSweep;
import io.usagearchiver.generated.tables.UsageArchiveSweep;
import io.usagearchiver.internal.postgres.NaiveUtc;
import io.usagearchiver.internal.postgres.TableName;
import java.time.Duration;
import java.time.LocalDateTime;
import java.util.List;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.Record;
import org.jooq.impl.DSL;
import org.jooq.impl.SQLDataType;

/** Reads sweeps and restores from the ledger. */
public final class HistoryQuery {
    private static final UsageArchiveSweep L = USAGE_ARCHIVE_SWEEP;
    private static final Field<LocalDateTime> UNTIL = DSL.coalesce(L.FINISHED_AT, NaiveUtc.NOW);

    private HistoryQuery() {}

    public static List<PastSweep> newest(DSLContext tx, ArchivePair<?> pair, int limit) {
        Field<String> cutoff = NaiveUtc.text(L.CUTOFF);
        Field<String> started = NaiveUtc.text(L.STARTED_AT);
        Field<String> finished = NaiveUtc.text(L.FINISHED_AT);
        Field<Long> elapsed = millis(UNTIL);
        Field<Long> moving = millis(DSL.coalesce(L.LAST_BATCH_AT, L.STARTED_AT));
        return tx.select(L.fields())
                .select(cutoff, started, finished, elapsed, moving)
                .from(L)
                .where(L.TABLE_NAME.eq(TableName.name(pair.hot())))
                .orderBy(L.SWEEP_ID.desc())
                .limit(DSL.inline(limit))
                .fetch(row -> new PastSweep(
                        row.get(L.SWEEP_ID),
                        row.get(L.TABLE_NAME),
                        row.get(L.DIRECTION),
                        row.get(L.STATE),
                        row.get(L.NODE),
                        row.get(L.FIRED_BY),
                        moment(row, cutoff),
                        row.get(L.ROWS_MOVED),
                        row.get(L.ROWS_ALREADY_ARCHIVED),
                        row.get(L.ROWS_IN_CONFLICT),
                        row.get(L.ROWS_REJECTED),
                        row.get(L.BATCHES),
                        moment(row, started),
                        row.get(finished) == null ? null : moment(row, finished),
                        Duration.ofMillis(row.get(elapsed)),
                        Duration.ofMillis(row.get(moving)),
                        row.get(L.MESSAGE)));
    }

    private static Field<Long> millis(Field<LocalDateTime> until) {
        return DSL.field(
                "cast(extract(epoch from {0} - {1}) * 1000 as bigint)", SQLDataType.BIGINT, until, L.STARTED_AT);
    }

    private static LocalDateTime moment(Record row, Field<String> text) {
        return NaiveUtc.parse(row.get(text));
    }
}
