package io.usagearchiver;

import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.jooq.DSLContext;
import org.jooq.exception.DataAccessException;
import org.jspecify.annotations.Nullable;

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

    private static final int SWEEPS_LOOKED_AT = 200;
    private static final int SWEEPS_OF_A_PACE = 10;

    private final ArchivePair<?> pair;
    private final ConnectionSource connections;
    private final ArchiveSettings settings;
    private final Surroundings.Thresholds thresholds;

    /** A planner of the sweeps that an archiver of the same pair, connections and settings does. */
    public Planner(ArchivePair<?> pair, ConnectionSource connections, ArchiveSettings settings) {
        this(pair, connections, settings, Surroundings.Thresholds.DEFAULT);
    }

    Planner(
            ArchivePair<?> pair,
            ConnectionSource connections,
            ArchiveSettings settings,
            Surroundings.Thresholds thresholds) {
        this.pair = pair;
        this.connections = connections;
        this.settings = settings;
        this.thresholds = thresholds;
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
        try {
            return Retry.read(connections, stop, settings.retryTimeout(), limits, tx -> plan(tx, pair, countLimit));
        } catch (DataAccessException e) {
            String table = Shape.name(pair.hot());
            throw new ArchiveException("Could not plan a sweep of " + table + ": " + Faults.message(e), e);
        } finally {
            stop.finish();
        }
    }

    private Plan plan(DSLContext tx, ArchivePair<?> keyed, long countLimit) {
        LocalDateTime cutoff = NaiveUtc.monthsBefore(NaiveUtc.now(tx), settings.retentionMonths());
        GrantCheck grants = new GrantCheck(tx, keyed);
        List<String> missing = new ArrayList<>(grants.missingSchemas());
        List<String> differences = new ArrayList<>();
        List<String> warnings = new ArrayList<>();
        Plan.Backlog backlog = null;
        Plan.Overlap overlap = null;
        Plan.Pace pace = null;
        if (missing.isEmpty()) {
            missing.addAll(grants.missingOnTables());
            if (settings.pace().maxReplicaLag() != null && ReplicaLag.missingPrivilege(tx) != null) {
                missing.add("GRANT pg_monitor TO " + grants.role());
            }
            Shape shape = null;
            try {
                shape = SchemaCheck.run(tx, keyed);
            } catch (SchemaDriftException e) {
                differences.addAll(e.differences());
            }
            List<Hold> stored = null;
            try {
                stored = tx.transactionResult(nested -> StoredHolds.active(nested.dsl(), keyed));
            } catch (DataAccessException e) {
                if (Faults.isTransient(e) || Faults.isCancelled(e)) {
                    throw e;
                }
                // Else that is said already.
                if (shape != null && missing.isEmpty()) {
                    differences.add(StoredHolds.unreadable(e));
                }
            }
            List<RowFilter> holds = List.of();
            if (stored != null) {
                differences.addAll(StoredHolds.differences(stored));
                holds = StoredHolds.filters(stored);
                holds.forEach(hold -> warnings.add("a hold keeps expired rows hot: " + hold));
                List<String> lost = ifThere(tx, nested -> StoredHolds.keepingNothing(nested, keyed));
                warnings.addAll(lost == null ? List.of() : lost);
            }
            ExpiredRows expired = new ExpiredRows(keyed, cutoff, holds, settings.batchSize(), countLimit);
            backlog = ifThere(tx, expired::count);
            if (shape != null && backlog != null) {
                Shape known = shape;
                overlap = ifThere(tx, nested -> expired.overlap(nested, known));
            }
            List<PastSweep> sweeps = ifThere(tx, nested -> SweepHistory.newest(nested, keyed, SWEEPS_LOOKED_AT));
            if (sweeps != null) {
                pace = pace(sweeps);
                sweeps.stream()
                        .filter(PastSweep::isRunning)
                        .map(Planner::running)
                        .forEach(warnings::add);
            }
            warnings.addAll(Surroundings.warnings(tx, keyed, thresholds));
        }
        return new Plan(
                Shape.name(keyed.hot()),
                Shape.name(keyed.archive()),
                cutoff,
                settings.retentionMonths(),
                settings.batchSize(),
                countLimit,
                differences,
                missing,
                backlog,
                overlap,
                pace,
                warnings,
                grants.role(),
                Surroundings.seesOtherSessions(tx));
    }

    /** What a table gives that may not be there, or not as it should, or not for this role; null then. */
    private static <T extends @Nullable Object> @Nullable T ifThere(DSLContext tx, Function<DSLContext, T> read) {
        try {
            // Nested: behind a savepoint, so that the transaction survives.
            return tx.transactionResult(nested -> read.apply(nested.dsl()));
        } catch (DataAccessException e) {
            if (Faults.isMissing(e)) {
                return null;
            }
            throw e;
        }
    }

    private static Plan.@Nullable Pace pace(List<PastSweep> newestFirst) {
        List<PastSweep> moved = newestFirst.stream()
                .filter(sweep -> sweep.archives() && !sweep.isRunning() && sweep.rowsMoved() > 0)
                .limit(SWEEPS_OF_A_PACE)
                .toList();
        long rows = moved.stream().mapToLong(PastSweep::rowsMoved).sum();
        long millis =
                moved.stream().mapToLong(sweep -> sweep.moving().toMillis()).sum();
        return moved.isEmpty() ? null : new Plan.Pace(moved.size(), rows * 1000.0 / Math.max(1, millis));
    }

    private static String running(PastSweep sweep) {
        return "sweep " + sweep.sweepId() + " is RUNNING on " + sweep.node() + " since "
                + sweep.startedAt().toString().replace('T', ' ')
                + (sweep.archives() ? " UTC: a sweep that begins now takes over from it" : " UTC: it is a restore");
    }
}
