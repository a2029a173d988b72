package io.usagearchiver.cli;

import io.usagearchiver.Hold;
import java.sql.SQLException;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.function.UnaryOperator;
import org.quartz.SchedulerException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

@Command(
        name = "holds",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        versionProvider = Main.Version.class,
        description = {
            "Lists the holds that count now, newest first, and which of them cannot be honoured: as long as there is one,"
                    + " sweeps archive nothing."
        },
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {"0:Done.", "1:A fault.", "2:Bad usage or settings."})
final class HoldsCommand implements Callable<Integer> {
    @ParentCommand
    @SuppressWarnings("NullAway.Init")
    private Main main;

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Mixin
    private RestorerOptions options = new RestorerOptions();

    @Option(names = "--all", order = 10, description = "Also those that have ended or were released.")
    private boolean all;

    @Option(names = "--json", order = 11, description = "Print one JSON array, and nothing else.")
    private boolean json;

    @Override
    public Integer call() throws SchedulerException, SQLException {
        List<Hold> holds = options
                .with(
                        main.environment(),
                        UnaryOperator.identity(),
                        archiver -> archiver.build().holds().list())
                .stream()
                .filter(hold -> all || hold.active())
                .toList();
        spec.commandLine().getOut().println(json ? RestoreReport.json(holds) : RestoreReport.text(holds));
        return 0;
    }
}
