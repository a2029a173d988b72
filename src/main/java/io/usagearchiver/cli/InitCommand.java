package io.usagearchiver.cli;

import io.usagearchiver.UsageDetails;
import io.usagearchiver.cli.config.BadSettingsException;
import io.usagearchiver.cli.config.ConfigFile;
import io.usagearchiver.cli.config.FileDataSource;
import io.usagearchiver.quartz.PluginSettings;
import java.sql.SQLException;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.quartz.SchedulerException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(
        name = "init",
        description = {
            "Creates what the archiver needs in the database and is not there yet.",
            "That is the ledger, a view of all rows, hot or archived, of model_usage_details, and what the options ask for, in one"
                    + " transaction. Safe to repeat: what stands already"
                    + " is left alone, and needs no right to create.",
            "The first time, it then counts the archive once, as the baseline that 'verify' compares with."
        },
        exitCodeList = {
            "0:Done, or nothing to do.",
            "1:A fault; nothing was changed.",
            "2:Bad usage or settings; nothing was changed."
        })
final class InitCommand extends ArchiverCommand {
    @Mixin
    private ArchiverOptions options = new ArchiverOptions();

    @Option(
            names = "--data-source",
            order = 3,
            paramLabel = "NAME",
            description = "The data source of FILE whose role creates, and owns, the tables; the plugin's own if not"
                    + " named.")
    private @Nullable String dataSource;

    @Option(
            names = "--role",
            order = 4,
            paramLabel = "NAME",
            description =
                    "An existing role that gets what it needs to archive, and to run Quartz if its tables are here.")
    private @Nullable String role;

    @Option(
            names = "--restore-role",
            order = 5,
            paramLabel = "NAME",
            description =
                    "An existing role, another one, that gets what it needs to take rows back from the archive and to"
                            + " set holds.")
    private @Nullable String restoreRole;

    @Option(
            names = "--with-usage-tables",
            order = 6,
            description = "Create model_usage_details and its archive too, where no application does.")
    private boolean withUsageTables;

    @Option(names = "--with-quartz-tables", order = 7, description = "Create the tables of Quartz's job store too.")
    private boolean withQuartzTables;

    @Mixin
    private TwinOptions twins = new TwinOptions();

    @Override
    public Integer call() throws SchedulerException, SQLException {
        if (role != null && role.equals(restoreRole)) {
            throw new BadSettingsException("--role and --restore-role: both are " + role
                    + ", and must be two roles: the archiver's own may take nothing away from the archive");
        }
        twins.require();
        ConfigFile file = options.read(context().environment());
        Collection<PluginSettings> archivers = options.plugin() == null
                ? file.archivers().values()
                : List.of(file.archiver(options.plugin(), Map.of()));
        String name = dataSource != null
                ? dataSource
                : file.archiver(options.plugin(), Map.of()).dataSource();
        try (FileDataSource connections = file.dataSource(name)) {
            TwinInstaller archives = twins.installer(archivers);
            SchemaInstaller installer = new SchemaInstaller(
                    role, restoreRole, withUsageTables, withQuartzTables, isOfUsage(archivers), archives);
            if (archives != null && twins.print()) {
                print(installer.script(connections, archives));
                return ExitCode.DONE;
            }
            print(String.join("\n", installer.create(connections, name, file.schedulerName())));
            archivers.stream()
                    .map(settings -> SchemaInstaller.baseline(settings.pair(), connections))
                    .flatMap(Optional::stream)
                    .forEach(this::print);
            if (archives != null) {
                archives.differences(connections).forEach(this::print);
            }
            return ExitCode.DONE;
        }
    }

    private boolean isOfUsage(Collection<PluginSettings> archivers) {
        return withUsageTables
                || archivers.stream().anyMatch(settings -> settings.table().equals(UsageDetails.PAIR.table()));
    }
}
