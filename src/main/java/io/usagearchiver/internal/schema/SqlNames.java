package io.usagearchiver.internal.schema;

import io.usagearchiver.internal.postgres.TableName;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jooq.DSLContext;
import org.jooq.Table;
import org.jooq.impl.DSL;

/** Names as PostgreSQL writes them, in quotes only where it asks for them: for statements that people read. */
final class SqlNames {
    private SqlNames() {}

    /**
     * Has the transaction write names and values in the one way that means the same everywhere: each with its schema, but for
     * PostgreSQL's own.
     */
    static void unambiguous(DSLContext tx) {
        tx.fetch(Stream.of(
                        "'search_path', 'pg_catalog, pg_temp'",
                        "'DateStyle', 'ISO, MDY'",
                        "'IntervalStyle', 'postgres'",
                        "'TimeZone', 'UTC'",
                        "'quote_all_identifiers', 'off'")
                .map(setting -> "pg_catalog.set_config(" + setting + ", true)")
                .collect(Collectors.joining(", ", "select ", "")));
    }

    /** A table's name with its schema. */
    static String of(DSLContext tx, Table<?> table) {
        return sibling(tx, table, table.getName());
    }

    /** The name, with the schema, of another one in the same schema. */
    static String sibling(DSLContext tx, Table<?> table, String name) {
        return tx.fetchSingle(
                        "select format('%I.%I', {0}, {1})",
                        DSL.val(TableName.qualified(table).first()), DSL.val(name))
                .get(0, String.class);
    }

    /** A name without a schema. */
    static String quoted(DSLContext tx, String name) {
        return tx.fetchSingle("select quote_ident({0})", DSL.val(name)).get(0, String.class);
    }

    /** A text. */
    static String literal(DSLContext tx, String text) {
        return tx.fetchSingle("select quote_literal({0})", DSL.val(text)).get(0, String.class);
    }
}
