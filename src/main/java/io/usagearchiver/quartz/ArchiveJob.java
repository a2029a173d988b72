package io.usagearchiver.quartz;

import io.usagearchiver.ArchiveException;
import io.usagearchiver.Archiver;
import io.usagearchiver.PartitionKeeper;
import io.usagearchiver.StopSignal;
import io.usagearchiver.SweepStoppedException;
import org.quartz.DisallowConcurrentExecution;
import org.quartz.InterruptableJob;
import org.quartz.JobExecutionContext;
import org.quartz.JobExecutionException;
import org.quartz.SchedulerException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One sweep, with the settings in its job data and connections of the data source that they name. Its result, a {@link
 * io.usagearchiver.SweepResult}, is the result of the execution context.
 *
 * <p>The job data holds strings only, under the names of the plugin's properties but {@code listeners}, and is parsed
 * strictly: any other name fails the execution, in the data of a trigger, too. A data source of a plugin of this scheduler is
 * the one that the plugin has bound; any other is the one that has the name in this JVM. A sweep that fails is logged at
 * ERROR and ends with a {@link JobExecutionException} that neither refires nor unschedules the job: the next firing tries
 * again. Interrupting it lets a running batch commit and stops it then; a statement that still runs {@link
 * StopSignal#GRACE} later is cancelled. A scheduler that is shut down does the same, whether it waits for jobs or not.
 */
@DisallowConcurrentExecution
public final class ArchiveJob implements InterruptableJob {
    private static final Logger log = LoggerFactory.getLogger(ArchiveJob.class);

    private final StopSignal stop = new StopSignal();

    @Override
    public void execute(JobExecutionContext context) throws JobExecutionException {
        Firings firings = firings(context);
        String firing = context.getFireInstanceId();
        if (!firings.begin(firing)) {
            log.info(
                    "{}: the firing of {} waited here for so long that it was given up; its trigger fires again",
                    context.getJobDetail().getKey().getName(),
                    context.getScheduledFireTime().toInstant());
            return;
        }
        try {
            sweep(context);
        } finally {
            firings.end(firing);
        }
    }

    private static Firings firings(JobExecutionContext context) throws JobExecutionException {
        try {
            return SchedulerNode.of(context.getScheduler()).firings();
        } catch (SchedulerException e) {
            throw new JobExecutionException(e);
        }
    }

    private void sweep(JobExecutionContext context) throws JobExecutionException {
        String job = context.getJobDetail().getKey().getName();
        try {
            PluginSettings settings = PluginSettings.ofJob(
                    JobData.strings(context.getMergedJobDataMap()), name -> "job data " + name + " of " + job);
            SchedulerNode node = SchedulerNode.of(context.getScheduler());
            Archiver.Builder archiver = Archiver.builder(settings.pair(), node.connections(settings.dataSource()))
                    .settings(settings.archive())
                    .node(context.getScheduler().getSchedulerInstanceId())
                    .firedBy(context.getTrigger().getKey().getName());
            SweepListeners.of(context.getScheduler(), job).forEach(archiver::listener);
            try (SchedulerNode.Running running = node.begin(stop, settings.dataSource())) {
                if (settings.createPartitions()) {
                    createPartitions(job, settings, node);
                }
                context.setResult(archiver.build().sweep(running.sweep()));
            }
        } catch (SweepStoppedException e) {
            log.info("{}: {}", job, e.getMessage());
        } catch (ArchiveException | IllegalArgumentException e) {
            log.error("{}: {}", job, e.getMessage(), e);
            throw new JobExecutionException(e.getMessage(), e);
        } catch (SchedulerException e) {
            throw new JobExecutionException(e);
        }
    }

    /** What cannot be made now keeps no row from the partitions that there are. */
    private void createPartitions(String job, PluginSettings settings, SchedulerNode node) {
        try {
            PartitionKeeper.Outcome outcome = new PartitionKeeper(
                            settings.pair(), node.connections(settings.dataSource()), settings.archive())
                    .keep(stop);
            if (outcome.leftAlone() != null) {
                log.warn(
                        "{}: createPartitions has nothing to do: archive {} {}",
                        job,
                        outcome.archive(),
                        outcome.leftAlone());
            } else if (!outcome.made().isEmpty()) {
                log.info("{}: archive {} got partitions for {}", job, outcome.archive(), outcome.made());
            }
        } catch (SweepStoppedException e) {
            throw e;
        } catch (ArchiveException e) {
            log.error("{}: createPartitions: {}", job, e.getMessage(), e);
        }
    }

    /** Asks the sweep to stop. Returns at once. */
    @Override
    public void interrupt() {
        stop.request();
    }
}
