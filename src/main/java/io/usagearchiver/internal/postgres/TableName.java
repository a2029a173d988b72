package io.usagearchiver.internal.postgres;

import static java.util.Objects.requireNonNull;

import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jooq.Field;
import org.jooq.Name;
import org.jooq.QueryPart;
import org.jooq.Table;
import org.jooq.impl.DSL;

/** How tables and their columns are named, in statements and for people: always with the schema. */
public final class TableName {
    /** A part of a table's name that is written without quotes, for Java and PostgreSQL. */
    public static final String PLAIN_PART = "[a-z_][a-z0-9_$]*";

    private static final Pattern PLAIN = Pattern.compile(PLAIN_PART);

    private TableName() {}

    /** What is said of a table that is not there. */
    public static String missing(String table) {
        return "there is no table " + table;
    }

    /** The column of {@code side} that has the name and type of {@code column}. */
    public static <T> Field<T> column(Table<?> side, Field<T> column) {
        return DSL.field(qualified(side).append(column.getUnqualifiedName()), column.getDataType());
    }

    /** The quoted name of a table with its schema, as a bind. */
    public static QueryPart regclass(Table<?> table) {
        return DSL.val(quoted(table));
    }

    /** The quoted name of a table with its schema. */
    public static String quoted(Table<?> table) {
        return Arrays.stream(qualified(table).getName())
                .map(TableName::inQuotes)
                .collect(Collectors.joining("."));
    }

    private static String inQuotes(String part) {
        return '"' + part.replace("\"", "\"\"") + '"';
    }

    /** The canonical name of a table, {@code schema.table}, each quoted if it is not plain lower case. */
    public static String name(Table<?> table) {
        return name(List.of(qualified(table).getName()));
    }

    /** The table that a canonical name is of. */
    public static NamedTable named(String name) {
        List<String> parts = WrittenName.parts(name);
        return new NamedTable(parts.get(0), parts.get(1));
    }

    /** The canonical name of what has these parts. */
    public static String name(List<String> parts) {
        return parts.stream().map(TableName::part).collect(Collectors.joining("."));
    }

    /** The canonical name of a column, or of a part of a table's name. */
    public static String part(String name) {
        return PLAIN.matcher(name).matches() ? name : inQuotes(name);
    }

    /** The name of a table with its schema, which a generated table's own qualified name leaves out. */
    public static Name qualified(Table<?> table) {
        return DSL.name(requireNonNull(table.getSchema()).getName(), table.getName());
    }
}
