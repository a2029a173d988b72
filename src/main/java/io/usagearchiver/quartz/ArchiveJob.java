package io.usagearchiver.quartz;

import io.usagearchiver.ArchiveException;
import io.usagearchiver.Archiver;
import io.usagearchiver.StopSignal;
import io.usagearchiver.SweepResult;
import io.usagearchiver.SweepStoppedException;
import java.util.HashMap;
import java.util.Map;
import org.quartz.DisallowConcurrentExecution;
import org.quartz.InterruptableJob;
import org.quartz.JobDataMap;
import org.quartz.JobExecutionContext;
import org.quartz.JobExecutionException;
import org.quartz.SchedulerException;
import org.quartz.utils.DBConnectionManager;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One sweep, with the settings in its job data and connections of the data source that they name. Its result, a {@link
 * SweepResult}, is the result of the execution context.
 *
 * <p>The job data holds strings only, under the names of the plugin's properties, and is parsed strictly. A sweep that
 * fails is logged at ERROR and ends with a {@link JobExecutionException} that neither refires nor unschedules the job:
 * the next firing tries again. Interrupting it lets a running batch commit and stops it then; a statement that still runs
 * {@link StopSignal#GRACE} later is cancelled.
 */
@DisallowConcurrentExecution
public final class ArchiveJob implements InterruptableJob {
    private static final Logger log = LoggerFactory.getLogger(ArchiveJob.class);

    private final StopSignal stop = new StopSignal();

    @Override
    public void execute(JobExecutionContext context) throws JobExecutionException {
        String job = context.getJobDetail().getKey().getName();
        try {
            PluginSettings settings = PluginSettings.parse(
                    strings(context.getMergedJobDataMap()),
                    name -> "job data " + name + " of " + job,
                    variable -> null);
            Archiver.Builder archiver = Archiver.builder(
                            settings.pair(),
                            () -> DBConnectionManager.getInstance().getConnection(settings.dataSource()))
                    .settings(settings.archive())
                    .node(context.getScheduler().getSchedulerInstanceId())
                    .firedBy(context.getTrigger().getKey().getName());
            SweepListeners.of(context.getScheduler(), job).forEach(archiver::listener);
            SweepResult result = archiver.build().sweep(stop);
            context.setResult(result);
        } catch (SweepStoppedException e) {
            log.info("{}: {}", job, e.getMessage());
        } catch (ArchiveException | IllegalArgumentException e) {
            log.error("{}: {}", job, e.getMessage(), e);
            throw new JobExecutionException(e.getMessage(), e);
        } catch (SchedulerException e) {
            throw new JobExecutionException(e);
        }
    }

    /** Asks the sweep to stop. Returns at once. */
    @Override
    public void interrupt() {
        stop.request();
    }

    private static Map<String, String> strings(JobDataMap data) {
        Map<String, String> strings = new HashMap<>();
        data.forEach((name, value) -> {
            if (!(value instanceof String string)) {
                throw new IllegalArgumentException("job data " + name + " = " + value + ": must be a string");
            }
            strings.put(name, string);
        });
        return strings;
    }
}
