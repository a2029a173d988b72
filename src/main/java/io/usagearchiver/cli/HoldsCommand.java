package io.usagearchiver.cli;

import io.usagearchiver.Hold;
import io.usagearchiver.cli.report.HoldReport;
import java.sql.SQLException;
import java.util.List;
import java.util.function.UnaryOperator;
import org.quartz.SchedulerException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(
        name = "holds",
        description = {
            "Lists the holds that count now, newest first, and which of them cannot be honoured: as long as there is one,"
                    + " sweeps archive nothing."
        },
        exitCodeList = {"0:Done.", "1:A fault.", "2:Bad usage or settings."})
final class HoldsCommand extends ArchiverCommand {
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
                        context().environment(),
                        UnaryOperator.identity(),
                        archiver -> archiver.build().holds().list())
                .stream()
                .filter(hold -> all || hold.active())
                .toList();
        print(json ? HoldReport.json(holds) : HoldReport.text(holds));
        return 0;
    }
}
