package io.usagearchiver.internal.move;

import io.usagearchiver.ArchivePair;
import io.usagearchiver.internal.ledger.BatchCount;
import io.usagearchiver.internal.ledger.BatchResult;
import io.usagearchiver.internal.ledger.HoldsChangedException;
import io.usagearchiver.internal.ledger.LedgerRow;
import io.usagearchiver.internal.ledger.SupersededException;
import io.usagearchiver.internal.postgres.OwnRows;
import io.usagearchiver.internal.postgres.TableName;
import io.usagearchiver.internal.rows.CandidateQuery;
import io.usagearchiver.internal.rows.KeyColumns;
import io.usagearchiver.internal.rows.RowPlaces;
import io.usagearchiver.internal.schema.Direction;
import io.usagearchiver.internal.schema.PairSchema;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import org.jooq.Condition;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.InsertOnDuplicateStep;
import org.jooq.Record2;
import org.jooq.Result;
import org.jooq.Table;
import org.jooq.impl.DSL;
import org.jooq.impl.SQLDataType;
import org.jspecify.annotations.Nullable;

/**
 * One transaction that moves rows. Its statements, each seeing what was committed before it:
 *
 * <ol>
 *   <li><b>lock</b> the candidates that are still wanted and not locked by another session. From here on an application
 *       can neither change nor delete them, so what is copied is their last content, and they stay where they are stored:
 *       from here on they are found by their places ({@link RowPlaces});
 *   <li><b>copy</b> those whose key the target does not hold, by column name. Another session that writes one of them there
 *       at the same instant makes this fail; the batch is repeated in halves then, and sees it;
 *   <li><b>prove</b> of the others which ones the target holds identical in every column, and lock these copies. All
 *       that are left, different or gone, are conflicts: they stay in the source;
 *   <li><b>delete</b> from the source what was copied or proven, and nothing else;
 *   <li><b>fence</b>: count it in the ledger row, if that is still RUNNING and under the holds that were read, and see
 *       that the tables are those that were checked: both are locked against ALTER by now.
 * </ol>
 *
 * Each step has to find exactly the rows of the one before it, a single row as well: what is deleted is what was copied or
 * proven. For a sweep, the source is the hot table and the target the archive; for a restore it is the other way round.
 *
 * <p>This is the slow way, for what {@link FastBatch} has given back: what it meets that is odd, it deals with row by row.
 */
final class Batch {
    private final Table<?> source;
    private final Table<?> target;
    private final Table<?> onlySource;
    private final Table<?> onlyTarget;
    private final KeyColumns sourceKey;
    private final KeyColumns targetKey;
    private final RowPlaces places;
    private final PairSchema shape;
    private final BatchCount count;

    Batch(ArchivePair<?> pair, Direction direction, PairSchema shape, LedgerRow ledger) {
        this.source = direction.source(pair);
        this.target = direction.target(pair);
        this.onlySource = OwnRows.of(source);
        this.onlyTarget = OwnRows.of(target);
        this.sourceKey = KeyColumns.of(source, pair);
        this.targetKey = KeyColumns.of(target, pair);
        this.places = new RowPlaces(source, sourceKey);
        this.shape = shape;
        this.count = new BatchCount(ledger, shape);
    }

    /**
     * Moves those of {@code candidates} that {@code branch} still wants and nobody else has locked.
     *
     * @param tx the transaction; to be rolled back when this throws
     * @throws SupersededException if a newer sweep has taken over
     * @throws HoldsChangedException if there may be a hold that {@code branch} does not know
     * @throws PairSchema.ChangedException if a table is not as it was when it was checked
     * @throws MiscountException if a step found other rows than the one before it
     */
    BatchResult move(DSLContext tx, CandidateQuery branch, List<String> candidates) {
        Locked locked = lock(tx, branch, candidates);
        List<String> copied = locked.absent();
        List<String> present = new ArrayList<>(locked.present());
        if (!copied.isEmpty() && !copy(tx, copied, candidates)) {
            copied = List.of();
            present.addAll(candidates);
        }
        Map<String, String> proven = present.isEmpty() ? Map.of() : prove(tx, present);
        present.removeAll(proven.keySet());
        List<String> rows = new ArrayList<>(copied);
        rows.addAll(proven.values());
        if (!rows.isEmpty()) {
            requireAll(
                    "deleted",
                    tx.deleteFrom(onlySource)
                            .where(places.among(rows, candidates))
                            .execute(),
                    rows.size());
        }
        BatchResult moved = new BatchResult(copied.size(), proven.size(), present, Map.of());
        if (moved.isEmpty()) {
            count.requireAsBefore(tx);
        } else {
            count.add(tx, moved);
        }
        return moved;
    }

    /** Counts a row that the target refuses, and leaves it where it is. */
    BatchResult reject(DSLContext tx, String key, String reason) {
        BatchResult rejected = new BatchResult(0, 0, List.of(), Map.of(key, reason));
        count.add(tx, rejected);
        return rejected;
    }

    /** One row of arrays is read faster than a thousand rows. */
    private Locked lock(DSLContext tx, CandidateQuery branch, List<String> candidates) {
        Condition held = sourceKey.heldBy(targetKey, candidates);
        Field<String> row = DSL.field(DSL.name("locked", "row"), SQLDataType.VARCHAR);
        Field<String> present = DSL.field(DSL.name("locked", "present"), SQLDataType.VARCHAR);
        Table<?> locked = tx.select(
                        places.text().as(row), DSL.when(held, sourceKey.text()).as(present))
                .from(onlySource)
                .where(branch.wantedAmong(candidates))
                .forUpdate()
                .skipLocked()
                .asTable("locked");
        Record2<String[], String[]> arrays = tx.select(
                        DSL.arrayAgg(row).filterWhere(present.isNull()),
                        DSL.arrayAgg(present).filterWhere(present.isNotNull()))
                .from(locked)
                .fetchSingle();
        Locked found = new Locked(list(arrays.value1()), list(arrays.value2()));
        int rows = found.absent().size() + found.present().size();
        if (rows > candidates.size()
                || new HashSet<>(found.present()).size() < found.present().size()) {
            throw new MiscountException(
                    rows + " rows of " + TableName.name(source) + " were locked for " + candidates.size()
                            + (candidates.size() == 1 ? " key" : " keys") + ": more than one row has the same key");
        }
        return found;
    }

    private static List<String> list(String @Nullable [] values) {
        return values == null ? List.of() : List.of(values);
    }

    /**
     * Copies rows.
     *
     * <p>Without ON CONFLICT, for which PostgreSQL seeks each key once more and writes a second WAL record for each row. A
     * single row has it: that is where halving a batch ends which another session gets in the way of each time.
     *
     * @param keys those of all rows of the batch
     * @return false if it is a single row, and the target holds it by now
     */
    private boolean copy(DSLContext tx, List<String> rows, List<String> keys) {
        InsertOnDuplicateStep<?> insert = tx.insertInto(target)
                .columns(shape.columns(target))
                .select(tx.select(shape.columns(source)).from(onlySource).where(places.among(rows, keys)));
        if (keys.size() == 1) {
            return insert.onConflict(targetKey.columns()).doNothing().execute() == 1;
        }
        requireAll("copied", insert.execute(), rows.size());
        return true;
    }

    /** The keys of the rows that the target holds identical, with where the source has them. */
    private Map<String, String> prove(DSLContext tx, List<String> keys) {
        Result<Record2<String, String>> rows = tx.select(targetKey.text(), places.text())
                .from(onlyTarget)
                .join(onlySource)
                .on(sourceKey.equal(targetKey.columns()))
                .where(targetKey.among(keys))
                .and(shape.identical(target, source))
                .forShare()
                .of(target)
                .fetch();
        Map<String, String> proven = new HashMap<>();
        rows.forEach(row -> proven.put(row.value1(), row.value2()));
        requireAll("proven", proven.size(), rows.size());
        return proven;
    }

    private void requireAll(String what, int count, int rows) {
        if (count != rows) {
            throw new MiscountException(
                    rows + " rows of " + TableName.name(source) + " were to be " + what + ", but " + count
                            + " were: more than one row has the same key, or something acts on the tables that the schema"
                            + " check does not know");
        }
    }

    /**
     * What was locked.
     *
     * @param absent where the source has the rows whose keys the target does not hold
     * @param present keys that it does hold
     */
    private record Locked(List<String> absent, List<String> present) {}

    /** A step found other rows than the one before it. The batch must be rolled back: a row could be lost. */
    static final class MiscountException extends RuntimeException {
        private static final long serialVersionUID = 1;

        MiscountException(String message) {
            super(message);
        }
    }
}
