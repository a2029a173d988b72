package io.usagearchiver.cli;

import io.usagearchiver.ArchiveTwin;
import io.usagearchiver.ConnectionSource;
import io.usagearchiver.quartz.PluginSettings;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import org.jooq.DSLContext;
import org.jspecify.annotations.Nullable;

/**
 * Makes the archives that are not there yet, each as the twin of its hot table. What stands is compared, and never changed.
 *
 * @param archivers the archives are those of their pairs
 * @param indexes null for all of the hot table's; else the names of those wanted
 * @param byMonth whether they are partitioned by the month of the age
 */
record TwinInstaller(
        Collection<PluginSettings> archivers, @Nullable Set<String> indexes, boolean byMonth) {
    private static final String BEGIN = """
            -- What 'usage-archiver init --create-archive' would execute now, for one transaction: a migration, or psql -1 -f.
            SELECT pg_catalog.set_config('usage_archiver.search_path', pg_catalog.current_setting('search_path'), false);
            SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', false);
            """;

    private static final String END =
            "\nSELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('usage_archiver.search_path'), false);";

    /** The statements that make an archive; none where it stands. */
    private List<String> statements(DSLContext tx, PluginSettings of) {
        ArchiveTwin twin = new ArchiveTwin(of.pair());
        return twin.exists(tx)
                ? List.of()
                : twin.statements(
                        tx,
                        new ArchiveTwin.Shape(indexes, byMonth ? of.archive().retentionMonths() : null));
    }

    private static List<String> grants(
            DSLContext tx, PluginSettings of, @Nullable String role, @Nullable String restoreRole) {
        ArchiveTwin twin = new ArchiveTwin(of.pair());
        List<String> grants = new ArrayList<>();
        if (role != null) {
            grants.addAll(twin.missingGrants(tx, role));
        }
        if (restoreRole != null) {
            grants.addAll(twin.missingRestoreGrants(tx, restoreRole));
        }
        return grants;
    }

    /** Makes the tables. Returns what there is to tell. */
    List<String> create(DSLContext tx) {
        List<String> lines = new ArrayList<>();
        for (PluginSettings of : archivers) {
            String name = new ArchiveTwin(of.pair()).name();
            List<String> statements = statements(tx, of);
            statements.forEach(sql -> SqlScript.execute(tx, sql));
            lines.add("archive " + name + ": " + (statements.isEmpty() ? "stood already" : "made"));
            SqlScript.described(statements).forEach(done -> lines.add("  " + done));
        }
        return lines;
    }

    /** Gives the roles what they need of the tables, and makes the views. Returns what there is to tell. */
    List<String> complete(DSLContext tx, @Nullable String role, @Nullable String restoreRole) {
        List<String> lines = new ArrayList<>();
        for (PluginSettings of : archivers) {
            List<String> grants = grants(tx, of, role, restoreRole);
            grants.forEach(sql -> SqlScript.execute(tx, sql));
            AllRowsView view = new AllRowsView(of.pair());
            List<String> statements = view.statements(tx);
            statements.forEach(sql -> SqlScript.execute(tx, sql));
            List<String> done = new ArrayList<>(grants);
            done.addAll(SqlScript.described(statements));
            if (!done.isEmpty()) {
                lines.add("around " + new ArchiveTwin(of.pair()).name() + ":");
                done.forEach(line -> lines.add("  " + line));
            }
            lines.addAll(view.absence(tx));
        }
        return lines;
    }

    /** All of it as SQL. */
    String script(DSLContext tx, @Nullable String role, @Nullable String restoreRole) {
        StringBuilder script = new StringBuilder(BEGIN);
        for (PluginSettings of : archivers) {
            List<String> statements = new ArrayList<>(statements(tx, of));
            script.append("\n-- The archive of ").append(of.pair().table().replaceAll("\\s", " "));
            script.append(statements.isEmpty() ? "; it stands already.\n" : ".\n");
            statements.addAll(grants(tx, of, role, restoreRole));
            statements.addAll(new AllRowsView(of.pair()).migration(tx));
            statements.forEach(sql -> script.append(sql).append(";\n"));
        }
        return script.append(END).toString();
    }

    /** What of the live tables would keep sweeps from being let through. */
    List<String> differences(ConnectionSource connections) {
        List<String> lines = new ArrayList<>();
        for (PluginSettings of : archivers) {
            List<String> differences = new ArchiveTwin(of.pair()).differences(connections, of.archive());
            lines.add(of.pair().table() + ": "
                    + (differences.isEmpty()
                            ? "the tables allow a sweep"
                            : "a sweep would be refused, since\n  - " + String.join("\n  - ", differences)));
        }
        return lines;
    }
}
