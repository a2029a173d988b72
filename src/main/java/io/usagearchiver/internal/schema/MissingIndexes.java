package io.usagearchiver.internal.schema;

import io.usagearchiver.ArchivePair;
import io.usagearchiver.internal.postgres.TableName;
import io.usagearchiver.internal.schema.HandOverCheck.HotPartition;
import java.util.List;
import org.jooq.DSLContext;
import org.jooq.impl.DSL;
import org.jooq.impl.SQLDataType;
import org.jspecify.annotations.Nullable;

/**
 * Indexes that the archive has and a partition lacks: PostgreSQL would build them while it attaches that. An index is the same
 * where all is that PostgreSQL compares; those that belong to the hot table's own are free once the partition is detached.
 *
 * @param index what is to be built, for people
 * @param name what it will be called, quoted, with its schema
 * @param create the statement that builds it, for a session that is in no transaction; null if that has to be done by hand
 */
public record MissingIndexes(
        String index, String name, @Nullable String create) {
    /** Of both, what PostgreSQL compares. Columns are by name: the numbers may differ. */
    private static final String FACTS = """
            select x.indexrelid, i.relname, x.indisunique, x.indisvalid, k.contype,
              pg_get_indexdef(x.indexrelid) as definition,
              format('%s %s %s %s %s %s %s %s %s', x.indisunique, x.indnullsnotdistinct, i.relam, x.indnkeyatts, x.indclass,
                x.indcollation, x.indoption, k.contype, (
                  select string_agg(pg_get_indexdef(x.indexrelid, column_, false), ',' order by column_)
                  from generate_series(1, x.indnatts) as column_)) || coalesce(pg_get_expr(x.indpred, x.indrelid), '') as facts
            from pg_catalog.pg_index x
            join pg_catalog.pg_class i on i.oid = x.indexrelid
            left join pg_catalog.pg_constraint k on k.conindid = x.indexrelid and k.contype in ('p', 'u', 'x')
            where x.indrelid = {0}""";

    private static final String MISSING = """
            with of_archive as ({2}), of_partition as ({3})
            select a.indexrelid::regclass::text as index, format('%I.%s', place.schema, place.name) as name,
              case when a.contype is null and not a.indisunique and starts_with(a.definition, prefix)
                  and (x.indexprs is null and x.indpred is null)
                then format('create index concurrently %s on %s using %s', place.name, {4},
                  substr(a.definition, length(prefix) + 1)) end as create_
            from of_archive a
            join pg_catalog.pg_index x on x.indexrelid = a.indexrelid
            cross join lateral (select format('CREATE INDEX %I ON ONLY %s USING ', a.relname, to_regclass({0})) as prefix) as p
            cross join lateral (select n.nspname as schema, format('usage_archiver_%s_%s', {1}, a.indexrelid) as name
              from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.oid = {1}) as place
            where (select count(*) from of_archive o where o.facts = a.facts and o.indexrelid <= a.indexrelid)
              > (select count(*) from of_partition o where o.facts = a.facts and o.indisvalid)
            order by a.indexrelid""";

    /** What is to be built before a partition is attached to the archive. */
    public static List<MissingIndexes> of(DSLContext tx, ArchivePair<?> pair, HotPartition partition) {
        var archive = TableName.regclass(pair.archive());
        var oid = DSL.inline(partition.oid());
        return tx.fetch(
                        MISSING,
                        archive,
                        oid,
                        DSL.sql(FACTS, DSL.sql("to_regclass({0})", archive)),
                        DSL.sql(FACTS, oid),
                        DSL.inline(partition.name(), SQLDataType.VARCHAR))
                .map(row -> new MissingIndexes(
                        row.get("index", String.class),
                        row.get("name", String.class),
                        row.get("create_", String.class)));
    }
}
