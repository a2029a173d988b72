package io.usagearchiver.cli;

import io.usagearchiver.ArchiveException;
import io.usagearchiver.ArchivePair;
import io.usagearchiver.ArchiveSettings;
import io.usagearchiver.ConnectionSource;
import io.usagearchiver.UsageDetails;
import io.usagearchiver.Verifier;
import io.usagearchiver.cli.config.FileDataSource;
import io.usagearchiver.cli.config.RootCause;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.jooq.DSLContext;
import org.jooq.SQLDialect;
import org.jooq.conf.Settings;
import org.jooq.exception.DataAccessException;
import org.jooq.impl.DSL;
import org.jspecify.annotations.Nullable;

/**
 * Creates what the archiver needs in a database, from the files of {@code sql/}.
 *
 * @param role who gets what it needs to archive; null for nobody
 * @param restoreRole who gets what it needs to restore; null for nobody
 * @param withUsageTables whether the tables of rows are created, too
 * @param withQuartzTables whether those of Quartz's job store are
 * @param ofUsage whether the roles are to work on the shipped pair
 * @param twins makes archives of other tables; null where none is to be made
 */
record SchemaInstaller(
        @Nullable String role,
        @Nullable String restoreRole,
        boolean withUsageTables,
        boolean withQuartzTables,
        boolean ofUsage,
        @Nullable TwinInstaller twins) {
    private static final String USAGE_TABLES = "public.model_usage_details";

    /** Creates what is missing. Returns what there is to tell. */
    List<String> create(FileDataSource connections, String name, String schedulerName) {
        return inTransaction(connections, (connection, jooq) -> {
            Standby.refuse(name, connection);
            return jooq.transactionResult(tx -> apply(tx.dsl(), schedulerName));
        });
    }

    /** The SQL that makes the archives, of a transaction that may not write. */
    String script(FileDataSource connections, TwinInstaller installer) {
        return inTransaction(
                connections,
                (connection, jooq) -> jooq.transactionResult(tx -> {
                    tx.dsl().execute("set transaction read only");
                    tx.dsl().execute("set local search_path = pg_catalog, pg_temp");
                    requireServer(tx.dsl());
                    for (String each : new @Nullable String[] {role, restoreRole}) {
                        if (each != null) {
                            requireRole(tx.dsl(), each);
                        }
                    }
                    return installer.script(tx.dsl(), role, restoreRole);
                }));
    }

    private static <T> T inTransaction(FileDataSource connections, Work<T> work) {
        try (Connection connection = connections.open()) {
            return work.apply(connection, DSL.using(connection, SQLDialect.POSTGRES, new Settings()));
        } catch (SQLException e) {
            throw new ArchiveException("No connection to the database: " + e.getMessage(), e);
        } catch (ArchiveException e) {
            throw new ArchiveException("Nothing was changed: " + e.getMessage(), e);
        } catch (DataAccessException e) {
            throw new ArchiveException("Nothing was changed: " + RootCause.message(e), e);
        }
    }

    private interface Work<T> {
        T apply(Connection connection, DSLContext jooq) throws SQLException;
    }

    private List<String> apply(DSLContext tx, String schedulerName) {
        // First of all: whoever may create in a schema of the search path could have his own function run with our
        // rights.
        tx.execute("set local search_path = pg_catalog, pg_temp");
        requireServer(tx);
        // Nodes of a cluster may do this at once; and no lock of a table is worth waiting for without end.
        tx.execute("set local lock_timeout = '10s'");
        tx.execute("select pg_advisory_xact_lock(hashtext('usage-archiver init'))");
        Map<String, String> parameters = new HashMap<>(Map.of("scheduler", schedulerName));
        List<String> lines = new ArrayList<>();
        if (withUsageTables) {
            lines.addAll(SqlScript.read("01-usage-tables.sql", parameters).apply(tx));
        }
        lines.addAll(SqlScript.read("02-ledger.sql", parameters).apply(tx));
        if (withQuartzTables) {
            lines.addAll(SqlScript.read("03-quartz-tables.sql", parameters).apply(tx));
        }
        if (twins != null) {
            lines.addAll(twins.create(tx));
        }
        if (role != null) {
            lines.addAll(grants("04-grants.sql", parameters, tx, role));
            if (exists(tx, "public.qrtz_locks")) {
                lines.addAll(SqlScript.read("05-quartz-grants.sql", parameters).apply(tx));
            }
        }
        if (restoreRole != null) {
            lines.addAll(grants("06-restore-grants.sql", parameters, tx, restoreRole));
        }
        lines.addAll(SqlScript.read("07-status.sql", parameters).apply(tx));
        lines.addAll(withoutBacklog(tx));
        AllRowsView ofUsageTables = new AllRowsView(UsageDetails.PAIR);
        lines.addAll(ofUsageTables.apply(tx));
        lines.addAll(ofUsageTables.absence(tx));
        if (twins != null) {
            lines.addAll(twins.complete(tx, role, restoreRole));
        }
        return lines;
    }

    private List<String> grants(String file, Map<String, String> parameters, DSLContext tx, String to) {
        requireRole(tx, to);
        parameters.put("role", to);
        SqlScript script = SqlScript.read(file, parameters);
        if (ofUsage) {
            requireUsageTables(tx);
            return script.apply(tx);
        }
        return script.without(USAGE_TABLES).apply(tx);
    }

    /** Why the view shows no backlog, where the role may not give the function to the owner of the hot table. */
    private static List<String> withoutBacklog(DSLContext tx) {
        return tx.fetch("""
                select format('usage_archive_status shows no backlog: as a superuser, ALTER FUNCTION %s OWNER TO %I', f.oid::regprocedure, o.rolname)
                from pg_catalog.pg_class t join pg_catalog.pg_roles o on o.oid = t.relowner
                join pg_catalog.pg_proc f on f.oid = to_regprocedure('public.usage_archive_backlog(timestamp)')
                where t.oid = to_regclass('public.model_usage_details') and t.relowner <> f.proowner""").getValues(0, String.class);
    }

    /** Takes the baseline of a pair; in a transaction of its own, since it can take long. Returns what there is to tell. */
    static Optional<String> baseline(ArchivePair<?> pair, ConnectionSource connections) {
        Verifier verifier = new Verifier(pair, connections, ArchiveSettings.defaults());
        try {
            return verifier.takeBaseline()
                    .map(taken -> String.format(
                            Locale.ROOT, "baseline of %s: %,d rows are archived", taken.table(), taken.archivedRows()));
        } catch (ArchiveException e) {
            return Optional.of(
                    String.valueOf(e.getMessage()).lines().findFirst().orElse(""));
        }
    }

    /** Else there would be tables that nothing can archive. */
    private static void requireServer(DSLContext tx) {
        int major =
                tx.fetchSingle("select current_setting('server_version_num')").get(0, Integer.class) / 10_000;
        if (major < 15) {
            throw new ArchiveException(
                    "The archiver needs PostgreSQL 15 or later, and the server is PostgreSQL " + major, null);
        }
    }

    private static void requireRole(DSLContext tx, String role) {
        if (!tx.fetchExists(DSL.selectOne().from("pg_catalog.pg_roles").where("rolname = {0}", DSL.val(role)))) {
            throw new ArchiveException("there is no role " + role + "; create it first", null);
        }
    }

    private static void requireUsageTables(DSLContext tx) {
        for (String table : List.of(USAGE_TABLES, USAGE_TABLES + "_archive")) {
            if (!exists(tx, table)) {
                throw new ArchiveException(
                        "there is no table " + table + " to grant rights on; --with-usage-tables creates it, where no"
                                + " application does",
                        null);
            }
        }
    }

    private static boolean exists(DSLContext tx, String table) {
        return tx.fetchExists(DSL.selectOne().where("to_regclass({0}) is not null", DSL.val(table)));
    }
}
