package io.usagearchiver;

import static io.usagearchiver.generated.Tables.USAGE_ARCHIVE_BASELINE;
import static io.usagearchiver.generated.Tables.USAGE_ARCHIVE_HOLD;
import static io.usagearchiver.generated.Tables.USAGE_ARCHIVE_SWEEP;
import static java.util.Objects.requireNonNull;

import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jooq.Condition;
import org.jooq.Field;
import org.jooq.Name;
import org.jooq.QueryPart;
import org.jooq.Table;
import org.jooq.impl.DSL;

/**
 * What the live tables were like when the schema check passed them. All their columns are moved, also those that the
 * generated code does not know.
 *
 * @param table the hot table's canonical name, {@code schema.table}
 * @param columnNames the columns, which both tables have
 * @param fingerprint of the tables; another one means that one was altered
 */
record Shape(String table, List<String> columnNames, String fingerprint) {
    /** A part of a table's name that is written without quotes, for Java and PostgreSQL. */
    static final String PLAIN_PART = "[a-z_][a-z0-9_$]*";

    private static final Pattern PLAIN = Pattern.compile(PLAIN_PART);

    /** The columns as fields of one of the two tables, always in the same order. */
    List<Field<Object>> columns(Table<?> side) {
        return columnNames.stream()
                .map(name -> DSL.field(qualified(side).append(name)))
                .toList();
    }

    /**
     * That two tables' rows are the same. Compares row images, not values: {@code =} knows rows as equal that are not the
     * same (1.0 and 1.00, or text under a collation that ignores case), and some types have no {@code =}.
     */
    Condition identical(Table<?> side, Table<?> other) {
        return DSL.condition(
                "cast(row({0}) as record) *= cast(row({1}) as record)",
                DSL.list(columns(side)), DSL.list(columns(other)));
    }

    /** The column of {@code side} that has the name and type of {@code column}. */
    static <T> Field<T> column(Table<?> side, Field<T> column) {
        return DSL.field(qualified(side).append(column.getUnqualifiedName()), column.getDataType());
    }

    /**
     * The fingerprint of all tables that a move of a pair's rows depends on, as a subquery.
     *
     * @see LiveTable
     */
    static Field<String> liveFingerprint(ArchivePair<?> pair) {
        return LiveTable.fingerprint(tables(pair));
    }

    /** The hot table, its archive, and the archiver's own tables. */
    static List<Table<?>> tables(ArchivePair<?> pair) {
        return List.of(pair.hot(), pair.archive(), USAGE_ARCHIVE_SWEEP, USAGE_ARCHIVE_HOLD, USAGE_ARCHIVE_BASELINE);
    }

    /** A table without the inheritance children that it may get at any time: their rows are not its own. */
    static Table<?> only(Table<?> table) {
        return DSL.table("only {0}", table);
    }

    /**
     * Sees that the tables are as they were when they were checked.
     *
     * @throws ChangedException if not
     */
    void requireUnchanged(String live) {
        if (!live.equals(fingerprint)) {
            throw new ChangedException();
        }
    }

    /** The tables are not those that the schema check saw. The batch must be rolled back and the check repeated. */
    static final class ChangedException extends RuntimeException {
        private static final long serialVersionUID = 1;
    }

    /** The quoted name of a table with its schema, as a bind. */
    static QueryPart regclass(Table<?> table) {
        return DSL.val(quoted(table));
    }

    /** The quoted name of a table with its schema. */
    static String quoted(Table<?> table) {
        return Arrays.stream(qualified(table).getName()).map(Shape::quoted).collect(Collectors.joining("."));
    }

    private static String quoted(String part) {
        return '"' + part.replace("\"", "\"\"") + '"';
    }

    /** The canonical name of a table, {@code schema.table}, each quoted if it is not plain lower case. */
    static String name(Table<?> table) {
        return Arrays.stream(qualified(table).getName())
                .map(part -> PLAIN.matcher(part).matches() ? part : quoted(part))
                .collect(Collectors.joining("."));
    }

    /** The name of a table with its schema, which a generated table's own qualified name leaves out. */
    static Name qualified(Table<?> table) {
        return DSL.name(requireNonNull(table.getSchema()).getName(), table.getName());
    }
}
