package io.usagearchiver.internal.ledger;

import static io.usagearchiver.generated.Tables.USAGE_ARCHIVE_SWEEP;

import io.usagearchiver.StopReason;
import io.usagearchiver.generated.tables.UsageArchiveSweep;
import io.usagearchiver.internal.postgres.NaiveUtc;
import java.time.Duration;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.List;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.Record;
import org.jooq.impl.DSL;
import org.jooq.impl.SQLDataType;
import org.jspecify.annotations.Nullable;

/** What a ledger row says at its end. */
public record LedgerClosing(LocalDateTime cutoff, StopReason reason, LedgerCounts counts, Duration elapsed) {
    private static final UsageArchiveSweep L = USAGE_ARCHIVE_SWEEP;

    /**
     * Closes the row, unless a newer sweep has done so, and reads what it says then.
     *
     * @param message the fault of a FAILED sweep, or what became of partitions, and why rows were rejected
     */
    public static LedgerClosing close(DSLContext tx, LedgerRow ledger, StopReason reason, @Nullable String message) {
        Field<String> cutoff = NaiveUtc.text(L.CUTOFF);
        Field<Long> elapsed = DSL.field(
                "cast(extract(epoch from {0} - {1}) * 1000 as bigint)",
                SQLDataType.BIGINT, L.FINISHED_AT, L.STARTED_AT);
        List<Field<?>> told = new ArrayList<>(LedgerCounts.FIELDS);
        told.addAll(List.of(cutoff, L.STATE, elapsed));
        Record row = tx.update(L)
                .set(L.STATE, reason.name())
                .set(L.MESSAGE, message)
                .set(L.FINISHED_AT, NaiveUtc.NOW)
                .where(L.SWEEP_ID.eq(ledger.sweepId()))
                .and(L.STATE.eq(LedgerRow.RUNNING))
                .returningResult(told)
                .fetchOne();
        if (row == null) {
            row = tx.select(told)
                    .from(L)
                    .where(L.SWEEP_ID.eq(ledger.sweepId()))
                    .fetchOptional()
                    .orElseThrow(() -> new SwallowedException(ledger.sweepId()));
            if (LedgerRow.RUNNING.equals(row.get(L.STATE))) {
                throw new SwallowedException(ledger.sweepId());
            }
        }
        return new LedgerClosing(
                NaiveUtc.parse(row.get(cutoff)),
                StopReason.valueOf(row.get(L.STATE)),
                LedgerCounts.of(row),
                Duration.ofMillis(row.get(elapsed)));
    }
}
