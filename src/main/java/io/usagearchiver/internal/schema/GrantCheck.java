package io.usagearchiver.internal.schema;

import static io.usagearchiver.generated.Tables.USAGE_ARCHIVE_HOLD;
import static io.usagearchiver.generated.Tables.USAGE_ARCHIVE_SWEEP;

import io.usagearchiver.ArchivePair;
import io.usagearchiver.generated.tables.UsageArchiveSweep;
import io.usagearchiver.internal.postgres.SqlFiles;
import io.usagearchiver.internal.postgres.TableName;
import io.usagearchiver.internal.rows.KeyColumns;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.Name;
import org.jooq.QueryPart;
import org.jooq.Table;
import org.jooq.impl.DSL;

/**
 * What the role of a session lacks of the rights that a sweep or a restore needs: those of {@code sql/04-grants.sql} and
 * {@code sql/06-restore-grants.sql}, for any pair, and what that pair's own tables ask for besides.
 */
public final class GrantCheck {
    private static final UsageArchiveSweep L = USAGE_ARCHIVE_SWEEP;
    /** What a sweep writes of its row in the ledger: first, and then. */
    private static final List<Field<?>> OPENING = List.of(
            L.TABLE_NAME,
            L.DIRECTION,
            L.STATE,
            L.NODE,
            L.FIRED_BY,
            L.CUTOFF,
            L.STARTED_AT,
            L.FINISHED_AT,
            L.LIVE_UNTIL);

    private static final List<Field<?>> COUNTING = List.of(
            L.STATE,
            L.BATCHES,
            L.ROWS_MOVED,
            L.ROWS_ALREADY_ARCHIVED,
            L.ROWS_IN_CONFLICT,
            L.ROWS_REJECTED,
            L.LAST_BATCH_AT,
            L.LIVE_UNTIL,
            L.FINISHED_AT,
            L.MESSAGE);

    private static final String TABLE = """
            case when not has_table_privilege(to_regclass({0}), {1})
              then format('GRANT %s ON %s TO %I', {1}, to_regclass({0}), current_user) end""";

    /** It does as well if it was granted on each column. */
    private static final String ALL_COLUMNS = """
            case when exists (select from pg_catalog.pg_attribute a where a.attrelid = to_regclass({0}) and a.attnum > 0
                and not a.attisdropped and not has_column_privilege(a.attrelid, a.attnum, {1}))
              then format('GRANT %s ON %s TO %I', {1}, to_regclass({0}), current_user) end""";

    private static final String COLUMNS = """
            (select format('GRANT %s (%s) ON %s TO %I', {1}, string_agg(quote_ident(a.attname), ', ' order by a.attnum),
              to_regclass({0}), current_user)
            from pg_catalog.pg_attribute a
            where a.attrelid = to_regclass({0}) and a.attname = any ({2}) and not has_column_privilege(a.attrelid, a.attnum, {1})
            having count(*) > 0)""";

    /** {@code FOR UPDATE} and {@code FOR SHARE} ask for UPDATE on one column at least. */
    private static final String ANY_COLUMN = """
            case when not has_any_column_privilege(to_regclass({0}), 'UPDATE')
              then format('GRANT UPDATE (%I) ON %s TO %I', coalesce((select a.attname::text from pg_catalog.pg_attribute a
                where a.attrelid = to_regclass({0}) and a.attname = 'updated_at' and not a.attisdropped), {1}),
                to_regclass({0}), current_user) end""";

    /** Names of types and operators of an extension are written with its schema. */
    private static final String SCHEMAS = """
            select format('GRANT USAGE ON SCHEMA %I TO %I', n.nspname, current_user)
            from pg_catalog.pg_namespace n
            where not has_schema_privilege(n.oid, 'USAGE') and (n.nspname = any ({0}) or n.oid in (
              with recursive type_of (oid) as (
                select a.atttypid from pg_catalog.pg_class c join pg_catalog.pg_namespace s on s.oid = c.relnamespace
                join pg_catalog.pg_attribute a on a.attrelid = c.oid
                where s.nspname = {1} and c.relname = {2} and a.attname = any ({3})
                union
                select case t.typtype when 'd' then t.typbasetype else t.typelem end
                from type_of join pg_catalog.pg_type t on t.oid = type_of.oid
                where t.typtype = 'd' or t.typcategory = 'A')
              select t.typnamespace from type_of join pg_catalog.pg_type t on t.oid = type_of.oid
              where t.typtype <> 'd' and t.typcategory <> 'A'))
            order by n.nspname""";

    /**
     * PostgreSQL calls what the indexes and CHECKs of the table that takes the rows, or of its partitions, are made of, and the operators of the
     * key, with the rights of whoever writes and asks. What those call in turn, nobody can tell beforehand.
     */
    private static final String FUNCTIONS = """
            with taking (oid) as (
              select to_regclass({0}) union all select relid from pg_partition_tree(to_regclass({0}))),
            called (kind, id) as (
              select d.refclassid, d.refobjid from pg_catalog.pg_depend d
              where d.refclassid in ('pg_proc'::regclass, 'pg_operator'::regclass) and (
                d.classid = 'pg_class'::regclass
                  and d.objid in (select i.indexrelid from pg_catalog.pg_index i
                    where i.indrelid in (select oid from taking) and i.indisready)
                or d.classid = 'pg_constraint'::regclass and d.objid in (
                  select k.oid from pg_catalog.pg_constraint k
                  where k.conrelid in (select oid from taking) and k.contype = 'c')
                or d.classid = 'pg_attrdef'::regclass and d.objid in (
                  select f.oid from pg_catalog.pg_attrdef f
                  join pg_catalog.pg_attribute a on a.attrelid = f.adrelid and a.attnum = f.adnum
                  where f.adrelid = to_regclass({1}) and a.attgenerated = 'v'))
              union
              select 'pg_operator'::regclass, p.amopopr
              from pg_catalog.pg_attribute a
              join pg_catalog.pg_opclass c on c.opcintype = a.atttypid and c.opcdefault
              join pg_catalog.pg_am m on m.oid = c.opcmethod and m.amname = 'btree'
              join pg_catalog.pg_amop p on p.amopfamily = c.opcfamily and p.amoplefttype = c.opcintype
                and p.amoprighttype = c.opcintype and p.amoppurpose = 's'
              where a.attrelid in (to_regclass({0}), to_regclass({1})) and a.attname = any ({2}))
            select distinct format('GRANT EXECUTE ON FUNCTION %s TO %I', f.oid::regprocedure, current_user)
            from called
            left join pg_catalog.pg_operator o on called.kind = 'pg_operator'::regclass and o.oid = called.id
            join pg_catalog.pg_proc f on f.oid = coalesce(o.oprcode, called.id)
            where not has_function_privilege(f.oid, 'EXECUTE')
            order by 1""";

    private final DSLContext tx;
    private final ArchivePair<?> pair;
    private final Direction direction;

    GrantCheck(DSLContext tx, ArchivePair<?> pair, Direction direction) {
        this.tx = tx;
        this.pair = pair;
        this.direction = direction;
    }

    /** The role, quoted where PostgreSQL asks for it. */
    public static String role(DSLContext tx) {
        return tx.fetchSingle("select quote_ident(current_user)").get(0, String.class);
    }

    /** Whether the role may see the transactions of other roles, and how far replicas are behind. */
    public static boolean seesOtherSessions(DSLContext tx) {
        return tx.fetchSingle("select pg_has_role('pg_read_all_stats', 'usage')")
                .get(0, Boolean.class);
    }

    /** GRANT statements of the schemas that the role may not use: the catalog does not even tell it what is in them. */
    List<String> missingSchemas() {
        String[] schemas = Stream.of(pair.hot(), pair.archive(), USAGE_ARCHIVE_SWEEP)
                .map(table -> TableName.qualified(table).first())
                .toArray(String[]::new);
        Name hot = TableName.qualified(pair.hot());
        return tx.fetch(SCHEMAS, DSL.val(schemas), DSL.val(hot.first()), DSL.val(hot.last()), key())
                .getValues(0, String.class);
    }

    /** GRANT statements of what the role lacks for a sweep, on the tables that there are. */
    List<String> missing() {
        List<String> missing = new ArrayList<>();
        if (direction == Direction.ARCHIVE) {
            tx
                    .select(List.of(
                            need(pair.hot(), "SELECT"),
                            need(pair.hot(), "DELETE"),
                            anyColumn(pair.hot()),
                            needAllColumns(pair.archive(), "SELECT"),
                            needAllColumns(pair.archive(), "INSERT"),
                            anyColumn(pair.archive()),
                            needAllColumns(L, "SELECT"),
                            needColumns("INSERT", OPENING),
                            needColumns("UPDATE", COUNTING),
                            needAllColumns(USAGE_ARCHIVE_HOLD, "SELECT")))
                    .fetchSingle()
                    .intoList()
                    .stream()
                    .filter(Objects::nonNull)
                    .map(String::valueOf)
                    .forEach(missing::add);
        }
        missing.addAll(tx.fetch(
                        FUNCTIONS,
                        TableName.regclass(direction.target(pair)),
                        TableName.regclass(direction.source(pair)),
                        key())
                .getValues(0, String.class));
        return missing;
    }

    private static Field<String> need(Table<?> table, String privilege) {
        return DSL.field(TABLE, String.class, TableName.regclass(table), DSL.inline(privilege));
    }

    private static Field<String> needAllColumns(Table<?> table, String privilege) {
        return DSL.field(ALL_COLUMNS, String.class, TableName.regclass(table), DSL.inline(privilege));
    }

    private static Field<String> needColumns(String privilege, List<Field<?>> columns) {
        String[] names = columns.stream().map(Field::getName).toArray(String[]::new);
        return DSL.field(COLUMNS, String.class, TableName.regclass(L), DSL.inline(privilege), DSL.val(names));
    }

    private Field<String> anyColumn(Table<?> table) {
        String age = pair.ages().get(0).getName();
        return DSL.field(ANY_COLUMN, String.class, TableName.regclass(table), DSL.val(age));
    }

    private Field<String[]> key() {
        return KeyColumns.array(LivePair.keyNames(pair));
    }

    /** What the role lacks for a restore, one sentence each: it is told so before it supersedes a sweep. */
    List<String> differencesToRestore() {
        List<String> differences = new ArrayList<>();
        restorePrivilege(differences, "archive", pair.archive(), "table", "DELETE");
        restorePrivilege(differences, "hot", pair.hot(), "table", "INSERT");
        // On our own tables it is granted by column.
        restorePrivilege(differences, "holds", USAGE_ARCHIVE_HOLD, "any_column", "INSERT");
        // A role that also archives loses it when sql/04-grants.sql is applied after sql/06-restore-grants.sql.
        String version = L.HOLDS_VERSION.getName();
        if (lacks("has_column_privilege(to_regclass({0}), {1}, 'UPDATE')", TableName.regclass(L), DSL.val(version))) {
            differences.add(sentence("ledger", L, "UPDATE (" + version + ")"));
        }
        return differences;
    }

    private void restorePrivilege(
            List<String> differences, String side, Table<?> table, String ofWhat, String privilege) {
        if (lacks(
                "has_" + ofWhat + "_privilege(to_regclass({0}), {1})", TableName.regclass(table), DSL.val(privilege))) {
            differences.add(sentence(side, table, privilege));
        }
    }

    private static String sentence(String side, Table<?> table, String privilege) {
        String name = TableName.name(table);
        return side + " " + name + " grants this role no " + privilege + SqlFiles.toGrantRestore(name);
    }

    /** Whether a privilege is missing; not where the object is, which is for the schema check to tell. */
    private boolean lacks(String privilege, QueryPart... arguments) {
        return Boolean.FALSE.equals(
                tx.fetchSingle("select " + privilege, (Object[]) arguments).get(0, Boolean.class));
    }
}
