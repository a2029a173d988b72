package io.usagearchiver.internal.inspect;

import static io.usagearchiver.generated.Tables.USAGE_ARCHIVE_SWEEP;

import io.usagearchiver.ArchiveException;
import io.usagearchiver.ArchiveSettings;
import io.usagearchiver.ConnectionSource;
import io.usagearchiver.Health;
import io.usagearchiver.SchemaDriftException;
import io.usagearchiver.StopReason;
import io.usagearchiver.StopSignal;
import io.usagearchiver.generated.tables.UsageArchiveSweep;
import io.usagearchiver.internal.jdbc.Session;
import io.usagearchiver.internal.jdbc.TransactionLimits;
import io.usagearchiver.internal.ledger.LedgerRow;
import io.usagearchiver.internal.postgres.NaiveUtc;
import io.usagearchiver.internal.postgres.SqlState;
import io.usagearchiver.internal.schema.Direction;
import java.time.Duration;
import java.time.LocalDateTime;
import java.util.function.Consumer;
import org.jooq.Condition;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.Record;
import org.jooq.exception.DataAccessException;
import org.jooq.impl.DSL;
import org.jooq.impl.SQLDataType;
import org.jspecify.annotations.Nullable;

/** Reads the health of a table's archiver from the ledger. */
public final class HealthQuery {
    private static final UsageArchiveSweep L = USAGE_ARCHIVE_SWEEP;

    private static final Condition MOVED = L.BATCHES.gt(0L);
    /** Without a batch, the run window or a restore kept it from beginning. */
    private static final Condition FIRED = MOVED.or(L.STATE.ne(StopReason.OUTSIDE_WINDOW.name()));

    private static final Condition BEGUN =
            MOVED.or(L.STATE.notIn(StopReason.OUTSIDE_WINDOW.name(), StopReason.BUSY.name()));
    private static final Condition SUCCEEDED = L.STATE
            .in(StopReason.DRAINED.name(), StopReason.ROWS_LOCKED.name(), StopReason.TIME_BUDGET.name())
            .or(MOVED.and(L.STATE.eq(StopReason.OUTSIDE_WINDOW.name())));

    private static final Field<LocalDateTime> SIGN = DSL.coalesce(L.FINISHED_AT, L.LAST_BATCH_AT, L.STARTED_AT);

    private HealthQuery() {}

    /** Reads it, also where the check finds that the database does not allow a sweep: but then the ledger may be what does not. */
    public static Health read(
            ConnectionSource connections, ArchiveSettings settings, String table, Consumer<DSLContext> check) {
        TransactionLimits limits = TransactionLimits.close(settings);
        Duration life = TransactionLimits.life(settings);
        try (Session session = Session.open(connections, settings, new StopSignal())) {
            try {
                return session.transaction(limits, tx -> {
                    check.accept(tx);
                    return read(tx, table, life);
                });
            } catch (SchemaDriftException e) {
                String message = String.valueOf(e.getMessage());
                try {
                    return session.transaction(limits, tx -> read(tx, table, life))
                            .with(Health.Status.DISABLED, message);
                } catch (ArchiveException | DataAccessException unread) {
                    return Health.of(Health.Status.DISABLED, message);
                }
            }
        } catch (ArchiveException | DataAccessException e) {
            return Health.of(Health.Status.NO_ANSWER, SqlState.message(e));
        }
    }

    /**
     * Reads how the last sweep of a table ended, when the last one succeeded, and whether the run that goes on is alive.
     *
     * @param life how long a run counts as alive that does not say it itself, as those of earlier versions
     */
    private static Health read(DSLContext tx, String table, Duration life) {
        Row last = newest(tx, table, life, BEGUN.and(archives()));
        Row fired = newest(tx, table, life, FIRED.and(archives()));
        Row success = newest(tx, table, life, SUCCEEDED.and(archives()));
        Row running = newest(tx, table, life, L.STATE.eq(DSL.inline(LedgerRow.RUNNING)));
        Health health = last == null
                ? Health.of(Health.Status.OK, "no sweep of " + table + " yet")
                : Health.of(last.failed() ? Health.Status.LAST_SWEEP_FAILED : Health.Status.OK, last.text());
        if (running != null && running.isDead()) {
            health = Health.of(Health.Status.NO_SIGN_OF_LIFE, running.text());
        }
        return new Health(
                health.status(),
                health.message(),
                last == null ? null : last.sinceStart,
                fired == null ? null : fired.idle(),
                success == null ? null : success.sinceSign,
                success == null ? 0 : success.keptBack,
                last == null ? 0 : last.sweepId,
                null);
    }

    private static Condition archives() {
        return L.DIRECTION.eq(Direction.ARCHIVE.name());
    }

    /** RUNNING is inline where it is asked for, since the index of it is a partial one. */
    private static @Nullable Row newest(DSLContext tx, String table, Duration life, Condition which) {
        Field<String> sign = NaiveUtc.text(DSL.field("date_trunc('second', {0})", SIGN));
        Field<Long> sinceStart = millisSince(L.STARTED_AT);
        Field<Long> sinceSign = millisSince(SIGN);
        Field<Long> silentTooLong = DSL.coalesce(millisSince(L.LIVE_UNTIL), sinceSign.minus(life.toMillis()));
        Record row = tx.select(L.SWEEP_ID, L.DIRECTION, L.STATE, L.NODE, L.MESSAGE)
                .select(sign, sinceStart, sinceSign, silentTooLong, L.ROWS_IN_CONFLICT, L.ROWS_REJECTED)
                .from(L)
                .where(L.TABLE_NAME.eq(table))
                .and(which)
                .orderBy(L.SWEEP_ID.desc())
                .limit(DSL.inline(1))
                .fetchOne();
        return row == null
                ? null
                : new Row(
                        table,
                        row.get(L.SWEEP_ID),
                        Direction.valueOf(row.get(L.DIRECTION)),
                        row.get(L.STATE),
                        row.get(L.NODE),
                        row.get(L.MESSAGE),
                        row.get(sign),
                        Duration.ofMillis(row.get(sinceStart)),
                        Duration.ofMillis(row.get(sinceSign)),
                        row.get(silentTooLong) > 0,
                        row.get(L.ROWS_IN_CONFLICT) + row.get(L.ROWS_REJECTED));
    }

    private static Field<Long> millisSince(Field<LocalDateTime> moment) {
        return DSL.field(
                "cast(extract(epoch from {0} - {1}) * 1000 as bigint)", SQLDataType.BIGINT, NaiveUtc.NOW, moment);
    }

    /** A row of the ledger; of one that has not ended, the last sign of life. */
    private record Row(
            String table,
            long sweepId,
            Direction direction,
            String state,
            String node,
            @Nullable String fault,
            String sign,
            Duration sinceStart,
            Duration sinceSign,
            boolean silent,
            long keptBack) {

        boolean failed() {
            return StopReason.FAILED.name().equals(state);
        }

        boolean isRunning() {
            return LedgerRow.RUNNING.equals(state);
        }

        boolean isDead() {
            return isRunning() && silent;
        }

        Duration idle() {
            return isRunning() && !silent ? Duration.ZERO : sinceSign;
        }

        String text() {
            String run = direction.word() + " " + sweepId + " of " + table + " on " + node;
            if (isDead()) {
                return run + " is RUNNING in the ledger, but nothing was heard of it since " + sign
                        + " UTC: its node is dead or hangs; the next sweep, of any node, takes over";
            }
            if (failed()) {
                return run + " failed at " + sign + " UTC: " + fault;
            }
            return run + (isRunning() ? " is running" : " ended " + state + " at " + sign + " UTC");
        }
    }
}
