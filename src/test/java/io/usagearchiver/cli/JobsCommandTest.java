package io.usagearchiver.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.usagearchiver.quartz.ArchiveJob;
import io.usagearchiver.testing.SampleConfig;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestScheduler;
import java.nio.file.Path;
import java.util.Properties;
import java.util.TimeZone;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quartz.CronScheduleBuilder;
import org.quartz.JobBuilder;
import org.quartz.SchedulerException;
import org.quartz.TriggerBuilder;

class JobsCommandTest {
    @TempDir
    private Path directory;

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    @Test
    void each_job_stands_on_a_line_with_its_settings_and_whether_it_has_a_plugin() throws Exception {
        store("usageArchiver", "usage-archiver", "13");
        store("old", "usage-archiver", "1");
        store("usage", "host", "12");
        store("odd", "usage-archiver", "0");

        CommandRun run = run();

        assertThat(run.err()).isEmpty();
        assertThat(run.exitCode()).isZero();
        assertThat(run.out()).isEqualTo("""
                JOB            TABLE                       DATA SOURCE  MONTHS  NEXT FIRING (UTC)  PLUGIN
                host.usage     public.model_usage_details  archive          12  2099-01-01 03:00   the host's own job
                odd            unknown                                          2099-01-01 03:00   not in FILE: --remove odd
                  job data retentionMonths = '0': must be a whole number from 1 to 1200
                old            public.model_usage_details  archive           1  2099-01-01 03:00   not in FILE: --remove old
                usageArchiver  public.model_usage_details  archive          13  2099-01-01 03:00   in FILE
                """);
        assertThat(db.number("SELECT count(*) FROM qrtz_scheduler_state"))
                .as("nodes of the cluster")
                .isZero();
    }

    @Test
    void a_job_store_without_a_job_says_so() {
        assertThat(run().out()).isEqualTo("No archiver has a job in the job store.\n");
    }

    @Test
    void a_job_without_a_plugin_is_removed_with_its_triggers_and_nothing_else() throws Exception {
        store("usageArchiver", "usage-archiver", "13");
        store("old", "usage-archiver", "1");
        store("old", "host", "1");

        CommandRun run = run("--remove", "old");

        assertThat(run.out())
                .isEqualTo("Job old and its triggers are removed. A sweep of it that runs goes on to its end.\n");
        assertThat(run.exitCode()).isZero();
        assertThat(db.strings("SELECT job_group || '.' || job_name FROM qrtz_job_details ORDER BY 1"))
                .isEqualTo(db.strings("SELECT job_group || '.' || job_name FROM qrtz_triggers ORDER BY 1"))
                .containsExactly("host.old", "usage-archiver.usageArchiver");
    }

    @Test
    void a_file_whose_plugin_was_removed_still_serves() throws Exception {
        store("usageArchiver", "usage-archiver", "13");
        String file = ConfigFiles.write(directory, db, "org.quartz.plugin.usageArchiver.class = host.Plugin");

        assertThat(CommandRun.of("jobs", "--config", file).out()).contains("not in FILE: --remove usageArchiver\n");
        assertThat(CommandRun.of("jobs", "--config", file, "--remove", "usageArchiver")
                        .exitCode())
                .isZero();
        assertThat(db.number("SELECT count(*) FROM qrtz_job_details")).isZero();
    }

    @Test
    void what_cannot_be_removed_is_refused() throws Exception {
        store("usageArchiver", "usage-archiver", "13");
        store("usage", "host", "13");

        assertRefused(run("--remove", "usageArchiver"), 2, "--remove usageArchiver: it has a plugin in FILE");
        for (String name : new String[] {"usage", "host.usage", "odl"}) {
            assertRefused(run("--remove", name), 2, "--remove " + name + ": there is no such job; 'jobs' lists them");
        }
        assertThat(db.number("SELECT count(*) FROM qrtz_job_details")).isEqualTo(2);
    }

    @Test
    void a_job_store_that_is_in_no_database_or_does_not_answer_is_told() {
        assertRefused(
                CommandRun.of(
                        "jobs",
                        "--config",
                        ConfigFiles.write(directory, db, "org.quartz.jobStore.dataSource = nowhere")),
                2,
                "has no data source nowhere; it has [archive, quartz]");
        assertRefused(CommandRun.of("jobs", "--config", ConfigFiles.write(directory, null)), 1, "127.0.0.1:1 refused");
    }

    private CommandRun run(String... options) {
        String[] arguments = new String[3 + options.length];
        arguments[0] = "jobs";
        arguments[1] = "--config";
        arguments[2] = ConfigFiles.write(directory, db);
        System.arraycopy(options, 0, arguments, 3, options.length);
        return CommandRun.of(arguments);
    }

    private static void assertRefused(CommandRun run, int exitCode, String told) {
        assertThat(run.err()).contains(told).hasLineCount(1);
        assertThat(run.out()).isEmpty();
        assertThat(run.exitCode()).isEqualTo(exitCode);
    }

    private void store(String name, String group, String retentionMonths) throws SchedulerException {
        Properties properties = SampleConfig.of(db);
        properties.keySet().removeIf(key -> ((String) key).startsWith("org.quartz.plugin."));
        try (TestScheduler scheduler = new TestScheduler(properties)) {
            scheduler
                    .get()
                    .scheduleJob(
                            JobBuilder.newJob(ArchiveJob.class)
                                    .withIdentity(name, group)
                                    .usingJobData("dataSource", "archive")
                                    .usingJobData("retentionMonths", retentionMonths)
                                    .build(),
                            TriggerBuilder.newTrigger()
                                    .withIdentity(name, group)
                                    .withSchedule(CronScheduleBuilder.cronSchedule("0 0 3 1 1 ? 2099")
                                            .inTimeZone(TimeZone.getTimeZone("UTC")))
                                    .build());
        }
    }
}
