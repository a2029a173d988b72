package io.usagearchiver;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jooq.DSLContext;
import org.jooq.Record1;
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
final class Batch {
    private final Table<?> source;
    private final Table<?> target;
    private final Key sourceKey;
    private final Key targetKey;
    private final Shape shape;
    private final Ledger ledger;

    Batch(ArchivePair<?> pair, Direction direction, Shape shape, Ledger ledger) {
        this.source = direction.source(pair);
        this.target = direction.target(pair);
        this.sourceKey = Key.of(source, pair);
        this.targetKey = Key.of(target, pair);
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
    Moved move(DSLContext tx, Branch branch, List<String> candidates) {
        List<String> locked = lock(tx, branch, candidates);
        if (locked.isEmpty()) {
            return new Moved(0, 0, List.of(), Map.of());
        }
        Set<String> copied = copy(tx, locked);
        List<String> present = minus(locked, copied);
        Set<String> proven = present.isEmpty() ? Set.of() : prove(tx, present);
        List<String> conflicts = minus(present, proven);
        delete(tx, minus(locked, new HashSet<>(conflicts)));
        Moved moved = new Moved(copied.size(), proven.size(), conflicts, Map.of());
        if (!ledger.count(tx, moved).equals(shape.fingerprint())) {
            throw new ShapeChangedException();
        }
        return moved;
    }

    /** Counts a row that the target refuses, and leaves it where it is. */
    Moved reject(DSLContext tx, String key, String reason) {
        Moved rejected = new Moved(0, 0, List.of(), Map.of(key, reason));
        ledger.count(tx, rejected);
        return rejected;
    }

    private List<String> lock(DSLContext tx, Branch branch, List<String> candidates) {
        return tx.select(sourceKey.text())
                .from(source)
                .where(sourceKey.among(candidates))
                .and(branch.wanted())
                .forUpdate()
                .skipLocked()
                .fetch(Record1::value1);
    }

    private Set<String> copy(DSLContext tx, List<String> keys) {
        return new HashSet<>(tx.insertInto(target)
                .columns(shape.columns(target))
                .select(tx.select(shape.columns(source)).from(source).where(sourceKey.among(keys)))
                .onConflict(targetKey.columns())
                .doNothing()
                .returningResult(targetKey.text())
                .fetch(Record1::value1));
    }

    private Set<String> prove(DSLContext tx, List<String> keys) {
        return new HashSet<>(tx.select(targetKey.text())
                .from(target)
                .join(source)
                .on(sourceKey.equal(targetKey.columns()))
                .where(targetKey.among(keys))
                .and(shape.identical(target, source))
                .forShare()
                .of(target)
                .fetch(Record1::value1));
    }

    private void delete(DSLContext tx, List<String> keys) {
        int deleted = tx.deleteFrom(source).where(sourceKey.among(keys)).execute();
        if (deleted != keys.size()) {
            throw new ArchiveException(
                    "Rolled back a batch of " + source + ": " + keys.size()
                            + " locked rows were to be deleted, but " + deleted
                            + " were; a trigger or rule that the schema check does not know?",
                    null);
        }
    }

    private static List<String> minus(List<String> keys, Set<String> others) {
        List<String> rest = new ArrayList<>(keys);
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
    record Moved(int copied, int proven, List<String> conflicts, Map<String, String> rejected) {
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
