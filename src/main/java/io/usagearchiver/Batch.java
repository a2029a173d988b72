package io.usagearchiver;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.Table;

/**
 * One transaction that moves rows. Its statements, each seeing what was committed before it:
 *
 * <ol>
 *   <li><b>lock</b> the candidates that are still wanted and not locked by another session. From here on an application
 *       can neither change nor delete them, so what is copied is their last content;
 *   <li><b>copy</b> them into the target, by column name, leaving out those whose key the target holds;
 *   <li><b>prove</b> of those left out which ones the target holds identical in every column, and lock these copies.
 *       All others, different or gone, are conflicts: they stay in the source;
 *   <li><b>delete</b> from the source what was copied or proven, and nothing else;
 *   <li><b>fence</b>: count it in the ledger row, if that is still RUNNING and under the holds that were read, and see
 *       that the tables' columns are those that were checked: both tables are locked against ALTER by now.
 * </ol>
 *
 * For a sweep, the source is the hot table and the target the archive; for a restore it is the other way round.
 *
 * <p>One statement with data-modifying CTEs would not do: its INSERT reads the snapshot from before the locks.
 */
final class Batch<K> {
    private final Table<?> source;
    private final Table<?> target;
    private final Field<K> sourceKey;
    private final Field<K> targetKey;
    private final Shape shape;
    private final Ledger ledger;

    Batch(ArchivePair<K> pair, Direction direction, Shape shape, Ledger ledger) {
        this.source = direction.source(pair);
        this.target = direction.target(pair);
        this.sourceKey = Shape.column(source, pair.key());
        this.targetKey = Shape.column(target, pair.key());
        this.shape = shape;
        this.ledger = ledger;
    }

    /**
     * Moves those of {@code candidates} that {@code branch} still wants and nobody else has locked.
     *
     * @param tx the transaction; to be rolled back when this throws
     * @throws Ledger.SupersededException if a newer sweep has taken over
     * @throws Ledger.HoldsChangedException if there may be a hold that {@code branch} does not know
     * @throws ShapeChangedException if a table's columns are not those that were checked
     */
    Moved<K> move(DSLContext tx, Branch<K> branch, List<K> candidates) {
        List<K> locked = lock(tx, branch, candidates);
        if (locked.isEmpty()) {
            return new Moved<>(0, 0, List.of(), Map.of());
        }
        Set<K> copied = copy(tx, locked);
        List<K> present = minus(locked, copied);
        Set<K> proven = present.isEmpty() ? Set.of() : prove(tx, present);
        List<K> conflicts = minus(present, proven);
        delete(tx, minus(locked, new HashSet<>(conflicts)));
        Moved<K> moved = new Moved<>(copied.size(), proven.size(), conflicts, Map.of());
        if (!ledger.count(tx, moved).equals(shape.fingerprint())) {
            throw new ShapeChangedException();
        }
        return moved;
    }

    /** Counts a row that the target refuses, and leaves it where it is. */
    Moved<K> reject(DSLContext tx, K key, String reason) {
        Moved<K> rejected = new Moved<>(0, 0, List.of(), Map.of(key, reason));
        ledger.count(tx, rejected);
        return rejected;
    }

    private List<K> lock(DSLContext tx, Branch<K> branch, List<K> candidates) {
        return tx.select(sourceKey)
                .from(source)
                .where(Keys.among(sourceKey, candidates))
                .and(branch.wanted())
                .forUpdate()
                .skipLocked()
                .fetch(sourceKey);
    }

    private Set<K> copy(DSLContext tx, List<K> keys) {
        return new HashSet<>(tx.insertInto(target)
                .columns(shape.columns(target))
                .select(tx.select(shape.columns(source)).from(source).where(Keys.among(sourceKey, keys)))
                .onConflict(targetKey)
                .doNothing()
                .returningResult(targetKey)
                .fetch(targetKey));
    }

    private Set<K> prove(DSLContext tx, List<K> keys) {
        return new HashSet<>(tx.select(targetKey)
                .from(target)
                .join(source)
                .on(sourceKey.eq(targetKey))
                .where(Keys.among(targetKey, keys))
                .and(shape.identical(target, source))
                .forShare()
                .of(target)
                .fetch(targetKey));
    }

    private void delete(DSLContext tx, List<K> keys) {
        int deleted = tx.deleteFrom(source).where(Keys.among(sourceKey, keys)).execute();
        if (deleted != keys.size()) {
            throw new ArchiveException(
                    "Rolled back a batch of " + source + ": " + keys.size()
                            + " locked rows were to be deleted, but " + deleted
                            + " were; a trigger or rule that the schema check does not know?",
                    null);
        }
    }

    private static <K> List<K> minus(List<K> keys, Set<K> others) {
        List<K> rest = new ArrayList<>(keys);
        rest.removeAll(others);
        return rest;
    }

    /**
     * What a batch did.
     *
     * @param copied rows inserted into the target and deleted from the source
     * @param proven rows deleted from the source because the target held an identical copy already
     * @param conflicts keys of the rows that stay because the target's row is different, or vanished meanwhile
     * @param rejected keys of the rows that stay because the target refused them, with PostgreSQL's reason
     */
    record Moved<K>(int copied, int proven, List<K> conflicts, Map<K, String> rejected) {
        int deleted() {
            return copied + proven;
        }

        boolean isEmpty() {
            return deleted() == 0 && conflicts.isEmpty() && rejected.isEmpty();
        }
    }

    /** The columns are not those that the schema check saw. The batch must be rolled back and the check repeated. */
    static final class ShapeChangedException extends RuntimeException {
        private static final long serialVersionUID = 1;
    }
}
