package io.usagearchiver.cli;

import io.usagearchiver.PartitionKeeper;
import io.usagearchiver.StopSignal;
import io.usagearchiver.cli.config.ConfigFile;
import io.usagearchiver.cli.config.FileDataSource;
import io.usagearchiver.quartz.PluginSettings;
import java.sql.SQLException;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.quartz.SchedulerException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(
        name = "maintain",
        description = {
            "Makes the coming partitions of archives that are partitioned by month.",
            "From the month of the oldest hot row to the third after the cutoff's, those that there are not. Safe to repeat, and"
                    + " beside sweeps: nothing waits for it. What pg_partman manages is left to it."
        },
        exitCodeList = {
            "0:Done, or nothing to do.",
            "1:A fault; partitions that were made before it stand.",
            "2:Bad usage or settings; nothing was done."
        })
final class MaintainCommand extends ArchiverCommand {
    @Mixin
    private ArchiverOptions options = new ArchiverOptions();

    @Option(
            names = "--data-source",
            order = 3,
            paramLabel = "NAME",
            description = "The data source of FILE whose role owns the archives; each plugin's own if not named.")
    private @Nullable String dataSource;

    @Override
    public Integer call() throws SchedulerException, SQLException {
        ConfigFile file = options.read(context().environment());
        Collection<PluginSettings> archivers = options.plugin() == null
                ? file.archivers().values()
                : List.of(file.archiver(options.plugin(), Map.of()));
        StopSignal stop = stopSignal();
        for (PluginSettings settings : archivers) {
            String name = dataSource != null ? dataSource : settings.dataSource();
            try (FileDataSource connections = file.dataSource(name)) {
                print(told(new PartitionKeeper(settings.pair(), connections, settings.archive()).keep(stop)));
            }
        }
        return ExitCode.DONE;
    }

    private static String told(PartitionKeeper.Outcome outcome) {
        String archive = "archive " + outcome.archive();
        if (outcome.leftAlone() != null) {
            return archive + " " + outcome.leftAlone();
        }
        return outcome.made().isEmpty()
                ? archive + " has its partitions"
                : archive + " got partitions for "
                        + outcome.made().stream().map(Object::toString).collect(Collectors.joining(", "));
    }
}
