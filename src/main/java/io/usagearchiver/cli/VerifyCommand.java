package io.usagearchiver.cli;

import io.usagearchiver.StopSignal;
import io.usagearchiver.Verification;
import io.usagearchiver.Verifier;
import io.usagearchiver.cli.config.BadSettingsException;
import io.usagearchiver.cli.config.ConfigFile;
import io.usagearchiver.cli.config.FileDataSource;
import io.usagearchiver.cli.report.VerificationReport;
import io.usagearchiver.quartz.PluginSettings;
import java.io.PrintWriter;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Map;
import org.quartz.SchedulerException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(
        name = "verify",
        description = {
            "Holds the hot table, the archive and the ledger against each other. Changes nothing.",
            "No id may be in both tables; nothing may be archived that is younger than the newest cutoff of all sweeps; and"
                    + " the archive must have as many rows as its baseline, which 'init' has counted, and what the ledger"
                    + " says was moved since.",
            "It reads the tables' key indexes and counts the archive, in one snapshot, so that it holds also while a sweep"
                    + " runs. What that costs is told before it begins. While it runs, rows that are deleted stay on disk."
        },
        exitCodeList = {
            "0:All of it holds.",
            "1:A fault, or it took too long; nothing is known.",
            "2:Bad usage or settings.",
            "3:What could be compared holds, but there is no baseline: sums were not compared.",
            "4:Something does not hold; it is listed."
        })
final class VerifyCommand extends ArchiverCommand {
    @Mixin
    private ArchiverOptions options = new ArchiverOptions();

    @Option(
            names = "--timeout",
            order = 3,
            paramLabel = "DURATION",
            description = "How long it may take, such as 30s, 15m or 2h, up to 48h. Default: ${DEFAULT-VALUE}.")
    private String timeout = "1h";

    @Option(
            names = "--json",
            order = 4,
            description = "Print the findings as one JSON object, and nothing else; the cost goes to standard error.")
    private boolean json;

    @Override
    public Integer call() throws SchedulerException, SQLException {
        Duration limit = limit();
        ConfigFile file = options.read(context().environment());
        PluginSettings settings = file.archiver(options.plugin(), Map.of());
        PrintWriter beforehand = json ? err() : out();
        StopSignal stop = stopSignal();
        try (FileDataSource connections = file.dataSource(settings.dataSource())) {
            Verification verification = new Verifier(settings.pair(), connections, settings.archive())
                    .verify(
                            limit,
                            cost -> {
                                beforehand.println(VerificationReport.cost(cost, timeout));
                                beforehand.flush();
                            },
                            stop);
            print(json ? VerificationReport.json(verification) : VerificationReport.text(verification));
            return !verification.clean() ? ExitCode.FINDINGS : verification.complete() ? 0 : ExitCode.INCOMPLETE;
        }
    }

    private Duration limit() {
        try {
            return PluginSettings.duration(timeout);
        } catch (IllegalArgumentException e) {
            throw new BadSettingsException("--timeout " + timeout + ": " + e.getMessage());
        }
    }
}
