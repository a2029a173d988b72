package io.usagearchiver.quartz;

import static io.usagearchiver.testing.SampleConfig.archiver;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Level;
import io.usagearchiver.testing.CapturedLog;
import io.usagearchiver.testing.SampleConfig;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestScheduler;
import java.util.List;
import java.util.Properties;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.quartz.CronScheduleBuilder;
import org.quartz.JobBuilder;
import org.quartz.SchedulerException;
import org.quartz.TriggerBuilder;
import org.quartz.jobs.NoOpJob;

/** What a node says at its start of the jobs that others have left in the job store. */
class StoredJobsTest {
    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    @AutoClose
    private final CapturedLog log = new CapturedLog();

    private final Properties properties = SampleConfig.of(db);

    StoredJobsTest() {
        properties.setProperty(archiver("cron"), "0 0 1 1 *");
    }

    @Test
    void the_job_of_a_plugin_that_was_renamed_is_told_with_what_it_does_and_what_removes_it() throws Exception {
        store("old", "usage-archiver", "1");

        List<String> told = warningsOfAStart();

        assertThat(told)
                .singleElement()
                .asString()
                .matches("Job old in the job store has no plugin on this node, and is fired all the same: it archives"
                        + " public\\.model_usage_details, data source archive, with retentionMonths 1; next firing"
                        + " \\d{4}-01-01T00:00:00Z\\. If its plugin was renamed or removed, remove the job: java -jar"
                        + " usage-archiver\\.jar jobs --config FILE --remove old, or scheduler\\.deleteJob\\(new"
                        + " JobKey\\(\"old\", \"usage-archiver\"\\)\\)");
        assertThat(db.strings("SELECT job_name FROM qrtz_job_details ORDER BY 1"))
                .as("another node may have its plugin still")
                .containsExactly("old", "usageArchiver");
    }

    @Test
    void a_node_with_several_archivers_tells_of_it_once_and_not_of_their_own() throws Exception {
        db.addExamples();
        store("old", "usage-archiver", "1");
        properties.setProperty("org.quartz.plugin.events.class", ArchivePlugin.class.getName());
        properties.setProperty("org.quartz.plugin.events.dataSource", "archive");
        properties.setProperty("org.quartz.plugin.events.pair", "io.usagearchiver.ResourceEvents");

        assertThat(warningsOfAStart()).singleElement().asString().startsWith("Job old ");
    }

    @Test
    void a_job_with_data_that_cannot_be_read_is_told_with_what_is_wrong() throws Exception {
        store("old", "usage-archiver", "0");

        assertThat(warningsOfAStart())
                .singleElement()
                .asString()
                .contains("Job old ", "job data retentionMonths = '0': must be a whole number from 1 to 1200");
    }

    @Test
    void a_job_of_the_hosts_own_is_told_only_where_it_moves_rows_of_the_table_by_another_retention() throws Exception {
        store("same", "host", "13");
        store("earlier", "host", "1");

        assertThat(warningsOfAStart())
                .containsExactly(
                        "Job host.earlier in the job store archives public.model_usage_details, data source archive,"
                                + " with retentionMonths 1, but archiver usageArchiver with 13: rows leave the table by the shorter one");
    }

    @Test
    void jobs_of_other_classes_and_of_classes_that_are_not_here_are_passed_over() throws Exception {
        try (TestScheduler scheduler = new TestScheduler(properties)) {
            for (String name : List.of("here", "not here")) {
                scheduler
                        .get()
                        .addJob(
                                JobBuilder.newJob(NoOpJob.class)
                                        .withIdentity(name, "usage-archiver")
                                        .storeDurably()
                                        .build(),
                                true);
            }
        }
        db.execute("UPDATE qrtz_job_details SET job_class_name = 'host.Job' WHERE job_name = 'not here'");

        assertThat(warningsOfAStart()).isEmpty();
        assertThat(log.messages(Level.ERROR)).isEmpty();
    }

    /** As a node stores it whose plugin has this name; in another group, as a host does. */
    private void store(String name, String group, String retentionMonths) throws SchedulerException {
        Properties without = new Properties();
        without.putAll(properties);
        without.keySet().removeIf(key -> ((String) key).startsWith("org.quartz.plugin."));
        try (TestScheduler scheduler = new TestScheduler(without)) {
            scheduler
                    .get()
                    .scheduleJob(
                            JobBuilder.newJob(ArchiveJob.class)
                                    .withIdentity(name, group)
                                    .usingJobData("dataSource", "archive")
                                    .usingJobData("retentionMonths", retentionMonths)
                                    .storeDurably()
                                    .build(),
                            TriggerBuilder.newTrigger()
                                    .withIdentity(name + ".cron", group)
                                    .withSchedule(CronScheduleBuilder.cronSchedule("0 0 0 1 1 ?")
                                            .inTimeZone(CronSchedule.UTC))
                                    .build());
        }
    }

    private List<String> warningsOfAStart() throws SchedulerException {
        try (TestScheduler scheduler = new TestScheduler(properties)) {
            scheduler.get().start();
            // What a node says after it.
            await().until(() -> log.messages(Level.INFO, ArchivePlugin.class)
                    .contains("Archiver usageArchiver: the tables are fit to be archived"));
            if (properties.containsKey("org.quartz.plugin.events.class")) {
                await().until(() -> log.messages(Level.INFO, ArchivePlugin.class)
                        .contains("Archiver events: the tables are fit to be archived"));
            }
        }
        return log.messages(Level.WARN, ArchivePlugin.class);
    }
}
