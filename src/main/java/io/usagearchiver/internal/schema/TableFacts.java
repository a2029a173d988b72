package io.usagearchiver.internal.schema;

import io.usagearchiver.internal.postgres.OwnRows;
import io.usagearchiver.internal.postgres.TableName;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.QueryPart;
import org.jooq.Record;
import org.jooq.Table;
import org.jooq.impl.DSL;
import org.jooq.impl.SQLDataType;
import org.jspecify.annotations.Nullable;

/**
 * What the database's catalog tells of tables. The facts are all that {@link TableMetadata} is made of, and the fingerprint that each
 * batch compares is a hash of the same facts.
 */
public final class TableFacts {
    /**
     * Under session_replication_role = replica other triggers fire, those of foreign keys not among them. Foreign keys are
     * found by their triggers: pg_constraint has no index for those that refer to a table. Of a partition, only what counts
     * where it is reached through its table: its own rules and row security do not, and what its defaults, checks and indexes
     * have beyond the table's can refuse a row, but not alter one. All of it is read for each batch, so a partition is told by
     * its row of pg_class, and looked at more closely only if it has triggers. OFFSET 0 keeps the planner from reading all of
     * pg_class, pg_trigger or pg_constraint instead. A publication that tells of deletes may be of any of them.
     */
    private static final String FACTS = """
            select t.ord as ord, d.fact as fact
            from unnest(cast({0} as text[])) with ordinality as t (name, ord)
            join pg_catalog.pg_class c on c.oid = pg_catalog.to_regclass(t.name)
            cross join lateral (
              select array['table', c.oid::text, c.relkind::text, c.relpersistence::text,
                pg_catalog.row_security_active(c.oid)::text, c.relreplident::text,
                pg_catalog.current_setting('session_replication_role'),
                case when c.relkind = 'p' then pg_catalog.pg_get_partkeydef(c.oid) else '' end] as fact
              union all
              select array['child', i.inhrelid::text] from pg_catalog.pg_inherits i where i.inhparent = c.oid
              union all
              select array['column', a.attname::text, a.attnum::text, pg_catalog.format_type(a.atttypid, a.atttypmod),
                pg_catalog.format_type(a.atttypid, null),
                case when a.attcollation <> 0 then a.attcollation::pg_catalog.regcollation::text else '' end,
                a.attnotnull::text, (a.attgenerated <> '' or a.attidentity = 'a')::text]
              from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
              union all
              select array['not validated', a.attname::text]
              from pg_catalog.pg_constraint k join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = any(k.conkey)
              where k.conrelid = c.oid and k.contype = 'n' and not k.convalidated
              union all
              select array['check', k.conname::text, k.oid::text]
              from pg_catalog.pg_constraint k where k.conrelid = c.oid and k.contype = 'c'
              union all
              select array['index', (x.indisvalid and x.indisready and x.indislive and x.indimmediate and x.indpred is null
                  and not x.indisexclusion and not exists (select from pg_catalog.pg_opclass o
                    where o.oid = any(x.indclass) and not o.opcdefault))::text,
                x.indexrelid::text, x.indisprimary::text, x.indisreplident::text, x.indcollation::text,
                x.indnkeyatts::text, x.indkey::text]
              from pg_catalog.pg_index x where x.indrelid = c.oid and x.indisunique
              union all
              select array['trigger', g.tgname::text, g.tgtype::text, g.tgenabled::text,
                (g.tgoldtable is not null or g.tgnewtable is not null)::text]
              from pg_catalog.pg_trigger g where g.tgrelid = c.oid and not g.tgisinternal
              union all
              select array['rule', r.rulename::text, r.ev_type::text, r.ev_enabled::text]
              from pg_catalog.pg_rewrite r where r.ev_class = c.oid and r.ev_type <> '1'
              union all
              select array[case when f.confrelid = c.oid and g.tgtype & 8 <> 0 then 'reference' else 'foreign key' end,
                f.conname::text, g.tgenabled::text, f.confdeltype::text, pg_catalog.format('%I.%I', n.nspname, o.relname)]
              from (select * from pg_catalog.pg_trigger g where g.tgrelid = c.oid and g.tgisinternal and g.tgtype & 12 <> 0 offset 0) g
              cross join lateral (select * from pg_catalog.pg_constraint f where f.oid = g.tgconstraint and f.contype = 'f' offset 0) f
              join pg_catalog.pg_class o on o.oid = f.conrelid join pg_catalog.pg_namespace n on n.oid = o.relnamespace
              union all
              select array['publication', p.pubname::text, case when c.relkind = 'p' then (select pg_catalog.concat(
                  (select pg_catalog.string_agg(r.prrelid::text, ' ' order by r.prrelid)
                    from pg_catalog.pg_publication_rel r where r.prpubid = p.oid), ' in ',
                  (select pg_catalog.string_agg(s.pnnspid::text, ' ' order by s.pnnspid)
                    from pg_catalog.pg_publication_namespace s where s.pnpubid = p.oid))) end]
              from pg_catalog.pg_publication p
              where (p.pubdelete or p.pubupdate) and (c.relkind = 'p' or p.puballtables or exists (
                select from (select c.oid union all select a.relid from pg_catalog.pg_partition_ancestors(c.oid) a) t (oid)
                join pg_catalog.pg_class k on k.oid = t.oid
                where exists (select from pg_catalog.pg_publication_rel r where r.prpubid = p.oid and r.prrelid = k.oid)
                  or exists (select from pg_catalog.pg_publication_namespace s
                    where s.pnpubid = p.oid and s.pnnspid = k.relnamespace)))
              union all
              select e.fact
              from (
                with recursive tree (oid, relkind, relpersistence, relreplident, relhastriggers) as (
                  select k.oid, k.relkind, k.relpersistence, k.relreplident, k.relhastriggers
                  from pg_catalog.pg_inherits i
                  cross join lateral (select * from pg_catalog.pg_class k where k.oid = i.inhrelid offset 0) k
                  where c.relkind = 'p' and i.inhparent = c.oid and not i.inhdetachpending
                  union all
                  select k.oid, k.relkind, k.relpersistence, k.relreplident, k.relhastriggers
                  from tree p
                  cross join lateral (select * from pg_catalog.pg_inherits i where i.inhparent = p.oid offset 0) i
                  cross join lateral (select * from pg_catalog.pg_class k where k.oid = i.inhrelid offset 0) k
                  where p.relkind = 'p' and not i.inhdetachpending)
                select * from tree) p
              cross join lateral (
                select array['partition', p.oid::pg_catalog.regclass::text, p.oid::text, p.relkind::text,
                  p.relpersistence::text, p.relreplident::text] as fact
                union all
                select array['trigger of partition', g.tgname::text, g.tgtype::text, g.tgenabled::text, 'false', p.oid::text]
                from pg_catalog.pg_trigger g
                where p.relhastriggers and g.tgrelid = p.oid and (not g.tgisinternal or g.tgparentid <> 0 and not exists (
                  select from pg_catalog.pg_constraint f where f.oid = g.tgconstraint and f.contype = 'f' offset 0))
                union all
                select array['reference of partition', f.conname::text, g.tgenabled::text, f.confdeltype::text,
                  f.conrelid::pg_catalog.regclass::text, p.oid::text]
                from (select * from pg_catalog.pg_trigger g where g.tgrelid = p.oid and g.tgisinternal offset 0) g
                cross join lateral (select * from pg_catalog.pg_constraint f where f.oid = g.tgconstraint offset 0) f
                where p.relhastriggers and f.contype = 'f' and f.confrelid = p.oid and g.tgtype & 8 <> 0
              ) e
            ) d""";

    /** Of all facts, in whatever order: to sort and concatenate them takes as long as to read them. */
    private static final String HASH =
            "cast(pg_catalog.sum(pg_catalog.hash_array_extended(f.fact collate pg_catalog.\"C\", f.ord)) as text)";

    private TableFacts() {}

    /** A hash of the facts of some tables, as a subquery. */
    static Field<String> fingerprint(List<? extends Table<?>> tables) {
        return DSL.field("(select " + HASH + " from ({0}) f)", SQLDataType.VARCHAR, facts(tables));
    }

    /** Reads the catalog: all tables and their {@link #fingerprint} in one snapshot. The session learns which are partitioned. */
    public static Reading read(DSLContext tx, List<? extends Table<?>> tables) {
        String fingerprint = "";
        Map<Integer, List<String[]>> facts = new HashMap<>();
        for (Record row : tx.fetch(
                "with f as materialized ({0}) select f.ord, f.fact, (select " + HASH + " from f) as fingerprint"
                        + " from f order by case f.fact[1] when 'column' then cast(f.fact[3] as integer) end, f.fact[2]",
                facts(tables))) {
            fingerprint = row.get("fingerprint", String.class);
            facts.computeIfAbsent(row.get("ord", Integer.class), any -> new ArrayList<>())
                    .add(row.get("fact", String[].class));
        }
        List<@Nullable TableMetadata> read = new ArrayList<>();
        for (int i = 0; i < tables.size(); i++) {
            List<String[]> ofTable = facts.get(i + 1);
            TableMetadata table = ofTable == null ? null : TableMetadata.of(TableName.name(tables.get(i)), ofTable);
            OwnRows.learn(tx.configuration(), tables.get(i), table != null && table.isPartitioned());
            read.add(table);
        }
        return new Reading(fingerprint, read);
    }

    private static QueryPart facts(List<? extends Table<?>> tables) {
        return DSL.sql(FACTS, DSL.val(tables.stream().map(TableName::quoted).toArray(String[]::new)));
    }

    /**
     * What was read.
     *
     * @param fingerprint of the facts
     * @param tables in the order in which they were asked for; null where there is no such table
     */
    public record Reading(String fingerprint, List<@Nullable TableMetadata> tables) {}
}
