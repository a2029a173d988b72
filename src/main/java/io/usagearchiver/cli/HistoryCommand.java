package io.usagearchiver.cli;

import io.usagearchiver.PastSweep;
import io.usagearchiver.SweepHistory;
import io.usagearchiver.cli.config.BadSettingsException;
import io.usagearchiver.cli.config.ConfigFile;
import io.usagearchiver.cli.config.FileDataSource;
import io.usagearchiver.cli.report.HistoryReport;
import io.usagearchiver.quartz.PluginSettings;
import java.sql.SQLException;
import java.util.List;
import java.util.Map;
import org.quartz.SchedulerException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(
        name = "history",
        description = {
            "Lists the last sweeps and restores, as the ledger has them, the newest first. Changes nothing.",
            "The counts were committed together with the rows, so they are exact, also of what runs or has crashed."
                    + " ROWS/S is the pace from the beginning to the last batch."
        },
        exitCodeList = {"0:Listed, or there is none yet.", "1:A fault.", "2:Bad usage or settings."})
final class HistoryCommand extends ArchiverCommand {
    private static final int MAX = 100_000;

    @Mixin
    private ArchiverOptions options = new ArchiverOptions();

    @Option(
            names = "--limit",
            order = 3,
            paramLabel = "N",
            description = "How many to list at most, 1 to " + MAX + ". Default: ${DEFAULT-VALUE}.")
    private int limit = 20;

    @Option(names = "--json", order = 4, description = "Print one JSON object, and nothing else.")
    private boolean json;

    @Override
    public Integer call() throws SchedulerException, SQLException {
        if (limit < 1 || limit > MAX) {
            throw new BadSettingsException("--limit " + limit + ": must be a whole number from 1 to " + MAX);
        }
        ConfigFile file = options.read(context().environment());
        PluginSettings settings = file.archiver(options.plugin(), Map.of());
        try (FileDataSource connections = file.dataSource(settings.dataSource())) {
            List<PastSweep> sweeps = new SweepHistory(settings.pair(), connections, settings.archive()).newest(limit);
            print(json ? HistoryReport.json(sweeps) : HistoryReport.text(sweeps));
            return 0;
        }
    }
}
