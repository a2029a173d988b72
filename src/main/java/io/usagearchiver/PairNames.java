package io.usagearchiver;

import io.usagearchiver.internal.postgres.TableName;
import io.usagearchiver.internal.postgres.WrittenCondition;
import io.usagearchiver.internal.postgres.WrittenName;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * A pair of tables told by names alone, for {@link ArchivePair#of(PairNames)}: no code is generated for it, and the types of
 * its columns are read from the live hot table at each run.
 *
 * <pre>{@code
 * PairNames.of("billing.invoices", "closed_at").withWhere("state = 'paid'")
 * }</pre>
 *
 * <p>Names are written as in SQL: in lower case unless they are in double quotes. What a component has is its canonical form,
 * with quotes where they are needed. They are the properties of the plugin by the same names, and messages call them so.
 * Immutable.
 *
 * @param hotTable {@code schema.table}, or a table of the schema {@code public}; never found by a search path
 * @param archiveTable the same
 * @param keyColumns the columns of the key, or none for the primary key of the live hot table
 * @param ageColumns one or two; the second is for rows in which the first is null
 * @param where an SQL condition on columns of the hot table: only rows that meet it, too, expire. Null for all rows. See {@link
 *     ArchivePair#where}
 */
public record PairNames(
        String hotTable,
        String archiveTable,
        List<String> keyColumns,
        List<String> ageColumns,
        @Nullable String where) {
    private static final int MOST_AGES = 2;

    /**
     * Reads the names.
     *
     * @throws IllegalArgumentException if one is none; the message begins with the component's name and value
     */
    public PairNames {
        List<String> hot = table("hotTable", hotTable);
        hotTable = TableName.name(hot);
        List<String> archive = table("archiveTable", archiveTable);
        archiveTable = TableName.name(archive);
        if (archive.equals(hot)) {
            throw new IllegalArgumentException(
                    "archiveTable = '" + archiveTable + "': must be another table than hotTable");
        }
        keyColumns = columns("keyColumns", keyColumns);
        ageColumns = columns("ageColumns", ageColumns);
        if (ageColumns.isEmpty() || ageColumns.size() > MOST_AGES) {
            throw new IllegalArgumentException(
                    "ageColumns" + (ageColumns.isEmpty() ? " is not set" : told(String.join(", ", ageColumns)))
                            + ": must be the column that gives a row's age, or two: the second is for rows in which the first is"
                            + " null");
        }
        if (where != null) {
            where = read("where", where.strip(), WrittenCondition::require);
        }
    }

    /**
     * A pair whose archive is called as the hot table is, with {@code _archive} behind it, in the same schema, and whose key
     * is the primary key.
     */
    public static PairNames of(String hotTable, String... ageColumns) {
        List<String> hot = table("hotTable", hotTable);
        String archive = TableName.name(List.of(hot.get(0), hot.get(1) + "_archive"));
        return new PairNames(hotTable, archive, List.of(), List.of(ageColumns), null);
    }

    /** These names with another archive. */
    public PairNames withArchiveTable(String table) {
        return new PairNames(hotTable, table, keyColumns, ageColumns, where);
    }

    /** These names with another key. */
    public PairNames withKeyColumns(String... columns) {
        return new PairNames(hotTable, archiveTable, List.of(columns), ageColumns, where);
    }

    /** These names with another condition. */
    public PairNames withWhere(String condition) {
        return new PairNames(hotTable, archiveTable, keyColumns, ageColumns, condition);
    }

    private static List<String> table(String component, String text) {
        List<String> parts = read(component, text, WrittenName::parts);
        if (parts.size() > 2) {
            throw new IllegalArgumentException(
                    component + told(text) + ": must be schema.table, or a table of the schema public");
        }
        return parts.size() == 2 ? parts : List.of("public", parts.get(0));
    }

    /** Each text may name several, separated by commas. */
    private static List<String> columns(String component, List<String> texts) {
        List<String> names = new ArrayList<>();
        for (String text : texts) {
            read(component, text, WrittenName::list).stream()
                    .map(TableName::part)
                    .forEach(names::add);
        }
        if (names.stream().distinct().count() < names.size()) {
            throw new IllegalArgumentException(
                    component + told(String.join(", ", names)) + ": must not name a column twice");
        }
        return List.copyOf(names);
    }

    private static <T> T read(String component, String text, Function<String, T> reader) {
        try {
            return reader.apply(text);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(component + told(text) + ": " + e.getMessage(), e);
        }
    }

    private static String told(String value) {
        return " = '" + value + "'";
    }
}
