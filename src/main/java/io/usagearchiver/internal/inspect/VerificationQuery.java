package io.usagearchiver.internal.inspect;

import static io.usagearchiver.generated.Tables.USAGE_ARCHIVE_BASELINE;
import static io.usagearchiver.generated.Tables.USAGE_ARCHIVE_SWEEP;

import io.usagearchiver.ArchiveException;
import io.usagearchiver.ArchivePair;
import io.usagearchiver.SweepResult;
import io.usagearchiver.Verification;
import io.usagearchiver.generated.tables.UsageArchiveBaseline;
import io.usagearchiver.generated.tables.UsageArchiveSweep;
import io.usagearchiver.internal.postgres.NaiveUtc;
import io.usagearchiver.internal.postgres.OwnRows;
import io.usagearchiver.internal.postgres.TableName;
import io.usagearchiver.internal.rows.KeyColumns;
import io.usagearchiver.internal.schema.Direction;
import io.usagearchiver.internal.schema.PairSchema;
import io.usagearchiver.internal.schema.TableFacts;
import io.usagearchiver.internal.schema.TableMetadata;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import org.jooq.Condition;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.Record;
import org.jooq.Table;
import org.jooq.impl.DSL;
import org.jooq.impl.SQLDataType;
import org.jspecify.annotations.Nullable;

/** Reads, in one snapshot, what a verification compares. */
public final class VerificationQuery {
    private static final UsageArchiveSweep L = USAGE_ARCHIVE_SWEEP;
    private static final UsageArchiveBaseline B = USAGE_ARCHIVE_BASELINE;

    private static final Field<Long> COUNT = DSL.count().coerce(SQLDataType.BIGINT);

    private final ArchivePair<?> pair;
    private final String table;

    public VerificationQuery(ArchivePair<?> pair) {
        this.pair = pair;
        this.table = TableName.name(pair.hot());
    }

    public Verification verify(DSLContext tx, Consumer<Verification.Cost> beforehand, long endNanos) {
        ArchivePair<?> keyed = pair;
        PairSchema shape = commonColumns(tx);
        beforehand.accept(cost(tx));

        // Merged by the indexes of the keys, whose rows are fetched only where both have one.
        tx.execute("set local enable_hashjoin = off");
        KeyColumns archived = KeyColumns.of(keyed.archive(), keyed);
        KeyColumns hot = KeyColumns.of(keyed.hot(), keyed);
        before(tx, endNanos);
        RowComparison twins = RowComparison.find(
                tx,
                keyed,
                shape,
                tx.select(archived.columns())
                        .from(OwnRows.of(keyed.hot()))
                        .join(OwnRows.of(keyed.archive()))
                        .on(archived.equal(hot.columns())));

        String newestCutoff = tx.select(NaiveUtc.text(DSL.max(L.CUTOFF)))
                .from(L)
                .where(L.TABLE_NAME.eq(table))
                .and(L.DIRECTION.eq(Direction.ARCHIVE.name()))
                .fetchSingle()
                .value1();
        long younger = 0;
        List<String> youngerIds = new ArrayList<>();
        if (newestCutoff != null) {
            for (Condition notExpired : notExpired(newestCutoff)) {
                before(tx, endNanos);
                long found = tx.select(COUNT)
                        .from(OwnRows.of(keyed.archive()))
                        .where(notExpired)
                        .fetchSingle()
                        .value1();
                younger += found;
                if (found > 0) {
                    youngerIds.addAll(tx.select(archived.text())
                            .from(OwnRows.of(keyed.archive()))
                            .where(notExpired)
                            .limit(DSL.inline(SweepResult.LISTED_IDS - youngerIds.size()))
                            .fetch(0, String.class));
                }
            }
        }

        tx.execute("set local enable_seqscan = on");
        before(tx, endNanos);
        long archivedRows =
                tx.select(COUNT).from(OwnRows.of(keyed.archive())).fetchSingle().value1();
        Record sums = tx.select(movedRows(), restoredRows())
                .from(L)
                .where(L.TABLE_NAME.eq(table))
                .fetchSingle();
        return new Verification(
                table,
                TableName.name(keyed.archive()),
                twins.identical(),
                twins.identicalIds(),
                twins.different(),
                twins.differentIds(),
                newestCutoff == null ? null : NaiveUtc.parse(newestCutoff),
                younger,
                youngerIds,
                archivedRows,
                sums.get(0, Long.class),
                sums.get(1, Long.class),
                baseline(tx));
    }

    /** Takes the baseline, unless there is one. */
    public Optional<Verification.Baseline> takeBaseline(DSLContext tx) {
        if (baseline(tx) != null) {
            return Optional.empty();
        }
        // One statement sees one snapshot, in which each batch is whole or not there.
        int taken = tx.insertInto(B)
                .columns(B.TABLE_NAME, B.ARCHIVED_ROWS, B.TAKEN_AT)
                .select(tx.select(
                        DSL.val(table),
                        DSL.field(tx.select(COUNT).from(OwnRows.of(pair.archive())))
                                .minus(DSL.field(tx.select(movedRows().minus(restoredRows()))
                                        .from(L)
                                        .where(L.TABLE_NAME.eq(table)))),
                        NaiveUtc.NOW))
                .onConflictDoNothing()
                .execute();
        return taken == 0 ? Optional.empty() : Optional.ofNullable(baseline(tx));
    }

    private Verification.@Nullable Baseline baseline(DSLContext tx) {
        Field<String> takenAt = NaiveUtc.text(B.TAKEN_AT);
        return tx.select(B.ARCHIVED_ROWS, takenAt)
                .from(B)
                .where(B.TABLE_NAME.eq(table))
                .fetchOne(row -> new Verification.Baseline(table, row.value1(), NaiveUtc.parse(row.value2())));
    }

    /** Those that the archive got by sweeps. */
    private static Field<Long> movedRows() {
        return sum(L.ROWS_MOVED, Direction.ARCHIVE);
    }

    /** Those that restores took out of the archive; of some, the hot table had an identical copy already. */
    private static Field<Long> restoredRows() {
        return sum(L.ROWS_MOVED.plus(L.ROWS_ALREADY_ARCHIVED), Direction.RESTORE);
    }

    private static Field<Long> sum(Field<Long> rows, Direction direction) {
        return DSL.coalesce(DSL.sum(rows).filterWhere(L.DIRECTION.eq(direction.name())), DSL.inline(BigDecimal.ZERO))
                .cast(SQLDataType.BIGINT);
    }

    /** The columns that both tables have alike; whatever else differs is for the schema check of a sweep. */
    private PairSchema commonColumns(DSLContext tx) {
        TableFacts.Reading live = TableFacts.read(tx, List.of(pair.hot(), pair.archive()));
        TableMetadata hot = there(live.tables().get(0), pair.hot());
        TableMetadata archive = there(live.tables().get(1), pair.archive());
        List<String> common = hot.columns().values().stream()
                .filter(column -> {
                    TableMetadata.Column twin = archive.columns().get(column.name());
                    return twin != null && twin.type().equals(column.type());
                })
                .map(TableMetadata.Column::name)
                .toList();
        return new PairSchema(table, common, "");
    }

    private TableMetadata there(@Nullable TableMetadata live, Table<?> side) {
        if (live == null) {
            throw new ArchiveException(
                    "Could not verify " + table + ": there is no table " + TableName.name(side), null);
        }
        return live;
    }

    /** A condition for each age column, which its index serves, and one for rows without an age where there may be some. */
    private List<Condition> notExpired(String cutoff) {
        List<Condition> conditions = new ArrayList<>();
        List<Field<?>> before = new ArrayList<>();
        for (Field<?> age : pair.ages()) {
            Field<?> archivedAge = TableName.column(pair.archive(), age);
            // As in Branch, in a form that no index of another column serves.
            Condition counts = before.isEmpty()
                    ? DSL.noCondition()
                    : DSL.condition("num_nonnulls({0}) = 0", DSL.list(List.copyOf(before)));
            conditions.add(NaiveUtc.notBefore(archivedAge, cutoff).and(counts));
            before.add(archivedAge);
        }
        if (pair.ages().stream().allMatch(age -> age.getDataType().nullable())) {
            conditions.add(DSL.and(before.stream().map(Field::isNull).toList()));
        }
        return conditions;
    }

    private Verification.Cost cost(DSLContext tx) {
        Record hot = size(tx, pair.hot());
        Record archive = size(tx, pair.archive());
        return new Verification.Cost(
                hot.get("tuples", Long.class),
                archive.get("tuples", Long.class),
                hot.get("key_bytes", Long.class) + archive.get("key_bytes", Long.class),
                archive.get("bytes", Long.class));
    }

    /** Of a table, or of all its partitions. */
    private static Record size(DSLContext tx, Table<?> side) {
        return tx.fetchSingle("""
                select cast(case when every(c.reltuples < 0) or bool_or(c.reltuples < 0 and pg_relation_size(c.oid) > 0)
                    then -1 else sum(greatest(c.reltuples, 0)) end as bigint) as tuples,
                  coalesce(sum(pg_table_size(c.oid)), 0) as bytes,
                  coalesce(sum((select sum(pg_relation_size(x.indexrelid)) from pg_catalog.pg_index x
                    where x.indrelid = c.oid and x.indisprimary)), 0) as key_bytes
                from pg_catalog.pg_class c where c.oid in ({0})""", OwnRows.stored(tx.configuration(), side));
    }

    /** Leaves the next statement what is left of the time. */
    private static void before(DSLContext tx, long endNanos) {
        long millis = Math.max(1, (endNanos - System.nanoTime()) / 1_000_000);
        tx.execute("set local statement_timeout = " + millis);
    }
}
