package io.usagearchiver.cli;

import io.usagearchiver.Archiver;
import io.usagearchiver.StopSignal;
import io.usagearchiver.SweepFailedException;
import io.usagearchiver.SweepListener;
import io.usagearchiver.SweepResult;
import io.usagearchiver.SweepStoppedException;
import io.usagearchiver.quartz.PluginSettings;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.quartz.SchedulerException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

@Command(
        name = "sweep",
        mixinStandardHelpOptions = true,
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
            names = "--set",
            paramLabel = "name=value",
            description = "A setting of the plugin to use instead of FILE's, such as batchSize=5000. Repeatable.")
    private Map<String, String> overrides = new LinkedHashMap<>();

    @Option(names = "--json", description = "Print the result as one JSON object, and nothing else.")
    private boolean json;

    @Override
    public Integer call() throws SchedulerException {
        ConfigFile file = ConfigFile.read(config, System::getenv);
        PluginSettings settings = file.archiver(plugin, overrides);
        PrintWriter out = spec.commandLine().getOut();
        SweepListener progress = json || !isTerminal()
                ? new SweepListener() {}
                : new ProgressLine(spec.commandLine().getErr());
        StopSignal stop = new StopSignal();
        Archiver archiver = Archiver.builder(settings.pair(), file.dataSource(settings.dataSource()))
                .settings(settings.archive())
                .firedBy("command line")
                .listener(progress)
                .build();
        main.termination().onSignal(stop::request);
        try {
            SweepResult result = archiver.sweep(stop);
            out.println(json ? Report.json(result) : Report.text(result));
            return exitCode(result);
        } catch (SweepStoppedException e) {
            spec.commandLine().getErr().println(e.getMessage());
            return NOT_DRAINED;
        } catch (SweepFailedException e) {
            SweepResult result = e.result();
            if (result != null) {
                out.println(json ? Report.json(result) : Report.text(result));
            }
            throw e;
        } finally {
            out.flush();
        }
    }

    /** From JDK 22 on there is a console also where there is no terminal; picocli knows how to tell. */
    private static boolean isTerminal() {
        return Help.Ansi.AUTO.enabled();
    }

    private static int exitCode(SweepResult result) {
        return switch (result.stopReason()) {
            case DRAINED -> result.keptRowsBack() ? KEPT_BACK : 0;
            case FAILED -> Main.FAULT;
            default -> NOT_DRAINED;
        };
    }
}
