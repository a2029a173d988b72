package io.usagearchiver;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.time.Clock;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.jooq.DSLContext;
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
    private final List<SweepListener> listeners;
    private final @Nullable Clock clock;
    private final String node;
    private final String firedBy;

    private Archiver(Builder builder) {
        pair = builder.pair;
        table = Shape.qualified(pair.hot()).unquotedName().toString();
        connections = builder.connections;
        settings = builder.settings;
        listeners = List.copyOf(builder.listeners);
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
     * @throws SchemaDriftException if they do not, with all that is wrong; or if replicas are to be waited for, and the
     *     role may not look at them
     * @throws ArchiveException if the database does not answer
     */
    public void checkSchema() {
        StopSignal never = new StopSignal();
        try (Session session = Session.open(connections, never)) {
            session.transaction(TransactionLimits.page(settings), this::check);
        } catch (DataAccessException e) {
            throw new ArchiveException("Could not check the schema of " + table + ": " + Faults.message(e), e);
        }
    }

    private Shape check(DSLContext tx) {
        Shape shape = SchemaCheck.run(tx, pair);
        String missing = settings.pace().maxReplicaLag() == null ? null : ReplicaLag.missingPrivilege(tx);
        if (missing != null) {
            throw new SchemaDriftException(table, List.of(missing));
        }
        return shape;
    }

    /** Looks whether the archiver can do its work, and how its last sweep ended. Waits no longer than a few seconds. */
    public Health health() {
        StopSignal never = new StopSignal();
        try (Session session = Session.open(connections, never)) {
            return session.transaction(TransactionLimits.close(settings), tx -> {
                check(tx);
                return Health.read(tx, table);
            });
        } catch (SchemaDriftException e) {
            return new Health(Health.Status.DISABLED, String.valueOf(e.getMessage()), null);
        } catch (ArchiveException | DataAccessException e) {
            return new Health(Health.Status.NO_ANSWER, Faults.message(e), null);
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
     * @throws SchemaDriftException if the database does not allow it; nothing was moved since it did not
     * @throws SweepStoppedException if it was asked to stop before it began
     * @throws SweepFailedException if a fault ended it
     * @throws ArchiveException if there is no connection to be had
     */
    public SweepResult sweep(StopSignal stop) {
        List<SweepListener> all = new ArrayList<>(listeners);
        all.add(new ProgressLog());
        SweepListener listener = new GuardedListener(all);
        try (Session session = Session.open(connections, stop)) {
            SweepResult result = sweep(session, stop, listener);
            report(result);
            listener.sweepEnded(result);
            return result;
        } catch (SweepStoppedException e) {
            throw e;
        } catch (ArchiveException e) {
            listener.sweepFailed(table, e);
            throw e;
        } finally {
            stop.finish();
        }
    }

    private SweepResult sweep(Session session, StopSignal stop, SweepListener listener) {
        Retry retry = new Retry(settings.retryTimeout(), stop);
        Ledger ledger;
        Sweep<?> sweep;
        try {
            Shape shape = retry.run(() -> session.transaction(TransactionLimits.page(settings), this::check));
            Supplier<LocalDateTime> now = clock(session, retry);
            LocalDateTime cutoff = NaiveUtc.monthsBefore(now.get(), settings.retentionMonths());
            RunWindow window = settings.pace().runWindow();
            if (window != null && !window.contains(now.get().toLocalTime())) {
                Ledger refused = retry.run(() -> session.transaction(
                        TransactionLimits.open(settings),
                        tx -> Ledger.refuse(
                                tx, pair, shape.table(), cutoff, node, firedBy, StopReason.OUTSIDE_WINDOW)));
                return close(session, refused, StopReason.OUTSIDE_WINDOW, null, new KeptBack<>());
            }
            ledger = retry.run(() ->
                    Ledger.open(session, TransactionLimits.open(settings), pair, shape.table(), cutoff, node, firedBy));
            Pacing pacing = new Pacing(settings, stop, now, "Sweep " + ledger.sweepId() + " of " + table);
            sweep = new Sweep<>(pair, settings, session, retry, stop, listener, cutoff, ledger, shape, pacing);
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

    /** The injected clock; else the database's, read once and counted on from there. */
    private Supplier<LocalDateTime> clock(Session session, Retry retry) {
        if (clock != null) {
            return () -> LocalDateTime.ofInstant(clock.instant(), ZoneOffset.UTC);
        }
        LocalDateTime read = retry.run(() -> session.transaction(TransactionLimits.page(settings), NaiveUtc::now));
        long nanos = System.nanoTime();
        return () -> read.plusNanos(System.nanoTime() - nanos);
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
