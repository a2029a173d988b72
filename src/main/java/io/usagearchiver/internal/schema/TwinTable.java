package io.usagearchiver.internal.schema;

import static java.util.Objects.requireNonNull;

import io.usagearchiver.ArchiveException;
import io.usagearchiver.ArchivePair;
import io.usagearchiver.internal.postgres.TableName;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.Record;
import org.jooq.Table;
import org.jspecify.annotations.Nullable;

/**
 * The statements that make the archive of a pair: a twin of the live hot table that takes whatever that has ever let in. So
 * it has no CHECK, no foreign key and no unique index but the key, and since rows come with all their values, nothing that
 * gives one: no default, identity or generation.
 */
public final class TwinTable {
    /** Since PostgreSQL 18 a NOT NULL may be NOT VALID: there are nulls then, which the twin has to take. */
    private static final String COLUMNS = """
            select a.attname as name, quote_ident(a.attname) as quoted,
              concat(quote_ident(a.attname), ' ', format_type(a.atttypid, a.atttypmod),
                case a.attcompression when 'p' then ' COMPRESSION pglz' when 'l' then ' COMPRESSION lz4' end,
                case when a.attcollation <> t.typcollation then format(' COLLATE %I.%I', n.nspname, c.collname) end,
                case when a.attnotnull and not exists (select from pg_catalog.pg_constraint k where k.conrelid = a.attrelid
                    and k.contype = 'n' and not k.convalidated and a.attnum = any(k.conkey)) then ' NOT NULL' end) as definition,
              case when a.attstorage <> t.typstorage then case a.attstorage when 'p' then 'PLAIN' when 'e' then 'EXTERNAL'
                when 'm' then 'MAIN' else 'EXTENDED' end end as storage,
              quote_literal(col_description(a.attrelid, a.attnum)) as comment
            from pg_catalog.pg_attribute a
            join pg_catalog.pg_type t on t.oid = a.atttypid
            left join pg_catalog.pg_collation c on c.oid = a.attcollation
            left join pg_catalog.pg_namespace n on n.oid = c.collnamespace
            where a.attrelid = to_regclass({0}) and a.attnum > 0 and not a.attisdropped
            order by a.attnum""";

    /** The smallest indexes that find a range of time in rows that came in the order of their ages. */
    private static final String LEAN = " USING brin (%s) WITH (pages_per_range = 32, autosummarize = on)";

    private final DSLContext tx;
    private final ArchivePair<?> pair;
    private final String hot;
    private final String archive;
    private final Map<String, Record> columns = new LinkedHashMap<>();

    private TwinTable(DSLContext tx, ArchivePair<?> pair) {
        this.tx = tx;
        this.pair = pair;
        this.hot = TableName.name(pair.hot());
        this.archive = SqlNames.of(tx, pair.archive());
    }

    /**
     * Reads the live hot table; the archive need not be there.
     *
     * @throws ArchiveException if it has not what a pair's table must have
     */
    public static TwinTable of(DSLContext tx, ArchivePair<?> pair) {
        TwinTable twin = new TwinTable(tx, KnownPair.of(tx, pair));
        twin.read();
        return twin;
    }

    /** Whether there is anything of a table's name. */
    public static boolean exists(DSLContext tx, Table<?> table) {
        return tx.fetchSingle("select pg_catalog.to_regclass({0}) is not null", TableName.regclass(table))
                .get(0, Boolean.class);
    }

    private void read() {
        tx.fetch(COLUMNS, TableName.regclass(pair.hot()))
                .forEach(column -> columns.put(column.get("name", String.class), column));
        if (columns.isEmpty()) {
            throw new ArchiveException(TableName.missing(hot) + ", whose twin the archive would be", null);
        }
        for (Field<?> age : pair.ages()) {
            if (!columns.containsKey(age.getName())) {
                throw new ArchiveException("hot " + hot + " lacks the age column " + age.getName(), null);
            }
        }
    }

    /** A column of the hot table, quoted where PostgreSQL asks for it. */
    private String column(Field<?> column) {
        return requireNonNull(columns.get(column.getName())).get("quoted", String.class);
    }

    /**
     * The statements, in order.
     *
     * @param lean null for the hot table's indexes; else only those of these names, and small ones on the ages
     * @param retentionMonths null for one table; else it is partitioned by month, and has the partitions that a sweep of this
     *     retention period needs
     * @throws ArchiveException if it cannot be partitioned so, or an index that is named is not there
     */
    public List<String> statements(@Nullable Set<String> lean, @Nullable Integer retentionMonths) {
        MonthlyPartitions months = retentionMonths == null ? null : new MonthlyPartitions(pair, retentionMonths);
        TwinIndexes indexes = TwinIndexes.read(tx, pair, archive);
        List<String> statements = new ArrayList<>();
        List<String> lines = new ArrayList<>();
        columns.values().forEach(column -> lines.add(column.get("definition", String.class)));
        indexes.primaryKey().ifPresent(lines::add);
        statements.add("CREATE TABLE " + archive + " (\n    " + String.join(",\n    ", lines) + "\n)"
                + (months == null
                        ? ""
                        : " PARTITION BY RANGE (" + column(pair.ages().get(0)) + ")"));
        columns.values().stream()
                .filter(column -> column.get("storage") != null)
                .forEach(column -> statements.add("ALTER TABLE " + archive + " ALTER COLUMN "
                        + column.get("quoted", String.class) + " SET STORAGE " + column.get("storage", String.class)));
        statements.addAll(indexes.statements(lean));
        if (lean != null) {
            pair.ages().forEach(age -> statements.add("CREATE INDEX ON " + archive + LEAN.formatted(column(age))));
        }
        statements.add("COMMENT ON TABLE " + archive + " IS " + comment());
        columns.values().stream()
                .filter(column -> column.get("comment") != null)
                .forEach(column -> statements.add("COMMENT ON COLUMN " + archive + "."
                        + column.get("quoted", String.class) + " IS " + column.get("comment", String.class)));
        if (months != null) {
            statements.addAll(months.first(tx));
        }
        return statements;
    }

    private String comment() {
        String text = "Archive of " + hot
                + ": the usage archiver moves its expired rows here. Its columns are that table's; a row"
                + " comes with all its values, so there are no defaults, CHECKs or foreign keys.";
        return SqlNames.literal(tx, text);
    }
}
