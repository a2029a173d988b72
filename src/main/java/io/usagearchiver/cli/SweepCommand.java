package io.usagearchiver.cli;

import io.usagearchiver.Archiver;
import io.usagearchiver.PairNames;
import io.usagearchiver.StopSignal;
import io.usagearchiver.SweepFailedException;
import io.usagearchiver.SweepResult;
import io.usagearchiver.SweepStoppedException;
import io.usagearchiver.cli.config.ConfigFile;
import io.usagearchiver.cli.config.FileDataSource;
import io.usagearchiver.cli.report.ProgressLine;
import io.usagearchiver.cli.report.SweepReport;
import io.usagearchiver.cli.report.VariableReport;
import io.usagearchiver.quartz.PluginSettings;
import java.sql.SQLException;
import org.quartz.SchedulerException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(
        name = "sweep",
        description = {
            "Moves the expired rows now, with the settings of the archiver plugin in FILE.",
            "Safe beside a running cluster: the newer sweep takes over from the older one."
        },
        exitCodeList = {
            "0:Drained: no expired row is left.",
            "1:A fault; what was committed before it stands.",
            "2:Bad usage or settings; nothing was done.",
            "3:Stopped before it was drained.",
            "4:Drained, but rows were kept back (in conflict, or rejected)."
        })
final class SweepCommand extends ArchiverCommand {
    @Mixin
    private ArchiverOptions options = new ArchiverOptions();

    @Mixin
    private OverrideOption overrides = new OverrideOption();

    @Option(names = "--json", order = 4, description = "Print the result as one JSON object, and nothing else.")
    private boolean json;

    @Override
    public Integer call() throws SchedulerException, SQLException {
        if (context().terminal()) {
            // For logback.xml: the line on the terminal tells the progress.
            System.setProperty("usagearchiver.log.progress", "WARN");
        }
        ConfigFile file = options.read(context().environment());
        PluginSettings settings = file.archiver(options.plugin(), overrides.byName());
        VariableReport.tell(settings, file.used(settings, options.plugin(), overrides.byName()), err());
        StopSignal stop = stopSignal();
        try (FileDataSource connections = file.dataSource(settings.dataSource())) {
            SweepResult result = sweep(settings, connections, stop);
            print(result, settings);
            return ExitCode.of(result);
        } catch (SweepStoppedException e) {
            err().println(e.getMessage());
            return ExitCode.INCOMPLETE;
        } catch (SweepFailedException e) {
            if (e.result() != null) {
                print(e.result(), settings);
            }
            throw e;
        }
    }

    private SweepResult sweep(PluginSettings settings, FileDataSource connections, StopSignal stop) {
        try (ProgressLine progress = new ProgressLine(terminal(json))) {
            return Archiver.builder(settings.pair(), connections)
                    .settings(settings.archive())
                    .firedBy("command line")
                    .listener(progress)
                    .build()
                    .sweep(stop);
        }
    }

    private void print(SweepResult result, PluginSettings settings) {
        PairNames names = settings.pair().names();
        String where = names == null ? null : names.where();
        print(json ? SweepReport.json(result, where) : SweepReport.text(result, where));
    }
}
