package io.usagearchiver.cli;

import io.usagearchiver.Hold;
import java.sql.SQLException;
import java.util.concurrent.Callable;
import java.util.function.UnaryOperator;
import org.quartz.SchedulerException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

@Command(
        name = "release",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        versionProvider = Main.Version.class,
        description = {
            "Ends a hold. Sweeps that begin from now on archive its rows, if they are expired.",
            "To release a hold that has ended changes nothing. One that cannot be honoured can be released, too."
        },
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {
            "0:The hold is released.",
            "1:A fault; nothing was changed.",
            "2:Bad usage or settings, or there is no such hold."
        })
final class ReleaseCommand implements Callable<Integer> {
    @ParentCommand
    @SuppressWarnings("NullAway.Init")
    private Main main;

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Mixin
    private RestorerOptions options = new RestorerOptions();

    @Parameters(paramLabel = "ID", description = "The hold, as 'holds' lists it.")
    private long id;

    @Override
    public Integer call() throws SchedulerException, SQLException {
        Hold hold = options.with(
                main.environment(),
                UnaryOperator.identity(),
                archiver -> archiver.build().holds().release(id));
        spec.commandLine().getOut().println(RestoreReport.text(hold));
        return 0;
    }
}
