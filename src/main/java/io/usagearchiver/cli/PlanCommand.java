package io.usagearchiver.cli;

import io.usagearchiver.Plan;
import io.usagearchiver.Planner;
import io.usagearchiver.StopSignal;
import io.usagearchiver.cli.config.BadSettingsException;
import io.usagearchiver.cli.config.ConfigFile;
import io.usagearchiver.cli.config.FileDataSource;
import io.usagearchiver.cli.report.PlanReport;
import io.usagearchiver.cli.report.VariableReport;
import io.usagearchiver.quartz.PluginSettings;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import org.quartz.SchedulerException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(
        name = "plan",
        description = {
            "Tells what a sweep would do now, and whether it could. Changes nothing.",
            "How many rows are expired and of which months, how long a sweep may take, whether indexes, tables and rights"
                    + " are as they should be, which rows would be kept back, and what around the tables could slow it"
                    + " down. Works on a standby and on a read-only database, too, with the rights of a sweep or less."
        },
        exitCodeList = {
            "0:A sweep would be let through.",
            "1:A sweep would fail, since the tables do not allow it, rights are missing, or the session may not write, as on a"
                    + " standby; or a fault.",
            "2:Bad usage or settings.",
            "3:A sweep would be let through, but move nothing now: outside of its run window, or while a restore holds the"
                    + " table.",
            "4:A sweep would be let through, as far as is known: which rows are expired, or are archived already, is not."
        })
final class PlanCommand extends ArchiverCommand {
    @Mixin
    private ArchiverOptions options = new ArchiverOptions();

    @Mixin
    private OverrideOption overrides = new OverrideOption();

    @Option(
            names = "--count-limit",
            order = 4,
            paramLabel = "ROWS",
            description =
                    "How many expired rows to count, and compare with the archive, at most; where there are more, the"
                            + " planner's estimate is told. 0 counts none. Default: ${DEFAULT-VALUE}.")
    private long countLimit = Planner.DEFAULT_COUNT_LIMIT;

    @Option(names = "--json", order = 5, description = "Print the plan as one JSON object, and nothing else.")
    private boolean json;

    @Override
    public Integer call() throws SchedulerException, SQLException {
        if (countLimit < 0) {
            throw new BadSettingsException("--count-limit " + countLimit + ": must be 0 or more rows");
        }
        ConfigFile file = options.read(context().environment());
        List<String> origins = new ArrayList<>();
        PluginSettings settings = file.archiver(options.plugin(), overrides.byName(), origins);
        VariableReport.warn(settings, file.used(settings, options.plugin(), overrides.byName()), err());
        StopSignal stop = stopSignal();
        try (FileDataSource connections = file.dataSource(settings.dataSource())) {
            Plan plan = new Planner(settings.pair(), connections, settings.archive()).plan(countLimit, stop);
            print(json ? PlanReport.json(plan, origins) : PlanReport.text(plan, origins));
            return switch (plan.verdict()) {
                case LET_THROUGH -> ExitCode.DONE;
                case REFUSED -> ExitCode.FAULT;
                case NOT_NOW -> ExitCode.INCOMPLETE;
                case NOT_ALL_KNOWN -> ExitCode.FINDINGS;
            };
        }
    }
}
