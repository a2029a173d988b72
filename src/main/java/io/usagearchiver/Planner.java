package io.usagearchiver;

import io.usagearchiver.internal.inspect.PlanQuery;
import io.usagearchiver.internal.inspect.PlanWarnings;
import io.usagearchiver.internal.jdbc.Session;
import io.usagearchiver.internal.jdbc.TransactionLimits;
import io.usagearchiver.internal.postgres.SqlState;
import io.usagearchiver.internal.postgres.TableName;
import io.usagearchiver.internal.schema.Obstacles;
import org.jooq.exception.DataAccessException;

/**
 * Foresees a sweep, and changes nothing: all of a {@link Plan} is read in one read-only transaction, of one snapshot. That
 * works on a read-only database, on a standby, and with the rights of a sweep or less.
 *
 * <p>It is gentle to the live table: no lock but what a SELECT takes, reads by index, and no more rows than its limit.
 * Immutable and thread-safe.
 */
public final class Planner {
    /** How many expired rows are counted unless told otherwise. */
    public static final long DEFAULT_COUNT_LIMIT = 1_000_000;

    private final ArchivePair<?> pair;
    private final ConnectionSource connections;
    private final ArchiveSettings settings;
    private final PlanQuery query;

    /** A planner of the sweeps that an archiver of the same pair, connections and settings does. */
    public Planner(ArchivePair<?> pair, ConnectionSource connections, ArchiveSettings settings) {
        this(pair, connections, settings, PlanWarnings.Thresholds.DEFAULT);
    }

    Planner(
            ArchivePair<?> pair,
            ConnectionSource connections,
            ArchiveSettings settings,
            PlanWarnings.Thresholds thresholds) {
        this.pair = pair;
        this.connections = connections;
        this.settings = settings;
        this.query = new PlanQuery(pair, settings, thresholds);
    }

    /**
     * Plans a sweep that begins now, by the database's clock.
     *
     * @param countLimit how many expired rows are counted, and compared with the archive, at most; where there are more, the
     *     planner's estimate is given. 0 counts none
     * @param stop cancels the statement that runs, from another thread
     * @throws ArchiveException if the database does not answer, or not in time: a statement may take ten times the settings'
     *     statement timeout, and a transient fault is retried as in a sweep
     * @throws IllegalArgumentException if {@code countLimit} is negative
     */
    public Plan plan(long countLimit, StopSignal stop) {
        if (countLimit < 0) {
            throw new IllegalArgumentException("countLimit = " + countLimit + ": must not be negative");
        }
        TransactionLimits limits =
                TransactionLimits.snapshot(settings, settings.statementTimeout().multipliedBy(10));
        try (Session session = Session.open(connections, settings, stop)) {
            // In a transaction like a sweep's: the plan's own never may write.
            String readOnly = session.retried(TransactionLimits.page(settings), Obstacles::readOnly);
            return session.retried(limits, tx -> query.plan(tx, countLimit, readOnly));
        } catch (DataAccessException e) {
            String table = TableName.name(pair.hot());
            throw new ArchiveException("Could not plan a sweep of " + table + ": " + SqlState.message(e), e);
        }
    }
}
