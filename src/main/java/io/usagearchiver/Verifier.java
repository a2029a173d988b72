package io.usagearchiver;

import io.usagearchiver.internal.inspect.VerificationQuery;
import io.usagearchiver.internal.jdbc.Session;
import io.usagearchiver.internal.jdbc.TransactionLimits;
import io.usagearchiver.internal.postgres.SqlState;
import io.usagearchiver.internal.postgres.TableName;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.jooq.exception.DataAccessException;

/**
 * Holds the hot table, its archive and the ledger against each other: no key is in both tables, nothing is archived that
 * was never expired, and the archive has as many rows as the ledger says. Changes nothing.
 *
 * <p>All is read in one snapshot, in which a batch is either whole or not there, so it holds while a sweep runs, too. The
 * keys are merged by their indexes; no more of them than are listed ever come into memory. Immutable and thread-safe.
 */
public final class Verifier {

    private final VerificationQuery query;
    private final String table;
    private final ConnectionSource connections;
    private final ArchiveSettings settings;

    /** A verifier of a pair; of the settings, only the timeouts count. */
    public Verifier(ArchivePair<?> pair, ConnectionSource connections, ArchiveSettings settings) {
        this.query = new VerificationQuery(pair);
        this.table = TableName.name(pair.hot());
        this.connections = connections;
        this.settings = settings;
    }

    /**
     * Verifies; from the beginning in another snapshot, after a transient fault.
     *
     * @param limit how long it may take; the snapshot is held, and dead rows are kept on disk, as long as it does
     * @param beforehand hears what is about to be read, before it is
     * @param stop cancels the statement that runs, from another thread
     * @throws ArchiveException if the database does not answer, or not in time, or a table is missing
     * @throws IllegalArgumentException if {@code limit} is out of the range of {@link ArchiveSettings}' durations
     */
    public Verification verify(Duration limit, Consumer<Verification.Cost> beforehand, StopSignal stop) {
        if (limit.compareTo(ArchiveSettings.MIN_DURATION) < 0 || limit.compareTo(ArchiveSettings.MAX_DURATION) > 0) {
            throw new IllegalArgumentException("limit = " + limit + ": must be from 1 ms to 48 h");
        }
        long endNanos = System.nanoTime() + limit.toNanos();
        Duration retryTimeout = limit.compareTo(settings.retryTimeout()) < 0 ? limit : settings.retryTimeout();
        AtomicBoolean told = new AtomicBoolean();
        Consumer<Verification.Cost> once = cost -> {
            if (!told.getAndSet(true)) {
                beforehand.accept(cost);
            }
        };
        try (Session session = Session.open(connections, settings.withRetryTimeout(retryTimeout), stop)) {
            return session.retried(TransactionLimits.snapshot(settings, limit), tx -> query.verify(tx, once, endNanos));
        } catch (DataAccessException e) {
            String why = SqlState.isCancelled(e) && !stop.requested()
                    ? "not done within " + limit.toMillis() / 1000.0 + " s; nothing is known"
                    : SqlState.message(e);
            throw new ArchiveException("Could not verify " + table + ": " + why, e);
        }
    }

    /**
     * Counts what the archive holds that the ledger does not know of, and keeps that as the baseline, unless there is one.
     * The first baseline should be taken before the first sweep, so that it vouches for all of them; a later one vouches for
     * what happens after it. As the tables' owner; reads the whole archive once.
     *
     * @return the baseline that was taken; empty if there was one already
     * @throws ArchiveException if the database does not answer, a table is missing, or the role may not do this
     */
    public Optional<Verification.Baseline> takeBaseline() {
        try (Session session = Session.open(connections, settings, new StopSignal())) {
            return session.transaction(TransactionLimits.baseline(settings), query::takeBaseline);
        } catch (DataAccessException e) {
            SQLException denied = SqlState.isForbidden(e) ? e.getCause(SQLException.class) : null;
            String why = denied == null
                    ? SqlState.message(e)
                    : denied.getMessage() + " (init takes it with a data source of the tables' owner)";
            throw new ArchiveException("Could not take a baseline of " + table + ": " + why, e);
        }
    }
}
