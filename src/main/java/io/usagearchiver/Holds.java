package io.usagearchiver;

import io.usagearchiver.internal.jdbc.ConnectionLostException;
import io.usagearchiver.internal.jdbc.Session;
import io.usagearchiver.internal.ledger.HoldTable;
import io.usagearchiver.internal.postgres.SqlState;
import java.time.LocalDateTime;
import java.util.List;
import java.util.function.Function;
import org.jooq.exception.DataAccessException;
import org.jspecify.annotations.Nullable;

/**
 * The holds of a pair: rows that stay in the hot table although they are expired, such as those of a user in a lawsuit,
 * or those that were restored. From {@link Archiver#holds()}, with connections of a role that has the grants of {@code
 * sql/06-restore-grants.sql}. Thread-safe.
 */
public final class Holds {
    private final HoldTable holds;
    private final String table;
    private final ConnectionSource connections;
    private final ArchiveSettings settings;

    Holds(HoldTable holds, String table, ConnectionSource connections, ArchiveSettings settings) {
        this.holds = holds;
        this.table = table;
        this.connections = connections;
        this.settings = settings;
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
        return inSession("set a hold on", session -> holds.set(session, filter, until, reason));
    }

    /**
     * Ends a hold, also one that cannot be honoured. Sweeps that begin from now on take its rows again. To release one once
     * more changes nothing.
     *
     * @throws IllegalArgumentException if there is no such hold on this table
     * @throws ArchiveException if it could not be done
     */
    public Hold release(long id) {
        return inSession("release a hold on", session -> holds.release(session, id));
    }

    /**
     * All holds, newest first, also those that have ended, and those whose {@code table_name} is none, or of no table that is
     * there. What keeps sweeps from honouring one that counts is its {@link Hold#problem}.
     *
     * @throws ArchiveException if they could not be read
     */
    public List<Hold> list() {
        return inSession("read the holds on", holds::list);
    }

    private <T> T inSession(String task, Function<Session, T> work) {
        try (Session session = Session.open(connections, settings, new StopSignal())) {
            return work.apply(session);
        } catch (DataAccessException | ConnectionLostException e) {
            throw new ArchiveException("Could not " + task + " " + table + ": " + SqlState.message(e), e);
        }
    }
}
