package io.usagearchiver.internal.ledger;

import static io.usagearchiver.generated.Tables.USAGE_ARCHIVE_SWEEP;

import io.usagearchiver.generated.tables.UsageArchiveSweep;
import io.usagearchiver.internal.postgres.NaiveUtc;
import io.usagearchiver.internal.schema.PairSchema;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.Record1;
import org.jooq.ResultQuery;
import org.jooq.UpdateConditionStep;
import org.jooq.UpdateSetFirstStep;
import org.jooq.impl.DSL;
import org.jspecify.annotations.Nullable;

/**
 * How a batch is counted in the ledger row of its run, in its own transaction: only while that is RUNNING, under the holds
 * that were read, and with the tables as they were checked.
 */
public record BatchCount(LedgerRow ledger, PairSchema schema) {
    private static final UsageArchiveSweep L = USAGE_ARCHIVE_SWEEP;

    /**
     * Counts a batch.
     *
     * @throws SupersededException if the row is not RUNNING any more
     * @throws HoldsChangedException if a hold was set since {@link LedgerRow#readHolds}
     * @throws PairSchema.ChangedException if the tables are not as they were when they were checked
     * @throws SwallowedException if something keeps it from being counted
     */
    public void add(DSLContext tx, BatchResult moved) {
        Field<String> fingerprint = ledger.liveFingerprint();
        String live = counting(
                        tx.update(L),
                        DSL.val(moved.copied()),
                        moved.proven(),
                        moved.conflicts().size(),
                        moved.rejected().size())
                .returningResult(fingerprint)
                .fetchOne(fingerprint);
        require(tx, live);
    }

    /**
     * What counts a batch within the statement that moves its rows, if there is any.
     *
     * @param moved how many
     * @param name what it is to call the fingerprint that it returns, for {@link #require}
     * @param later whether that is empty instead, for {@link #requireNow}
     */
    public ResultQuery<Record1<String>> within(Field<Integer> moved, String name, boolean later) {
        return counting(DSL.update(L), moved, 0, 0, 0)
                .and(DSL.condition("{0} > 0", moved))
                .returningResult((later ? DSL.inline("") : ledger.liveFingerprint()).as(name));
    }

    /**
     * Sees that a batch was counted.
     *
     * @param live the fingerprint that counting it has returned; null if it has returned nothing
     * @throws RuntimeException as {@link #add} does
     */
    public void require(DSLContext tx, @Nullable String live) {
        if (live == null) {
            ledger.requireNoReason(tx, schema);
        } else {
            schema.requireUnchanged(live);
        }
    }

    /**
     * Sees that a batch was counted, and reads the fingerprint now.
     *
     * @param counted what counting it has returned; null if it has returned nothing
     * @throws RuntimeException as {@link #add} does
     */
    public void requireNow(DSLContext tx, @Nullable String counted) {
        require(
                tx,
                counted == null
                        ? null
                        : tx.select(ledger.liveFingerprint()).fetchSingle().value1());
    }

    /** Sees the same without counting anything, since there is nothing: but for the holds. */
    public void requireAsBefore(DSLContext tx) {
        ledger.requireAsBefore(tx, schema);
    }

    private UpdateConditionStep<?> counting(
            UpdateSetFirstStep<?> update, Field<Integer> copied, int proven, int conflicts, int rejected) {
        return update.set(L.BATCHES, L.BATCHES.plus(1))
                .set(L.ROWS_MOVED, L.ROWS_MOVED.plus(copied))
                .set(L.ROWS_ALREADY_ARCHIVED, L.ROWS_ALREADY_ARCHIVED.plus(proven))
                .set(L.ROWS_IN_CONFLICT, L.ROWS_IN_CONFLICT.plus(conflicts))
                .set(L.ROWS_REJECTED, L.ROWS_REJECTED.plus(rejected))
                .set(L.LAST_BATCH_AT, NaiveUtc.NOW)
                .set(L.LIVE_UNTIL, ledger.signOfLife())
                .where(ledger.isAsBefore());
    }
}
