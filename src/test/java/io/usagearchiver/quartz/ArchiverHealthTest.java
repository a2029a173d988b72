package io.usagearchiver.quartz;

import static io.usagearchiver.testing.SampleConfig.archiver;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Level;
import io.usagearchiver.Health;
import io.usagearchiver.SweepListener;
import io.usagearchiver.testing.CapturedLog;
import io.usagearchiver.testing.SampleConfig;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestScheduler;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.quartz.Scheduler;
import org.quartz.SchedulerException;
import org.quartz.TriggerKey;
import org.quartz.impl.jdbcjobstore.StdJDBCDelegate;
import org.quartz.impl.matchers.GroupMatcher;

/** A node stored the schedule and swept; then, by ledger and job store, 40 days pass. */
class ArchiverHealthTest {
    private static final TriggerKey CRON = new TriggerKey("usageArchiver.cron", "usage-archiver");
    private static final String LAST =
            "sweep 1 of public\\.model_usage_details on \\S+ ended DRAINED at \\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d UTC";
    private static final String OF_THE_FIRING =
            "no sweep has come of the firing at \\d{4}-\\d\\d-\\d\\d 03:00:00 UTC: ";

    private static final List<String> TABLES =
            List.of("qrtz_job_details", "qrtz_triggers", "qrtz_cron_triggers", "usage_archive_sweep");

    @AutoClose
    private static final TestDatabase DB = TestDatabase.create();

    @AutoClose
    private final CapturedLog log = new CapturedLog();

    private final Properties properties = SampleConfig.of(DB);

    /** What a node leaves behind that ran for a moment. */
    @BeforeAll
    static void store() throws SchedulerException {
        try (TestScheduler scheduler = new TestScheduler(SampleConfig.of(DB))) {
            scheduler.get().start();
            awaitStartup(1);
        }
        DB.execute("CREATE SCHEMA stored");
        TABLES.forEach(table -> DB.execute("CREATE TABLE stored." + table + " AS TABLE " + table));
    }

    @BeforeEach
    void restore() {
        DB.execute(
                "DELETE FROM qrtz_scheduler_state; DELETE FROM qrtz_fired_triggers; DELETE FROM qrtz_simple_triggers;"
                        + " DELETE FROM qrtz_paused_trigger_grps; DELETE FROM qrtz_cron_triggers; DELETE FROM qrtz_triggers;"
                        + " DELETE FROM qrtz_job_details; DELETE FROM usage_archive_sweep");
        TABLES.forEach(table -> DB.execute("INSERT INTO " + table + " TABLE stored." + table));
    }

    @Test
    void a_paused_trigger_is_told_when_a_sweep_is_late_and_not_before() throws Exception {
        DB.execute("UPDATE qrtz_triggers SET trigger_state = 'PAUSED'");
        assertOk();

        fortyDaysPass();

        assertLate("trigger usage-archiver\\.usageArchiver\\.cron is PAUSED: resume it, or its group, or all");
    }

    @Test
    void a_trigger_in_error_is_told() throws Exception {
        fortyDaysPass();
        DB.execute("UPDATE qrtz_triggers SET trigger_state = 'ERROR'");

        assertLate("trigger usage-archiver\\.usageArchiver\\.cron is in ERROR: a node could not load its job, .*");
    }

    @ParameterizedTest
    @ValueSource(strings = {"ACQUIRED", "BLOCKED"})
    void a_trigger_that_is_stuck_is_told_with_who_holds_it(String state) throws Exception {
        fortyDaysPass();
        signIn(Instant.now());
        DB.execute("UPDATE qrtz_triggers SET trigger_state = '" + state + "',"
                + " next_fire_time = next_fire_time - 40 * 86400000::bigint");
        String stuck =
                "trigger usage-archiver\\.usageArchiver\\.cron is stuck, " + state + " since its firing was due, and ";

        assertLate(stuck + "no node holds it: scheduler\\.resumeTrigger frees it, .*");

        DB.execute("INSERT INTO qrtz_fired_triggers (sched_name, entry_id, trigger_name, trigger_group, instance_name,"
                + " fired_time, sched_time, priority, state, job_name, job_group) VALUES ('UsageArchiver', 'e', 'recover',"
                + " 'RECOVERING_JOBS', 'other', 0, 0, 5, 'EXECUTING', 'usageArchiver', 'usage-archiver')");
        assertLate(
                state.equals("ACQUIRED")
                        ? stuck + "held by node other: .*"
                        : "trigger usage-archiver\\.usageArchiver\\.cron is BLOCKED by a firing that node other holds and"
                                + " that has led to no sweep: restart node other, or wait: .*");

        DB.execute("UPDATE qrtz_triggers SET next_fire_time = next_fire_time + 80 * 86400000::bigint");
        assertThat(read().message())
                .contains(state.equals("BLOCKED") ? "restart node other" : "the schedule is in order");
    }

    @Test
    void a_trigger_that_no_node_takes_is_told() throws Exception {
        fortyDaysPass();
        signIn(Instant.now());
        DB.execute("UPDATE qrtz_triggers SET next_fire_time = next_fire_time - 40 * 86400000::bigint");

        assertLate("trigger usage-archiver\\.usageArchiver\\.cron is due since \\S+Z, and no node takes it: .*");
    }

    @Test
    void a_cluster_without_a_live_node_is_told() throws Exception {
        fortyDaysPass();
        assertLate("scheduler UsageArchiver has no node: none has signed in");

        signIn(Instant.now().minus(Duration.ofHours(1)));
        assertLate("scheduler UsageArchiver has no live node: the last sign of one was that of other at \\S+Z");
    }

    @Test
    void where_the_schedule_is_in_order_the_log_is_what_to_look_at() throws Exception {
        fortyDaysPass();
        signIn(Instant.now());

        assertLate("the schedule is in order, so the firing came to nothing: the log of the node that had it says why");
    }

    @Test
    void what_is_late_since_its_last_sweep_failed_says_both() throws Exception {
        fortyDaysPass();
        DB.execute("UPDATE usage_archive_sweep SET state = 'FAILED', message = 'why'");

        Health health = read();
        assertThat(health.status()).isEqualTo(Health.Status.LAST_SWEEP_FAILED);
        assertThat(health.message()).contains(": why\n  - no sweep has come of the firing at ");
    }

    @Test
    void a_schedule_that_never_led_to_a_sweep_is_late_from_its_first_firing_on() throws Exception {
        DB.execute("DELETE FROM usage_archive_sweep");
        assertOk();

        fortyDaysPass();

        assertThat(read().message()).matches(OF_THE_FIRING + ".*; no sweep of public\\.model_usage_details yet");
        assertThat(read().status()).isEqualTo(Health.Status.LATE);
    }

    @Test
    void a_sweep_of_another_node_or_by_hand_counts_and_one_that_the_run_window_refused_does_not() throws Exception {
        fortyDaysPass();
        insertSweep("OUTSIDE_WINDOW");
        assertThat(read().status()).isEqualTo(Health.Status.LATE);

        insertSweep("BUSY");
        assertOk();
    }

    @Test
    void a_schedule_without_a_firing_in_the_run_window_is_late_at_once() throws Exception {
        // This node's own does not count: any node fires by what is stored.
        properties.setProperty(archiver("runWindow"), "22:00-02:00");
        assertOk();
        DB.execute(
                "UPDATE qrtz_job_details SET job_data = job_data || convert_to(E'runWindow=22:00-02:00\\n', 'LATIN1')");

        Health health = read();
        assertThat(health.status()).isEqualTo(Health.Status.LATE);
        assertThat(health.message()).startsWith("no firing of its schedule is in runWindow 22:00-02:00; ");
    }

    @Test
    void a_cron_that_is_over_makes_nothing_late() throws Exception {
        properties.setProperty(archiver("cron"), "0 0 3 1 1 ? 2020");
        try (TestScheduler scheduler = started()) {
            awaitStartup(2);
            fortyDaysPass();

            Health health = later(scheduler.get());
            assertThat(health.status()).isEqualTo(Health.Status.OK);
            assertThat(health.nextFiring()).isNull();
        }
    }

    @Test
    void a_node_that_has_just_started_is_not_late_and_a_trigger_that_is_gone_is_told_after_that() throws Exception {
        properties.setProperty(archiver("cron"), "* * * * *");
        try (TestScheduler scheduler = started()) {
            awaitStartup(2);
            scheduler.get().unscheduleJob(CRON);
            await().until(() -> DB.number("SELECT count(*) FROM usage_archive_sweep WHERE state = 'RUNNING'") == 0);
            fortyDaysPass();
            NodeHealth health = SchedulerNode.of(scheduler.get()).health("usageArchiver");

            assertThat(health.read(scheduler.get(), Clock.systemUTC()).ok()).isTrue();
            Health late = later(scheduler.get());
            assertThat(late.status()).isEqualTo(Health.Status.LATE);
            assertThat(late.message())
                    .contains("trigger usage-archiver.usageArchiver.cron is not in the job store; each start of a node"
                            + " stores it; sweep ");
        }
    }

    @Test
    void a_job_store_with_a_wrong_delegate_is_told_at_once() throws Exception {
        // As it has never stored a trigger.
        DB.execute("DELETE FROM qrtz_cron_triggers; DELETE FROM qrtz_triggers");
        properties.setProperty("org.quartz.jobStore.driverDelegateClass", StdJDBCDelegate.class.getName());
        try (TestScheduler scheduler = started()) {
            await().untilAsserted(() -> {
                Health health = ArchiverHealth.read(scheduler.get(), "usageArchiver");
                assertThat(health.status()).isEqualTo(Health.Status.NO_ANSWER);
                assertThat(health.message())
                        .startsWith("the job store cannot be read, and fires nothing then:"
                                + " org.quartz.jobStore.driverDelegateClass is"
                                + " org.quartz.impl.jdbcjobstore.StdJDBCDelegate, and has to be"
                                + " org.quartz.impl.jdbcjobstore.PostgreSQLDelegate on PostgreSQL; sweep 1 of ");
            });
        }
    }

    @Test
    void a_job_store_that_cannot_be_read_is_told_with_its_fault() throws Exception {
        DB.execute("REVOKE SELECT ON qrtz_triggers FROM " + TestDatabase.ARCHIVER);
        Health health = read();
        DB.execute("GRANT SELECT ON qrtz_triggers TO " + TestDatabase.ARCHIVER);

        assertThat(health.status()).isEqualTo(Health.Status.NO_ANSWER);
        assertThat(health.message())
                .startsWith("the job store cannot be read, and fires nothing then: ")
                .contains("permission denied for table qrtz_triggers; sweep 1 of ");
    }

    @Test
    void a_job_store_of_a_single_node_that_is_not_started_is_told() throws Exception {
        properties.setProperty("org.quartz.jobStore.isClustered", "false");
        fortyDaysPass();

        assertLate("scheduler UsageArchiver is not started, or in standby");
    }

    @Test
    void listeners_and_the_log_hear_of_the_health_without_a_sweep() throws Exception {
        List<Health> heard = new CopyOnWriteArrayList<>();
        try (TestScheduler scheduler = new TestScheduler(properties)) {
            scheduler.get().pauseTriggers(GroupMatcher.triggerGroupEquals("usage-archiver"));
            DB.execute("UPDATE usage_archive_sweep SET state = 'RUNNING', finished_at = null,"
                    + " live_until = live_until - interval '1 day'");
            SweepListeners.add(scheduler.get(), "usageArchiver", new SweepListener() {
                @Override
                public void healthRead(String table, String archiver, Health health) {
                    throw new IllegalStateException("a listener");
                }
            });
            SweepListeners.add(scheduler.get(), "usageArchiver", new SweepListener() {
                @Override
                public void healthRead(String table, String archiver, Health health) {
                    assertThat(archiver).isEqualTo("usageArchiver");
                    assertThat(table).isEqualTo("public.model_usage_details");
                    heard.add(health);
                }
            });
            scheduler.get().start();
            await().until(() -> !heard.isEmpty());
        }
        assertThat(heard.get(0).status()).isEqualTo(Health.Status.NO_SIGN_OF_LIFE);
        assertThat(log.messages(Level.WARN, ArchivePlugin.class))
                .satisfiesExactly(
                        message -> assertThat(message)
                                .startsWith("Archiver usageArchiver: NO_SIGN_OF_LIFE: sweep 1 of"
                                        + " public.model_usage_details on "),
                        message -> assertThat(message)
                                .isEqualTo("Archiver usageArchiver: a sweep listener failed to hear of the health"));
    }

    @Test
    void an_archiver_that_the_scheduler_does_not_have_is_refused() throws Exception {
        try (TestScheduler scheduler = new TestScheduler(properties)) {
            assertThatThrownBy(() -> ArchiverHealth.read(scheduler.get(), "other"))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("scheduler UsageArchiver has no archiver other, but usageArchiver");
        }
    }

    private TestScheduler started() throws SchedulerException {
        TestScheduler scheduler = new TestScheduler(properties);
        scheduler.get().start();
        return scheduler;
    }

    private static void awaitStartup(long sweeps) {
        await().until(() -> DB.number("SELECT count(*) FROM usage_archive_sweep WHERE finished_at IS NOT NULL")
                        >= sweeps
                && DB.number("SELECT count(*) FROM qrtz_triggers WHERE trigger_name = 'usageArchiver.startup'") == 0);
    }

    private void fortyDaysPass() {
        DB.execute("UPDATE usage_archive_sweep SET started_at = started_at - interval '40 days',"
                + " finished_at = finished_at - interval '40 days';"
                + " UPDATE qrtz_triggers SET start_time = start_time - 41 * 86400000::bigint");
    }

    private void signIn(Instant moment) {
        DB.execute("INSERT INTO qrtz_scheduler_state VALUES ('UsageArchiver', 'other', " + moment.toEpochMilli()
                + ", 1000)");
    }

    private void insertSweep(String state) {
        String now = "timezone('UTC', now())";
        DB.execute(
                "INSERT INTO usage_archive_sweep (table_name, state, node, fired_by, cutoff, started_at, finished_at)"
                        + " VALUES ('public.model_usage_details', '" + state + "', 'n', 'f', '2025-01-01', " + now
                        + ", " + now
                        + ")");
    }

    /** What a scheduler says that is not started, and so changes nothing. */
    private Health read() throws SchedulerException {
        try (TestScheduler scheduler = new TestScheduler(properties)) {
            return ArchiverHealth.read(scheduler.get(), "usageArchiver");
        }
    }

    private static Health later(Scheduler scheduler) throws SchedulerException {
        return SchedulerNode.of(scheduler)
                .health("usageArchiver")
                .read(scheduler, Clock.offset(Clock.systemUTC(), NodeHealth.AFTER_START.plusMinutes(1)));
    }

    private void assertOk() throws SchedulerException {
        Health health = read();
        assertThat(health.status()).as(health.message()).isEqualTo(Health.Status.OK);
        assertThat(health.nextFiring()).isAfter(Instant.now());
    }

    private void assertLate(String why) throws SchedulerException {
        Health health = read();
        assertThat(health.message()).matches(OF_THE_FIRING + why + "; " + LAST);
        assertThat(health.status()).isEqualTo(Health.Status.LATE);
        assertThat(health.nextFiring()).isNotNull();
    }
}
