package io.usagearchiver.cli;

import io.usagearchiver.Plan;
import io.usagearchiver.Planner;
import io.usagearchiver.StopSignal;
import io.usagearchiver.quartz.PluginSettings;
import java.io.PrintWriter;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.quartz.SchedulerException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

@Command(
        name = "plan",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        versionProvider = Main.Version.class,
        description = {
            "Tells what a sweep would do now, and whether it could. Changes nothing.",
            "How many rows are expired and of which months, how long a sweep may take, whether indexes, tables and rights"
                    + " are as they should be, which rows would be kept back, and what around the tables could slow it"
                    + " down. Works on a standby and on a read-only database, too, with the rights of a sweep or less."
        },
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {
            "0:A sweep would be let through.",
            "1:A sweep would fail, since the tables do not allow it, rights are missing, or the session may not write, as on a"
                    + " standby; or a fault.",
            "2:Bad usage or settings.",
            "3:A sweep would be let through, but move nothing now: outside of its run window, or while a restore holds the"
                    + " table.",
            "4:A sweep would be let through, as far as is known: which rows are expired, or are archived already, is not."
        })
final class PlanCommand implements Callable<Integer> {
    private static final int NOT_NOW = 3;
    private static final int NOT_ALL_KNOWN = 4;

    @ParentCommand
    @SuppressWarnings("NullAway.Init")
    private Main main;

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

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
        ConfigFile file = options.read(main.environment());
        List<String> origins = new ArrayList<>();
        PluginSettings settings = file.archiver(options.plugin(), overrides.byName(), origins);
        file.warnOfVariables(
                settings,
                options.plugin(),
                overrides.byName(),
                spec.commandLine().getErr());
        StopSignal stop = new StopSignal();
        main.termination().onSignal(stop::request);
        try (FileDataSource connections = file.dataSource(settings.dataSource())) {
            Plan plan = new Planner(settings.pair(), connections, settings.archive()).plan(countLimit, stop);
            PrintWriter out = spec.commandLine().getOut();
            out.println(json ? PlanReport.json(plan, origins) : PlanReport.text(plan, origins));
            out.flush();
            return switch (plan.verdict()) {
                case LET_THROUGH -> 0;
                case REFUSED -> Main.FAULT;
                case NOT_NOW -> NOT_NOW;
                case NOT_ALL_KNOWN -> NOT_ALL_KNOWN;
            };
        }
    }
}
