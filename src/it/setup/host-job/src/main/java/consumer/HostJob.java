package consumer;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import org.quartz.Job;
import org.quartz.JobBuilder;
import org.quartz.JobDetail;
import org.quartz.JobExecutionContext;
import org.quartz.JobExecutionException;
import org.quartz.ObjectAlreadyExistsException;
import org.quartz.Scheduler;
import org.quartz.SchedulerException;
import org.quartz.SimpleScheduleBuilder;
import org.quartz.Trigger;
import org.quartz.TriggerBuilder;
import org.quartz.utils.DBConnectionManager;

/** The host's own job, which knows nothing of the archiver: notes each of its firings in a table. */
public final class HostJob implements Job {
    private static final int MILLISECONDS = 200;

    @Override
    public void execute(JobExecutionContext context) throws JobExecutionException {
        String dataSource = context.getMergedJobDataMap().getString("dataSource");
        try (Connection connection = DBConnectionManager.getInstance().getConnection(dataSource);
                PreparedStatement insert =
                        connection.prepareStatement("INSERT INTO host_job_run (fired_for, node) VALUES (?, ?)")) {
            insert.setLong(1, context.getScheduledFireTime().getTime());
            insert.setString(2, context.getScheduler().getSchedulerInstanceId());
            insert.executeUpdate();
            if (!connection.getAutoCommit()) {
                connection.commit();
            }
        } catch (SQLException | SchedulerException e) {
            throw new JobExecutionException(e);
        }
    }

    /** The job, with a data source that Quartz knows. */
    public static JobDetail job(String dataSource) {
        return JobBuilder.newJob(HostJob.class)
                .withIdentity("job", "host")
                .usingJobData("dataSource", dataSource)
                .storeDurably()
                .build();
    }

    /** Fires it five times a second. */
    public static Trigger trigger(JobDetail job) {
        return TriggerBuilder.newTrigger()
                .withIdentity("trigger", "host")
                .forJob(job)
                .withSchedule(SimpleScheduleBuilder.simpleSchedule()
                        .withIntervalInMilliseconds(MILLISECONDS)
                        .repeatForever())
                .build();
    }

    /** Stores both, where no other node has. */
    public static void schedule(Scheduler scheduler, String dataSource) throws SchedulerException {
        JobDetail job = job(dataSource);
        try {
            scheduler.scheduleJob(job, trigger(job));
        } catch (ObjectAlreadyExistsException e) {
            // Another node was first.
        }
    }
}
