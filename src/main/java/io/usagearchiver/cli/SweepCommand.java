package io.usagearchiver.cli;

import io.usagearchiver.Archiver;
import io.usagearchiver.StopSignal;
import io.usagearchiver.SweepFailedException;
import io.usagearchiver.SweepResult;
import io.usagearchiver.SweepStoppedException;
import io.usagearchiver.quartz.PluginSettings;
import java.io.PrintWriter;
import java.io.Writer;
import java.sql.SQLException;
import java.util.concurrent.Callable;
import org.quartz.SchedulerException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

@Command(
        name = "sweep",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        versionProvider = Main.Version.class,
        description = {
            "Moves the expired rows now, with the settings of the archiver plugin in FILE.",
            "Safe beside a running cluster: the newer sweep takes over from the older one."
        },
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {
            "0:Drained: no expired row is left.",
            "1:A fault; what was committed before it stands.",
            "2:Bad usage or settings; nothing was done.",
            "3:Stopped before it was drained.",
            "4:Drained, but rows were kept back (in conflict, or rejected)."
        })
final class SweepCommand implements Callable<Integer> {
    private static final int NOT_DRAINED = 3;
    private static final int KEPT_BACK = 4;

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

    @Option(names = "--json", order = 4, description = "Print the result as one JSON object, and nothing else.")
    private boolean json;

    @Override
    public Integer call() throws SchedulerException, SQLException {
        if (main.terminal()) {
            // For logback.xml: the line on the terminal tells the progress.
            System.setProperty("usagearchiver.log.progress", "WARN");
        }
        ConfigFile file = options.read(main.environment());
        PluginSettings settings = file.archiver(options.plugin(), overrides.byName());
        file.tellOfVariables(
                settings,
                options.plugin(),
                overrides.byName(),
                spec.commandLine().getErr());
        StopSignal stop = new StopSignal();
        main.termination().onSignal(stop::request);
        try (FileDataSource connections = file.dataSource(settings.dataSource())) {
            SweepResult result = sweep(settings, connections, stop);
            print(result);
            return exitCode(result);
        } catch (SweepStoppedException e) {
            spec.commandLine().getErr().println(e.getMessage());
            return NOT_DRAINED;
        } catch (SweepFailedException e) {
            if (e.result() != null) {
                print(e.result());
            }
            throw e;
        }
    }

    private SweepResult sweep(PluginSettings settings, FileDataSource connections, StopSignal stop) {
        boolean watched = main.terminal() && !json;
        PrintWriter out = spec.commandLine().getOut();
        try (ProgressLine progress = new ProgressLine(watched ? out : new PrintWriter(Writer.nullWriter()))) {
            return Archiver.builder(settings.pair(), connections)
                    .settings(settings.archive())
                    .firedBy("command line")
                    .listener(progress)
                    .build()
                    .sweep(stop);
        }
    }

    private void print(SweepResult result) {
        PrintWriter out = spec.commandLine().getOut();
        out.println(json ? Report.json(result) : Report.text(result));
        out.flush();
    }

    private static int exitCode(SweepResult result) {
        return switch (result.stopReason()) {
            case DRAINED -> result.keptRowsBack() ? KEPT_BACK : 0;
            case FAILED -> Main.FAULT;
            default -> NOT_DRAINED;
        };
    }
}
