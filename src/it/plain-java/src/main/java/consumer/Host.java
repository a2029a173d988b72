package consumer;

import io.usagearchiver.quartz.ArchiveJob;
import java.util.Map;
import java.util.Set;
import java.util.TimeZone;
import org.quartz.CronScheduleBuilder;
import org.quartz.JobBuilder;
import org.quartz.JobDetail;
import org.quartz.Scheduler;
import org.quartz.SchedulerException;
import org.quartz.Trigger;
import org.quartz.TriggerBuilder;
import org.quartz.impl.StdSchedulerFactory;

/** A host that schedules the archiver itself, as it does its own job. */
public final class Host {
    private Host() {}

    /** Runs a node until SIGTERM. */
    public static void main(String[] args) throws SchedulerException {
        Scheduler scheduler = new StdSchedulerFactory().getScheduler();
        HostJob.schedule(scheduler, "quartz");
        scheduleArchiver(scheduler);
        scheduler.start();
    }

    private static void scheduleArchiver(Scheduler scheduler) throws SchedulerException {
        // tag::schedule[]
        JobDetail archive = JobBuilder.newJob(ArchiveJob.class)
                .withIdentity("usage", "archive")
                .usingJobData("dataSource", "archive")
                .usingJobData("retentionMonths", "12")
                .storeDurably()
                .requestRecovery()
                .build();
        Trigger nightly = TriggerBuilder.newTrigger()
                .withIdentity("nightly", "archive")
                .withSchedule(CronScheduleBuilder.cronSchedule("0 0 3 * * ?").inTimeZone(TimeZone.getTimeZone("UTC")))
                .build();
        scheduler.scheduleJobs(Map.of(archive, Set.of(nightly)), true);
        // end::schedule[]
    }
}
