package io.usagearchiver;

import java.time.Duration;
import java.time.LocalDateTime;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import org.jooq.DSLContext;
import org.jooq.exception.DataAccessException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Batches until no expired row is left, or a reason to stop.
 *
 * <p>A pass over the candidates is followed by another if it moved a row and an expired row is left: one that was locked,
 * or that expired behind the cursor. Rows that had to be kept back are not tried again.
 */
final class Sweep<K> {
    private static final String QUERY_CANCELED = "57014";
    private static final Logger log = LoggerFactory.getLogger(Sweep.class);

    private final ArchivePair<K> pair;
    private final ArchiveSettings settings;
    private final Session session;
    private final StopSignal stop;
    private final SweepListener listener;
    private final LocalDateTime cutoff;
    private final Ledger ledger;
    private final List<Branch<K>> branches;
    private final long startNanos = System.nanoTime();
    private final Set<K> conflicts = new LinkedHashSet<>();

    private Shape shape;
    private long rowsMoved;
    private long batches;
    private @Nullable String oldestAge;

    Sweep(
            ArchivePair<K> pair,
            ArchiveSettings settings,
            Session session,
            StopSignal stop,
            SweepListener listener,
            LocalDateTime cutoff,
            Ledger ledger,
            Shape shape) {
        this.pair = pair;
        this.settings = settings;
        this.session = session;
        this.stop = stop;
        this.listener = listener;
        this.cutoff = cutoff;
        this.ledger = ledger;
        this.branches = Branch.of(pair, cutoff);
        this.shape = shape;
    }

    /** Sweeps, and leaves the ledger row open. */
    StopReason run() {
        listener.sweepStarted(progress());
        try {
            return drain();
        } catch (Ledger.SupersededException e) {
            return StopReason.SUPERSEDED;
        } catch (StopSignal.StoppedException e) {
            return StopReason.INTERRUPTED;
        } catch (DataAccessException e) {
            if (stop.requested() && QUERY_CANCELED.equals(e.sqlState())) {
                return StopReason.INTERRUPTED;
            }
            throw e;
        }
    }

    /** The keys of the first rows in conflict. */
    List<String> conflictingIds() {
        return conflicts.stream()
                .limit(SweepResult.LISTED_IDS)
                .map(String::valueOf)
                .toList();
    }

    private StopReason drain() {
        while (true) {
            Candidates<K> candidates = new Candidates<>(this::read, branches, settings.batchSize(), conflicts);
            boolean deleted = false;
            for (var slice = candidates.next(); slice != null; slice = candidates.next()) {
                StopReason reason = reasonToStop();
                if (reason != null) {
                    return reason;
                }
                oldestAge = slice.age();
                deleted |= move(slice).deleted() > 0;
            }
            if (candidates.isEmpty() || !anyLeft()) {
                return StopReason.DRAINED;
            }
            if (!deleted) {
                return StopReason.ROWS_LOCKED;
            }
        }
    }

    private @Nullable StopReason reasonToStop() {
        if (stop.requested()) {
            return StopReason.INTERRUPTED;
        }
        Duration budget = settings.timeBudget();
        return budget != null && elapsed().compareTo(budget) >= 0 ? StopReason.TIME_BUDGET : null;
    }

    private Batch.Moved<K> move(Candidates.Slice<K> slice) {
        while (true) {
            try {
                Batch<K> batch = new Batch<>(pair, shape, ledger);
                Batch.Moved<K> moved = session.transaction(
                        TransactionLimits.batch(settings), tx -> batch.move(tx, slice.branch(), slice.keys()));
                count(moved);
                return moved;
            } catch (Batch.ShapeChangedException e) {
                log.info(
                        "{} or its archive was altered during sweep {}: checking the schema again",
                        shape.table(),
                        ledger.sweepId());
                shape = read(tx -> SchemaCheck.run(tx, pair));
            }
        }
    }

    private void count(Batch.Moved<K> moved) {
        if (moved.deleted() == 0 && moved.conflicts().isEmpty()) {
            return;
        }
        conflicts.addAll(moved.conflicts());
        rowsMoved += moved.copied();
        batches++;
        log.debug(
                "Sweep {} of {}, batch {}: {} rows moved, {} archived already, {} in conflict",
                ledger.sweepId(),
                shape.table(),
                batches,
                moved.copied(),
                moved.proven(),
                moved.conflicts().size());
        listener.batchCommitted(progress());
    }

    private boolean anyLeft() {
        List<K> without = List.copyOf(conflicts);
        return read(dsl -> branches.stream().anyMatch(branch -> branch.anyLeft(dsl, without)));
    }

    private <T> T read(Function<DSLContext, T> query) {
        return session.transaction(TransactionLimits.page(settings), query);
    }

    private Duration elapsed() {
        return Duration.ofNanos(System.nanoTime() - startNanos);
    }

    private SweepProgress progress() {
        return new SweepProgress(ledger.sweepId(), shape.table(), cutoff, rowsMoved, batches, elapsed(), oldestAge);
    }
}
