package io.usagearchiver.testing;

import static org.awaitility.Awaitility.await;

import java.sql.SQLException;
import java.util.List;
import java.util.Properties;
import org.quartz.JobBuilder;
import org.quartz.Scheduler;
import org.quartz.SchedulerException;
import org.quartz.SimpleScheduleBuilder;
import org.quartz.TriggerBuilder;
import org.quartz.impl.StdSchedulerFactory;
import org.quartz.jobs.NoOpJob;
import org.quartz.utils.DBConnectionManager;

/** A scheduler of this JVM, made but not started. Closing it waits for its jobs and closes its data sources. */
public final class TestScheduler implements AutoCloseable {
    private final Scheduler scheduler;

    /** Makes it from properties, as a host does. */
    public TestScheduler(Properties properties) throws SchedulerException {
        scheduler = new StdSchedulerFactory(properties).getScheduler();
    }

    /** The scheduler. */
    public Scheduler get() {
        return scheduler;
    }

    /** Stores a job of the host that does nothing, five times a second. */
    public void scheduleHostJob() throws SchedulerException {
        scheduler.scheduleJob(
                JobBuilder.newJob(NoOpJob.class).withIdentity("job", "host").build(),
                TriggerBuilder.newTrigger()
                        .withIdentity("trigger", "host")
                        .withSchedule(SimpleScheduleBuilder.simpleSchedule()
                                .withIntervalInMilliseconds(200)
                                .repeatForever())
                        .build());
    }

    /** How often the host's job was fired. */
    public static long hostFirings(TestDatabase db) {
        return db.number("select times_triggered from qrtz_simple_triggers where trigger_group = 'host'");
    }

    @Override
    public void close() throws SchedulerException {
        scheduler.shutdown(true);
        await("the archivers' background threads end")
                .until(() -> Thread.getAllStackTraces().keySet().stream()
                        .noneMatch(thread -> thread.getName().startsWith("usage-archiver-")));
        for (String dataSource : List.of(SampleConfig.QUARTZ_DATA_SOURCE, SampleConfig.ARCHIVE_DATA_SOURCE)) {
            try {
                DBConnectionManager.getInstance().shutdown(dataSource);
            } catch (SQLException e) {
                // There was none of that name.
            }
        }
    }
}
