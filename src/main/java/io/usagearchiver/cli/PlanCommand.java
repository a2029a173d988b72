package io.usagearchiver.cli;

import io.usagearchiver.Plan;
import io.usagearchiver.Planner;
import io.usagearchiver.StopSignal;
import io.usagearchiver.quartz.PluginSettings;
import java.sql.SQLException;
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
            "0:A sweep would be let through. On a standby: on the primary.",
            "1:A sweep would fail, since the tables do not allow it or rights are missing; or a fault.",
            "2:Bad usage or settings."
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
        PluginSettings settings = file.archiver(options.plugin(), overrides.byName());
        StopSignal stop = stopSignal();
        try (FileDataSource connections = file.dataSource(settings.dataSource())) {
            Plan plan = new Planner(settings.pair(), connections, settings.archive()).plan(countLimit, stop);
            print(json ? PlanReport.json(plan) : PlanReport.text(plan));
            return plan.allowsSweep() ? 0 : ExitCode.FAULT;
        }
    }
}
