package io.usagearchiver.cli;

import io.usagearchiver.Hold;
import io.usagearchiver.RowFilter;
import io.usagearchiver.cli.report.HoldReport;
import java.sql.SQLException;
import java.time.LocalDateTime;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.quartz.SchedulerException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(
        name = "hold",
        description = {
            "Keeps expired rows in the hot table, such as those of a user in a lawsuit.",
            "It counts at once: when this returns, no running sweep can still archive one of them. Rows that are archived"
                    + " already stay archived; 'restore' takes them back.",
            "The rows are compared with the live table first: what none of them can match is refused, and no hold is set."
        },
        exitCodeList = {
            "0:The hold is set.",
            "1:A fault; the message says whether the hold is set.",
            "2:Bad usage or settings; nothing was done."
        })
final class HoldCommand extends ArchiverCommand {
    @Mixin
    private RestorerOptions options = new RestorerOptions();

    @Mixin
    private FilterOptions rows = new FilterOptions();

    @Option(
            names = "--until",
            order = 20,
            paramLabel = "DATE",
            description = "When the hold ends, in UTC. Without it, the hold lasts until it is released.")
    private @Nullable String until;

    @Option(
            names = "--reason",
            order = 21,
            required = true,
            paramLabel = "TEXT",
            description = "Why, for whoever finds the hold later.")
    @SuppressWarnings("NullAway.Init")
    private String reason;

    @Override
    public Integer call() throws SchedulerException, SQLException {
        RowFilter filter = rows.filter();
        LocalDateTime end = FilterOptions.moment("--until", until);
        Hold hold = options.with(
                context().environment(),
                UnaryOperator.identity(),
                archiver -> archiver.build().holds().hold(filter, end, reason));
        print(HoldReport.text(hold));
        return 0;
    }
}
