package io.usagearchiver.internal.ledger;

import static io.usagearchiver.generated.Tables.USAGE_ARCHIVE_HOLD;
import static io.usagearchiver.generated.Tables.USAGE_ARCHIVE_SWEEP;

import io.usagearchiver.ArchiveException;
import io.usagearchiver.ArchivePair;
import io.usagearchiver.ArchiveSettings;
import io.usagearchiver.Hold;
import io.usagearchiver.RowFilter;
import io.usagearchiver.generated.tables.UsageArchiveHold;
import io.usagearchiver.generated.tables.UsageArchiveSweep;
import io.usagearchiver.internal.jdbc.ConnectionLostException;
import io.usagearchiver.internal.jdbc.Session;
import io.usagearchiver.internal.jdbc.TransactionLimits;
import io.usagearchiver.internal.postgres.NaiveUtc;
import io.usagearchiver.internal.postgres.SqlState;
import io.usagearchiver.internal.postgres.StorableText;
import io.usagearchiver.internal.postgres.TableName;
import io.usagearchiver.internal.rows.FilterTrial;
import io.usagearchiver.internal.schema.Direction;
import io.usagearchiver.internal.schema.LivePair;
import java.time.LocalDateTime;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import org.jooq.Condition;
import org.jooq.DSLContext;
import org.jooq.DataType;
import org.jooq.Field;
import org.jooq.JSONB;
import org.jooq.exception.DataAccessException;
import org.jooq.impl.DSL;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The table of holds, where those of one pair are set, released and listed.
 */
public final class HoldTable {
    private static final UsageArchiveHold H = USAGE_ARCHIVE_HOLD;
    /** Of the name by which people know it. */
    private static final Logger log = LoggerFactory.getLogger("io.usagearchiver.Holds");

    private final ArchivePair<?> pair;
    private final String table;
    private final ArchiveSettings settings;
    private final String node;

    public HoldTable(ArchivePair<?> pair, ArchiveSettings settings, String node) {
        this.pair = pair;
        this.table = TableName.name(pair.hot());
        this.settings = settings;
        this.node = node;
    }

    /** Ends a hold; to do so once more changes nothing. */
    public Hold release(Session session, long id) {
        return session.retried(TransactionLimits.open(settings), tx -> {
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
        });
    }

    /** All holds, newest first, those that count tried. */
    public List<Hold> list(Session session) {
        return session.retried(
                TransactionLimits.open(settings), tx -> ActiveHolds.tried(tx, pair, read(tx, DSL.noCondition())));
    }

    /**
     * Why no batch that does not know the hold can commit once this has returned: the hold is committed first; then the
     * RUNNING sweep's holds_version goes up, which waits for a batch in flight, since that has updated the same row. Every
     * later batch of that sweep finds another version than the one it read, and is rolled back. A sweep whose row this
     * UPDATE does not see has not opened yet; it reads the holds after it has, when this one was long committed.
     */
    public Hold set(Session session, RowFilter filter, @Nullable LocalDateTime until, String reason) {
        Hold hold = store(session, filter, until, reason);
        tellSweep(session, hold);
        return hold;
    }

    /** Commits a hold. */
    public Hold store(Session session, RowFilter filter, @Nullable LocalDateTime until, String reason) {
        AtomicReference<@Nullable Long> sent = new AtomicReference<>();
        Hold hold;
        try {
            // Not repeated after a fault: it might be set twice, and released once.
            hold = session.transaction(TransactionLimits.open(settings), tx -> insert(tx, filter, until, reason, sent));
        } catch (DataAccessException e) {
            Long id = sent.get();
            if (id == null || !SqlState.isTransient(e)) {
                throw e;
            }
            throw new ArchiveException(
                    "Hold " + id + " of " + table + " may be set or not, look for it with holds: "
                            + SqlState.message(e),
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
    public void tellSweep(Session session, Hold hold) {
        UsageArchiveSweep sweep = USAGE_ARCHIVE_SWEEP;
        try {
            session.retried(
                    TransactionLimits.open(settings),
                    tx -> tx.update(sweep)
                            .set(sweep.HOLDS_VERSION, sweep.HOLDS_VERSION.plus(1))
                            .where(sweep.TABLE_NAME.eq(table))
                            .and(sweep.STATE.eq(LedgerRow.RUNNING))
                            .and(sweep.DIRECTION.eq(Direction.ARCHIVE.name()))
                            .execute());
        } catch (DataAccessException | ConnectionLostException e) {
            throw new ArchiveException(
                    "Hold " + hold.id() + " of " + table + " is set and counts from the next sweep on, but a sweep that"
                            + " runs now could not be told of it: " + SqlState.message(e),
                    e);
        }
    }

    /**
     * Sees that a hold makes sense.
     *
     * @return the filter as it is to be stored
     * @throws IllegalArgumentException if it does not
     */
    public RowFilter check(DSLContext tx, RowFilter filter, @Nullable LocalDateTime until, String reason) {
        if (reason.isBlank()) {
            throw new IllegalArgumentException("reason: a hold needs one, for whoever finds it later");
        }
        StorableText.require("reason", reason);
        RowFilter stored = FilterTrial.of(tx, LivePair.read(tx, pair)).require(filter);
        if (until != null && !isFuture(tx, until)) {
            throw new IllegalArgumentException("hold until " + until + ": that is past");
        }
        return stored;
    }

    private static boolean isFuture(DSLContext tx, LocalDateTime until) {
        try {
            return tx.fetchExists(DSL.selectOne().where(moment(until).gt(NaiveUtc.NOW)));
        } catch (DataAccessException e) {
            if (!SqlState.isData(e)) {
                throw e;
            }
            throw new IllegalArgumentException(
                    "hold until " + until + ": not a moment that PostgreSQL knows (" + SqlState.message(e) + ")", e);
        }
    }

    private Hold insert(
            DSLContext tx,
            RowFilter filter,
            @Nullable LocalDateTime until,
            String reason,
            AtomicReference<@Nullable Long> sent) {
        RowFilter stored = check(tx, filter, until, reason);
        var insert = tx.insertInto(H)
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
                .set(H.HOLD_UNTIL, moment(until));
        if (!stored.where().isEmpty()) {
            insert = insert.set(H.COLUMN_VALUES, columnValues(stored.where()));
        }
        long id = insert.returningResult(H.HOLD_ID).fetchSingle().value1();
        sent.set(id);
        return read(tx, H.HOLD_ID.eq(id)).get(0);
    }

    private static Field<JSONB> columnValues(Map<String, String> where) {
        return DSL.field(
                "jsonb_object(cast({0} as text[]), cast({1} as text[]))",
                H.COLUMN_VALUES.getDataType(),
                DSL.val(where.keySet().toArray(String[]::new)),
                DSL.val(where.values().toArray(String[]::new)));
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
}
