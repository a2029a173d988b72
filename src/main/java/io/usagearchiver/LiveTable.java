package io.usagearchiver;

import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.Record;
import org.jooq.Table;
import org.jspecify.annotations.Nullable;

/**
 * A table as the database's catalog has it now.
 *
 * @param name the canonical name, {@code schema.table}
 * @param kind what is wrong with its kind, or null for a permanent ordinary table without children
 * @param columns by name
 * @param keyed whether the key is unique: valid, immediate, not null and not partial
 * @param rowSecurity whether row security applies to this session
 * @param insertTriggers enabled row-level INSERT triggers and INSERT rules
 * @param deleteTriggers enabled DELETE triggers and DELETE rules
 * @param references foreign keys to this table that do something when a row is deleted
 */
record LiveTable(
        String name,
        @Nullable String kind,
        Map<String, Column> columns,
        boolean keyed,
        boolean rowSecurity,
        List<String> insertTriggers,
        List<String> deleteTriggers,
        List<String> references) {

    /**
     * A column.
     *
     * @param type with its modifiers
     * @param baseType without them
     * @param always GENERATED ALWAYS, as identity or by an expression
     */
    record Column(String name, String type, String baseType, boolean notNull, boolean always) {}

    private static final String TABLE = """
            select case when c.relkind <> 'r' then case c.relkind when 'p' then 'a partitioned table' when 'v' then 'a view'
                  when 'm' then 'a materialized view' when 'f' then 'a foreign table' else 'not a table' end
                when c.relpersistence = 'u' then 'unlogged: a crash empties it'
                when c.relpersistence = 't' then 'temporary'
                when exists (select from pg_catalog.pg_inherits i where i.inhparent = c.oid)
                  then 'a table with inheritance children' end as kind,
              exists (select from pg_catalog.pg_index x
                where x.indrelid = c.oid and x.indisunique and x.indisvalid and x.indimmediate and x.indpred is null
                  and x.indnkeyatts = cardinality({1})
                  and {1} <@ array(select a.attname::varchar from generate_series(0, x.indnkeyatts - 1) i
                    join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = x.indkey[i]
                    where a.attnotnull)) as keyed,
              row_security_active(c.oid) as row_security,
              array(select 'trigger ' || t.tgname from pg_catalog.pg_trigger t
                where t.tgrelid = c.oid and not t.tgisinternal and t.tgenabled in ('O', 'A')
                  and t.tgtype & 1 <> 0 and t.tgtype & 4 <> 0
                union all select 'rule ' || r.rulename from pg_catalog.pg_rewrite r
                where r.ev_class = c.oid and r.ev_type = '3' and r.ev_enabled in ('O', 'A')) as insert_triggers,
              array(select 'trigger ' || t.tgname from pg_catalog.pg_trigger t
                where t.tgrelid = c.oid and not t.tgisinternal and t.tgenabled in ('O', 'A') and t.tgtype & 8 <> 0
                union all select 'rule ' || r.rulename from pg_catalog.pg_rewrite r
                where r.ev_class = c.oid and r.ev_type = '4' and r.ev_enabled in ('O', 'A')) as delete_triggers,
              array(select format('%I of %s', f.conname, f.conrelid::regclass) || ' on delete '
                  || case f.confdeltype when 'c' then 'cascade' when 'n' then 'set null' else 'set default' end
                from pg_catalog.pg_constraint f
                where f.contype = 'f' and f.confrelid = c.oid and f.confdeltype in ('c', 'n', 'd')) as refs
            from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
            where c.oid = to_regclass({0})""";

    private static final String COLUMNS = """
            select a.attname::text as name, format_type(a.atttypid, a.atttypmod) as type,
              format_type(a.atttypid, null) as base_type, a.attnotnull as not_null,
              (a.attgenerated <> '' or a.attidentity = 'a') as always
            from pg_catalog.pg_attribute a
            where a.attrelid = to_regclass({0}) and a.attnum > 0 and not a.attisdropped order by a.attnum""";

    /** Reads the catalog; null if there is no such table. */
    static @Nullable LiveTable read(DSLContext tx, Table<?> table, List<? extends Field<?>> key) {
        Record row = tx.fetchOne(
                TABLE,
                Shape.regclass(table),
                Key.array(key.stream().map(Field::getName).toList()));
        if (row == null) {
            return null;
        }
        Map<String, Column> columns = tx.fetch(COLUMNS, Shape.regclass(table)).stream()
                .map(r -> new Column(
                        r.get("name", String.class),
                        r.get("type", String.class),
                        r.get("base_type", String.class),
                        r.get("not_null", Boolean.class),
                        r.get("always", Boolean.class)))
                .collect(Collectors.toMap(Column::name, c -> c, (a, b) -> a, java.util.LinkedHashMap::new));
        return new LiveTable(
                Shape.name(table),
                row.get("kind", String.class),
                columns,
                row.get("keyed", Boolean.class),
                row.get("row_security", Boolean.class),
                List.of(row.get("insert_triggers", String[].class)),
                List.of(row.get("delete_triggers", String[].class)),
                List.of(row.get("refs", String[].class)));
    }
}
