package io.usagearchiver.quartz;

import static org.assertj.core.api.Assertions.assertThat;

import io.usagearchiver.testing.SampleConfig;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestScheduler;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.quartz.CronScheduleBuilder;
import org.quartz.JobBuilder;
import org.quartz.JobKey;
import org.quartz.Scheduler;
import org.quartz.SchedulerException;
import org.quartz.SimpleScheduleBuilder;
import org.quartz.Trigger;
import org.quartz.TriggerBuilder;
import org.quartz.TriggerKey;
import org.quartz.jobs.NoOpJob;

/** The scheduler stands by, so that what is stored stays as it is. */
class ArchiveScheduleTest {
    private static final JobKey JOB = new JobKey("usageArchiver", "usage-archiver");
    private static final TriggerKey CRON = new TriggerKey("usageArchiver.cron", "usage-archiver");
    private static final TriggerKey STARTUP = new TriggerKey("usageArchiver.startup", "usage-archiver");

    /** A fire time that no new trigger has, in 2099. */
    private static final long FAR = 4_080_000_000_000L;

    @AutoClose
    private static final TestDatabase db = TestDatabase.create();

    @AutoClose
    private static TestScheduler standby;

    private static Scheduler scheduler;

    @BeforeAll
    static void makeScheduler() throws SchedulerException {
        standby = new TestScheduler(SampleConfig.of(db));
        scheduler = standby.get();
    }

    @BeforeEach
    void clear() throws SchedulerException {
        scheduler.clear();
    }

    @Test
    void the_job_is_durable_recovers_and_its_data_are_text() throws Exception {
        store(Map.of());

        assertThat(db.strings("select job_class_name || ' ' || is_durable || ' ' || is_nonconcurrent || ' '"
                        + " || requests_recovery from qrtz_job_details"))
                .containsExactly("io.usagearchiver.quartz.ArchiveJob true true true");
        assertThat(scheduler.getJobDetail(JOB).getJobDataMap())
                .containsEntry("dataSource", "archive")
                .allSatisfy((name, value) -> assertThat(value).isInstanceOf(String.class));
        assertThat(keys()).containsExactly(CRON.getName(), STARTUP.getName());
    }

    @Test
    void triggers_that_are_as_they_should_be_are_left_alone() throws Exception {
        store(Map.of());
        // What a new trigger would not have.
        db.execute("update qrtz_triggers set next_fire_time = " + FAR + ", prev_fire_time = 1, start_time = 1");
        List<String> before = triggerRows();

        store(Map.of("cron", " 0 3  * * * "));

        assertThat(triggerRows()).isEqualTo(before);
    }

    @Test
    void another_batch_size_changes_the_job_and_leaves_its_triggers_alone() throws Exception {
        store(Map.of());
        List<String> before = triggerRows();

        store(Map.of("batchSize", "77"));

        assertThat(scheduler.getJobDetail(JOB).getJobDataMap()).containsEntry("batchSize", "77");
        assertThat(triggerRows()).isEqualTo(before);
    }

    @Test
    void a_setting_that_is_gone_is_gone_from_the_job() throws Exception {
        store(Map.of("timeBudget", "1h"));
        store(Map.of());

        assertThat(scheduler.getJobDetail(JOB).getJobDataMap()).doesNotContainKey("timeBudget");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            update qrtz_cron_triggers set cron_expression = '0 0 4 * * ?'             | cron
            update qrtz_cron_triggers set time_zone_id = 'America/New_York'           | cron
            update qrtz_triggers set misfire_instr = 2 where trigger_type = 'CRON'    | cron
            update qrtz_triggers set misfire_instr = 2 where trigger_type = 'SIMPLE'  | startup
            """)
    void a_trigger_that_is_different_is_replaced(String damage, String trigger) throws Exception {
        store(Map.of());
        List<String> before = essence();
        db.execute(damage);
        assertThat(essence()).isNotEqualTo(before);
        db.execute("update qrtz_triggers set next_fire_time = 1");

        store(Map.of());

        assertThat(essence()).isEqualTo(before);
        assertThat(db.number("select next_fire_time from qrtz_triggers where trigger_name = 'usageArchiver." + trigger
                        + "'"))
                .isGreaterThan(1);
    }

    @Test
    void a_trigger_in_error_is_repaired_and_keeps_its_fire_time() throws Exception {
        store(Map.of());
        db.execute("update qrtz_triggers set next_fire_time = " + FAR);
        List<String> before = triggerRows();
        db.execute("update qrtz_triggers set trigger_state = 'ERROR'");

        store(Map.of());

        assertThat(triggerRows()).isEqualTo(before);
    }

    @Test
    void a_trigger_that_an_operator_paused_stays_paused() throws Exception {
        store(Map.of());
        scheduler.pauseTrigger(CRON);
        db.execute("update qrtz_triggers set next_fire_time = 1 where trigger_type = 'CRON'");

        store(Map.of());

        assertThat(scheduler.getTriggerState(CRON)).isEqualTo(Trigger.TriggerState.PAUSED);
    }

    @Test
    void a_changed_cron_expression_reschedules() throws Exception {
        store(Map.of());
        store(Map.of("cron", "30 2 * * 7"));

        assertThat(db.strings("select cron_expression || ' in ' || time_zone_id from qrtz_cron_triggers"))
                .containsExactly("0 30 2 ? * 1 * in UTC");
    }

    @Test
    void a_cron_that_has_fired_for_the_last_time_takes_the_trigger_of_the_one_before_along() throws Exception {
        store(Map.of("cron", "0 3 * * *"));

        store(Map.of("cron", "0 0 3 1 1 ? 2020"));

        assertThat(keys()).containsExactly(STARTUP.getName());
        assertThat(scheduler.getJobDetail(JOB).getJobDataMap()).containsEntry("cron", "0 0 3 1 1 ? 2020");
    }

    @Test
    void a_last_firing_that_every_node_missed_is_left_to_run() throws Exception {
        store(Map.of("cron", "0 0 3 1 1 ? 2098"));
        // As if the year had come and gone while all were down.
        db.execute("update qrtz_cron_triggers set cron_expression = '0 0 3 1 1 ? 2020'");
        db.execute("update qrtz_triggers set next_fire_time = 1577847600000 where trigger_type = 'CRON'");
        List<String> before = triggerRows();

        store(Map.of("cron", "0 0 3 1 1 ? 2020"));

        assertThat(triggerRows()).isEqualTo(before);
    }

    @ParameterizedTest
    @ValueSource(strings = {"usageArchiver.cron", "usageArchiver.startup"})
    void a_trigger_of_another_job_is_led_back(String name) throws Exception {
        store(Map.of());
        JobKey other = new JobKey("other", "host");
        scheduler.addJob(
                JobBuilder.newJob(NoOpJob.class)
                        .withIdentity(other)
                        .storeDurably()
                        .build(),
                true);
        db.execute(
                "update qrtz_triggers set job_name = 'other', job_group = 'host' where trigger_name = '" + name + "'");
        assertThat(scheduler.getTriggersOfJob(other)).hasSize(1);

        store(Map.of());

        assertThat(scheduler.getTriggersOfJob(other)).isEmpty();
        assertThat(scheduler.getTriggersOfJob(JOB)).hasSize(2);
    }

    @Test
    void a_trigger_of_another_type_is_replaced_and_leaves_no_row_behind() throws Exception {
        store(Map.of());
        List<String> before = essence();
        for (TriggerKey key : List.of(CRON, STARTUP)) {
            scheduler.unscheduleJob(key);
        }
        scheduler.scheduleJob(TriggerBuilder.newTrigger()
                .withIdentity(CRON)
                .forJob(JOB)
                .withSchedule(SimpleScheduleBuilder.repeatHourlyForever().withMisfireHandlingInstructionFireNow())
                .build());
        scheduler.scheduleJob(TriggerBuilder.newTrigger()
                .withIdentity(STARTUP)
                .forJob(JOB)
                .withSchedule(
                        CronScheduleBuilder.cronSchedule("0 0 4 * * ?").withMisfireHandlingInstructionFireAndProceed())
                .build());

        store(Map.of());

        assertThat(essence()).isEqualTo(before);
        assertThat(db.strings("select trigger_name from qrtz_simple_triggers")).containsExactly(STARTUP.getName());
        assertThat(db.strings("select trigger_name from qrtz_cron_triggers")).containsExactly(CRON.getName());
    }

    @Test
    void storing_at_the_same_moment_fails_nobody_and_leaves_one_of_each() throws Exception {
        int nodes = 4;
        ExecutorService threads = Executors.newFixedThreadPool(nodes);
        try {
            for (int round = 0; round < 5; round++) {
                CyclicBarrier together = new CyclicBarrier(nodes);
                Callable<Void> node = () -> {
                    together.await();
                    store(Map.of());
                    return null;
                };
                List<Callable<Void>> all = new ArrayList<>();
                for (int i = 0; i < nodes; i++) {
                    all.add(node);
                }
                for (Future<Void> stored : threads.invokeAll(all)) {
                    stored.get();
                }
                assertThat(keys()).containsExactly(CRON.getName(), STARTUP.getName());
                scheduler.deleteJob(JOB);
            }
        } finally {
            threads.shutdownNow();
        }
    }

    private void store(Map<String, String> settings) throws SchedulerException {
        store(scheduler, settings);
    }

    static void store(Scheduler scheduler, Map<String, String> settings) throws SchedulerException {
        Map<String, String> all = new HashMap<>(settings);
        all.putIfAbsent("dataSource", "archive");
        new ArchiveSchedule(scheduler, "usageArchiver", PluginSettings.parse(all, name -> name, variable -> null))
                .store();
    }

    private List<String> keys() {
        return db.strings("select trigger_name from qrtz_triggers order by trigger_name");
    }

    private List<String> triggerRows() {
        return db.strings(
                "select concat(t, c, s) from qrtz_triggers t left join qrtz_cron_triggers c using (trigger_name)"
                        + " left join qrtz_simple_triggers s using (trigger_name) order by trigger_name");
    }

    /** All that does not depend on when a trigger was made. */
    private List<String> essence() {
        return db.strings("select concat_ws(' ', trigger_name, trigger_type, trigger_state, misfire_instr, job_name,"
                + " cron_expression, time_zone_id, repeat_count, repeat_interval)"
                + " from qrtz_triggers left join qrtz_cron_triggers using (trigger_name)"
                + " left join qrtz_simple_triggers using (trigger_name) order by trigger_name");
    }
}
