package io.usagearchiver;

import io.usagearchiver.internal.inspect.HistoryQuery;
import io.usagearchiver.internal.jdbc.Session;
import io.usagearchiver.internal.jdbc.TransactionLimits;
import io.usagearchiver.internal.postgres.SqlState;
import java.util.List;
import org.jooq.exception.DataAccessException;

/** The sweeps and restores of one hot table, as the ledger has them. Changes nothing. Immutable and thread-safe. */
public final class SweepHistory {

    private final ArchivePair<?> pair;
    private final ConnectionSource connections;
    private final ArchiveSettings settings;

    /** The history of a pair's sweeps; of the settings, only the timeouts count: a transient fault is retried, too. */
    public SweepHistory(ArchivePair<?> pair, ConnectionSource connections, ArchiveSettings settings) {
        this.pair = pair;
        this.connections = connections;
        this.settings = settings;
    }

    /**
     * The newest sweeps, the newest first. Reads no more of the ledger than it gives.
     *
     * @param limit how many at most; 1 or more
     * @throws ArchiveException if the database does not answer, or there is no ledger
     * @throws IllegalArgumentException if {@code limit} is less than 1
     */
    public List<PastSweep> newest(int limit) {
        if (limit < 1) {
            throw new IllegalArgumentException("limit = " + limit + ": must be 1 or more");
        }
        TransactionLimits limits = TransactionLimits.snapshot(settings, settings.statementTimeout());
        try (Session session = Session.open(connections, settings, new StopSignal())) {
            return session.retried(limits, tx -> HistoryQuery.newest(tx, pair, limit));
        } catch (DataAccessException e) {
            throw new ArchiveException("Could not read the ledger: " + SqlState.message(e), e);
        }
    }
}
