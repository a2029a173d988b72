package io.usagearchiver;

import static io.usagearchiver.generated.Tables.USAGE_ARCHIVE_HOLD;
import static io.usagearchiver.generated.Tables.USAGE_ARCHIVE_SWEEP;

import io.usagearchiver.generated.tables.UsageArchiveSweep;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.Table;
import org.jooq.impl.DSL;

/** What the role of a session lacks of the rights that a sweep needs: those of {@code sql/04-grants.sql}, for any pair. */
final class GrantCheck {
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

    private final DSLContext tx;
    private final ArchivePair<?> pair;

    GrantCheck(DSLContext tx, ArchivePair<?> pair) {
        this.tx = tx;
        this.pair = pair;
    }

    /** The role, quoted where PostgreSQL asks for it. */
    String role() {
        return tx.fetchSingle("select quote_ident(current_user)").get(0, String.class);
    }

    /** GRANT statements of the schemas that the role may not use: the catalog does not even tell it what is in them. */
    List<String> missingSchemas() {
        return Stream.of(pair.hot(), pair.archive(), USAGE_ARCHIVE_SWEEP)
                .map(table -> TableName.qualified(table).first())
                .distinct()
                .filter(schema -> lacks(
                        "has_schema_privilege(n.oid, 'USAGE') from pg_catalog.pg_namespace n"
                                + " where n.nspname = {0}",
                        DSL.val(schema)))
                .map(schema -> "GRANT USAGE ON SCHEMA " + quoted(schema) + " TO " + role())
                .toList();
    }

    /** GRANT statements of what the role lacks on the tables that there are. */
    List<String> missingOnTables() {
        return Stream.of(
                        need(pair.hot(), "SELECT"),
                        need(pair.hot(), "DELETE"),
                        anyColumn(pair.hot()),
                        need(pair.archive(), "SELECT"),
                        need(pair.archive(), "INSERT"),
                        anyColumn(pair.archive()),
                        need(USAGE_ARCHIVE_SWEEP, "SELECT"),
                        needColumns("INSERT", OPENING),
                        needColumns("UPDATE", COUNTING),
                        need(USAGE_ARCHIVE_HOLD, "SELECT"))
                .flatMap(List::stream)
                .toList();
    }

    private List<String> need(Table<?> table, String privilege) {
        boolean missing =
                lacks("has_table_privilege(to_regclass({0}), {1})", TableName.regclass(table), DSL.val(privilege));
        return missing ? List.of(grant(privilege, table)) : List.of();
    }

    private List<String> needColumns(String privilege, List<Field<?>> columns) {
        String[] names = columns.stream().map(Field::getName).toArray(String[]::new);
        String missing = tx
                .fetch(
                        "select a.attname from pg_catalog.pg_attribute a where a.attrelid = to_regclass({0})"
                                + " and a.attname = any ({1}) and not has_column_privilege(a.attrelid, a.attnum, {2})"
                                + " order by a.attnum",
                        TableName.regclass(L), DSL.val(names), DSL.val(privilege))
                .getValues(0, String.class)
                .stream()
                .map(this::quoted)
                .collect(Collectors.joining(", "));
        return missing.isEmpty() ? List.of() : List.of(grant(privilege + " (" + missing + ")", L));
    }

    /** {@code FOR UPDATE} and {@code FOR SHARE} ask for UPDATE on one column at least. */
    private List<String> anyColumn(Table<?> table) {
        boolean missing = lacks("has_any_column_privilege(to_regclass({0}), 'UPDATE')", TableName.regclass(table));
        Field<?>[] columns = table.fields();
        String harmless = Arrays.stream(columns)
                .map(Field::getName)
                .filter("updated_at"::equals)
                .findFirst()
                .orElse(columns[columns.length - 1].getName());
        return missing ? List.of(grant("UPDATE (" + quoted(harmless) + ")", table)) : List.of();
    }

    private String grant(String privilege, Table<?> table) {
        return "GRANT " + privilege + " ON " + quoted(TableName.qualified(table).getName()) + " TO " + role();
    }

    /** A name as PostgreSQL has to be told it: quoted where it asks for that. */
    private String quoted(String... name) {
        return Arrays.stream(name)
                .map(part ->
                        tx.fetchSingle("select quote_ident({0})", DSL.val(part)).get(0, String.class))
                .collect(Collectors.joining("."));
    }

    /** Whether a privilege is missing; not where the object is, which is for the schema check to tell. */
    private boolean lacks(String privilege, org.jooq.QueryPart... arguments) {
        var row = tx.fetchOne("select " + privilege, (Object[]) arguments);
        return row != null && Boolean.FALSE.equals(row.get(0, Boolean.class));
    }
}
