package io.usagearchiver;

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
import org.jooq.impl.SQLDataType;

/**
 * The columns that the live tables had when the schema check passed them: all are moved, also those that the generated
 * code does not know.
 *
 * @param table the hot table's canonical name, {@code schema.table}
 * @param columnNames the columns, which both tables have
 * @param fingerprint of both tables' columns; another one means that a table was altered
 */
record Shape(String table, List<String> columnNames, String fingerprint) {
    private static final Pattern PLAIN = Pattern.compile("[a-z_][a-z0-9_$]*");

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
     * The fingerprint of the live tables of a pair, as a subquery: names, types and modifiers of their columns, and
     * whether a trigger, rule or row security has come or gone.
     */
    static Field<String> liveFingerprint(ArchivePair<?> pair) {
        return DSL.field("""
                (select md5(string_agg(concat_ws(' ', c.oid, c.relhastriggers, c.relhasrules, c.relrowsecurity, \
                a.attnum, a.attname, a.atttypid, a.atttypmod), ', ' order by c.oid, a.attnum)) \
                from pg_catalog.pg_class c join pg_catalog.pg_attribute a on a.attrelid = c.oid \
                where c.oid in (to_regclass({0}), to_regclass({1})) and a.attnum > 0 and not a.attisdropped)""", SQLDataType.VARCHAR, regclass(pair.hot()), regclass(pair.archive()));
    }

    /** The quoted name of a table with its schema, as a bind. */
    static QueryPart regclass(Table<?> table) {
        return DSL.val(Jooq.configuration().dsl().render(qualified(table)));
    }

    /** The canonical name of a table, {@code schema.table}, each quoted if it is not plain lower case. */
    static String name(Table<?> table) {
        return Arrays.stream(qualified(table).getName())
                .map(part -> PLAIN.matcher(part).matches() ? part : '"' + part.replace("\"", "\"\"") + '"')
                .collect(Collectors.joining("."));
    }

    /** The name of a table with its schema, which a generated table's own qualified name leaves out. */
    static Name qualified(Table<?> table) {
        return DSL.name(requireNonNull(table.getSchema()).getName(), table.getName());
    }
}
