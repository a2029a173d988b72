package io.usagearchiver.internal.ledger;

import static io.usagearchiver.generated.Tables.USAGE_ARCHIVE_SWEEP;

import io.usagearchiver.ArchivePair;
import io.usagearchiver.StopReason;
import io.usagearchiver.generated.tables.UsageArchiveSweep;
import io.usagearchiver.internal.jdbc.Session;
import io.usagearchiver.internal.jdbc.TransactionLimits;
import io.usagearchiver.internal.postgres.NaiveUtc;
import io.usagearchiver.internal.schema.Direction;
import java.time.Duration;
import java.time.LocalDateTime;
import java.util.concurrent.atomic.AtomicReference;
import org.jooq.Condition;
import org.jooq.DSLContext;
import org.jooq.exception.DataAccessException;
import org.jooq.impl.DSL;
import org.jspecify.annotations.Nullable;

/**
 * What a ledger row says from its beginning, and how it comes to be.
 *
 * @param life how long a run counts as alive after each sign of it
 */
public record LedgerOpening(
        ArchivePair<?> pair,
        String table,
        Direction direction,
        Duration life,
        LocalDateTime cutoff,
        String node,
        String firedBy) {
    private static final UsageArchiveSweep L = USAGE_ARCHIVE_SWEEP;
    private static final String UNIQUE_VIOLATION = "23505";
    private static final int ATTEMPTS = 10;

    /** That a RUNNING row is a restore's, and has given a sign of life: it goes on. */
    private static final Condition ALIVE =
            L.DIRECTION.eq(Direction.RESTORE.name()).and(L.LIVE_UNTIL.gt(NaiveUtc.NOW));

    /**
     * Opens a row. Where an older one of the table is RUNNING, that is turned into SUPERSEDED first; a batch in flight of
     * that sweep is waited for. Nodes that open at the same instant take turns; the last one stays. While a restore is
     * alive, it goes on, and the row is BUSY. After a fault it is tried again; a row that was committed though the answer
     * was lost is found by its id, which the INSERT had told.
     */
    public LedgerRow open(Session session, TransactionLimits limits) {
        AtomicReference<@Nullable LedgerRow> sent = new AtomicReference<>();
        return session.retry(() -> open(session, limits, sent));
    }

    private LedgerRow open(Session session, TransactionLimits limits, AtomicReference<@Nullable LedgerRow> sent) {
        Condition running = L.TABLE_NAME.eq(table).and(L.STATE.eq(LedgerRow.RUNNING));
        for (int attempt = 1; ; attempt++) {
            // Hardly ever is there an older one: the index tells, for less than it costs to look first.
            boolean older = attempt > 1;
            try {
                return session.transaction(limits, tx -> {
                    LedgerRow committed = sent.get();
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
                    LedgerRow opened = insert(tx, LedgerRow.RUNNING);
                    sent.set(opened);
                    return opened;
                });
            } catch (DataAccessException e) {
                if (!UNIQUE_VIOLATION.equals(e.sqlState()) || attempt == ATTEMPTS) {
                    throw e;
                }
            }
        }
    }

    /** Whether a row is that of a restore which no sweep supersedes. */
    public static boolean isAlive(DSLContext tx, long sweepId) {
        return tx.fetchExists(
                L, L.SWEEP_ID.eq(sweepId).and(L.STATE.eq(LedgerRow.RUNNING)).and(ALIVE));
    }

    /** Writes the row of a run that ends before it begins. One that is RUNNING goes on. */
    public LedgerRow refuse(DSLContext tx, StopReason reason) {
        return insert(tx, reason.name());
    }

    private LedgerRow insert(DSLContext tx, String state) {
        boolean runs = state.equals(LedgerRow.RUNNING);
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
        return new LedgerRow(pair, table, direction, cutoff, id, state.equals(StopReason.BUSY.name()), life);
    }
}
