package io.usagearchiver.internal.postgres;

import java.util.List;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Which files of {@code sql/} make a table that the library ships, and grant what is needed on it. */
public final class SqlFiles {
    /** The archiver's own tables. */
    public static final String LEDGER = "sql/02-ledger.sql";

    private static final String ARCHIVER_GRANTS = "sql/04-grants.sql";
    private static final String RESTORER_GRANTS = "sql/06-restore-grants.sql";

    /** By the beginning of the tables' names. */
    private static final List<Known> KNOWN = List.of(
            new Known("usage_archive_", LEDGER, ARCHIVER_GRANTS, RESTORER_GRANTS),
            new Known("model_usage_details", "sql/01-usage-tables.sql", ARCHIVER_GRANTS, RESTORER_GRANTS),
            ofExample("metered_usage"),
            ofExample("resource_events"));

    private SqlFiles() {}

    private static Known ofExample(String table) {
        return new Known(
                table,
                "sql/examples/" + table.replace('_', '-') + ".sql",
                "sql/examples/grants.sql",
                "sql/examples/restore-grants.sql");
    }

    /** The files of the table that is named in a text; null if it is none of the library's. */
    private static @Nullable Known of(String text) {
        return KNOWN.stream().filter(known -> known.isIn(text)).findFirst().orElse(null);
    }

    /** What to do where a table is missing. */
    public static String toMake(String table) {
        Known known = of(table);
        return known == null
                ? "; see the names of the pair's tables, and which database the data source leads to; 'usage-archiver init"
                        + " --create-archive' makes an archive"
                : "; apply " + known.tables() + (known.tables().equals(LEDGER) ? "" : " where no application makes it");
    }

    /** What to do where a right is missing. */
    public static String toGrant(String told) {
        Known known = of(told);
        return known == null
                ? "GRANT it to the role of this data source; 'usage-archiver plan' tells what a sweep needs"
                : "apply " + known.grants() + " for the role of this data source; " + known.restoreGrants()
                        + " for one that restores, holds or releases";
    }

    /** What to do where a right is missing that a restore needs. */
    public static String toGrantRestore(String table) {
        Known known = of(table);
        return known == null
                ? "; grant it to a role of its own, as " + RESTORER_GRANTS + " does"
                : "; apply " + known.restoreGrants() + " for a role of its own";
    }

    /** Where a GRANT statement of a sweep stands, or what asks for it; empty where it stands nowhere. */
    public static String granted(String grant) {
        if (grant.contains("pg_monitor")) {
            return " (maxReplicaLag asks for it)";
        }
        String object = grant.replaceFirst(".* ON (.*) TO .*", "$1");
        if (object.equals("SCHEMA public")) {
            return " (" + ARCHIVER_GRANTS + ")";
        }
        Known known = object.startsWith("FUNCTION ") ? null : of(object);
        return known == null ? "" : " (" + known.grants() + ")";
    }

    private record Known(String table, String tables, String grants, String restoreGrants) {
        /** Whether a text names it, in the schema public or in none; not where its name is a part of another one. */
        boolean isIn(String text) {
            return Pattern.compile("(?<![\\w.])(public\\.)?(" + table + (table.endsWith("_") ? "\\w+" : "(_archive)?")
                            + ")(?!\\w)")
                    .matcher(text)
                    .find();
        }
    }
}
