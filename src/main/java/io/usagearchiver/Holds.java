package io.usagearchiver;

import static io.usagearchiver.generated.Tables.USAGE_ARCHIVE_HOLD;
import static io.usagearchiver.generated.Tables.USAGE_ARCHIVE_SWEEP;

import io.usagearchiver.generated.tables.UsageArchiveHold;
import io.usagearchiver.generated.tables.UsageArchiveSweep;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.BiFunction;
import org.jooq.Condition;
import org.jooq.DSLContext;
import org.jooq.DataType;
import org.jooq.Field;
import org.jooq.Record;
import org.jooq.TableField;
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
    private static final Field<String> AGE_FROM = NaiveUtc.text(H.AGE_FROM).as("age_from_text");
    private static final Field<String> AGE_TO = NaiveUtc.text(H.AGE_TO).as("age_to_text");
    private static final Logger log = LoggerFactory.getLogger(Holds.class);

    /** That a hold counts now. */
    static final Condition ACTIVE =
            H.RELEASED_AT.isNull().and(H.HOLD_UNTIL.isNull().or(H.HOLD_UNTIL.gt(NaiveUtc.NOW)));

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
     * @param until when it ends (naive UTC), or null if it is to be released
     * @throws IllegalArgumentException if the filter does not fit the tables, {@code until} is past by the database's clock,
     *     or there is no reason; nothing was changed
     * @throws ArchiveException if it could not be set, or, as the message then says, a running sweep could not be told of it
     */
    public Hold hold(RowFilter filter, @Nullable LocalDateTime until, String reason) {
        return inSession("set a hold on", (session, retry) -> set(session, retry, filter, until, reason));
    }

    /**
     * Ends a hold. Sweeps that begin from now on take its rows again. To release one once more changes nothing.
     *
     * @throws IllegalArgumentException if there is no such hold on this table
     * @throws ArchiveException if it could not be done
     */
    public Hold release(long id) {
        return inSession(
                "release a hold on",
                (session, retry) -> retry.run(() -> session.transaction(TransactionLimits.open(settings), tx -> {
                    tx.update(H)
                            .set(H.RELEASED_AT, NaiveUtc.NOW)
                            .set(H.RELEASED_BY, DSL.currentUser())
                            .where(H.HOLD_ID.eq(id))
                            .and(H.TABLE_NAME.eq(table))
                            .and(H.RELEASED_AT.isNull())
                            .execute();
                    return read(tx, H.HOLD_ID.eq(id)).stream()
                            .findFirst()
                            .orElseThrow(() -> new IllegalArgumentException(
                                    "hold " + id + ": there is no such hold on " + table + "; list them with holds"));
                })));
    }

    /**
     * All holds, newest first, also those that have ended.
     *
     * @throws ArchiveException if they could not be read
     */
    public List<Hold> list() {
        return inSession(
                "read the holds on",
                (session, retry) -> retry.run(() ->
                        session.transaction(TransactionLimits.open(settings), tx -> read(tx, DSL.noCondition()))));
    }

    /**
     * Why no batch that does not know the hold can commit once this has returned: the hold is committed first; then the
     * RUNNING sweep's holds_version goes up, which waits for a batch in flight, since that has updated the same row. Every
     * later batch of that sweep finds another version than the one it read, and is rolled back. A sweep whose row this
     * UPDATE does not see has not opened yet; it reads the holds after it has, when this one was long committed.
     */
    Hold set(Session session, Retry retry, RowFilter filter, @Nullable LocalDateTime until, String reason) {
        // Not repeated after a fault: it might be set twice, and released once.
        Hold hold = session.transaction(TransactionLimits.open(settings), tx -> insert(tx, filter, until, reason));
        log.info(
                "Hold {} of {}: {}, until {}: {}",
                hold.id(),
                table,
                filter,
                until == null ? "released" : until,
                reason);
        UsageArchiveSweep sweep = USAGE_ARCHIVE_SWEEP;
        try {
            retry.run(() -> session.transaction(
                    TransactionLimits.open(settings),
                    tx -> tx.update(sweep)
                            .set(sweep.HOLDS_VERSION, sweep.HOLDS_VERSION.plus(1))
                            .where(sweep.TABLE_NAME.eq(table))
                            .and(sweep.STATE.eq(Ledger.RUNNING))
                            .and(sweep.DIRECTION.eq(Direction.ARCHIVE.name()))
                            .execute()));
        } catch (DataAccessException | Session.LostException e) {
            throw new ArchiveException(
                    "Hold " + hold.id() + " of " + table + " is set and counts from the next sweep on, but a sweep that"
                            + " runs now could not be told of it: " + Faults.message(e),
                    e);
        }
        return hold;
    }

    /** Sees that a hold makes sense. */
    void check(DSLContext tx, RowFilter filter, @Nullable LocalDateTime until, String reason) {
        if (reason.isBlank()) {
            throw new IllegalArgumentException("reason: a hold needs one, for whoever finds it later");
        }
        filter.requireFit(tx, pair);
        if (until != null && !until.isAfter(NaiveUtc.now(tx))) {
            throw new IllegalArgumentException("hold until " + until + ": that is past");
        }
    }

    private Hold insert(DSLContext tx, RowFilter filter, @Nullable LocalDateTime until, String reason) {
        check(tx, filter, until, reason);
        long id = tx.insertInto(H)
                .set(H.TABLE_NAME, table)
                .set(H.AGE_FROM, moment(filter.from()))
                .set(H.AGE_TO, moment(filter.to()))
                .set(H.ID_MIN, filter.minId())
                .set(H.ID_MAX, filter.maxId())
                .set(H.USER_ID, filter.userId())
                .set(H.MODEL_ID, filter.modelId())
                .set(H.REASON, reason)
                .set(H.CREATED_BY, DSL.currentUser())
                .set(H.NODE, node)
                .set(H.CREATED_AT, NaiveUtc.NOW)
                .set(H.HOLD_UNTIL, moment(until))
                .returningResult(H.HOLD_ID)
                .fetchSingle()
                .value1();
        return read(tx, H.HOLD_ID.eq(id)).get(0);
    }

    private static Field<LocalDateTime> moment(@Nullable LocalDateTime moment) {
        DataType<LocalDateTime> type = H.AGE_FROM.getDataType();
        return moment == null ? DSL.castNull(type) : NaiveUtc.moment(moment.toString(), type);
    }

    private List<Hold> read(DSLContext tx, Condition which) {
        Field<Boolean> active = DSL.field(ACTIVE).as("active");
        List<Field<?>> fields = new ArrayList<>(filterFields());
        List<TableField<?, LocalDateTime>> moments = List.of(H.CREATED_AT, H.HOLD_UNTIL, H.RELEASED_AT);
        moments.forEach(moment -> fields.add(NaiveUtc.text(moment).as(moment)));
        fields.addAll(List.of(H.HOLD_ID, H.TABLE_NAME, H.REASON, H.CREATED_BY, H.NODE, H.RELEASED_BY, active));
        return tx.select(fields)
                .from(H)
                .where(H.TABLE_NAME.eq(table))
                .and(which)
                .orderBy(H.HOLD_ID.desc())
                .fetch(row -> new Hold(
                        row.get(H.HOLD_ID),
                        row.get(H.TABLE_NAME),
                        filter(row),
                        row.get(H.REASON),
                        row.get(H.CREATED_BY),
                        row.get(H.NODE),
                        NaiveUtc.parse(row.get(H.CREATED_AT.getName(), String.class)),
                        parse(row.get(H.HOLD_UNTIL.getName(), String.class)),
                        parse(row.get(H.RELEASED_AT.getName(), String.class)),
                        row.get(H.RELEASED_BY),
                        row.get(active)));
    }

    /** The holds on a table that count now. */
    static List<RowFilter> active(DSLContext tx, String table) {
        return tx.select(filterFields())
                .from(H)
                .where(H.TABLE_NAME.eq(table))
                .and(ACTIVE)
                .fetch(Holds::filter);
    }

    /** What {@link #filter} reads. */
    static List<Field<?>> filterFields() {
        return Arrays.asList(AGE_FROM, AGE_TO, H.ID_MIN, H.ID_MAX, H.USER_ID, H.MODEL_ID);
    }

    /** The filter of a row with {@link #filterFields}. */
    static RowFilter filter(Record row) {
        return new RowFilter(
                parse(row.get(AGE_FROM)),
                parse(row.get(AGE_TO)),
                row.get(H.ID_MIN),
                row.get(H.ID_MAX),
                row.get(H.USER_ID),
                row.get(H.MODEL_ID));
    }

    private static @Nullable LocalDateTime parse(@Nullable String moment) {
        return moment == null ? null : NaiveUtc.parse(moment);
    }

    private <T> T inSession(String task, BiFunction<Session, Retry, T> work) {
        StopSignal never = new StopSignal();
        try (Session session = Session.open(connections, never)) {
            return work.apply(session, new Retry(settings.retryTimeout(), never));
        } catch (DataAccessException | Session.LostException e) {
            throw new ArchiveException("Could not " + task + " " + table + ": " + Faults.message(e), e);
        }
    }
}
