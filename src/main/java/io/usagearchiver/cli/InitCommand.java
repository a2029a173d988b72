package io.usagearchiver.cli;

import io.usagearchiver.ArchiveException;
import io.usagearchiver.ConnectionSource;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jooq.DSLContext;
import org.jooq.SQLDialect;
import org.jooq.exception.DataAccessException;
import org.jooq.impl.DSL;
import org.jspecify.annotations.Nullable;
import org.quartz.SchedulerException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
        name = "init",
        mixinStandardHelpOptions = true,
        versionProvider = Main.Version.class,
        description = {
            "Creates what the archiver needs in the database and is not there yet, in one transaction.",
            "Safe to repeat: what stands already is left alone."
        },
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {
            "0:Done, or nothing to do.",
            "1:A fault; nothing was changed.",
            "2:Bad usage or settings; nothing was changed."
        })
final class InitCommand implements Callable<Integer> {
    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Option(
            names = "--config",
            required = true,
            paramLabel = "FILE",
            description = "A Quartz properties file with the plugin. In it, $${NAME} takes an environment variable.")
    @SuppressWarnings("NullAway.Init")
    private Path config;

    @Option(names = "--plugin", paramLabel = "NAME", description = "The plugin's name, if FILE has several archivers.")
    private @Nullable String plugin;

    @Option(
            names = "--data-source",
            paramLabel = "NAME",
            description =
                    "The data source of FILE that creates; the plugin's own if not named. Tables belong to its role.")
    private @Nullable String dataSource;

    @Option(
            names = "--role",
            paramLabel = "NAME",
            description =
                    "An existing role that gets what it needs to archive, and to run Quartz if its tables are here.")
    private @Nullable String role;

    @Option(
            names = "--with-usage-tables",
            description = "Create model_usage_details and its archive too, where no application did.")
    private boolean withUsageTables;

    @Option(names = "--with-quartz-tables", description = "Create the tables of Quartz's job store too.")
    private boolean withQuartzTables;

    @Override
    public Integer call() throws SchedulerException {
        ConfigFile file = ConfigFile.read(config, System::getenv);
        String name = dataSource != null
                ? dataSource
                : file.archiver(plugin, Map.of()).dataSource();
        ConnectionSource connections = file.dataSource(name);
        try (Connection connection = connections.open()) {
            DSLContext dsl = DSL.using(connection, SQLDialect.POSTGRES);
            List<String> lines = dsl.transactionResult(tx -> apply(tx.dsl(), file.schedulerName()));
            PrintWriter out = spec.commandLine().getOut();
            lines.forEach(out::println);
            return 0;
        } catch (SQLException | DataAccessException e) {
            throw new ArchiveException("Data source " + name + ": nothing was changed: " + rootMessage(e), e);
        }
    }

    private List<String> apply(DSLContext tx, String schedulerName) {
        Map<String, String> parameters = new LinkedHashMap<>();
        parameters.put("scheduler", schedulerName);
        if (role != null) {
            parameters.put("role", role);
        }
        List<String> lines = new ArrayList<>();
        if (withUsageTables) {
            lines.addAll(SqlScript.read("01-usage-tables.sql", parameters).apply(tx));
        }
        lines.addAll(SqlScript.read("02-ledger.sql", parameters).apply(tx));
        if (withQuartzTables) {
            lines.addAll(SqlScript.read("03-quartz-tables.sql", parameters).apply(tx));
        }
        if (role != null) {
            lines.addAll(SqlScript.read("04-grants.sql", parameters).apply(tx));
            if (withQuartzTables
                    || tx.fetchSingle("select to_regclass('public.qrtz_locks') is not null")
                            .get(0, Boolean.class)) {
                lines.addAll(SqlScript.read("05-quartz-grants.sql", parameters).apply(tx));
            }
        }
        return lines;
    }

    private static String rootMessage(Throwable fault) {
        Throwable root = fault;
        while (root.getCause() != null) {
            root = root.getCause();
        }
        return String.valueOf(root.getMessage());
    }
}
