package io.usagearchiver.cli;

import io.usagearchiver.Hold;
import io.usagearchiver.cli.report.HoldReport;
import java.sql.SQLException;
import java.util.function.UnaryOperator;
import org.quartz.SchedulerException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

@Command(
        name = "release",
        description = {
            "Ends a hold. Sweeps that begin from now on archive its rows, if they are expired.",
            "To release a hold that has ended changes nothing. One that cannot be honoured can be released, too."
        },
        exitCodeList = {
            "0:The hold is released.",
            "1:A fault; nothing was changed.",
            "2:Bad usage or settings, or there is no such hold."
        })
final class ReleaseCommand extends ArchiverCommand {
    @Mixin
    private RestorerOptions options = new RestorerOptions();

    @Parameters(paramLabel = "ID", description = "The hold, as 'holds' lists it.")
    private long id;

    @Override
    public Integer call() throws SchedulerException, SQLException {
        Hold hold = options.with(
                context().environment(),
                UnaryOperator.identity(),
                archiver -> archiver.build().holds().release(id));
        print(HoldReport.text(hold));
        return 0;
    }
}
