package io.usagearchiver.cli;

import io.usagearchiver.cli.config.BadSettingsException;
import io.usagearchiver.cli.config.ConfigFile;
import io.usagearchiver.cli.report.Text;
import io.usagearchiver.quartz.PluginSettings;
import io.usagearchiver.quartz.StoredJob;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.quartz.Scheduler;
import org.quartz.SchedulerException;
import org.quartz.impl.StdSchedulerFactory;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(
        name = "jobs",
        description = {
            "Lists the archivers' jobs in the job store of FILE, and which of them have a plugin in FILE.",
            "A job whose plugin was renamed or removed is fired by its old settings until it is removed."
        },
        exitCodeList = {"0:Done.", "1:A fault.", "2:Bad usage or settings, or there is no such job; nothing was done."})
final class JobsCommand extends ArchiverCommand {
    private static final int ATTEMPTS = 20;

    private static final List<String> HEADINGS =
            List.of("JOB", "TABLE", "DATA SOURCE", "MONTHS", "NEXT FIRING (UTC)", "PLUGIN");
    private static final List<Integer> RIGHT = List.of(3);

    @Mixin
    private ConfigOption option = new ConfigOption();

    @Option(
            names = "--remove",
            order = 2,
            paramLabel = "NAME",
            description =
                    "Remove this job and its triggers. It must have no plugin in FILE; see that no other node has it"
                            + " either, which would store it again.")
    private @Nullable String remove;

    @Override
    public Integer call() throws SchedulerException {
        ConfigFile file = option.read(context().environment());
        Set<String> plugins = file.plugins();
        if (remove != null && plugins.contains(remove)) {
            throw new BadSettingsException(
                    "--remove " + remove + ": it has a plugin in FILE, whose next start would store it"
                            + " again; take the plugin out first, on all nodes");
        }
        Scheduler scheduler = new StdSchedulerFactory(file.jobStore()).getScheduler();
        try {
            String dataSource = file.jobStoreDataSource();
            if (remove != null && dataSource != null) {
                Standby.refuse(dataSource);
            }
            List<StoredJob> jobs = read(scheduler);
            print(remove == null ? text(jobs, plugins) : remove(scheduler, jobs, remove));
        } finally {
            scheduler.shutdown();
        }
        return 0;
    }

    /** Each statement has a snapshot of its own, so that a standby's replay soon lets one of them through. */
    private static List<StoredJob> read(Scheduler scheduler) throws SchedulerException {
        for (int attempt = 1; ; attempt++) {
            try {
                return StoredJob.all(scheduler);
            } catch (SchedulerException e) {
                if (attempt == ATTEMPTS || !FaultReport.isConflict(e)) {
                    throw e;
                }
            }
        }
    }

    private static String remove(Scheduler scheduler, List<StoredJob> jobs, String name) throws SchedulerException {
        StoredJob job = jobs.stream()
                .filter(stored -> stored.isOfPlugin() && stored.key().getName().equals(name))
                .findFirst()
                .orElseThrow(() ->
                        new BadSettingsException("--remove " + name + ": there is no such job; 'jobs' lists them"));
        scheduler.deleteJob(job.key());
        return "Job " + name + " and its triggers are removed. A sweep of it that runs goes on to its end.";
    }

    private static String text(List<StoredJob> jobs, Set<String> plugins) {
        if (jobs.isEmpty()) {
            return "No archiver has a job in the job store.";
        }
        List<List<String>> rows = new ArrayList<>(List.of(HEADINGS));
        jobs.forEach(job -> rows.add(cells(job, plugins)));
        List<String> lines = Text.table(rows, RIGHT);
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < lines.size(); i++) {
            Text.line(text, "%s", lines.get(i));
            String fault = i == 0 ? null : jobs.get(i - 1).fault();
            if (fault != null) {
                Text.line(text, "  %s", fault);
            }
        }
        return text.toString().stripTrailing();
    }

    private static List<String> cells(StoredJob job, Set<String> plugins) {
        String name = job.key().getName();
        PluginSettings settings = job.settings();
        return List.of(
                job.isOfPlugin() ? name : job.key().toString(),
                settings == null ? "unknown" : settings.table(),
                settings == null ? "" : settings.dataSource(),
                settings == null ? "" : String.valueOf(settings.archive().retentionMonths()),
                text(job.nextFiring()),
                plugin(job, plugins.contains(name)));
    }

    private static String text(@Nullable Instant firing) {
        return firing == null
                ? "never"
                : Text.moment(firing.truncatedTo(ChronoUnit.SECONDS)
                        .atOffset(ZoneOffset.UTC)
                        .toLocalDateTime());
    }

    private static String plugin(StoredJob job, boolean inFile) {
        if (!job.isOfPlugin()) {
            return "the host's own job";
        }
        return inFile ? "in FILE" : "not in FILE: --remove " + job.key().getName();
    }
}
