package io.usagearchiver.cli;

import io.usagearchiver.ArchiveSettings;
import io.usagearchiver.Archiver;
import io.usagearchiver.RestorePreview;
import io.usagearchiver.RestoreResult;
import io.usagearchiver.RowFilter;
import io.usagearchiver.StopSignal;
import io.usagearchiver.SweepFailedException;
import io.usagearchiver.SweepStoppedException;
import io.usagearchiver.cli.config.BadSettingsException;
import io.usagearchiver.cli.report.ProgressLine;
import io.usagearchiver.cli.report.RestoreReport;
import java.sql.SQLException;
import java.time.LocalDateTime;
import org.jspecify.annotations.Nullable;
import org.quartz.SchedulerException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(
        name = "restore",
        description = {
            "Moves archived rows back into the hot table, with the ids that they had.",
            "They are expired still: a hold on the same rows, set first, keeps sweeps from taking them again until it"
                    + " ends. Sweeps that begin meanwhile end BUSY."
        },
        exitCodeList = {
            "0:No matching row is left in the archive; or a dry run.",
            "1:A fault; what was committed before it stands, and so does the hold.",
            "2:Bad usage or settings; nothing was done.",
            "3:Stopped before it was finished, or another restore holds the table.",
            "4:Finished, but rows were kept back (in conflict, or rejected)."
        })
final class RestoreCommand extends ArchiverCommand {
    @Mixin
    private RestorerOptions options = new RestorerOptions();

    @Mixin
    private FilterOptions rows = new FilterOptions();

    @Option(
            names = "--hold-until",
            order = 20,
            paramLabel = "DATE",
            description = "When the hold ends, in UTC; from then on sweeps archive the rows again. Required, but for a"
                    + " dry run.")
    private @Nullable String holdUntil;

    @Option(
            names = "--reason",
            order = 21,
            paramLabel = "TEXT",
            description = "Why, for whoever finds the hold later. Default: restored.")
    private String reason = "restored";

    @Option(
            names = "--batch-size",
            order = 22,
            paramLabel = "ROWS",
            description = "The most rows that a transaction moves; the plugin's setting if not given.")
    private @Nullable Integer batchSize;

    @Option(names = "--dry-run", order = 23, description = "Only count what would be restored. Changes nothing.")
    private boolean dryRun;

    @Option(names = "--json", order = 24, description = "Print the result as one JSON object, and nothing else.")
    private boolean json;

    @Override
    public Integer call() throws SchedulerException, SQLException {
        RowFilter filter = rows.filter();
        LocalDateTime until = FilterOptions.moment("--hold-until", holdUntil);
        if (until == null && !dryRun) {
            throw new BadSettingsException("Until when are the rows to stay in the hot table? Give --hold-until.");
        }
        return options.with(
                context().environment(),
                this::withBatchSize,
                archiver -> until == null || dryRun ? preview(archiver, filter) : restore(archiver, filter, until));
    }

    private ArchiveSettings withBatchSize(ArchiveSettings settings) {
        return batchSize == null ? settings : settings.withBatchSize(batchSize);
    }

    private int preview(Archiver.Builder archiver, RowFilter filter) {
        RestorePreview preview = archiver.build().previewRestore(filter);
        print(json ? RestoreReport.json(preview) : RestoreReport.text(preview, filter));
        return 0;
    }

    private int restore(Archiver.Builder archiver, RowFilter filter, LocalDateTime until) {
        StopSignal stop = stopSignal();
        RestoreResult result;
        try (ProgressLine progress = new ProgressLine(terminal(json), RestoreReport::progress)) {
            result = archiver.listener(progress).build().restore(filter, until, reason, stop);
        } catch (SweepStoppedException e) {
            err().println(e.getMessage());
            return ExitCode.INCOMPLETE;
        } catch (SweepFailedException e) {
            if (e.result() != null) {
                RestoreResult failed = new RestoreResult(e.result(), e.hold());
                print(json ? RestoreReport.json(failed) : RestoreReport.text(failed, filter));
            }
            throw e;
        }
        print(json ? RestoreReport.json(result) : RestoreReport.text(result, filter));
        return ExitCode.of(result.counts());
    }
}
