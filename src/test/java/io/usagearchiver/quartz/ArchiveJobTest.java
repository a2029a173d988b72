package io.usagearchiver.quartz;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Level;
import io.usagearchiver.StopReason;
import io.usagearchiver.SweepResult;
import io.usagearchiver.TicksPair;
import io.usagearchiver.testing.CapturedLog;
import io.usagearchiver.testing.SampleConfig;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestScheduler;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.quartz.JobBuilder;
import org.quartz.JobDataMap;
import org.quartz.JobExecutionContext;
import org.quartz.JobExecutionException;
import org.quartz.JobKey;
import org.quartz.Scheduler;
import org.quartz.SchedulerException;
import org.quartz.SimpleScheduleBuilder;
import org.quartz.Trigger;
import org.quartz.TriggerBuilder;
import org.quartz.TriggerKey;
import org.quartz.core.JobRunShell;
import org.quartz.listeners.JobListenerSupport;

class ArchiveJobTest {
    private static final JobKey JOB = new JobKey("archive", "host");

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    @AutoClose
    private final CapturedLog log = new CapturedLog();

    private final List<Execution> executions = new CopyOnWriteArrayList<>();

    @AutoClose
    private final TestScheduler started = new TestScheduler(withoutPlugin(SampleConfig.of(db)));

    private final Scheduler scheduler = started.get();

    ArchiveJobTest() throws SchedulerException {}

    @BeforeEach
    void start() throws SchedulerException {
        scheduler.getListenerManager().addJobListener(new JobListenerSupport() {
            @Override
            public String getName() {
                return "executions";
            }

            @Override
            public void jobWasExecuted(JobExecutionContext context, JobExecutionException fault) {
                executions.add(new Execution((SweepResult) context.getResult(), fault));
            }
        });
        scheduler.addJob(
                JobBuilder.newJob(ArchiveJob.class)
                        .withIdentity(JOB)
                        .usingJobData("dataSource", "archive")
                        .usingJobData("batchSize", "10")
                        .storeDurably()
                        .build(),
                true);
        scheduler.start();
    }

    @Test
    void the_result_of_the_sweep_is_the_result_of_the_execution() throws Exception {
        insertExpired(25);
        fire(Map.of("batchSize", "20"));

        Execution execution = awaitExecution();
        assertThat(execution.fault()).isNull();
        SweepResult result = execution.result();
        assertThat(result.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(result.rowsMoved()).isEqualTo(25);
        assertThat(result.batches()).isEqualTo(2);
        assertThat(db.strings("select node from usage_archive_sweep where sweep_id = " + result.sweepId()))
                .containsExactly(scheduler.getSchedulerInstanceId());
        assertThat(log.messages(Level.ERROR)).isEmpty();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '"', textBlock = """
            batchSize       | 0         | "job data batchSize of archive = '0': must be a whole number from 1 to 50000"
            retentionMonths | ""        | "job data retentionMonths of archive = '': must be a whole number from 1 to 1200"
            lockTimeout     | soon      | "job data lockTimeout of archive = 'soon': must be a duration"
            dataSource      | ""        | "job data dataSource of archive = '': must be the name of a data source"
            dataSource      | nowhere   | "There is no DataSource named 'nowhere'"
            retentionMonth  | 120       | "job data retentionMonth of archive: there is no such setting; did you mean retentionMonths?"
            retentionmonths | 120       | "job data retentionmonths of archive: there is no such setting; did you mean retentionMonths?"
            colour          | red       | "job data colour of archive: there is no such setting; there are dataSource, pair, hotTable, archiveTable, "
            listeners       | any.Class | "job data listeners of archive: there is no such setting"
            """)
    void bad_job_data_fail_the_execution(String name, String value, String message) throws Exception {
        insertExpired(1);
        fire(Map.of(name, value));

        assertFailedOnce(message);
        assertThat(db.number("select count(*) from model_usage_details")).isEqualTo(1);
        assertThat(db.number("select count(*) from usage_archive_sweep")).isZero();
    }

    @Test
    void a_failure_neither_unschedules_the_job_nor_runs_it_again_at_once() throws Exception {
        db.execute("DROP TABLE usage_archive_sweep CASCADE");
        TriggerKey hourly = new TriggerKey("hourly", "host");
        scheduler.scheduleJob(TriggerBuilder.newTrigger()
                .withIdentity(hourly)
                .forJob(JOB)
                .withSchedule(SimpleScheduleBuilder.repeatHourlyForever())
                .build());

        assertFailedOnce("apply sql/02-ledger.sql");
        // Another firing of a job that must not run concurrently comes after what the first one left to do.
        fire(Map.of("batchSize", "0"));
        await().until(() -> executions.size() == 2);
        assertThat(executions.get(1).fault()).hasMessageContaining("batchSize");
        await("the job store has heard of the end")
                .until(() -> scheduler.getTriggerState(hourly) == Trigger.TriggerState.NORMAL);
        assertThat(scheduler.getTrigger(hourly).getNextFireTime()).isInTheFuture();
        assertThat(db.number("select times_triggered from qrtz_simple_triggers"))
                .isEqualTo(1);
    }

    @Test
    void an_interrupt_lets_the_batch_commit_and_ends_the_sweep() throws Exception {
        insertExpired(20_000);
        db.slowBatches(Duration.ofMillis(50));
        fire(Map.of());
        await().until(() -> db.number("select coalesce(sum(batches), 0) from usage_archive_sweep") > 0);

        assertThat(scheduler.interrupt(JOB)).isTrue();

        Execution execution = awaitExecution();
        assertThat(execution.fault()).isNull();
        assertThat(execution.result().stopReason()).isEqualTo(StopReason.INTERRUPTED);
        assertThat(execution.result().rowsMoved())
                .isEqualTo(db.number("select count(*) from model_usage_details_archive"))
                .isEqualTo(20_000 - db.number("select count(*) from model_usage_details"))
                .isEqualTo(10 * execution.result().batches());
        assertThat(log.messages(Level.ERROR)).isEmpty();
    }

    @Test
    void what_quartz_adds_where_it_runs_the_job_of_a_dead_node_again_is_no_setting() throws Exception {
        insertExpired(1);
        fire(Map.of(
                Scheduler.FAILED_JOB_ORIGINAL_TRIGGER_NAME, "t",
                Scheduler.FAILED_JOB_ORIGINAL_TRIGGER_GROUP, "g",
                Scheduler.FAILED_JOB_ORIGINAL_TRIGGER_FIRETIME_IN_MILLISECONDS, "1",
                Scheduler.FAILED_JOB_ORIGINAL_TRIGGER_SCHEDULED_FIRETIME_IN_MILLISECONDS, "1"));

        assertThat(awaitExecution().result().rowsMoved()).isEqualTo(1);
    }

    /** Without the property {@code interruptJobsOnShutdownWithWait}, and without a plugin. */
    @Test
    void a_shutdown_that_waits_for_jobs_does_not_wait_for_the_whole_sweep() throws Exception {
        insertExpired(20_000);
        db.slowBatches(Duration.ofMillis(50));
        fire(Map.of());
        await().until(() -> db.number("select coalesce(sum(batches), 0) from usage_archive_sweep") > 0);

        scheduler.shutdown(true);

        SweepResult result = awaitExecution().result();
        assertThat(result.stopReason()).isEqualTo(StopReason.INTERRUPTED);
        assertThat(result.rowsMoved())
                .isEqualTo(db.number("select count(*) from model_usage_details_archive"))
                .isLessThan(20_000);
    }

    @Test
    void a_sweep_that_begins_when_the_shutdown_has_begun_ends_at_once() throws Exception {
        insertExpired(10);
        SchedulerNode.of(scheduler).schedulerShuttingdown();

        fire(Map.of());

        assertThat(awaitExecution().result().stopReason()).isEqualTo(StopReason.INTERRUPTED);
        assertThat(db.number("select count(*) from model_usage_details")).isEqualTo(10);
    }

    @Test
    void coming_partitions_are_made_before_a_sweep_where_the_role_may() throws Exception {
        db.execute(TicksPair.table("timestamp") + "; INSERT INTO ticks VALUES (1, now() - interval '14 months');"
                + " CREATE TABLE ticks_archive (LIKE ticks INCLUDING ALL) PARTITION BY RANGE (at);"
                + " GRANT SELECT ON ticks TO " + TestDatabase.ARCHIVER);
        Map<String, String> data = Map.of("pair", TicksPair.class.getName(), "createPartitions", "true");
        String partitions = "select count(*) from pg_inherits where inhparent = 'ticks_archive'::regclass";

        fire(data);
        awaitExecution();
        assertThat(log.messages(Level.ERROR))
                .anyMatch(line -> line.contains(
                        "archive: createPartitions: archive public.ticks_archive lacks the partition of "));
        assertThat(db.number(partitions)).isZero();

        db.execute("ALTER TABLE ticks_archive OWNER TO " + TestDatabase.ARCHIVER + "; GRANT CREATE ON SCHEMA public TO "
                + TestDatabase.ARCHIVER);
        fire(data);
        await().until(() -> executions.size() == 2);
        assertThat(db.number(partitions)).isEqualTo(5);
    }

    @Test
    void where_there_are_no_partitions_to_make_a_sweep_goes_on_with_a_warning() throws Exception {
        insertExpired(3);
        fire(Map.of("createPartitions", "true"));

        assertThat(awaitExecution().result().rowsMoved()).isEqualTo(3);
        assertThat(log.messages(Level.WARN))
                .contains("io.usagearchiver.quartz.ArchiveJob: archive: createPartitions has nothing to do: archive"
                        + " public.model_usage_details_archive is not"
                        + " partitioned");
    }

    /** Logged by the job itself: Quartz tells of such an exception at INFO only. */
    private void assertFailedOnce(String message) {
        Execution execution = awaitExecution();
        assertThat(execution.result()).isNull();
        assertThat(execution.fault()).hasMessageContaining(message).satisfies(fault -> {
            assertThat(fault.refireImmediately()).isFalse();
            assertThat(fault.unscheduleFiringTrigger()).isFalse();
            assertThat(fault.unscheduleAllTriggers()).isFalse();
        });
        assertThat(log.messages(Level.ERROR))
                .singleElement()
                .satisfies(error -> assertThat(error)
                        .startsWith(ArchiveJob.class.getName() + ": archive: ")
                        .contains(message));
        assertThat(log.messages(Level.ERROR, JobRunShell.class)).isEmpty();
    }

    private Execution awaitExecution() {
        await().until(() -> executions.size() == 1);
        return executions.get(0);
    }

    private void fire(Map<String, ?> data) throws SchedulerException {
        scheduler.triggerJob(JOB, new JobDataMap(data));
    }

    private void insertExpired(int rows) {
        db.insertUsage(
                "SELECT i, timestamp '2020-01-01', timestamp '2020-01-01' FROM generate_series(1, " + rows + ") i");
    }

    private static Properties withoutPlugin(Properties properties) {
        properties.keySet().removeIf(name -> ((String) name).startsWith("org.quartz.plugin."));
        // So that a test can store what is not text.
        properties.setProperty("org.quartz.jobStore.useProperties", "false");
        return properties;
    }

    @Test
    void job_data_that_are_not_text_fail_the_execution() throws Exception {
        fire(Map.of("batchSize", 5));

        assertFailedOnce("job data batchSize = 5: must be a string");
    }

    private record Execution(
            @Nullable SweepResult result, @Nullable JobExecutionException fault) {}
}
