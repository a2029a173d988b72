package io.usagearchiver.internal.schema;

import io.usagearchiver.ArchivePair;
import io.usagearchiver.internal.postgres.TableName;
import java.time.LocalDateTime;
import java.util.List;
import org.jooq.DSLContext;
import org.jooq.Record;
import org.jooq.impl.DSL;
import org.jspecify.annotations.Nullable;

/**
 * Which partitions of the hot table may become partitions of the archive as they are, by what the catalog tells, and what is in
 * the way of the others. What is in them is not looked at.
 *
 * <p>A partition has to lie before the cutoff by its bounds: the application writes no new rows there, which would find no
 * partition afterwards. Whatever a partition has that would mean something else in the archive keeps it from being handed over.
 */
public final class HandOverCheck {
    /** What holds a partition's bounds while it is in neither table, so that nothing has to be read to attach it. */
    public static final String CONSTRAINT = "usage_archiver_hand_over";

    /** Of the archive's default partition, which is read while it is locked: a few milliseconds. */
    private static final long MOST_DEFAULT_BYTES = 8 << 20;

    /** The SQL of what keeps all partitions from it. */
    private static final String PAIR = """
            select case
              when h.relkind <> 'p' then format('%s is not partitioned', h.oid::regclass)
              when a.relkind <> 'p' then format('%s is not partitioned', a.oid::regclass)
              when h.relispartition then format('%s is a partition itself', h.oid::regclass)
              when a.relispartition then format('%s is a partition itself', a.oid::regclass)
              when not exists (
                select from pg_catalog.pg_partitioned_table k
                join pg_catalog.pg_attribute c on c.attrelid = k.partrelid and c.attnum = k.partattrs[0]
                where k.partrelid = h.oid and k.partstrat = 'r' and k.partnatts = 1
                  and c.atttypid in ('timestamp'::regtype, 'timestamptz'::regtype, 'date'::regtype))
                then format('%s is partitioned by %s: it must be by range of one column that is a time', h.oid::regclass,
                  pg_get_partkeydef(h.oid))
              when pg_get_partkeydef(h.oid) <> pg_get_partkeydef(a.oid)
                then format('%s is partitioned by %s, %s by %s', h.oid::regclass, pg_get_partkeydef(h.oid), a.oid::regclass,
                  pg_get_partkeydef(a.oid))
              when not pg_has_role(h.relowner, 'usage')
                then format('%I does not own %s: GRANT %I TO %I', current_user, h.oid::regclass, pg_get_userbyid(h.relowner), current_user)
              when not pg_has_role(a.relowner, 'usage')
                then format('%I does not own %s: GRANT %I TO %I', current_user, a.oid::regclass, pg_get_userbyid(a.relowner), current_user)
              when exists (select from pg_catalog.pg_publication p where p.puballtables
                  or exists (select from pg_catalog.pg_publication_rel r where r.prpubid = p.oid and r.prrelid in (h.oid, a.oid))
                  or exists (select from pg_catalog.pg_publication_namespace s where s.pnpubid = p.oid
                    and s.pnnspid in (h.relnamespace, a.relnamespace)))
                then 'a publication tells subscribers of single rows only'
              when exists (select from pg_catalog.pg_constraint f
                  where f.contype = 'f' and (f.conrelid in (h.oid, a.oid) or f.confrelid in (h.oid, a.oid)))
                then 'foreign keys refer to one of the tables, or are of one'
              when exists (select from pg_catalog.pg_attribute c where c.attrelid = a.oid and c.attidentity <> '' and not c.attisdropped)
                then format('%s has an identity column', a.oid::regclass) end
            from pg_catalog.pg_class h, pg_catalog.pg_class a
            where h.oid = to_regclass({0}) and a.oid = to_regclass({1})""";

    /** Partitions of both tables with their bounds as moments, the default ones with none. */
    private static final String RANGES = """
            select i.inhparent as parent, c.oid, bound_.text as bound, ends_.parts is null as is_default, lower_.moment as lower_at,
              upper_.moment as upper_at
            from pg_catalog.pg_inherits i
            join pg_catalog.pg_class c on c.oid = i.inhrelid
            join pg_catalog.pg_partitioned_table k on k.partrelid = i.inhparent
            join pg_catalog.pg_attribute t on t.attrelid = k.partrelid and t.attnum = k.partattrs[0]
            cross join lateral (select pg_get_expr(c.relpartbound, c.oid) as text) as bound_
            cross join lateral (
              select regexp_match(bound_.text, '^FOR VALUES FROM \\((.*)\\) TO \\((.*)\\)$') as parts) as ends_
            cross join lateral (select {2} as moment) as lower_
            cross join lateral (select {3} as moment) as upper_
            where i.inhparent in (to_regclass({0}), to_regclass({1})) and not i.inhdetachpending""";

    private static final String END = """
            case
              when ends_.parts[{0}] = 'MINVALUE' then cast('-infinity' as timestamp)
              when ends_.parts[{0}] = 'MAXVALUE' then cast('infinity' as timestamp)
              when t.atttypid = 'timestamptz'::regtype
                then timezone('UTC', cast(btrim(ends_.parts[{0}], '''') as timestamptz))
              when t.atttypid = 'date'::regtype then cast(cast(btrim(ends_.parts[{0}], '''') as date) as timestamp)
              else cast(btrim(ends_.parts[{0}], '''') as timestamp) end""";

    private static final String PARTITIONS = """
            with ranges as ({2})
            select cast(p.oid as bigint) as oid, p.oid::regclass::text as name, r.bound, r.lower_at::text as since,
              pg_get_partition_constraintdef(p.oid) as condition,
              case
                when r.upper_at > cast({3} as timestamp) then 'the cutoff is within its bounds; where the pair''s condition keeps its'
                  ' rows until all have expired, it can be handed over'
                when p.relkind <> 'r' then 'it is no ordinary table'
                when not pg_has_role(p.relowner, 'usage') then format('%I does not own it', current_user)
                when p.relowner <> a.relowner then format('it has another owner than %s', a.oid::regclass)
                when other.oid is not null then format('its bounds overlap those of %s', other.oid::regclass)
                when stand_in.relkind <> 'r' or not pg_has_role(stand_in.relowner, 'usage')
                  then format('%s, of the same bounds, cannot make room for it', stand_in.oid::regclass)
                when default_.relkind <> 'r' or pg_relation_size(default_.oid) > {4}
                  then format('PostgreSQL would read all of the default partition %s', default_.oid::regclass)
                when p.relrowsecurity or exists (select from pg_catalog.pg_policy y where y.polrelid = p.oid)
                  then 'it has row security of its own'
                when own.trigger is not null then format('it has trigger %I of its own', own.trigger)
                when exists (select from pg_catalog.pg_rewrite w where w.ev_class = p.oid) then 'it has rules of its own'
                when own.reader is not null then format('%s reads it by its name', own.reader)
                when exists (select from pg_catalog.pg_constraint f
                  where f.contype = 'f' and (f.conrelid = p.oid or f.confrelid = p.oid))
                  then 'foreign keys refer to it, or are of it'
                when exists (select from pg_catalog.pg_publication_rel b where b.prrelid = p.oid)
                  or exists (select from pg_catalog.pg_publication_namespace b where b.pnnspid = p.relnamespace)
                  then 'a publication tells subscribers of single rows only'
                when own.missing_check is not null
                  then format('it lacks CHECK %I of %s', own.missing_check, a.oid::regclass)
                when own.other_column is not null
                  then format('column %I is another one than in %s', own.other_column, a.oid::regclass)
              end as obstacle,
              stand_in.oid::regclass::text as stand_in,
              (select string_agg(format('alter column %I drop default', c.attname), ', ' order by c.attnum)
                from pg_catalog.pg_attribute c
                join pg_catalog.pg_attribute o on o.attrelid = a.oid and o.attname = c.attname and not o.atthasdef
                where c.attrelid = p.oid and c.attnum > 0 and c.atthasdef and c.attgenerated = '') as defaults,
              exists (select from pg_catalog.pg_constraint k where k.conrelid = p.oid and k.conname = {5}) as has_check,
              exists (select from pg_catalog.pg_constraint k where k.conrelid = p.oid and k.conname = {5} and k.convalidated
                and pg_get_constraintdef(k.oid) = format('CHECK (%s)', pg_get_partition_constraintdef(p.oid))) as prepared
            from ranges r
            join pg_catalog.pg_class p on p.oid = r.oid
            join pg_catalog.pg_class a on a.oid = to_regclass({1})
            left join pg_catalog.pg_class stand_in on stand_in.oid = (
              select o.oid from ranges o where o.parent = a.oid and o.bound = r.bound)
            left join pg_catalog.pg_class default_ on default_.oid = (
              select o.oid from ranges o where o.parent = a.oid and o.is_default)
            left join pg_catalog.pg_class other on other.oid = (
              select min(o.oid::bigint)::oid from ranges o where o.parent = a.oid and o.bound <> r.bound
                and o.lower_at < r.upper_at and r.lower_at < o.upper_at)
            cross join lateral (select
              (select min(g.tgname) from pg_catalog.pg_trigger g
                where g.tgrelid = p.oid and not g.tgisinternal and g.tgparentid = 0) as trigger,
              (select min(w.ev_class::bigint)::oid::regclass from pg_catalog.pg_depend d
                join pg_catalog.pg_rewrite w on w.oid = d.objid
                where d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid = p.oid) as reader,
              (select min(k.conname) from pg_catalog.pg_constraint k
                where k.conrelid = a.oid and k.contype = 'c' and not k.connoinherit and not exists (
                  select from pg_catalog.pg_constraint o where o.conrelid = p.oid and o.contype = 'c' and o.conname = k.conname
                    and o.convalidated and pg_get_constraintdef(o.oid) = pg_get_constraintdef(k.oid))) as missing_check,
              (select min(coalesce(o.attname, c.attname))
                from (select * from pg_catalog.pg_attribute where attrelid = p.oid and attnum > 0 and not attisdropped) c
                full join (select * from pg_catalog.pg_attribute where attrelid = a.oid and attnum > 0 and not attisdropped) o
                  on o.attname = c.attname
                where (c.atttypid, c.atttypmod, c.attcollation, c.attgenerated)
                    is distinct from (o.atttypid, o.atttypmod, o.attcollation, o.attgenerated)
                  or o.attnotnull and not c.attnotnull
                  or c.attidentity <> '' and cast(current_setting('server_version_num') as integer) < 170000) as other_column
            ) as own
            where r.parent = to_regclass({0}) and not r.is_default and r.lower_at < cast({3} as timestamp)
            order by r.lower_at""";

    private HandOverCheck() {}

    /** What is in the way of all partitions; null for nothing. */
    public static @Nullable String ofPair(DSLContext tx, ArchivePair<?> pair) {
        Record row = tx.fetchOne(PAIR, TableName.regclass(pair.hot()), TableName.regclass(pair.archive()));
        String inTheWay = row == null ? null : row.get(0, String.class);
        // pg_partman knows partitions by names of its own, and fails on others.
        String ofPartman = row == null || inTheWay != null ? null : ArchivePartitions.ofPartman(tx, pair);
        return ofPartman == null ? inTheWay : TableName.name(pair.archive()) + " " + ofPartman;
    }

    /** The partitions of the hot table that begin before a cutoff, the oldest first. For a pair that has nothing in the way. */
    public static List<HotPartition> partitions(DSLContext tx, ArchivePair<?> pair, LocalDateTime cutoff) {
        var hot = TableName.regclass(pair.hot());
        var archive = TableName.regclass(pair.archive());
        var ranges = DSL.sql(RANGES, hot, archive, DSL.sql(END, DSL.inline(1)), DSL.sql(END, DSL.inline(2)));
        return tx.fetch(
                        PARTITIONS,
                        hot,
                        archive,
                        ranges,
                        DSL.val(cutoff.toString()),
                        DSL.inline(MOST_DEFAULT_BYTES),
                        DSL.inline(CONSTRAINT))
                .map(row -> new HotPartition(
                        row.get("oid", Long.class),
                        row.get("name", String.class),
                        row.get("bound", String.class),
                        row.get("since", String.class),
                        row.get("condition", String.class),
                        row.get("obstacle", String.class),
                        row.get("stand_in", String.class),
                        row.get("defaults", String.class),
                        row.get("has_check", Boolean.class),
                        row.get("prepared", Boolean.class)));
    }

    /** The conditions of the rows of partitions that nothing in the catalog keeps from being handed over. */
    public static List<String> conditions(DSLContext tx, ArchivePair<?> pair, LocalDateTime cutoff) {
        boolean none = ofPair(tx, pair) != null;
        List<HotPartition> partitions = none ? List.of() : partitions(tx, pair, cutoff);
        return partitions.stream()
                .filter(each -> each.obstacle() == null)
                .map(HotPartition::condition)
                .toList();
    }

    /** What a sweep would make of the partitions, one sentence each. */
    public static List<String> told(DSLContext tx, ArchivePair<?> pair, LocalDateTime cutoff) {
        String inTheWay = ofPair(tx, pair);
        if (inTheWay != null) {
            return List.of("no partition is handed over, all rows move row by row: " + inTheWay);
        }
        return partitions(tx, pair, cutoff).stream()
                .map(partition -> "partition " + partition.name()
                        + (partition.obstacle() == null
                                ? " is handed over as a whole if it has rows, and none of them stays hot"
                                : " goes row by row: " + partition.obstacle()))
                .toList();
    }

    /**
     * A partition of the hot table that begins before the cutoff.
     *
     * @param name quoted, with its schema
     * @param bound as in PARTITION OF
     * @param since the moment, naive UTC, with which they begin
     * @param condition that its bounds are for its rows
     * @param obstacle what keeps it from being handed over; null for nothing
     * @param standIn the partition of the archive that has the same bounds; null for none
     * @param defaults what takes away those of its columns that the archive's have not, as in ALTER TABLE; null for nothing
     * @param hasCheck whether it has a {@link #CONSTRAINT}
     * @param prepared whether that is the right one, and known to be true
     */
    public record HotPartition(
            long oid,
            String name,
            String bound,
            String since,
            String condition,
            @Nullable String obstacle,
            @Nullable String standIn,
            @Nullable String defaults,
            boolean hasCheck,
            boolean prepared) {}
}
