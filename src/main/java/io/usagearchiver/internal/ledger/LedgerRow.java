package io.usagearchiver.internal.ledger;

import static io.usagearchiver.generated.Tables.USAGE_ARCHIVE_HOLD;
import static io.usagearchiver.generated.Tables.USAGE_ARCHIVE_SWEEP;

import io.usagearchiver.ArchivePair;
import io.usagearchiver.Hold;
import io.usagearchiver.generated.tables.UsageArchiveHold;
import io.usagearchiver.generated.tables.UsageArchiveSweep;
import io.usagearchiver.internal.postgres.NaiveUtc;
import io.usagearchiver.internal.schema.Direction;
import io.usagearchiver.internal.schema.PairSchema;
import java.time.Duration;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.List;
import org.jooq.Condition;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.Record;
import org.jooq.Result;
import org.jooq.impl.DSL;
import org.jspecify.annotations.Nullable;

/**
 * The ledger row of one sweep: its history, and the fence. A partial unique index allows one RUNNING row a table, so
 * that opening a sweep supersedes the one before; a batch commits only together with an update of its own RUNNING row,
 * under the holds that were read. Only a restore that gives signs of life is not superseded; those of a sweep are for people,
 * in {@link io.usagearchiver.Health}. The database decides who moves rows, whatever the scheduler believes.
 */
public final class LedgerRow {
    private static final UsageArchiveSweep L = USAGE_ARCHIVE_SWEEP;
    public static final String RUNNING = "RUNNING";
    private static final int SIGNS_IN_A_LIFE = 10;

    private final ArchivePair<?> pair;
    private final String table;
    private final Direction direction;
    private final LocalDateTime cutoff;
    private final long sweepId;
    private final boolean busy;
    private final Duration life;
    private volatile long signNanos = System.nanoTime();
    private @Nullable Integer holdsVersion;

    LedgerRow(
            ArchivePair<?> pair,
            String table,
            Direction direction,
            LocalDateTime cutoff,
            long sweepId,
            boolean busy,
            Duration life) {
        this.pair = pair;
        this.table = table;
        this.direction = direction;
        this.cutoff = cutoff;
        this.sweepId = sweepId;
        this.busy = busy;
        this.life = life;
    }

    public long sweepId() {
        return sweepId;
    }

    /** The hot table's canonical name. */
    public String table() {
        return table;
    }

    public Direction direction() {
        return direction;
    }

    public LocalDateTime cutoff() {
        return cutoff;
    }

    /** Which run it is, for people: "Sweep 7 of public.model_usage_details". */
    @Override
    public String toString() {
        return direction + " " + sweepId + " of " + table;
    }

    /** Whether a restore holds the table: the row is closed already. */
    public boolean isBusy() {
        return busy;
    }

    /**
     * The holds that count now. From here on a batch commits only if none was set since. The version is read with them, in
     * one snapshot, and a hold is committed before the version goes up: whoever has a version has the holds up to it. So is
     * the fingerprint: holds can be hidden for a moment that no batch sees.
     *
     * @throws PairSchema.ChangedException if the tables are not as they were when they were checked
     */
    public List<Hold> readHolds(DSLContext tx, PairSchema shape) {
        UsageArchiveHold hold = USAGE_ARCHIVE_HOLD;
        List<Field<?>> fields = new ArrayList<>(StoredHolds.fields());
        fields.add(L.HOLDS_VERSION);
        Field<String> fingerprint = PairSchema.liveFingerprint(pair).as("fingerprint");
        fields.add(fingerprint);
        Result<Record> rows = tx.select(fields)
                .from(L)
                .leftJoin(hold)
                .on(StoredHolds.on(L.TABLE_NAME))
                .and(StoredHolds.ACTIVE)
                .where(L.SWEEP_ID.eq(sweepId))
                .orderBy(hold.HOLD_ID)
                .fetch();
        if (rows.isEmpty()) {
            throw new SupersededException();
        }
        shape.requireUnchanged(rows.get(0).get(fingerprint));
        holdsVersion = rows.get(0).get(L.HOLDS_VERSION);
        return rows.stream()
                .filter(row -> row.get(hold.HOLD_ID) != null)
                .map(StoredHolds::hold)
                .toList();
    }

    /** Whether it is time for another sign of life. */
    public boolean isSilent() {
        return System.nanoTime() - signNanos > life.dividedBy(SIGNS_IN_A_LIFE).toNanos();
    }

    /**
     * Gives a sign of life, in a transaction of its own, for others to see it while a long statement runs.
     *
     * @return the number of rows touched, which is 1
     * @throws SupersededException if the row is not RUNNING any more
     */
    public int touch(DSLContext tx) {
        int rows = tx.update(L)
                .set(L.LIVE_UNTIL, signOfLife())
                .where(L.SWEEP_ID.eq(sweepId))
                .and(L.STATE.eq(RUNNING))
                .execute();
        if (rows == 0) {
            requireRunning(tx);
            throw new SwallowedException(sweepId);
        }
        return rows;
    }

    /** Notes that a batch is about to count as a sign of life. Returns until when it will be one. */
    Field<LocalDateTime> signOfLife() {
        signNanos = System.nanoTime();
        return NaiveUtc.inFuture(life);
    }

    /** That the row is that of this sweep, which is RUNNING, under the holds that were read. */
    Condition isAsBefore() {
        return L.SWEEP_ID.eq(sweepId).and(L.STATE.eq(RUNNING)).and(hasSameHolds());
    }

    private Condition hasSameHolds() {
        return holdsVersion == null ? DSL.noCondition() : L.HOLDS_VERSION.eq(holdsVersion);
    }

    /** The fingerprint of the live tables. */
    Field<String> liveFingerprint() {
        return PairSchema.liveFingerprint(pair);
    }

    /**
     * Says why a batch was not counted.
     *
     * @throws SupersededException if the row is not RUNNING any more
     * @throws HoldsChangedException if a hold was set since {@link #readHolds}
     * @throws PairSchema.ChangedException if the tables are not as they were when they were checked
     * @throws SwallowedException if something keeps it from being counted
     */
    void requireNoReason(DSLContext tx, PairSchema shape) {
        requireAsBefore(tx, shape);
        if (!tx.fetchExists(L, L.SWEEP_ID.eq(sweepId).and(hasSameHolds()))) {
            throw new HoldsChangedException();
        }
        throw new SwallowedException(sweepId);
    }

    /**
     * Reads the counts, after waiting for a batch in flight.
     *
     * @throws SupersededException if the row is not RUNNING any more
     */
    public LedgerCounts counts(DSLContext tx) {
        Record row = tx.select(LedgerCounts.FIELDS)
                .from(L)
                .where(L.SWEEP_ID.eq(sweepId))
                .and(L.STATE.eq(RUNNING))
                .forUpdate()
                .fetchOne();
        if (row == null) {
            throw new SupersededException();
        }
        return LedgerCounts.of(row);
    }

    /**
     * Sets the counts of rows that were kept back to those that are still known: the others will be met and counted again.
     *
     * @return the number of rows touched, which is 1
     * @throws SupersededException if the row is not RUNNING any more
     */
    public int recount(DSLContext tx, int conflicts, int rejected) {
        int rows = tx.update(L)
                .set(L.ROWS_IN_CONFLICT, (long) conflicts)
                .set(L.ROWS_REJECTED, (long) rejected)
                .where(L.SWEEP_ID.eq(sweepId))
                .and(L.STATE.eq(RUNNING))
                .execute();
        if (rows == 0) {
            requireRunning(tx);
            throw new SwallowedException(sweepId);
        }
        return rows;
    }

    /**
     * Reads, without a lock, whether this sweep is still the one.
     *
     * @throws SupersededException if the row is not RUNNING any more
     */
    public void requireRunning(DSLContext tx) {
        if (!isRunning(tx)) {
            throw new SupersededException();
        }
    }

    /**
     * Sees, without a lock, that this sweep is still the one, and that it looks at the tables that were checked.
     *
     * @throws SupersededException if the row is not RUNNING any more
     * @throws PairSchema.ChangedException if the tables are not as they were when they were checked
     */
    public void requireAsBefore(DSLContext tx, PairSchema shape) {
        shape.requireUnchanged(
                tx.select(PairSchema.liveFingerprint(pair)).fetchSingle().value1());
        requireRunning(tx);
    }

    boolean isRunning(DSLContext tx) {
        return tx.fetchExists(L, L.SWEEP_ID.eq(sweepId).and(L.STATE.eq(RUNNING)));
    }
}
