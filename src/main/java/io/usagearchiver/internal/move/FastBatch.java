package io.usagearchiver.internal.move;

import io.usagearchiver.ArchivePair;
import io.usagearchiver.internal.jdbc.Wording;
import io.usagearchiver.internal.ledger.BatchCount;
import io.usagearchiver.internal.ledger.BatchResult;
import io.usagearchiver.internal.ledger.LedgerRow;
import io.usagearchiver.internal.postgres.OwnRows;
import io.usagearchiver.internal.postgres.SqlState;
import io.usagearchiver.internal.postgres.TableName;
import io.usagearchiver.internal.rows.Slice;
import io.usagearchiver.internal.schema.Direction;
import io.usagearchiver.internal.schema.PairSchema;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jooq.CommonTableExpression;
import org.jooq.Condition;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.Record;
import org.jooq.Select;
import org.jooq.Table;
import org.jooq.impl.DSL;
import org.jooq.impl.SQLDataType;
import org.jspecify.annotations.Nullable;

/**
 * One statement that moves a slice: it deletes the rows, inserts what it has deleted into the target, and counts that in the
 * ledger row, if this is still RUNNING and under the holds that were read.
 *
 * <p>The deletion locks row by row, waits for whoever has changed one, looks at that again, and gives the version that it
 * deletes: so the target gets each row's last content, and nothing is read from the source a second time. Nothing is
 * compared with the target: a key that it holds already makes the statement fail, and so does all else that is odd with a
 * row. The slice is for {@link Batch} then, statement by statement.
 *
 * <p>It may be committed only if as many rows were inserted as were deleted, and counted, with the tables as they were
 * checked: {@link #judge}.
 */
final class FastBatch {
    private static final String DELETED = "deleted";
    private static final String INSERTED = "inserted";
    private static final String FINGERPRINT = "fingerprint";

    /** Values that stand for those of a slice. */
    private static final String FROM = "\uFFFFfrom";

    private static final String TO = "\uFFFFto";
    private static final List<String> KEYS = List.of("\uFFFFkeys");

    private static final int MOST_SHAPES = 32;

    private final Map<Slice.Shape, Wording.Text> statements = new ConcurrentHashMap<>();
    private final Table<?> source;
    private final Table<?> target;
    private final PairSchema schema;
    private final BatchCount count;

    FastBatch(ArchivePair<?> pair, Direction direction, PairSchema schema, LedgerRow ledger) {
        this.source = direction.source(pair);
        this.target = direction.target(pair);
        this.schema = schema;
        this.count = new BatchCount(ledger, schema);
    }

    /**
     * Whether a fault says no more than that a slice cannot be moved so: a row is locked, refused, or there already, or it
     * would take too long.
     */
    static boolean isToBeGivenBack(RuntimeException fault) {
        return fault instanceof Batch.MiscountException
                || SqlState.isOfLocks(fault)
                || SqlState.isCancelled(fault)
                || SqlState.mayBeOfARow(fault);
    }

    /**
     * The statement that moves a slice. Returns one row, for {@link #judge}. It is written down once for all slices of a shape:
     * that takes longer than what is executed of it.
     *
     * @param dsl of a session that knows what has to be read to write it down
     * @param without keys that are not wanted, the same for all slices
     */
    Wording.Text statement(DSLContext dsl, Slice slice, Collection<String> without) {
        if (statements.size() >= MOST_SHAPES) {
            // Each age that many rows share has a shape of its own.
            statements.clear();
        }
        Wording.Text written = statements.computeIfAbsent(slice.shape(), shape -> {
            Select<?> select = statement(slice.with(FROM, TO, KEYS).wanted(without), isToLookLater(dsl));
            List<@Nullable Object> binds = new ArrayList<>();
            binds.addAll(dsl.extractBindValues(select));
            return new Wording.Text(dsl.render(select), binds);
        });
        return with(written, slice);
    }

    /**
     * Whether the tables are to be looked at when the statement is done. It sees the catalog as that was when it began, and a
     * partition of the target is locked against ALTER only with its first row.
     */
    private boolean isToLookLater(DSLContext dsl) {
        return OwnRows.areInPartitions(dsl.configuration(), target);
    }

    private Select<?> statement(Condition wanted, boolean isToLookLater) {
        List<Field<Object>> columns = schema.columns(source);
        CommonTableExpression<?> moved = DSL.name("moved")
                .as(DSL.deleteFrom(OwnRows.of(source)).where(wanted).returningResult(columns));
        CommonTableExpression<?> copied = DSL.name("copied")
                .as(DSL.insertInto(target)
                        .columns(schema.columns(target))
                        .select(DSL.select(names("moved")).from(DSL.name("moved")))
                        .returningResult(DSL.inline(1).as("row")));
        Field<Integer> inserted = countOf("copied");
        CommonTableExpression<?> counted = DSL.name("counted").as(count.within(inserted, FINGERPRINT, isToLookLater));
        return DSL.with(moved)
                .with(copied)
                .with(counted)
                .select(
                        countOf("moved").as(DELETED),
                        inserted.as(INSERTED),
                        DSL.field(
                                        "(select {0} from {1})",
                                        SQLDataType.VARCHAR, DSL.name("counted", FINGERPRINT), DSL.name("counted"))
                                .as(FINGERPRINT));
    }

    private List<Field<Object>> names(String table) {
        return schema.columnNames().stream()
                .map(column -> DSL.field(DSL.name(table, column)))
                .toList();
    }

    private static Field<Integer> countOf(String table) {
        return DSL.field("(select count(*) from {0})", SQLDataType.INTEGER, DSL.name(table));
    }

    /**
     * What the statement has done, if that may be committed.
     *
     * @param tx the transaction; to be rolled back when this throws
     * @throws RuntimeException as {@link Batch#move} does
     */
    BatchResult judge(DSLContext tx, Record row) {
        int deleted = row.get(DELETED, Integer.class);
        int inserted = row.get(INSERTED, Integer.class);
        if (deleted != inserted) {
            throw new Batch.MiscountException(deleted + " rows of " + TableName.name(source) + " were deleted, but "
                    + inserted + " were copied: something acts on the tables that the schema check does not know");
        }
        if (deleted == 0) {
            count.requireAsBefore(tx);
        } else {
            String seen = row.get(FINGERPRINT, String.class);
            if (isToLookLater(tx)) {
                count.requireNow(tx, seen);
            } else {
                count.require(tx, seen);
            }
        }
        return new BatchResult(inserted, 0, List.of(), Map.of());
    }

    private static Wording.Text with(Wording.Text written, Slice slice) {
        List<@Nullable Object> binds = new ArrayList<>();
        written.binds().forEach(bind -> binds.add(value(bind, slice)));
        return new Wording.Text(written.sql(), binds);
    }

    private static @Nullable Object value(@Nullable Object bind, Slice slice) {
        if (FROM.equals(bind) && slice.from() != null) {
            return slice.from().age();
        }
        if (TO.equals(bind) && slice.to() != null) {
            return slice.to().age();
        }
        List<String> keys = slice.keys();
        return keys != null && bind instanceof String[] array && KEYS.equals(List.of(array))
                ? keys.toArray(String[]::new)
                : bind;
    }
}
