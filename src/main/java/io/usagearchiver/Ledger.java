package io.usagearchiver;

import static io.usagearchiver.generated.Tables.USAGE_ARCHIVE_SWEEP;

import io.usagearchiver.generated.tables.UsageArchiveSweep;
import java.time.Duration;
import java.time.LocalDateTime;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.Record;
import org.jooq.exception.DataAccessException;
import org.jooq.impl.DSL;
import org.jooq.impl.SQLDataType;
import org.jspecify.annotations.Nullable;

/**
 * The ledger row of one sweep: its history, and the fence. A partial unique index allows one RUNNING row a table, so
 * that opening a sweep supersedes the one before; a batch commits only together with an update of its own RUNNING row.
 * The database decides who moves rows, whatever the scheduler believes.
 */
final class Ledger {
    private static final UsageArchiveSweep L = USAGE_ARCHIVE_SWEEP;
    private static final String RUNNING = "RUNNING";
    private static final String UNIQUE_VIOLATION = "23505";
    private static final int OPEN_ATTEMPTS = 10;

    private final ArchivePair<?> pair;
    private final long sweepId;

    private Ledger(ArchivePair<?> pair, long sweepId) {
        this.pair = pair;
        this.sweepId = sweepId;
    }

    /**
     * Opens a row, after turning an older RUNNING one of the table into SUPERSEDED; a batch in flight of that sweep is
     * waited for. Nodes that open at the same instant take turns; the last one stays.
     */
    static Ledger open(
            Session session,
            TransactionLimits limits,
            ArchivePair<?> pair,
            String table,
            LocalDateTime cutoff,
            String node,
            String firedBy) {
        for (int attempt = 1; ; attempt++) {
            try {
                return session.transaction(limits, tx -> {
                    tx.update(L)
                            .set(L.STATE, StopReason.SUPERSEDED.name())
                            .set(L.FINISHED_AT, NaiveUtc.NOW)
                            .where(L.TABLE_NAME.eq(table))
                            .and(L.STATE.eq(RUNNING))
                            .execute();
                    Long id = insert(tx, table, cutoff, node, firedBy, RUNNING);
                    return new Ledger(pair, id);
                });
            } catch (DataAccessException e) {
                if (!UNIQUE_VIOLATION.equals(e.sqlState()) || attempt == OPEN_ATTEMPTS) {
                    throw e;
                }
            }
        }
    }

    /** Writes the row of a sweep that ends before it begins. One that is RUNNING goes on. */
    static Ledger refuse(
            DSLContext tx,
            ArchivePair<?> pair,
            String table,
            LocalDateTime cutoff,
            String node,
            String firedBy,
            StopReason reason) {
        return new Ledger(pair, insert(tx, table, cutoff, node, firedBy, reason.name()));
    }

    private static long insert(
            DSLContext tx, String table, LocalDateTime cutoff, String node, String firedBy, String state) {
        return tx.insertInto(L)
                .set(L.TABLE_NAME, table)
                .set(L.STATE, state)
                .set(L.NODE, node)
                .set(L.FIRED_BY, firedBy)
                .set(L.CUTOFF, NaiveUtc.moment(cutoff.toString(), L.CUTOFF.getDataType()))
                .set(L.STARTED_AT, NaiveUtc.NOW)
                .set(L.FINISHED_AT, state.equals(RUNNING) ? DSL.castNull(L.FINISHED_AT) : NaiveUtc.NOW)
                .returningResult(L.SWEEP_ID)
                .fetchSingle()
                .value1();
    }

    long sweepId() {
        return sweepId;
    }

    /**
     * Counts a batch in its own transaction.
     *
     * @return the fingerprint of the pair's live columns
     * @throws SupersededException if the row is not RUNNING any more
     */
    String count(DSLContext tx, Batch.Moved<?> moved) {
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
                .where(L.SWEEP_ID.eq(sweepId))
                .and(L.STATE.eq(RUNNING))
                .returningResult(fingerprint)
                .fetchOne(fingerprint);
        if (live == null) {
            throw new SupersededException();
        }
        return live;
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
     * Reads, without a lock, whether this sweep is still the one.
     *
     * @throws SupersededException if the row is not RUNNING any more
     */
    void requireRunning(DSLContext tx) {
        if (!tx.fetchExists(L, L.SWEEP_ID.eq(sweepId).and(L.STATE.eq(RUNNING)))) {
            throw new SupersededException();
        }
    }

    /** What has been committed. */
    record Counts(long batches, long rowsMoved, long rowsInConflict, long rowsRejected) {}

    /**
     * Closes the row, unless a newer sweep has done so, and reads the result from it.
     *
     * @param message the fault of a FAILED sweep, or why rows were rejected
     */
    SweepResult close(DSLContext tx, StopReason reason, @Nullable String message, KeptBack<?> keptBack) {
        tx.update(L)
                .set(L.STATE, reason.name())
                .set(L.MESSAGE, message)
                .set(L.FINISHED_AT, NaiveUtc.NOW)
                .where(L.SWEEP_ID.eq(sweepId))
                .and(L.STATE.eq(RUNNING))
                .execute();
        Field<String> cutoff = NaiveUtc.text(L.CUTOFF);
        Field<Long> elapsed = DSL.field(
                "cast(extract(epoch from {0} - {1}) * 1000 as bigint)",
                SQLDataType.BIGINT, L.FINISHED_AT, L.STARTED_AT);
        Record row = tx.select(
                        L.TABLE_NAME,
                        cutoff,
                        L.STATE,
                        L.ROWS_MOVED,
                        L.ROWS_ALREADY_ARCHIVED,
                        L.ROWS_IN_CONFLICT,
                        L.ROWS_REJECTED,
                        L.BATCHES,
                        elapsed)
                .from(L)
                .where(L.SWEEP_ID.eq(sweepId))
                .fetchSingle();
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
}
