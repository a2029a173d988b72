package io.usagearchiver;

import java.time.LocalDateTime;
import java.util.List;
import org.jooq.Record;
import org.jooq.Table;
import org.jooq.TableField;

/**
 * A hot table, its archive, the key that identifies a row in both, and the columns that give a row's age.
 *
 * <p>The age of a row is its first age column that is not null, so for two columns {@code COALESCE(first, second)};
 * a row without any age never expires. Each age column should have a plain index of its own, else every page of
 * candidates reads the whole table.
 *
 * <p>Tables are named with their schema, never found by a search path. Immutable.
 *
 * @param <K> the Java type of the key
 */
public final class ArchivePair<K> {
    private final Table<?> hot;
    private final Table<?> archive;
    private final TableField<?, K> key;
    private final List<TableField<?, LocalDateTime>> ages;

    private ArchivePair(Table<?> hot, Table<?> archive, TableField<?, K> key, List<TableField<?, LocalDateTime>> ages) {
        this.hot = hot;
        this.archive = archive;
        this.key = key;
        this.ages = ages;
        for (Table<?> table : List.of(hot, archive)) {
            if (table.getSchema() == null || table.getSchema().getName().isEmpty()) {
                throw new IllegalArgumentException(
                        "table " + table.getName() + " has no schema: generate it with its schema's name");
            }
        }
    }

    /**
     * A pair whose rows have one age column.
     *
     * @param hot the generated table that applications write
     * @param archive the generated table that keeps expired rows
     * @param key the hot table's key, of one column; the archive's has the same name
     * @param age the hot table's age column, naive UTC
     */
    public static <H extends Record, K> ArchivePair<K> of(
            Table<H> hot, Table<?> archive, TableField<H, K> key, TableField<H, LocalDateTime> age) {
        return new ArchivePair<>(hot, archive, key, List.of(age));
    }

    /**
     * A pair whose rows have two age columns, the second for rows in which the first is null.
     *
     * @param hot the generated table that applications write
     * @param archive the generated table that keeps expired rows
     * @param key the hot table's key, of one column; the archive's has the same name
     * @param age the hot table's age column, naive UTC
     * @param otherwise the age column, naive UTC, of rows whose {@code age} is null
     */
    public static <H extends Record, K> ArchivePair<K> of(
            Table<H> hot,
            Table<?> archive,
            TableField<H, K> key,
            TableField<H, LocalDateTime> age,
            TableField<H, LocalDateTime> otherwise) {
        return new ArchivePair<>(hot, archive, key, List.of(age, otherwise));
    }

    /** The table that applications write. */
    public Table<?> hot() {
        return hot;
    }

    /** The table that keeps expired rows. */
    public Table<?> archive() {
        return archive;
    }

    /** The hot table's key. */
    public TableField<?, K> key() {
        return key;
    }

    /** The hot table's age columns; the first that is not null counts. */
    public List<TableField<?, LocalDateTime>> ages() {
        return ages;
    }

    @Override
    public String toString() {
        return hot + " -> " + archive;
    }
}
