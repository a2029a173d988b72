package io.usagearchiver.cli;

import io.usagearchiver.ArchivePair;
import io.usagearchiver.ArchiveTwin;
import java.util.List;
import java.util.Map;
import org.jooq.DSLContext;

/** The view of all rows of a pair, hot or archived: {@code sql/08-all-rows.sql}, which is of the shipped one, for any. */
record AllRowsView(ArchivePair<?> pair) {
    static final String FILE = "08-all-rows.sql";

    private static final String SHIPPED_PAIR =
            "('public.model_usage_details', 'public.model_usage_details_archive', 'public.model_usage_details_archive')";

    private static final String MAY_CREATE = "has_schema_privilege(n.oid, 'CREATE')";

    private static final String ABSENT = """
            select format('%I.%I', n.nspname, h.relname || '_all') from pg_catalog.pg_class h
            join pg_catalog.pg_namespace n on n.oid = h.relnamespace
            where h.oid = to_regclass(?) and to_regclass(?) is not null
              and not exists (select from pg_catalog.pg_class v where v.relnamespace = n.oid and v.relname = h.relname || '_all'
                and v.relkind = 'v')""";

    /** The file as it is for this pair. */
    private SqlScript script(String columnsOf) {
        return SqlScript.read(FILE, Map.of())
                .replacing(
                        SHIPPED_PAIR,
                        "(" + literal(pair.table()) + ", " + literal(archive()) + ", " + literal(columnsOf) + ")");
    }

    private String archive() {
        return new ArchiveTwin(pair).name();
    }

    private static String literal(String text) {
        return "'" + text.replace("'", "''") + "'";
    }

    /** Makes it where both tables are. Returns what there is to tell. */
    List<String> apply(DSLContext tx) {
        return script(archive()).apply(tx);
    }

    /** The statements that make it, as far as this role may. */
    List<String> statements(DSLContext tx) {
        return script(archive()).missing(tx);
    }

    /** The same for another role; where the archive is still to be made, of the columns of the hot table. */
    List<String> migration(DSLContext tx) {
        return script(new ArchiveTwin(pair).exists(tx) ? archive() : pair.table())
                .replacing(MAY_CREATE, "true")
                .missing(tx);
    }

    /** Why there is none, where both tables are. */
    List<String> absence(DSLContext tx) {
        return tx.fetch(ABSENT, pair.table(), archive())
                .map(
                        name -> "no view " + name.get(0)
                                + ": its name is another's or too long, this role may not create it, or the columns of the two tables differ");
    }
}
