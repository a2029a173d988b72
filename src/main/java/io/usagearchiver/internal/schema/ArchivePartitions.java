package io.usagearchiver.internal.schema;

import io.usagearchiver.ArchiveException;
import io.usagearchiver.ArchivePair;
import io.usagearchiver.internal.postgres.SqlFiles;
import io.usagearchiver.internal.postgres.TableName;
import java.sql.Statement;
import java.time.YearMonth;
import java.util.List;
import org.jooq.DSLContext;
import org.jooq.Record;
import org.jooq.impl.DSL;
import org.jspecify.annotations.Nullable;

/**
 * The partitions of an archive that is there: whether they are by month, and nobody else's to make.
 */
public final class ArchivePartitions {
    private static final String ARCHIVE = """
            select c.relkind = 'p' as partitioned, coalesce(p.partstrat = 'r' and p.partnatts = 1, false) as by_range,
              a.attname as by, pg_get_userbyid(c.relowner) as owner, pg_has_role(c.relowner, 'USAGE') as owned,
              has_schema_privilege(c.relnamespace, 'CREATE') as may_create, cast(c.relnamespace as regnamespace)::text as schema,
              cast(quote_ident(current_user) as text) as role,
              array(select pg_get_expr(k.relpartbound, k.oid) from pg_catalog.pg_inherits i
                join pg_catalog.pg_class k on k.oid = i.inhrelid where i.inhparent = c.oid) as bounds
            from pg_catalog.pg_class c
            left join pg_catalog.pg_partitioned_table p on p.partrelid = c.oid
            left join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = p.partattrs[0]
            where c.oid = to_regclass({0})""";

    /** Where pg_partman keeps what it manages, and whether this role may look. */
    private static final String PARTMAN = """
            select format('%I', n.nspname) as schema, has_schema_privilege(n.oid, 'USAGE') and coalesce((
              select has_table_privilege(c.oid, 'SELECT') from pg_catalog.pg_class c
              where c.relnamespace = n.oid and c.relname = 'part_config'), false) as visible
            from pg_catalog.pg_extension e join pg_catalog.pg_namespace n on n.oid = e.extnamespace
            where e.extname = 'pg_partman'""";

    private ArchivePartitions() {}

    /**
     * Why the partitions of an archive are not made here; null if they are.
     *
     * @throws ArchiveException if there is no such archive
     */
    public static @Nullable String leftAlone(DSLContext tx, ArchivePair<?> named) {
        ArchivePair<?> pair = KnownPair.of(tx, named);
        Record archive = read(tx, pair);
        if (!archive.get("partitioned", Boolean.class)) {
            return "is not partitioned";
        }
        String age = pair.ages().get(0).getName();
        if (!archive.get("by_range", Boolean.class)
                || MonthlyPartitions.refusal(pair) != null
                || !age.equals(archive.get("by", String.class))) {
            return "is partitioned otherwise than by ranges of " + age + " alone; whoever made it makes its partitions";
        }
        return ofPartman(tx, pair);
    }

    /** Why they may be pg_partman's to make; null if they are not. */
    static @Nullable String ofPartman(DSLContext tx, ArchivePair<?> pair) {
        Record partman = tx.fetchOne(PARTMAN);
        if (partman == null) {
            return null;
        }
        String config = partman.get("schema", String.class) + ".part_config";
        if (!partman.get("visible", Boolean.class)) {
            return "may be pg_partman's, and this role may not look into " + config + ": GRANT USAGE ON SCHEMA "
                    + partman.get("schema", String.class) + " and SELECT ON " + config + " to it";
        }
        boolean managed = tx.fetchSingle(
                        "select exists (select from " + config + " where parent_table = {0})",
                        DSL.val(TableName.qualified(pair.archive()).first() + "."
                                + TableName.qualified(pair.archive()).last()))
                .get(0, Boolean.class);
        return managed ? "is in " + config + ": pg_partman makes its partitions" : null;
    }

    /**
     * Makes the first partition that is missing. Others that do the same wait.
     *
     * @return the month; null if none is missing
     * @throws ArchiveException if one is, and the role may not make it
     */
    public static @Nullable YearMonth makeNext(DSLContext tx, ArchivePair<?> named, int retentionMonths) {
        ArchivePair<?> pair = KnownPair.of(tx, named);
        MonthlyPartitions months = new MonthlyPartitions(pair, retentionMonths);
        tx.fetch("select pg_advisory_xact_lock(hashtext('usage-archiver partitions'))");
        Record archive = read(tx, pair);
        List<YearMonth> missing = missing(tx, months, archive);
        if (missing.isEmpty()) {
            return null;
        }
        requireRights(archive, pair, missing);
        // Whoever attaches a partition has that lock, a hand-over too: what is there now is all until this ends.
        execute(tx, "lock table only " + TableName.quoted(pair.archive()) + " in share update exclusive mode");
        missing = missing(tx, months, read(tx, pair));
        if (missing.isEmpty()) {
            return null;
        }
        months.beside(tx, missing.get(0)).forEach(sql -> execute(tx, sql));
        return missing.get(0);
    }

    private static List<YearMonth> missing(DSLContext tx, MonthlyPartitions months, Record archive) {
        return months.missing(tx, List.of(archive.get("bounds", String[].class)));
    }

    private static void execute(DSLContext tx, String sql) {
        tx.connection(connection -> {
            // A name may have what jOOQ takes for a bind.
            try (Statement plain = connection.createStatement()) {
                plain.execute(sql);
            }
        });
    }

    private static void requireRights(Record archive, ArchivePair<?> pair, List<YearMonth> missing) {
        String table = TableName.name(pair.archive());
        String subject = "archive " + table + " lacks the partition of " + missing.get(0) + ", and the role "
                + archive.get("role", String.class) + " may not make them: ";
        if (!archive.get("owned", Boolean.class)) {
            throw new ArchiveException(
                    subject + "only its owner, " + archive.get("owner", String.class)
                            + ", may; 'usage-archiver maintain --data-source' with one of that role makes them",
                    null);
        }
        if (!archive.get("may_create", Boolean.class)) {
            throw new ArchiveException(
                    subject + "GRANT CREATE ON SCHEMA " + archive.get("schema", String.class) + " to it", null);
        }
    }

    private static Record read(DSLContext tx, ArchivePair<?> pair) {
        Record archive = tx.fetchOne(ARCHIVE, TableName.regclass(pair.archive()));
        if (archive == null) {
            String name = TableName.name(pair.archive());
            throw new ArchiveException("archive " + name + " does not exist" + SqlFiles.toMake(name), null);
        }
        return archive;
    }
}
