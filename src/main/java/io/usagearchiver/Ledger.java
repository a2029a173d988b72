package io.usagearchiver;

import static io.usagearchiver.generated.Tables.USAGE_ARCHIVE_HOLD;
import static io.usagearchiver.generated.Tables.USAGE_ARCHIVE_SWEEP;

import io.usagearchiver.generated.tables.UsageArchiveHold;
import io.usagearchiver.generated.tables.UsageArchiveSweep;
import java.time.Duration;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import org.jooq.Condition;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.Record;
import org.jooq.Result;
import org.jooq.exception.DataAccessException;
import org.jooq.impl.DSL;
import org.jooq.impl.SQLDataType;
import org.jspecify.annotations.Nullable;

/**
 * The ledger row of one sweep: its history, and the fence. A partial unique index allows one RUNNING row a table, so
 * that opening a sweep supersedes the one before; a batch commits only together with an update of its own RUNNING row,
 * under the holds that were read. Only a restore that gives signs of life is not superseded; those of a sweep are for people,
 * in {@link Health}. The database decides who moves rows, whatever the scheduler believes.
 */
final class Ledger {
    private static final UsageArchiveSweep L = USAGE_ARCHIVE_SWEEP;
    static final String RUNNING = "RUNNING";
    private static final String UNIQUE_VIOLATION = "23505";
    private static final int OPEN_ATTEMPTS = 10;
    private static final int SIGNS_IN_A_LIFE = 10;

    /** That a RUNNING row is a restore's, and has given a sign of life: it goes on. */
    private static final Condition ALIVE =
            L.DIRECTION.eq(Direction.RESTORE.name()).and(L.LIVE_UNTIL.gt(NaiveUtc.NOW));

    private final ArchivePair<?> pair;
    private final long sweepId;
    private final boolean busy;
    private final Duration life;
    private long signNanos = System.nanoTime();
    private @Nullable Integer holdsVersion;

    private Ledger(ArchivePair<?> pair, long sweepId, boolean busy, Duration life) {
        this.pair = pair;
        this.sweepId = sweepId;
        this.busy = busy;
        this.life = life;
    }

    /**
     * What a row says from its beginning.
     *
     * @param life how long a run counts as alive after each sign of it
     */
    record Opening(
            ArchivePair<?> pair,
            String table,
            Direction direction,
            Duration life,
            LocalDateTime cutoff,
            String node,
            String firedBy) {

        /**
         * Opens a row. Where an older one of the table is RUNNING, that is turned into SUPERSEDED first; a batch in flight of
         * that sweep is waited for. Nodes that open at the same instant take turns; the last one stays. While a restore is
         * alive, it goes on, and the row is BUSY. After a fault it is tried again; a row that was committed though the answer
         * was lost is found by its id, which the INSERT had told.
         */
        Ledger open(Session session, TransactionLimits limits, Retry retry) {
            AtomicReference<@Nullable Ledger> sent = new AtomicReference<>();
            return retry.run(() -> open(session, limits, sent));
        }

        private Ledger open(Session session, TransactionLimits limits, AtomicReference<@Nullable Ledger> sent) {
            Condition running = L.TABLE_NAME.eq(table).and(L.STATE.eq(RUNNING));
            for (int attempt = 1; ; attempt++) {
                // Hardly ever is there an older one: the index tells, for less than it costs to look first.
                boolean older = attempt > 1;
                try {
                    return session.transaction(limits, tx -> {
                        Ledger committed = sent.get();
                        if (committed != null && committed.isRunning(tx)) {
                            return committed;
                        }
                        if (older) {
                            // After a wait for a batch in flight, PostgreSQL looks at the row anew.
                            tx.update(L)
                                    .set(L.STATE, StopReason.SUPERSEDED.name())
                                    .set(L.FINISHED_AT, NaiveUtc.NOW)
                                    .where(running)
                                    .and(DSL.condition("not coalesce({0}, false)", ALIVE))
                                    .execute();
                        }
                        if (older && tx.fetchExists(L, running.and(ALIVE))) {
                            return refuse(tx, StopReason.BUSY);
                        }
                        Ledger opened = insert(tx, RUNNING);
                        sent.set(opened);
                        return opened;
                    });
                } catch (DataAccessException e) {
                    if (!UNIQUE_VIOLATION.equals(e.sqlState()) || attempt == OPEN_ATTEMPTS) {
                        throw e;
                    }
                }
            }
        }

        /** Writes the row of a run that ends before it begins. One that is RUNNING goes on. */
        Ledger refuse(DSLContext tx, StopReason reason) {
            return insert(tx, reason.name());
        }

        private Ledger insert(DSLContext tx, String state) {
            boolean runs = state.equals(RUNNING);
            long id = tx.insertInto(L)
                    .set(L.TABLE_NAME, table)
                    .set(L.DIRECTION, direction.name())
                    .set(L.STATE, state)
                    .set(L.NODE, node)
                    .set(L.FIRED_BY, firedBy)
                    .set(L.CUTOFF, NaiveUtc.moment(cutoff.toString(), L.CUTOFF.getDataType()))
                    .set(L.STARTED_AT, NaiveUtc.NOW)
                    .set(L.FINISHED_AT, runs ? DSL.castNull(L.FINISHED_AT) : NaiveUtc.NOW)
                    .set(L.LIVE_UNTIL, runs ? NaiveUtc.inFuture(life) : DSL.castNull(L.LIVE_UNTIL))
                    .returningResult(L.SWEEP_ID)
                    .fetchSingle()
                    .value1();
            return new Ledger(pair, id, state.equals(StopReason.BUSY.name()), life);
        }
    }

    /** Whether a row is that of a restore which no sweep supersedes. */
    static boolean isAlive(DSLContext tx, long sweepId) {
        return tx.fetchExists(L, L.SWEEP_ID.eq(sweepId).and(L.STATE.eq(RUNNING)).and(ALIVE));
    }

    long sweepId() {
        return sweepId;
    }

    /** Whether a restore holds the table: the row is closed already. */
    boolean isBusy() {
        return busy;
    }

    /**
     * The holds that count now. From here on a batch commits only if none was set since. The version is read with them, in
     * one snapshot, and a hold is committed before the version goes up: whoever has a version has the holds up to it. So is
     * the fingerprint: holds can be hidden for a moment that no batch sees.
     *
     * @throws Shape.ChangedException if the tables are not as they were when they were checked
     */
    List<Hold> readHolds(DSLContext tx, Shape shape) {
        UsageArchiveHold hold = USAGE_ARCHIVE_HOLD;
        List<Field<?>> fields = new ArrayList<>(StoredHolds.fields());
        fields.add(L.HOLDS_VERSION);
        Field<String> fingerprint = Shape.liveFingerprint(pair).as("fingerprint");
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
    boolean isSilent() {
        return System.nanoTime() - signNanos > life.dividedBy(SIGNS_IN_A_LIFE).toNanos();
    }

    /**
     * Gives a sign of life, in a transaction of its own, for others to see it while a long statement runs.
     *
     * @return the number of rows touched, which is 1
     * @throws SupersededException if the row is not RUNNING any more
     */
    int touch(DSLContext tx) {
        signNanos = System.nanoTime();
        int rows = tx.update(L)
                .set(L.LIVE_UNTIL, NaiveUtc.inFuture(life))
                .where(L.SWEEP_ID.eq(sweepId))
                .and(L.STATE.eq(RUNNING))
                .execute();
        if (rows == 0) {
            requireRunning(tx);
            throw swallowed();
        }
        return rows;
    }

    /**
     * Counts a batch in its own transaction.
     *
     * @throws SupersededException if the row is not RUNNING any more
     * @throws HoldsChangedException if a hold was set since {@link #readHolds}
     * @throws Shape.ChangedException if the tables are not as they were when they were checked
     * @throws SwallowedException if something keeps it from being counted
     */
    void count(DSLContext tx, Batch.Moved moved, Shape shape) {
        signNanos = System.nanoTime();
        Field<String> fingerprint = Shape.liveFingerprint(pair);
        String live = tx.update(L)
                .set(L.BATCHES, L.BATCHES.plus(1))
                .set(L.ROWS_MOVED, L.ROWS_MOVED.plus(moved.copied()))
                .set(L.ROWS_ALREADY_ARCHIVED, L.ROWS_ALREADY_ARCHIVED.plus(moved.proven()))
                .set(
                        L.ROWS_IN_CONFLICT,
                        L.ROWS_IN_CONFLICT.plus(moved.conflicts().size()))
                .set(L.ROWS_REJECTED, L.ROWS_REJECTED.plus(moved.rejected().size()))
                .set(L.LAST_BATCH_AT, NaiveUtc.NOW)
                .set(L.LIVE_UNTIL, NaiveUtc.inFuture(life))
                .where(L.SWEEP_ID.eq(sweepId))
                .and(L.STATE.eq(RUNNING))
                .and(holdsVersion == null ? DSL.noCondition() : L.HOLDS_VERSION.eq(holdsVersion))
                .returningResult(fingerprint)
                .fetchOne(fingerprint);
        if (live != null) {
            shape.requireUnchanged(live);
            return;
        }
        requireAsBefore(tx, shape);
        if (holdsVersion != null && !tx.fetchExists(L, L.SWEEP_ID.eq(sweepId).and(L.HOLDS_VERSION.eq(holdsVersion)))) {
            throw new HoldsChangedException();
        }
        throw swallowed();
    }

    private SwallowedException swallowed() {
        return new SwallowedException("an UPDATE of row " + sweepId + " of " + Shape.name(L)
                + ", which is RUNNING, changed no row: something swallows it that the schema check does not know");
    }

    /**
     * Reads the counts, after waiting for a batch in flight.
     *
     * @throws SupersededException if the row is not RUNNING any more
     */
    Counts counts(DSLContext tx) {
        Record row = tx.select(L.BATCHES, L.ROWS_MOVED, L.ROWS_IN_CONFLICT, L.ROWS_REJECTED)
                .from(L)
                .where(L.SWEEP_ID.eq(sweepId))
                .and(L.STATE.eq(RUNNING))
                .forUpdate()
                .fetchOne();
        if (row == null) {
            throw new SupersededException();
        }
        return new Counts(
                row.get(L.BATCHES), row.get(L.ROWS_MOVED), row.get(L.ROWS_IN_CONFLICT), row.get(L.ROWS_REJECTED));
    }

    /**
     * Sets the counts of rows that were kept back to those that are still known: the others will be met and counted again.
     *
     * @return the number of rows touched, which is 1
     * @throws SupersededException if the row is not RUNNING any more
     */
    int recount(DSLContext tx, int conflicts, int rejected) {
        int rows = tx.update(L)
                .set(L.ROWS_IN_CONFLICT, (long) conflicts)
                .set(L.ROWS_REJECTED, (long) rejected)
                .where(L.SWEEP_ID.eq(sweepId))
                .and(L.STATE.eq(RUNNING))
                .execute();
        if (rows == 0) {
            requireRunning(tx);
            throw swallowed();
        }
        return rows;
    }

    /**
     * Reads, without a lock, whether this sweep is still the one.
     *
     * @throws SupersededException if the row is not RUNNING any more
     */
    void requireRunning(DSLContext tx) {
        if (!isRunning(tx)) {
            throw new SupersededException();
        }
    }

    /**
     * Sees, without a lock, that this sweep is still the one, and that it looks at the tables that were checked.
     *
     * @throws SupersededException if the row is not RUNNING any more
     * @throws Shape.ChangedException if the tables are not as they were when they were checked
     */
    void requireAsBefore(DSLContext tx, Shape shape) {
        shape.requireUnchanged(
                tx.select(Shape.liveFingerprint(pair)).fetchSingle().value1());
        requireRunning(tx);
    }

    private boolean isRunning(DSLContext tx) {
        return tx.fetchExists(L, L.SWEEP_ID.eq(sweepId).and(L.STATE.eq(RUNNING)));
    }

    /** What has been committed. */
    record Counts(long batches, long rowsMoved, long rowsInConflict, long rowsRejected) {}

    /**
     * Closes the row, unless a newer sweep has done so, and reads the result from it.
     *
     * @param message the fault of a FAILED sweep, or why rows were rejected
     */
    SweepResult close(DSLContext tx, StopReason reason, @Nullable String message, KeptBack keptBack) {
        Field<String> cutoff = NaiveUtc.text(L.CUTOFF);
        Field<Long> elapsed = DSL.field(
                "cast(extract(epoch from {0} - {1}) * 1000 as bigint)",
                SQLDataType.BIGINT, L.FINISHED_AT, L.STARTED_AT);
        List<Field<?>> told = List.of(
                L.TABLE_NAME,
                cutoff,
                L.STATE,
                L.ROWS_MOVED,
                L.ROWS_ALREADY_ARCHIVED,
                L.ROWS_IN_CONFLICT,
                L.ROWS_REJECTED,
                L.BATCHES,
                elapsed);
        Record row = tx.update(L)
                .set(L.STATE, reason.name())
                .set(L.MESSAGE, message)
                .set(L.FINISHED_AT, NaiveUtc.NOW)
                .where(L.SWEEP_ID.eq(sweepId))
                .and(L.STATE.eq(RUNNING))
                .returningResult(told)
                .fetchOne();
        if (row == null) {
            row = tx.select(told)
                    .from(L)
                    .where(L.SWEEP_ID.eq(sweepId))
                    .fetchOptional()
                    .orElseThrow(this::swallowed);
            if (RUNNING.equals(row.get(L.STATE))) {
                throw swallowed();
            }
        }
        return new SweepResult(
                sweepId,
                row.get(L.TABLE_NAME),
                NaiveUtc.parse(row.get(cutoff)),
                StopReason.valueOf(row.get(L.STATE)),
                row.get(L.ROWS_MOVED),
                row.get(L.ROWS_ALREADY_ARCHIVED),
                row.get(L.ROWS_IN_CONFLICT),
                row.get(L.ROWS_REJECTED),
                row.get(L.BATCHES),
                Duration.ofMillis(row.get(elapsed)),
                keptBack.conflictingIds(),
                keptBack.rejectedIds());
    }

    /** A newer sweep has taken over. The batch must be rolled back and the sweep ends. */
    static final class SupersededException extends RuntimeException {
        private static final long serialVersionUID = 1;
    }

    /** An UPDATE has not found the row although it is there: nothing may be concluded from that. */
    static final class SwallowedException extends RuntimeException {
        private static final long serialVersionUID = 1;

        SwallowedException(String message) {
            super(message);
        }
    }

    /** A hold was set that the sweep has not read. The batch must be rolled back and the holds read again. */
    static final class HoldsChangedException extends RuntimeException {
        private static final long serialVersionUID = 1;
    }
}
