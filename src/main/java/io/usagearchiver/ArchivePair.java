package io.usagearchiver;

import io.usagearchiver.internal.postgres.PairRules;
import io.usagearchiver.internal.postgres.TableName;
import io.usagearchiver.internal.postgres.WrittenCondition;
import java.util.List;
import org.jooq.Condition;
import org.jooq.Record;
import org.jooq.Table;
import org.jooq.TableField;
import org.jooq.impl.DSL;
import org.jspecify.annotations.Nullable;

/**
 * A hot table, its archive, the key that identifies a row in both, and the columns that give a row's age.
 *
 * <pre>{@code
 * ArchivePair.of(HOT, HOT_ARCHIVE, HOT.ID, HOT.CLOSED_AT)
 * ArchivePair.of(HOT, HOT_ARCHIVE, HOT.ID, HOT.CLOSED_AT, HOT.OPENED_AT)
 * ArchivePair.of(HOT, HOT_ARCHIVE, HOT.getPrimaryKey().getFields(), HOT.BUCKET).where(HOT.STATE.eq(SETTLED))
 * }</pre>
 *
 * <p>The age of a row is its first age column that is not null, so for two columns {@code COALESCE(first, second)};
 * a row without any age never expires. Each age column should have a plain index of its own, else every page of
 * candidates reads the whole table. An age is a
 *
 * <ul>
 *   <li>{@code timestamp}, read as UTC;
 *   <li>{@code timestamptz}, the moment that it is, whatever the zone of a session;
 *   <li>{@code date}: a row expires when the cutoff has reached the end of its day in UTC.
 * </ul>
 *
 * <p>The key is the primary key of both tables, or a full unique index on columns that are not null: one column or several,
 * of any type that PostgreSQL compares, such as {@code bigint}, {@code uuid}, {@code text}, {@code timestamptz}, an enum or
 * {@code citext}; two keys are the same when the type's own operator says so.
 * All other columns may have any type, and there may be any number of them; they never leave the server.
 *
 * <p>What the live tables have to be like is checked against the database at each sweep, and refused with all that is wrong:
 * see {@link SchemaDriftException}. Either of them may be partitioned, by columns that are then among those of the key, and a row
 * for which there is no partition stays where it is. A column of the archive that is generated, or an
 * identity, {@code ALWAYS} takes no copy: make it a plain one there. Such a column of the hot table keeps rows from being
 * restored, not from being archived.
 *
 * <p>Tables are named with their schema, never found by a search path. A hot table has one pair: sweeps of two would
 * supersede each other. Immutable.
 *
 * @param <K> the Java type of the key, {@link Record} where it has several columns
 */
public final class ArchivePair<K> {
    private final Table<?> hot;
    private final Table<?> archive;
    private final List<TableField<?, ?>> key;
    private final List<TableField<?, ?>> ages;
    private final Condition condition;
    private final @Nullable PairNames names;

    private ArchivePair(
            Table<?> hot,
            Table<?> archive,
            List<? extends TableField<?, ?>> key,
            List<? extends TableField<?, ?>> ages,
            Condition condition,
            @Nullable PairNames names) {
        this.hot = hot;
        this.archive = archive;
        this.key = List.copyOf(key);
        this.ages = List.copyOf(ages);
        this.condition = condition;
        this.names = names;
        if (names == null) {
            PairRules.require(hot, archive, key, ages);
        }
    }

    /**
     * A pair whose rows have one age column.
     *
     * @param hot the generated table that applications write
     * @param archive the generated table that keeps expired rows
     * @param key the hot table's key, of one column; the archive's has the same name
     * @param age the hot table's age column
     * @throws IllegalArgumentException if a table has no schema, both are one table, or the age is of another type than those above
     */
    public static <H extends Record, K> ArchivePair<K> of(
            Table<H> hot, Table<?> archive, TableField<H, K> key, TableField<H, ?> age) {
        return new ArchivePair<>(hot, archive, List.of(key), List.of(age), DSL.noCondition(), null);
    }

    /**
     * A pair whose rows have two age columns, the second for rows in which the first is null.
     *
     * @param hot the generated table that applications write
     * @param archive the generated table that keeps expired rows
     * @param key the hot table's key, of one column; the archive's has the same name
     * @param age the hot table's age column
     * @param otherwise the age column, of the same type, of rows whose {@code age} is null
     * @throws IllegalArgumentException if a table has no schema, both are one table, or an age is of another type than those above
     */
    public static <H extends Record, K, T> ArchivePair<K> of(
            Table<H> hot, Table<?> archive, TableField<H, K> key, TableField<H, T> age, TableField<H, T> otherwise) {
        return new ArchivePair<>(hot, archive, List.of(key), List.of(age, otherwise), DSL.noCondition(), null);
    }

    /**
     * A pair whose key has several columns, and whose rows have one age column.
     *
     * @param hot the generated table that applications write
     * @param archive the generated table that keeps expired rows
     * @param key the hot table's key, such as {@code hot.getPrimaryKey().getFields()}; the archive's has the same names
     * @param age the hot table's age column
     * @throws IllegalArgumentException if a table has no schema, both are one table, the key has no column or one twice, or the age is of another type than
     *     those above
     */
    public static <H extends Record> ArchivePair<Record> of(
            Table<H> hot, Table<?> archive, List<TableField<H, ?>> key, TableField<H, ?> age) {
        return new ArchivePair<>(hot, archive, key, List.of(age), DSL.noCondition(), null);
    }

    /**
     * A pair whose key has several columns, and whose rows have two age columns.
     *
     * @param hot the generated table that applications write
     * @param archive the generated table that keeps expired rows
     * @param key the hot table's key, such as {@code hot.getPrimaryKey().getFields()}; the archive's has the same names
     * @param age the hot table's age column
     * @param otherwise the age column, of the same type, of rows whose {@code age} is null
     * @throws IllegalArgumentException if a table has no schema, both are one table, the key has no column or one twice, or an age is of another type than
     *     those above
     */
    public static <H extends Record, T> ArchivePair<Record> of(
            Table<H> hot,
            Table<?> archive,
            List<TableField<H, ?>> key,
            TableField<H, T> age,
            TableField<H, T> otherwise) {
        return new ArchivePair<>(hot, archive, key, List.of(age, otherwise), DSL.noCondition(), null);
    }

    /**
     * A pair of tables for which there is no generated code. What it is like is read from the live hot table at each run, so
     * that a change of a type, or of the primary key, needs no restart; until then it has no {@link #key} and {@link #ages}. A
     * name that the live tables do not have is told as other differences are: see {@link SchemaDriftException}.
     */
    public static ArchivePair<Record> of(PairNames names) {
        String where = names.where();
        Condition extra = where == null ? DSL.noCondition() : WrittenCondition.of(where);
        Table<?> hot = TableName.named(names.hotTable());
        return new ArchivePair<>(hot, TableName.named(names.archiveTable()), List.of(), List.of(), extra, names);
    }

    /**
     * This pair, of whose rows only those that meet a condition, too, expire; all others stay hot however old they are.
     * A restore does not ask for it.
     *
     * <p>It is evaluated with {@code search_path = pg_catalog, pg_temp}: what is not PostgreSQL's own has to be named with its
     * schema, the operators of an extension's type too. {@code =} alone compares two values of {@code citext} as {@code text}.
     *
     * @param extra on columns of the hot table alone. It is asked again of each row under its lock, in the statement that
     *     locks it. A subquery in it sees other rows as they were when that statement began, those that it locks among them: it
     *     must be one that is right also when they are gone with the row, and that nobody else makes wrong meanwhile
     */
    public ArchivePair<K> where(Condition extra) {
        return new ArchivePair<>(hot, archive, key, ages, condition.and(extra), names);
    }

    /** The table that applications write. */
    public Table<?> hot() {
        return hot;
    }

    /** The name of the hot table as sweeps tell it, {@code schema.table}, each part quoted if it is not plain lower case. */
    public String table() {
        return TableName.name(hot);
    }

    /** The table that keeps expired rows. */
    public Table<?> archive() {
        return archive;
    }

    /**
     * The columns of the hot table's key.
     *
     * @throws IllegalStateException of a pair by names: only the live table has them
     */
    public List<TableField<?, ?>> key() {
        return typed(key);
    }

    /**
     * The hot table's age columns; the first that is not null counts.
     *
     * @throws IllegalStateException of a pair by names: only the live table has their types
     */
    public List<TableField<?, ?>> ages() {
        return typed(ages);
    }

    private <T> List<T> typed(List<T> columns) {
        if (names != null) {
            throw new IllegalStateException("the columns of " + table() + " are known by their names alone");
        }
        return columns;
    }

    /** The names that the pair was told by; null if it is one of generated code. */
    public @Nullable PairNames names() {
        return names;
    }

    /** What rows have to meet besides their age; without one, a condition that all do. */
    public Condition condition() {
        return condition;
    }

    /** Two pairs by the same names and conditions are equal; one of generated code is only so to itself. */
    @Override
    public boolean equals(@Nullable Object other) {
        return this == other
                || (names != null
                        && other instanceof ArchivePair<?> pair
                        && names.equals(pair.names)
                        && condition.equals(pair.condition));
    }

    @Override
    public int hashCode() {
        return names == null ? System.identityHashCode(this) : names.hashCode();
    }

    @Override
    public String toString() {
        return hot + " -> " + archive;
    }
}
