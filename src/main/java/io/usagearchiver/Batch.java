package io.usagearchiver;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jooq.Condition;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.Table;
import org.jooq.impl.DSL;

/**
 * One transaction that moves rows. Its statements, each seeing what was committed before it:
 *
 * <ol>
 *   <li><b>lock</b> the candidates that are still expired and not locked by another session. From here on an application
 *       can neither change nor delete them, so what is copied is their last content;
 *   <li><b>copy</b> them into the archive, by column name, leaving out those whose key the archive holds;
 *   <li><b>prove</b> of those left out which ones the archive holds identical in every column, and lock these copies.
 *       All others, different or gone, are conflicts: they stay hot;
 *   <li><b>delete</b> what was copied or proven, and nothing else;
 *   <li><b>fence</b>: count it in the ledger row, if that is still RUNNING, and see that the tables' columns are those
 *       that were checked: both tables are locked against ALTER by now.
 * </ol>
 *
 * One statement with data-modifying CTEs would not do: its INSERT reads the snapshot from before the locks.
 */
final class Batch<K> {
    private final ArchivePair<K> pair;
    private final Shape shape;
    private final Ledger ledger;

    Batch(ArchivePair<K> pair, Shape shape, Ledger ledger) {
        this.pair = pair;
        this.shape = shape;
        this.ledger = ledger;
    }

    /**
     * Moves those of {@code candidates} that {@code branch} still calls expired and nobody else has locked.
     *
     * @param tx the transaction; to be rolled back when this throws
     * @throws Ledger.SupersededException if a newer sweep has taken over
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

    /** Counts a row that the archive refuses, and leaves it where it is. */
    Moved<K> reject(DSLContext tx, K key, String reason) {
        Moved<K> rejected = new Moved<>(0, 0, List.of(), Map.of(key, reason));
        ledger.count(tx, rejected);
        return rejected;
    }

    private List<K> lock(DSLContext tx, Branch<K> branch, List<K> candidates) {
        return tx.select(pair.key())
                .from(pair.hot())
                .where(Keys.among(pair.key(), candidates))
                .and(branch.expired())
                .forUpdate()
                .skipLocked()
                .fetch(pair.key());
    }

    private Set<K> copy(DSLContext tx, List<K> keys) {
        Field<K> archived = shape.column(pair.archive(), pair.key());
        return new HashSet<>(tx.insertInto(pair.archive())
                .columns(shape.columns(pair.archive()))
                .select(tx.select(shape.columns(pair.hot())).from(pair.hot()).where(Keys.among(pair.key(), keys)))
                .onConflict(archived)
                .doNothing()
                .returningResult(archived)
                .fetch(archived));
    }

    /**
     * Compares row images, not values: {@code =} knows rows as equal that are not the same (1.0 and 1.00, or text under
     * a collation that ignores case), and some types have no {@code =}.
     */
    private Set<K> prove(DSLContext tx, List<K> keys) {
        Table<?> hot = pair.hot();
        Table<?> archive = pair.archive();
        Field<K> archived = shape.column(archive, pair.key());
        Condition identical = DSL.condition(
                "cast(row({0}) as record) *= cast(row({1}) as record)",
                DSL.list(shape.columns(archive)), DSL.list(shape.columns(hot)));
        return new HashSet<>(tx.select(archived)
                .from(archive)
                .join(hot)
                .on(pair.key().eq(archived))
                .where(Keys.among(archived, keys))
                .and(identical)
                .forShare()
                .of(archive)
                .fetch(archived));
    }

    private void delete(DSLContext tx, List<K> keys) {
        int deleted =
                tx.deleteFrom(pair.hot()).where(Keys.among(pair.key(), keys)).execute();
        if (deleted != keys.size()) {
            throw new ArchiveException(
                    "Rolled back a batch of " + pair.hot() + ": " + keys.size()
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
     * @param copied rows inserted into the archive and deleted from the hot table
     * @param proven rows deleted from the hot table because the archive held an identical copy already
     * @param conflicts keys of the rows that stay hot because their archived copy is different, or vanished meanwhile
     * @param rejected keys of the rows that stay hot because the archive refused them, with PostgreSQL's reason
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
