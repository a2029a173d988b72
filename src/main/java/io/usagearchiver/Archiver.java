package io.usagearchiver;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.time.Clock;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.List;
import org.jooq.exception.DataAccessException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

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
    private static final Logger log = LoggerFactory.getLogger(Archiver.class);

    private final ArchivePair<?> pair;
    private final String table;
    private final ConnectionSource connections;
    private final ArchiveSettings settings;
    private final SweepListener listener;
    private final @Nullable Clock clock;
    private final String node;
    private final String firedBy;

    private Archiver(Builder builder) {
        pair = builder.pair;
        table = Shape.qualified(pair.hot()).unquotedName().toString();
        connections = builder.connections;
        settings = builder.settings;
        listener = new GuardedListener(builder.listener);
        clock = builder.clock;
        node = builder.node == null ? hostName() : builder.node;
        firedBy = builder.firedBy;
    }

    /** Builds an archiver of a pair, with connections of a role that has the grants of {@code sql/04-grants.sql}. */
    public static Builder builder(ArchivePair<?> pair, ConnectionSource connections) {
        return new Builder(pair, connections);
    }

    /**
     * Checks that the live tables allow rows to be moved. A sweep does this itself.
     *
     * @throws SchemaDriftException if they do not, with all that is wrong
     * @throws ArchiveException if the database does not answer
     */
    public void checkSchema() {
        StopSignal never = new StopSignal();
        try (Session session = Session.open(connections, never)) {
            session.transaction(TransactionLimits.page(settings), tx -> SchemaCheck.run(tx, pair));
        } catch (DataAccessException e) {
            throw new ArchiveException("Could not check the schema of " + table + ": " + Faults.message(e), e);
        }
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
     * @throws SchemaDriftException if the tables do not allow it; nothing was moved since they did not
     * @throws SweepStoppedException if it was asked to stop before it began
     * @throws SweepFailedException if a fault ended it
     * @throws ArchiveException if there is no connection to be had
     */
    public SweepResult sweep(StopSignal stop) {
        try (Session session = Session.open(connections, stop)) {
            SweepResult result = sweep(session, stop);
            report(result);
            listener.sweepEnded(result);
            return result;
        } finally {
            stop.finish();
        }
    }

    private SweepResult sweep(Session session, StopSignal stop) {
        Retry retry = new Retry(settings.retryTimeout(), stop);
        Ledger ledger;
        Sweep<?> sweep;
        try {
            Shape shape = retry.run(
                    () -> session.transaction(TransactionLimits.page(settings), tx -> SchemaCheck.run(tx, pair)));
            LocalDateTime now = clock == null
                    ? retry.run(() -> session.transaction(TransactionLimits.page(settings), NaiveUtc::now))
                    : LocalDateTime.ofInstant(clock.instant(), ZoneOffset.UTC);
            LocalDateTime cutoff = NaiveUtc.monthsBefore(now, settings.retentionMonths());
            ledger = retry.run(() ->
                    Ledger.open(session, TransactionLimits.open(settings), pair, shape.table(), cutoff, node, firedBy));
            sweep = new Sweep<>(pair, settings, session, retry, stop, listener, cutoff, ledger, shape);
        } catch (DataAccessException | Session.LostException | StopSignal.StoppedException e) {
            if (stop.requested()) {
                throw new SweepStoppedException(table, e);
            }
            throw new SweepFailedException("A sweep of " + table + " could not begin: " + Faults.message(e), e, null);
        }
        try {
            StopReason reason = sweep.run();
            stop.finish();
            return close(session, ledger, reason, rejections(sweep.keptBack()), sweep.keptBack());
        } catch (RuntimeException e) {
            stop.finish();
            throw failed(session, ledger, sweep.keptBack(), e);
        }
    }

    private RuntimeException failed(Session session, Ledger ledger, KeptBack<?> keptBack, RuntimeException fault) {
        SweepResult result = null;
        // Without a connection the row stays RUNNING until the next sweep supersedes it. To wait for another one once
        // more would keep a node that is to stop from it.
        if (!(fault instanceof Session.LostException)) {
            try {
                result = close(session, ledger, StopReason.FAILED, Faults.message(fault), keptBack);
            } catch (RuntimeException e) {
                fault.addSuppressed(e);
            }
        }
        if (fault instanceof SchemaDriftException) {
            return fault;
        }
        return new SweepFailedException(
                "Sweep " + ledger.sweepId() + " of " + table + " failed: " + Faults.message(fault), fault, result);
    }

    /** Closes the ledger row; once more on another connection if the first one is lost. */
    private SweepResult close(
            Session session, Ledger ledger, StopReason reason, @Nullable String message, KeptBack<?> keptBack) {
        TransactionLimits limits = TransactionLimits.close(settings);
        try {
            return session.transaction(limits, tx -> ledger.close(tx, reason, message, keptBack));
        } catch (DataAccessException e) {
            if (!Faults.isTransient(e)) {
                throw e;
            }
            return session.transaction(limits, tx -> ledger.close(tx, reason, message, keptBack));
        }
    }

    private static @Nullable String rejections(KeptBack<?> keptBack) {
        List<String> reasons = keptBack.reasons();
        return reasons.isEmpty() ? null : "rejected by the archive:\n" + String.join("\n", reasons);
    }

    private static void report(SweepResult result) {
        log.info(
                "Sweep {} of {} ended {}: {} rows moved in {} batches and {} ms, {} archived already,"
                        + " {} in conflict, {} rejected; cutoff {}",
                result.sweepId(),
                result.table(),
                result.stopReason(),
                result.rowsMoved(),
                result.batches(),
                result.elapsed().toMillis(),
                result.rowsAlreadyArchived(),
                result.rowsInConflict(),
                result.rowsRejected(),
                result.cutoff());
        if (!result.conflictingIds().isEmpty()) {
            log.warn(
                    "{} rows of {} stay hot: the archive holds their keys with other content. The first: {}",
                    result.rowsInConflict(),
                    result.table(),
                    String.join(", ", result.conflictingIds()));
        }
        if (!result.rejectedIds().isEmpty()) {
            log.warn(
                    "{} rows of {} stay hot: the archive refuses them, for the reasons in the ledger's message. The first: {}",
                    result.rowsRejected(),
                    result.table(),
                    String.join(", ", result.rejectedIds()));
        }
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
        private SweepListener listener = new SweepListener() {};
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

        /** Who hears of the sweep; nobody unless set. */
        public Builder listener(SweepListener newListener) {
            listener = newListener;
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
