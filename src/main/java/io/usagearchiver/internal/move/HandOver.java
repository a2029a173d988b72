package io.usagearchiver.internal.move;

import io.usagearchiver.ArchivePair;
import io.usagearchiver.StopReason;
import io.usagearchiver.internal.jdbc.StoppedException;
import io.usagearchiver.internal.jdbc.TransactionLimits;
import io.usagearchiver.internal.ledger.BatchResult;
import io.usagearchiver.internal.postgres.TableName;
import io.usagearchiver.internal.rows.CandidateEstimate;
import io.usagearchiver.internal.rows.CandidateQuery;
import io.usagearchiver.internal.schema.HandOverCheck;
import io.usagearchiver.internal.schema.HandOverCheck.HotPartition;
import io.usagearchiver.internal.schema.MissingIndexes;
import io.usagearchiver.internal.schema.PairSchema;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.Supplier;
import org.jooq.DSLContext;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Whole partitions of the hot table that become partitions of the archive, as a sweep has it. What can be done before is done
 * so, without a lock that anybody waits for long:
 *
 * <ol>
 *   <li>every row is looked at: one that the sweep would leave where it is keeps the whole partition there;
 *   <li>indexes that the archive has and the partition lacks are built {@code CONCURRENTLY};
 *   <li>a CHECK with the partition's bounds is added {@code NOT VALID}, then validated, so that nothing has to be read when it
 *       is attached;
 *   <li>{@link PartitionMove} moves it in one transaction.
 * </ol>
 *
 * Whatever is in the way, the partition is left to the passes over single rows, and the log says why, once a sweep. What was
 * built until then serves the next try, but for the CHECK, which goes.
 */
final class HandOver {
    /** How often something is tried that others are in the way of, in a row: each time keeps some of them waiting. */
    private static final int ATTEMPTS = 6;

    private static final Duration PAUSE = Duration.ofMillis(200);

    /** Others must not be looked for deadlocks while they wait for what is locked here: it is over sooner. */
    private static final Duration SHORTEST_DEADLOCK_TIMEOUT = Duration.ofMillis(200);

    private static final Logger log = LoggerFactory.getLogger("io.usagearchiver.HandOver");

    private final RunSession run;
    private final ArchivePair<?> pair;
    private final Throttler throttler;
    private final FastPath locks;
    private final Set<Long> seen = new HashSet<>();
    private int vain;
    private boolean told;
    private boolean moved;

    /** The hand-over of a sweep; {@code locks} knows how long others wait for locks. */
    HandOver(RunSession run, ArchivePair<?> pair, Throttler throttler, FastPath locks) {
        this.run = run;
        this.pair = pair;
        this.throttler = throttler;
        this.locks = locks;
    }

    /** Whether the last try has moved a partition: the tables are not those any more that were checked. */
    boolean hasMoved() {
        return moved;
    }

    /**
     * Tries partitions until one was moved or none is left.
     *
     * @param wanted the rows that the sweep is to move
     * @param schema the tables as they were checked
     * @return why the sweep is to stop, or null
     */
    @Nullable
    StopReason next(List<CandidateQuery> wanted, PairSchema schema) {
        moved = false;
        try {
            for (HotPartition partition : run.once(TransactionLimits.page(run.settings()), this::partitions)) {
                if (seen.contains(partition.oid())) {
                    continue;
                }
                StopReason reason = throttler.awaitTurn(run.progress().batches() > 0, run::replicas);
                if (reason != null) {
                    return reason;
                }
                moved = tryOut(partition, wanted, schema);
                if (moved) {
                    // Not for good: a crash of the server may undo it.
                    return null;
                }
                seen.add(partition.oid());
            }
        } catch (InTheWayException e) {
            if (!told) {
                log.warn("{}: all partitions go row by row: {}", run.ledger(), e.getMessage());
                run.progress().goRowByRow("all partitions", e.getMessage());
            }
            told = true;
        }
        return null;
    }

    private List<HotPartition> partitions(DSLContext tx) {
        String inTheWay = HandOverCheck.ofPair(tx, pair);
        if (inTheWay != null) {
            throw new InTheWayException(inTheWay, false);
        }
        locks.look(tx);
        if (locks.deadlockTimeout().compareTo(SHORTEST_DEADLOCK_TIMEOUT) < 0) {
            throw new InTheWayException(
                    "deadlock_timeout is, or may be, less than " + SHORTEST_DEADLOCK_TIMEOUT.toMillis() + " ms", false);
        }
        return HandOverCheck.partitions(tx, pair, run.ledger().cutoff());
    }

    /** Moves a partition, or says why not. */
    private boolean tryOut(HotPartition partition, List<CandidateQuery> wanted, PairSchema schema) {
        long startNanos = System.nanoTime();
        PartitionMove move = new PartitionMove(run, pair, wanted, schema, partition.oid());
        try {
            String obstacle = partition.obstacle();
            boolean anything = run.once(
                    TransactionLimits.count(run.settings()),
                    tx -> obstacle == null ? move.isWorthwhile(tx, partition) : move.anyWanted(tx, partition));
            if (!anything) {
                if (partition.hasCheck()) {
                    // Of a try that was interrupted: its rows have gone one by one since.
                    cleanUp(partition);
                }
                return false;
            }
            if (obstacle != null) {
                throw new InTheWayException(obstacle, false);
            }
            if (run.progress().isNew()) {
                run.progress().estimated(run.read(dsl -> CandidateEstimate.read(dsl, wanted)));
            }
            run.progress().reached(partition.since());
            buildIndexes(partition);
            prepare(partition);
            BatchResult done = persistently(() -> run.handOver(move::move));
            Duration time = Duration.ofNanos(System.nanoTime() - startNanos);
            throttler.batchFailed(time); // for the pause that follows, and not for the size of batches
            vain = 0;
            run.progress().handedOver(partition.name());
            log.info(
                    "{}: partition {} handed over to {} with {} rows in {} s",
                    run.ledger(),
                    partition.name(),
                    TableName.name(pair.archive()),
                    String.format(Locale.ROOT, "%,d", done.copied()),
                    time.toMillis() / 1000.0);
            return true;
        } catch (InTheWayException e) {
            log.warn("{}: partition {} goes row by row: {}", run.ledger(), partition.name(), e.getMessage());
            run.progress().goRowByRow(partition.name(), e.getMessage());
            cleanUp(partition);
            return false;
        }
    }

    private void buildIndexes(HotPartition partition) {
        List<MissingIndexes> missing =
                run.once(TransactionLimits.page(run.settings()), tx -> MissingIndexes.of(tx, pair, partition));
        for (MissingIndexes index : missing) {
            String create = index.create();
            if (create == null) {
                throw new InTheWayException(
                        "it lacks index " + index.index() + ", which is not one to be built by the way", false);
            }
            build(index, create);
        }
    }

    private void build(MissingIndexes index, String create) {
        String drop = "drop index concurrently if exists " + index.name();
        try {
            // What an interrupted try has left is of no use.
            run.alone(drop);
            run.alone(create);
        } catch (InTheWayException e) {
            try {
                run.alone(drop);
            } catch (InTheWayException left) {
                log.debug("{}: {} is left behind: {}", run.ledger(), index.name(), left.getMessage());
            }
            throw new InTheWayException(
                    "it lacks index " + index.index() + ", which could not be built: " + e.getMessage(), false);
        }
    }

    /** Has the CHECK added and validated, unless an earlier try has done so. */
    private void prepare(HotPartition partition) {
        if (partition.prepared()) {
            return;
        }
        String alter = "alter table " + partition.name() + " ";
        persistently(() -> run.once(
                TransactionLimits.handOver(run.settings()),
                tx -> tx.execute(PartitionMove.raw(alter + "drop constraint if exists " + HandOverCheck.CONSTRAINT
                        + ", add constraint " + HandOverCheck.CONSTRAINT + " check (" + partition.condition()
                        + ") not valid"))));
        // Its lock is in nobody's way but a VACUUM's.
        run.once(
                TransactionLimits.page(run.settings()),
                tx -> tx.execute(PartitionMove.raw(alter + "validate constraint " + HandOverCheck.CONSTRAINT)));
    }

    /** Does something, and again while others hold a lock, for some seconds. */
    private <T> T persistently(Supplier<T> work) {
        while (true) {
            try {
                return work.get();
            } catch (InTheWayException e) {
                if (!e.isOfLocks() || ++vain >= ATTEMPTS) {
                    throw e;
                }
            }
            run.session().await(PAUSE.multipliedBy(vain));
            if (run.session().isToStop()) {
                throw new StoppedException();
            }
        }
    }

    /** The CHECK does no harm where it is; it goes all the same, if nobody has to wait for that. */
    private void cleanUp(HotPartition partition) {
        try {
            run.once(
                    TransactionLimits.handOver(run.settings()),
                    tx -> tx.fetchSingle(PartitionMove.raw(
                                            "select exists (select from pg_catalog.pg_constraint where conrelid = "
                                                    + partition.oid() + " and conname = '" + HandOverCheck.CONSTRAINT
                                                    + "')"))
                                    .get(0, Boolean.class)
                            ? tx.execute(PartitionMove.raw("alter table " + partition.name()
                                    + " drop constraint if exists " + HandOverCheck.CONSTRAINT))
                            : 0);
        } catch (InTheWayException e) {
            log.debug("{}: {} keeps {}: {}", run.ledger(), partition.name(), HandOverCheck.CONSTRAINT, e.getMessage());
        }
    }
}
