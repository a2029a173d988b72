package io.usagearchiver.internal.inspect;

import io.usagearchiver.ArchivePair;
import io.usagearchiver.internal.postgres.TableName;
import io.usagearchiver.internal.rows.KeyColumns;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.QueryPart;
import org.jooq.impl.DSL;

/**
 * What lies around the tables and does not forbid a sweep, but slows it down, is slowed down by it, or keeps rows back.
 * Told as one sentence each.
 */
public final class PlanWarnings {
    private static final String TRIGGERS = """
            select format('%s has trigger %s, %s', t.tgrelid::regclass, t.tgname, case
              when t.tgrelid = to_regclass({0}) and t.tgtype & 8 <> 0 or t.tgrelid = to_regclass({1}) and t.tgtype & 4 <> 0
                then 'which fires in each batch' else 'which no sweep fires' end)
            from pg_catalog.pg_trigger t
            where t.tgrelid in (to_regclass({0}), to_regclass({1})) and not t.tgisinternal and t.tgenabled in ('O', 'A')
            order by 1""";

    private static final String REFERENCES = """
            select format('%s refers to %s by %s: rows of that which it names are rejected and stay where they are',
              f.conrelid::regclass, f.confrelid::regclass, quote_ident(f.conname))
            from pg_catalog.pg_constraint f
            where f.contype = 'f' and f.confrelid in ({2}) and f.confdeltype in ('a', 'r') and f.conparentid = 0
            union all
            select format('%s refers to %s by %s: rows whose target is gone are rejected and stay hot',
              f.conrelid::regclass, f.confrelid::regclass, quote_ident(f.conname))
            from pg_catalog.pg_constraint f
            where f.contype = 'f' and f.conrelid in ({3}) and f.conparentid = 0
            order by 1""";

    /**
     * Tables that refer to the hot one without an index that begins with the columns by which they do, in whatever order. A
     * partial one serves if all that it leaves out is null.
     */
    private static final String UNINDEXED = """
            select format('%1$s refers to %2$s by %3$s and has no index on (%4$s): each row that a sweep deletes reads all of'
              ' %1$s; CREATE INDEX%5$s ON %1$s (%4$s)', f.conrelid::regclass, f.confrelid::regclass, quote_ident(f.conname),
              (select string_agg(quote_ident(a.attname), ', ' order by k.place)
                from unnest(f.conkey) with ordinality as k (attnum, place)
                join pg_catalog.pg_attribute a on a.attrelid = f.conrelid and a.attnum = k.attnum),
              case when r.relkind = 'p' then '' else ' CONCURRENTLY' end)
            from pg_catalog.pg_constraint f join pg_catalog.pg_class r on r.oid = f.conrelid
            where f.contype = 'f' and f.confrelid in ({1}) and f.conparentid = 0
              and not exists (
                select from pg_catalog.pg_index i
                join pg_catalog.pg_class c on c.oid = i.indexrelid
                join pg_catalog.pg_am m on m.oid = c.relam and m.amname in ('btree', 'hash')
                where i.indrelid = f.conrelid and i.indisvalid and i.indnkeyatts >= cardinality(f.conkey)
                  and (select array_agg(k.attnum order by k.attnum)
                      from unnest(cast(i.indkey as smallint[])) with ordinality as k (attnum, place)
                      where k.place <= cardinality(f.conkey))
                    = (select array_agg(k.attnum order by k.attnum) from unnest(f.conkey) as k (attnum))
                  and (i.indpred is null or pg_get_expr(i.indpred, i.indrelid) in (
                    select format('(%I IS NOT NULL)', a.attname) from pg_catalog.pg_attribute a
                    where a.attrelid = f.conrelid and a.attnum = any (f.conkey))))
            order by 1""";

    /** Of sessions that this role may not look into, only the snapshot's age in transactions is known. */
    private static final String SESSIONS = """
            select format('session %s (%s%s) has held a snapshot open %s: until it ends, rows that a sweep deletes stay on'
              ' disk, and slow it down', a.pid, coalesce(a.usename, a.backend_type), ', ' || nullif(a.application_name, ''),
              coalesce('for ' || date_trunc('second', clock_timestamp() - a.xact_start)::text,
                'over ' || age(a.backend_xmin) || ' transactions'))
            from pg_catalog.pg_stat_activity a
            where a.backend_xmin is not null and a.pid <> pg_backend_pid()
              and (a.datid is null or a.datid = (select d.oid from pg_catalog.pg_database d where d.datname = current_database()))
              and coalesce(a.backend_type, '') <> 'autovacuum worker'
              and (a.xact_start <= clock_timestamp() - cast({0} as interval)
                or a.xact_start is null and age(a.backend_xmin) >= {1})
            order by a.pid""";

    private static final String PREPARED = """
            select format('prepared transaction %s of %s is open since %s: commit it or roll it back; until then, rows that a'
              ' sweep deletes stay on disk, and what it has locked stays hot', quote_literal(p.gid), p.owner,
              to_char(timezone('UTC', p.prepared), 'YYYY-MM-DD HH24:MI "UTC"'))
            from pg_catalog.pg_prepared_xacts p
            where p.database = current_database() and p.prepared <= clock_timestamp() - cast({0} as interval)
            order by p.prepared""";

    private static final String SLOTS = """
            select format('replication slot %s (%s) holds a snapshot that is %s transactions old: rows that a sweep deletes'
              ' stay on disk, and slow it down', s.slot_name, case when s.active then 'active' else 'not active' end, age(s.xmin))
            from pg_catalog.pg_replication_slots s where age(s.xmin) >= {0} order by 1""";

    private static final String REPLICAS = """
            select format('replica %s is %s behind: a sweep writes about three times what it moves to the log',
              coalesce(nullif(r.application_name, ''), r.pid::text),
              concat_ws(' and ', date_trunc('second', r.replay_lag)::text, pg_size_pretty(r.bytes)))
            from (select s.*, pg_wal_lsn_diff(case when pg_is_in_recovery() then pg_last_wal_receive_lsn()
                else pg_current_wal_lsn() end, s.replay_lsn) as bytes
              from pg_catalog.pg_stat_replication s) r
            where r.replay_lag >= cast({0} as interval) or r.bytes >= {1}
            order by 1""";

    private static final String AUTOVACUUM = """
            select 'autovacuum is off for the whole server: dead rows stay after a sweep, and statistics grow old'
            where not cast(current_setting('autovacuum') as boolean)
            union all
            select format('autovacuum is off for %s: dead rows stay after a sweep, and statistics grow old', c.oid::regclass)
            from pg_catalog.pg_class c, pg_options_to_table(c.reloptions) o
            where c.oid in ({0} union all {1}) and o.option_name = 'autovacuum_enabled'
              and not cast(o.option_value as boolean)""";

    /**
     * What refuses a row that the hot table took: unique indexes and exclusions beside the key, CHECKs that hot has not; of
     * partitions, what they have of their own.
     */
    private static final String STRICTER = """
            select format('%s has unique index %s besides its key: rows that it refuses stay hot', i.indrelid::regclass,
              i.indexrelid::regclass)
            from pg_catalog.pg_index i
            where i.indrelid in ({3}) and (i.indisunique or i.indisexclusion)
              and not exists (select from pg_catalog.pg_inherits h where h.inhrelid = i.indexrelid) and not coalesce((
              select array_agg(a.attname::text order by a.attname) = (select array_agg(cast(k as text) order by cast(k as text)) from unnest({2}) as k)
              from unnest(cast(i.indkey as smallint[])) with ordinality as p (attnum, place)
              join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = p.attnum
              where p.place <= i.indnkeyatts), false)
            union all
            select format('%s has CHECK %s, which %s has not: rows that it refuses stay hot', k.conrelid::regclass,
              quote_ident(k.conname), to_regclass({0}))
            from pg_catalog.pg_constraint k
            where k.contype = 'c' and k.conrelid in ({3}) and k.coninhcount = 0 and not exists (
              select from pg_catalog.pg_constraint h
              where h.contype = 'c' and h.conrelid = to_regclass({0})
                and pg_get_expr(h.conbin, h.conrelid) = pg_get_expr(k.conbin, k.conrelid))
            union all
            select format('%s has column %s NOT NULL, which %s has not: rows that it refuses stay hot', a.attrelid::regclass,
              quote_ident(a.attname), h.attrelid::regclass)
            from pg_catalog.pg_attribute a
            join pg_catalog.pg_attribute h on h.attrelid = to_regclass({1}) and h.attname = a.attname and not h.attnotnull
            where a.attrelid in ({3}) and a.attnum > 0 and a.attnotnull
            order by 1""";

    private static final String TREE =
            "select to_regclass({0}) union all select relid from pg_partition_tree(to_regclass({0}))";

    private PlanWarnings() {}

    /**
     * From where on something is worth a warning.
     *
     * @param open how long a snapshot or a prepared transaction has been open
     * @param transactions how old a snapshot is, where only that is known
     * @param lag how far a replica is behind, as time
     * @param lagBytes and as bytes of the log
     */
    public record Thresholds(Duration open, long transactions, Duration lag, long lagBytes) {
        public static final Thresholds DEFAULT =
                new Thresholds(Duration.ofMinutes(5), 10_000, Duration.ofSeconds(30), 256L << 20);
    }

    static List<String> warnings(DSLContext tx, ArchivePair<?> pair, Thresholds thresholds) {
        QueryPart hot = TableName.regclass(pair.hot());
        QueryPart archive = TableName.regclass(pair.archive());
        QueryPart open = DSL.val(thresholds.open().toString());
        QueryPart transactions = DSL.val(thresholds.transactions());
        List<String> warnings = new ArrayList<>();
        warnings.addAll(read(tx, TRIGGERS, hot, archive));
        warnings.addAll(read(tx, REFERENCES, hot, archive, DSL.sql(TREE, hot), DSL.sql(TREE, archive)));
        warnings.addAll(read(tx, UNINDEXED, hot, DSL.sql(TREE, hot)));
        warnings.addAll(read(tx, STRICTER, hot, archive, KeyColumns.array(keys(pair)), DSL.sql(TREE, archive)));
        warnings.addAll(read(tx, SESSIONS, open, transactions));
        warnings.addAll(read(tx, PREPARED, open));
        warnings.addAll(read(tx, SLOTS, transactions));
        warnings.addAll(read(tx, REPLICAS, DSL.val(thresholds.lag().toString()), DSL.val(thresholds.lagBytes())));
        warnings.addAll(read(tx, AUTOVACUUM, DSL.sql(TREE, hot), DSL.sql(TREE, archive)));
        return warnings;
    }

    private static List<String> keys(ArchivePair<?> pair) {
        return pair.key().stream().map(Field::getName).toList();
    }

    private static List<String> read(DSLContext tx, String sql, QueryPart... arguments) {
        return tx.fetch(sql, (Object[]) arguments).getValues(0, String.class);
    }
}
