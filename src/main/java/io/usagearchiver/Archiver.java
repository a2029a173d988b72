package io.usagearchiver;

import io.usagearchiver.internal.inspect.HealthQuery;
import io.usagearchiver.internal.inspect.RestorePreviewQuery;
import io.usagearchiver.internal.jdbc.Session;
import io.usagearchiver.internal.jdbc.TransactionLimits;
import io.usagearchiver.internal.ledger.ActiveHolds;
import io.usagearchiver.internal.ledger.HoldTable;
import io.usagearchiver.internal.move.MoveRun;
import io.usagearchiver.internal.move.Restore;
import io.usagearchiver.internal.move.RunContext;
import io.usagearchiver.internal.move.Sweep;
import io.usagearchiver.internal.postgres.SqlState;
import io.usagearchiver.internal.postgres.TableName;
import io.usagearchiver.internal.rows.FilterTrial;
import io.usagearchiver.internal.schema.Direction;
import io.usagearchiver.internal.schema.LivePair;
import io.usagearchiver.internal.schema.Obstacles;
import io.usagearchiver.internal.schema.PairSchema;
import io.usagearchiver.internal.schema.SchemaCheck;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.time.Clock;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.List;
import org.jooq.DSLContext;
import org.jooq.exception.DataAccessException;
import org.jspecify.annotations.Nullable;

/**
 * Moves the expired rows of a hot table into its archive.
 *
 * <p>A row is expired when its age is before the cutoff: now, by the database's clock, minus the retention period. A
 * sweep moves batches of expired rows, oldest first, each batch in one transaction which locks the rows, copies them,
 * proves that the archive holds each of them unchanged, deletes those and nothing else, and counts them in the sweep's
 * ledger row. So whatever fails when, <b>a row is in exactly one of the two tables, with its last content, and the
 * ledger's counts are exact</b>.
 *
 * <p>Safe to run anywhere at any time: opening a sweep supersedes the one that is RUNNING, which moves nothing any more.
 * Immutable and thread-safe.
 */
public final class Archiver {
    private final RunContext context;
    private final ArchivePair<?> pair;
    private final String table;
    private final ConnectionSource connections;
    private final ArchiveSettings settings;
    private final List<SweepListener> listeners;

    private Archiver(Builder builder) {
        pair = builder.pair;
        table = TableName.name(pair.hot());
        connections = builder.connections;
        settings = builder.settings;
        listeners = List.copyOf(builder.listeners);
        String node = builder.node == null ? hostName() : builder.node;
        context = new RunContext(pair, table, settings, builder.clock, node, builder.firedBy);
    }

    /** Builds an archiver of a pair, with connections of a role that has the grants of {@code sql/04-grants.sql}. */
    public static Builder builder(ArchivePair<?> pair, ConnectionSource connections) {
        return new Builder(pair, connections);
    }

    /**
     * Checks that the live tables allow rows to be moved, that the role has the rights to move them in sessions that may
     * write, and that the holds can be honoured. A sweep does this itself.
     *
     * @throws SchemaDriftException if not, with all that is wrong
     * @throws ArchiveException if the database does not answer
     */
    public void checkSchema() {
        try (Session session = Session.open(connections, settings, new StopSignal())) {
            session.transaction(TransactionLimits.page(settings), this::checkSweep);
        } catch (DataAccessException e) {
            throw new ArchiveException("Could not check the schema of " + table + ": " + SqlState.message(e), e);
        }
    }

    /** All that a sweep looks at before it moves a row. It reads the holds itself, under its ledger row. */
    private PairSchema checkSweep(DSLContext tx) {
        PairSchema shape = Obstacles.requireNone(tx, pair, Direction.ARCHIVE, settings);
        ActiveHolds.toHonour(tx, shape.pair(), () -> ActiveHolds.active(tx, shape.pair()));
        return shape;
    }

    /**
     * Looks whether the archiver can do its work, how its last sweep ended, and whether the one that runs is alive. Waits no
     * longer than a few seconds.
     */
    public Health health() {
        return HealthQuery.read(connections, settings, table, this::checkSweep);
    }

    /**
     * Sweeps until no expired row is left.
     *
     * @see #sweep(StopSignal)
     */
    public SweepResult sweep() {
        return sweep(new StopSignal());
    }

    /**
     * Sweeps until no expired row is left, or a reason to stop.
     *
     * @param stop stops the sweep from another thread
     * @return what was done and why it stopped, as the ledger says
     * @throws SchemaDriftException if the database does not allow it; nothing was moved since it did not
     * @throws SweepStoppedException if it was asked to stop before it began
     * @throws SweepFailedException if a fault ended it
     * @throws ArchiveException if there is no connection to be had
     */
    public SweepResult sweep(StopSignal stop) {
        return MoveRun.run(context, new Sweep(pair, context.settings().handOver()), connections, listeners, stop);
    }

    /**
     * Moves archived rows back into the hot table, with the ids that they had, in batches as a sweep does it the other way
     * round, under the same guarantee. They are expired still: a hold with the same filter, set before the first row moves,
     * keeps sweeps from taking them again until it ends.
     *
     * <p>A RUNNING sweep is superseded; sweeps that would begin meanwhile end {@link StopReason#BUSY}, and so does this one
     * if another restore runs. A restore whose node died holds the table for ten times the statement timeout and the retry
     * timeout, by default a quarter of an hour, and can be repeated then. Needs connections of a role that has the grants of
     * {@code sql/06-restore-grants.sql}.
     *
     * @param filter which rows
     * @param holdUntil when the hold ends (naive UTC), or null if it is to be released, as is {@link
     *     LocalDateTime#MAX}
     * @param reason for the hold
     * @param stop stops the restore from another thread; what was committed, and the hold, stand
     * @return what was done, as the ledger says
     * @throws IllegalArgumentException if the filter does not fit the live tables (see {@link RowFilter}), or the end of the
     *     hold is past; nothing was moved, and no hold set
     * @throws SchemaDriftException if the tables, or the privileges on them, do not allow it
     * @throws SweepStoppedException if it was asked to stop before it began
     * @throws SweepFailedException if a fault ended it; it tells of the hold that stays, if it was set
     * @throws ArchiveException if there is no connection to be had
     */
    public RestoreResult restore(RowFilter filter, @Nullable LocalDateTime holdUntil, String reason, StopSignal stop) {
        Restore restoring = new Restore(pair, filter, holdUntil, reason, holdTable());
        SweepResult counts = MoveRun.run(context, restoring, connections, listeners, stop);
        return new RestoreResult(counts, restoring.hold());
    }

    /**
     * Counts what {@link #restore} would do now, in one read-only transaction; a transient fault is retried. It reads all rows
     * that match, so it takes as long as the filter's index makes it, and ten times the statement timeout at most.
     *
     * @throws IllegalArgumentException if the filter does not fit the tables
     * @throws SchemaDriftException if the tables do not allow rows to be restored
     * @throws ArchiveException if the database does not answer, or not in time
     */
    public RestorePreview previewRestore(RowFilter filter) {
        try (Session session = Session.open(connections, settings, new StopSignal())) {
            return session.retried(TransactionLimits.count(settings), tx -> {
                RowFilter tried = FilterTrial.of(tx, LivePair.read(tx, pair)).require(filter);
                PairSchema shape = SchemaCheck.run(tx, pair, Direction.RESTORE);
                return RestorePreviewQuery.count(tx, shape.pair(), shape, tried);
            });
        } catch (DataAccessException e) {
            throw new ArchiveException("Could not count the rows of " + table + ": " + SqlState.message(e), e);
        }
    }

    /** The holds of this pair. */
    public Holds holds() {
        return new Holds(holdTable(), table, connections, settings);
    }

    private HoldTable holdTable() {
        return new HoldTable(pair, settings, context.node());
    }

    private static String hostName() {
        try {
            return InetAddress.getLocalHost().getHostName();
        } catch (UnknownHostException e) {
            return "unknown";
        }
    }

    /** Collects what an {@link Archiver} needs. */
    public static final class Builder {
        private final ArchivePair<?> pair;
        private final ConnectionSource connections;
        private ArchiveSettings settings = ArchiveSettings.defaults();
        private final List<SweepListener> listeners = new ArrayList<>();
        private @Nullable Clock clock;
        private @Nullable String node;
        private String firedBy = "api";

        private Builder(ArchivePair<?> pair, ConnectionSource connections) {
            this.pair = pair;
            this.connections = connections;
        }

        /** The settings; {@link ArchiveSettings#defaults()} unless set. */
        public Builder settings(ArchiveSettings newSettings) {
            settings = newSettings;
            return this;
        }

        /** Adds one who hears of the sweeps. */
        public Builder listener(SweepListener listener) {
            listeners.add(listener);
            return this;
        }

        /** The clock that the cutoff is taken from; the database's unless set, which no node's wrong clock can move. */
        public Builder clock(Clock newClock) {
            clock = newClock;
            return this;
        }

        /** The node's name in the ledger; the host's name unless set. */
        public Builder node(String newNode) {
            node = newNode;
            return this;
        }

        /** What starts the sweeps, for the ledger; "api" unless set. */
        public Builder firedBy(String newFiredBy) {
            firedBy = newFiredBy;
            return this;
        }

        /** The archiver. */
        public Archiver build() {
            return new Archiver(this);
        }
    }
}
