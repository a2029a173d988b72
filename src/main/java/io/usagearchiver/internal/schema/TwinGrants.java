package io.usagearchiver.internal.schema;

import io.usagearchiver.ArchivePair;
import io.usagearchiver.internal.postgres.TableName;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.jooq.DSLContext;
import org.jooq.Table;
import org.jooq.impl.DSL;

/** What a role gets on the tables of a pair: as {@code sql/04-grants.sql} and {@code sql/06-restore-grants.sql} give it. */
public final class TwinGrants {
    /** {@code FOR UPDATE} and {@code FOR SHARE} ask for UPDATE on one column at least; this one is there to be updated. */
    private static final String HARMLESS = "updated_at";

    /** The schemas of the tables, and of the types of the key, whose operators are written with it. */
    private static final String SCHEMAS = """
            select distinct n.nspname
            from pg_catalog.pg_namespace n
            where n.nspname = any ({0}) or n.oid in (
              select t.typnamespace from pg_catalog.pg_attribute a
              join pg_catalog.pg_type d on d.oid = a.atttypid
              join pg_catalog.pg_type t on t.oid in (d.oid, d.typbasetype, d.typelem)
              where a.attrelid = to_regclass({1}) and a.attname = any ({2}) and t.typnamespace <> 'pg_catalog'::regnamespace)
            order by n.nspname""";

    private final DSLContext tx;
    private final ArchivePair<?> pair;
    private final String role;
    private final List<String> statements = new ArrayList<>();

    private TwinGrants(DSLContext tx, ArchivePair<?> pair, String role) {
        this.tx = tx;
        this.pair = pair;
        this.role = role;
    }

    /** The GRANT statements that a role lacks to move rows in a direction; the archive need not be there. */
    public static List<String> missing(DSLContext tx, ArchivePair<?> pair, Direction direction, String role) {
        TwinGrants grants = new TwinGrants(tx, KnownPair.of(tx, pair), role);
        grants.schemas();
        grants.table(direction.source(pair), "SELECT", "DELETE");
        grants.table(direction.target(pair), "SELECT", "INSERT");
        return grants.statements;
    }

    private void schemas() {
        Set<String> ofTables = new LinkedHashSet<>();
        for (Table<?> table : List.of(pair.hot(), pair.archive())) {
            ofTables.add(TableName.qualified(table).first());
        }
        String[] key = pair.key().stream().map(column -> column.getName()).toArray(String[]::new);
        tx.fetch(SCHEMAS, DSL.val(ofTables.toArray(new String[0])), TableName.regclass(pair.hot()), DSL.val(key))
                .getValues(0, String.class)
                .forEach(schema -> {
                    if (lacks("has_schema_privilege({0}, {1}, 'USAGE')", schema)) {
                        grant("USAGE ON SCHEMA " + SqlNames.quoted(tx, schema));
                    }
                });
    }

    private void table(Table<?> table, String... privileges) {
        String name = TableName.quoted(table);
        List<String> lacking = Arrays.stream(privileges)
                .filter(privilege -> lacks("has_table_privilege({0}, to_regclass({1}), '" + privilege + "')", name))
                .toList();
        if (!lacking.isEmpty()) {
            grant(String.join(", ", lacking) + " ON " + SqlNames.of(tx, table));
        }
        if (lacks("has_any_column_privilege({0}, to_regclass({1}), 'UPDATE')", name)) {
            grant("UPDATE (" + SqlNames.quoted(tx, harmless()) + ") ON " + SqlNames.of(tx, table));
        }
    }

    /** Both tables have it. */
    private String harmless() {
        boolean there = tx.fetchSingle(
                        "select exists (select from pg_catalog.pg_attribute where attrelid = to_regclass({0}) and attname = {1}"
                                + " and not attisdropped)",
                        TableName.regclass(pair.hot()), DSL.val(HARMLESS))
                .get(0, Boolean.class);
        return there ? HARMLESS : pair.ages().get(0).getName();
    }

    /** Whether the role lacks a privilege, also where the object is not there yet. */
    private boolean lacks(String privilege, String object) {
        return !tx.fetchSingle("select coalesce(" + privilege + ", false)", DSL.val(role), DSL.val(object))
                .get(0, Boolean.class);
    }

    private void grant(String what) {
        statements.add("GRANT " + what + " TO " + SqlNames.quoted(tx, role));
    }
}
