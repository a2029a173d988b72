package io.usagearchiver;

import static io.usagearchiver.generated.Tables.USAGE_ARCHIVE_HOLD;
import static io.usagearchiver.generated.Tables.USAGE_ARCHIVE_SWEEP;

import io.usagearchiver.generated.tables.UsageArchiveHold;
import io.usagearchiver.generated.tables.UsageArchiveSweep;
import java.time.LocalDateTime;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import org.jooq.Condition;
import org.jooq.DSLContext;
import org.jooq.DataType;
import org.jooq.Field;
import org.jooq.exception.DataAccessException;
import org.jooq.impl.DSL;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The holds of a pair: rows that stay in the hot table although they are expired, such as those of a user in a lawsuit,
 * or those that were restored. From {@link Archiver#holds()}, with connections of a role that has the grants of {@code
 * sql/06-restore-grants.sql}. Thread-safe.
 */
public final class Holds {
    private static final UsageArchiveHold H = USAGE_ARCHIVE_HOLD;
    private static final Logger log = LoggerFactory.getLogger(Holds.class);

    private final ArchivePair<?> pair;
    private final String table;
    private final ConnectionSource connections;
    private final ArchiveSettings settings;
    private final String node;

    Holds(ArchivePair<?> pair, String table, ConnectionSource connections, ArchiveSettings settings, String node) {
        this.pair = pair;
        this.table = table;
        this.connections = connections;
        this.settings = settings;
        this.node = node;
    }

    /**
     * Sets a hold. It counts at once: when this returns, no sweep that does not know it can still commit a batch. A batch in
     * flight is waited for.
     *
     * @param until when it ends (naive UTC), or null if it is to be released, as is {@link LocalDateTime#MAX}
     * @throws IllegalArgumentException if the filter does not fit the live tables (see {@link RowFilter}), {@code until} is
     *     past by the database's clock, or there is no reason; nothing was changed
     * @throws ArchiveException if it could not be set, or, as the message then says, a running sweep could not be told of it
     */
    public Hold hold(RowFilter filter, @Nullable LocalDateTime until, String reason) {
        return inSession("set a hold on", session -> set(session, filter, until, reason));
    }

    /**
     * Ends a hold, also one that cannot be honoured. Sweeps that begin from now on take its rows again. To release one once
     * more changes nothing.
     *
     * @throws IllegalArgumentException if there is no such hold on this table
     * @throws ArchiveException if it could not be done
     */
    public Hold release(long id) {
        return inSession(
                "release a hold on",
                session -> session.retried(TransactionLimits.open(settings), tx -> {
                    tx.update(H)
                            .set(H.RELEASED_AT, NaiveUtc.NOW)
                            .set(H.RELEASED_BY, DSL.currentUser())
                            .where(H.HOLD_ID.eq(id))
                            .and(StoredHolds.on(DSL.val(table)))
                            .and(H.RELEASED_AT.isNull().or(H.RELEASED_AT.gt(NaiveUtc.NOW)))
                            .execute();
                    return read(tx, H.HOLD_ID.eq(id)).stream()
                            .findFirst()
                            .orElseThrow(() -> new IllegalArgumentException(
                                    "hold " + id + ": there is no such hold on " + table + "; list them with holds"));
                }));
    }

    /**
     * All holds, newest first, also those that have ended, and those whose {@code table_name} is none, or of no table that is
     * there. What keeps sweeps from honouring one that counts is its {@link Hold#problem}.
     *
     * @throws ArchiveException if they could not be read
     */
    public List<Hold> list() {
        return inSession(
                "read the holds on",
                session -> session.retried(
                        TransactionLimits.open(settings),
                        tx -> StoredHolds.tried(tx, pair, read(tx, DSL.noCondition()))));
    }

    /**
     * Why no batch that does not know the hold can commit once this has returned: the hold is committed first; then the
     * RUNNING sweep's holds_version goes up, which waits for a batch in flight, since that has updated the same row. Every
     * later batch of that sweep finds another version than the one it read, and is rolled back. A sweep whose row this
     * UPDATE does not see has not opened yet; it reads the holds after it has, when this one was long committed.
     */
    private Hold set(Session session, RowFilter filter, @Nullable LocalDateTime until, String reason) {
        Hold hold = store(session, filter, until, reason);
        tellSweep(session, hold);
        return hold;
    }

    /** Commits a hold. */
    Hold store(Session session, RowFilter filter, @Nullable LocalDateTime until, String reason) {
        AtomicReference<@Nullable Long> sent = new AtomicReference<>();
        Hold hold;
        try {
            // Not repeated after a fault: it might be set twice, and released once.
            hold = session.transaction(TransactionLimits.open(settings), tx -> insert(tx, filter, until, reason, sent));
        } catch (DataAccessException e) {
            Long id = sent.get();
            if (id == null || !Faults.isTransient(e)) {
                throw e;
            }
            throw new ArchiveException(
                    "Hold " + id + " of " + table + " may be set or not, look for it with holds: " + Faults.message(e),
                    e);
        }
        log.info(
                "Hold {} of {}: {}, until {}: {}",
                hold.id(),
                table,
                filter,
                until == null ? "released" : until,
                reason);
        return hold;
    }

    /** Sees that a sweep that runs commits no batch any more without knowing the hold. */
    void tellSweep(Session session, Hold hold) {
        UsageArchiveSweep sweep = USAGE_ARCHIVE_SWEEP;
        try {
            session.retried(
                    TransactionLimits.open(settings),
                    tx -> tx.update(sweep)
                            .set(sweep.HOLDS_VERSION, sweep.HOLDS_VERSION.plus(1))
                            .where(sweep.TABLE_NAME.eq(table))
                            .and(sweep.STATE.eq(Ledger.RUNNING))
                            .and(sweep.DIRECTION.eq(Direction.ARCHIVE.name()))
                            .execute());
        } catch (DataAccessException | ConnectionLostException e) {
            throw new ArchiveException(
                    "Hold " + hold.id() + " of " + table + " is set and counts from the next sweep on, but a sweep that"
                            + " runs now could not be told of it: " + Faults.message(e),
                    e);
        }
    }

    /**
     * Sees that a hold makes sense.
     *
     * @return the filter as it is to be stored
     * @throws IllegalArgumentException if it does not
     */
    RowFilter check(DSLContext tx, RowFilter filter, @Nullable LocalDateTime until, String reason) {
        if (reason.isBlank()) {
            throw new IllegalArgumentException("reason: a hold needs one, for whoever finds it later");
        }
        FilterTrial.requireStorable("reason", reason);
        RowFilter stored = FilterTrial.of(tx, pair).require(filter);
        if (until != null && !isFuture(tx, until)) {
            throw new IllegalArgumentException("hold until " + until + ": that is past");
        }
        return stored;
    }

    private static boolean isFuture(DSLContext tx, LocalDateTime until) {
        try {
            return tx.fetchExists(DSL.selectOne().where(moment(until).gt(NaiveUtc.NOW)));
        } catch (DataAccessException e) {
            if (!Faults.isData(e)) {
                throw e;
            }
            throw new IllegalArgumentException(
                    "hold until " + until + ": not a moment that PostgreSQL knows (" + Faults.message(e) + ")", e);
        }
    }

    private Hold insert(
            DSLContext tx,
            RowFilter filter,
            @Nullable LocalDateTime until,
            String reason,
            AtomicReference<@Nullable Long> sent) {
        RowFilter stored = check(tx, filter, until, reason);
        long id = tx.insertInto(H)
                .set(H.TABLE_NAME, table)
                .set(H.AGE_FROM, moment(stored.from()))
                .set(H.AGE_TO, moment(stored.to()))
                .set(H.ID_MIN, stored.minId())
                .set(H.ID_MAX, stored.maxId())
                .set(H.USER_ID, stored.userId())
                .set(H.MODEL_ID, stored.modelId())
                .set(H.REASON, reason)
                .set(H.CREATED_BY, DSL.currentUser())
                .set(H.NODE, node)
                .set(H.CREATED_AT, NaiveUtc.NOW)
                .set(H.HOLD_UNTIL, moment(until))
                .returningResult(H.HOLD_ID)
                .fetchSingle()
                .value1();
        sent.set(id);
        return read(tx, H.HOLD_ID.eq(id)).get(0);
    }

    private static Field<LocalDateTime> moment(@Nullable LocalDateTime moment) {
        DataType<LocalDateTime> type = H.AGE_FROM.getDataType();
        return moment == null
                ? DSL.castNull(type)
                : NaiveUtc.moment(NaiveUtc.literal(NaiveUtc.roundedUp(moment)), type);
    }

    private List<Hold> read(DSLContext tx, Condition which) {
        return tx.select(StoredHolds.fields())
                .from(H)
                .where(StoredHolds.on(DSL.val(table)))
                .and(which)
                .orderBy(H.HOLD_ID.desc())
                .fetch(StoredHolds::hold);
    }

    private <T> T inSession(String task, Function<Session, T> work) {
        try (Session session = Session.open(connections, settings, new StopSignal())) {
            return work.apply(session);
        } catch (DataAccessException | ConnectionLostException e) {
            throw new ArchiveException("Could not " + task + " " + table + ": " + Faults.message(e), e);
        }
    }
}
