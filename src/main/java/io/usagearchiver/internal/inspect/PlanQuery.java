package io.usagearchiver.internal.inspect;

import io.usagearchiver.ArchivePair;
import io.usagearchiver.ArchiveSettings;
import io.usagearchiver.Hold;
import io.usagearchiver.PastSweep;
import io.usagearchiver.Plan;
import io.usagearchiver.RowFilter;
import io.usagearchiver.RunWindow;
import io.usagearchiver.internal.ledger.ActiveHolds;
import io.usagearchiver.internal.ledger.LedgerOpening;
import io.usagearchiver.internal.postgres.NaiveUtc;
import io.usagearchiver.internal.postgres.SqlState;
import io.usagearchiver.internal.postgres.TableName;
import io.usagearchiver.internal.rows.PartitionsNeeded;
import io.usagearchiver.internal.schema.Direction;
import io.usagearchiver.internal.schema.GrantCheck;
import io.usagearchiver.internal.schema.HandOverCheck;
import io.usagearchiver.internal.schema.KeySequence;
import io.usagearchiver.internal.schema.Obstacles;
import io.usagearchiver.internal.schema.PairSchema;
import java.time.LocalDateTime;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.jooq.DSLContext;
import org.jooq.exception.DataAccessException;
import org.jspecify.annotations.Nullable;

/** Reads, in one snapshot, what a plan tells. */
public record PlanQuery(ArchivePair<?> pair, ArchiveSettings settings, PlanWarnings.Thresholds thresholds) {
    private static final int SWEEPS_LOOKED_AT = 200;
    private static final int SWEEPS_OF_A_PACE = 10;

    /**
     * Plans a sweep that begins now.
     *
     * @param readOnly what keeps a sweep's transaction from writing, or null
     */
    public Plan plan(DSLContext tx, long countLimit, @Nullable String readOnly) {
        LocalDateTime now = NaiveUtc.now(tx);
        LocalDateTime cutoff = settings.cutoff(now);
        Obstacles obstacles = Obstacles.find(tx, pair, Direction.ARCHIVE, settings);
        ArchivePair<?> keyed = obstacles.pair();
        PairSchema shape = obstacles.shape();
        List<String> differences = new ArrayList<>(obstacles.differences());
        if (readOnly != null) {
            differences.add(readOnly);
        }
        List<String> waits = new ArrayList<>();
        RunWindow window = settings.pace().runWindow();
        if (window != null && !window.contains(now.toLocalTime())) {
            waits.add("runWindow is " + window + " UTC, and it is "
                    + now.toLocalTime().truncatedTo(ChronoUnit.MINUTES) + ": a sweep that begins before "
                    + window.start() + " UTC ends OUTSIDE_WINDOW at once");
        }
        List<String> warnings = new ArrayList<>();
        Plan.Backlog backlog = null;
        Plan.Overlap overlap = null;
        Plan.Pace pace = null;
        if (keyed != null && !obstacles.hidden()) {
            // What is not as it should be is told already; else whatever keeps rows from being read keeps a sweep from
            // them.
            boolean told = shape == null || !obstacles.missingGrants().isEmpty();
            Reader reader = new Reader(tx, told ? null : differences);
            List<Hold> stored = reader.read(ActiveHolds::unreadable, nested -> ActiveHolds.active(nested, keyed));
            List<RowFilter> holds = List.of();
            if (stored != null) {
                differences.addAll(ActiveHolds.differences(stored));
                holds = ActiveHolds.filters(stored);
                holds.forEach(hold -> warnings.add("a hold keeps expired rows hot: " + hold));
                List<String> lost =
                        reader.read(ActiveHolds::unreadable, nested -> ActiveHolds.keepingNothing(nested, keyed));
                warnings.addAll(lost == null ? List.of() : lost);
            }
            BacklogCounter expired = new BacklogCounter(keyed, cutoff, holds, settings.batchSize(), countLimit);
            String hot = "hot " + TableName.name(keyed.hot()) + " cannot be read: ";
            backlog = reader.read(e -> hot + SqlState.message(e), expired::count);
            if (shape != null && backlog != null) {
                PairSchema known = shape;
                overlap = reader.read(e -> hot + SqlState.message(e), nested -> expired.overlap(nested, known));
            }
            List<PastSweep> sweeps = reader.read(
                    e -> "ledger cannot be read: " + SqlState.message(e),
                    nested -> HistoryQuery.newest(nested, keyed, SWEEPS_LOOKED_AT));
            if (sweeps != null) {
                pace = pace(sweeps);
                sweeps.stream()
                        .filter(PastSweep::isRunning)
                        .forEach(sweep -> tell(sweep, LedgerOpening.isAlive(tx, sweep.sweepId()), waits, warnings));
            }
            warnings.addAll(PlanWarnings.warnings(tx, keyed, thresholds));
            List<String> behind = reader.read(null, nested -> KeySequence.behindArchive(nested, keyed, false));
            warnings.addAll(behind == null ? List.of() : behind);
            List<String> needed = reader.read(
                    null,
                    nested -> PartitionsNeeded.warnings(
                            nested,
                            keyed,
                            cutoff.plusMonths(1),
                            settings.handOver() ? HandOverCheck.conditions(nested, keyed, cutoff) : List.of()));
            warnings.addAll(needed == null ? List.of() : needed);
            if (settings.handOver()) {
                List<String> handedOver = reader.read(null, nested -> HandOverCheck.told(nested, keyed, cutoff));
                warnings.addAll(handedOver == null ? List.of() : handedOver);
            }
        }
        return new Plan(
                TableName.name(pair.hot()),
                TableName.name(pair.archive()),
                cutoff,
                settings.retentionMonths(),
                settings.batchSize(),
                countLimit,
                differences.stream().sorted().distinct().toList(),
                obstacles.missingGrants(),
                waits,
                backlog,
                overlap,
                pace,
                warnings,
                GrantCheck.role(tx),
                GrantCheck.seesOtherSessions(tx));
    }

    /**
     * Reads what may not be there, or not as it should, or not for this role: that gives null.
     *
     * @param differences hears why; null where that is told already
     */
    private record Reader(DSLContext tx, @Nullable List<String> differences) {
        <T extends @Nullable Object> @Nullable T read(
                @Nullable Function<DataAccessException, String> why, Function<DSLContext, T> read) {
            try {
                // Nested: behind a savepoint, so that the transaction survives.
                return tx.transactionResult(nested -> read.apply(nested.dsl()));
            } catch (DataAccessException e) {
                if (SqlState.isPassing(e)) {
                    throw e;
                }
                if (differences != null && why != null) {
                    differences.add(why.apply(e));
                }
                return null;
            }
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

    /** Tells of a sweep or restore that is RUNNING: a live restore is not superseded, all else is. */
    private static void tell(PastSweep sweep, boolean alive, List<String> waits, List<String> warnings) {
        String running = (sweep.archives() ? "sweep " : "restore ") + sweep.sweepId() + " is RUNNING on " + sweep.node()
                + " since " + sweep.startedAt().toString().replace('T', ' ') + " UTC";
        if (alive) {
            waits.add(running + ": a sweep that begins now ends BUSY at once");
        } else {
            warnings.add(running + (sweep.archives() ? "" : " and gives no sign of life any more")
                    + ": a sweep that begins now takes over from it");
        }
    }
}
