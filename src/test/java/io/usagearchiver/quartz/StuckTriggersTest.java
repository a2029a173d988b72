package io.usagearchiver.quartz;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Level;
import io.usagearchiver.testing.CapturedLog;
import io.usagearchiver.testing.SampleConfig;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestScheduler;
import java.time.Duration;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.quartz.JobBuilder;
import org.quartz.JobExecutionContext;
import org.quartz.JobExecutionException;
import org.quartz.JobKey;
import org.quartz.Scheduler;
import org.quartz.SchedulerException;
import org.quartz.SimpleScheduleBuilder;
import org.quartz.Trigger;
import org.quartz.TriggerBuilder;
import org.quartz.TriggerKey;
import org.quartz.impl.SchedulerRepository;
import org.quartz.impl.jdbcjobstore.JobStoreCMT;
import org.quartz.jobs.NoOpJob;
import org.quartz.listeners.JobListenerSupport;
import org.quartz.listeners.TriggerListenerSupport;
import org.quartz.simpl.RAMJobStore;
import org.quartz.utils.DBConnectionManager;

/**
 * Two nodes are up, and stay so, while a trigger is in a state that a lost moment leaves. They look at the same time, as often
 * as a test says.
 */
class StuckTriggersTest {
    private static final JobKey JOB = new JobKey("usageArchiver", "usage-archiver");
    private static final TriggerKey CRON = new TriggerKey("usageArchiver.cron", "usage-archiver");
    private static final String IS_CRON = " trigger_name = 'usageArchiver.cron'";
    private static final Duration LATE = Duration.ofHours(2);

    /** The archivers' data source: whatever is made later of the same name is used by both nodes. */
    private static final String SHARED = "shared";

    private static TestDatabase db;
    private static TestScheduler one;
    private static TestScheduler two;
    private static ExecutorService threads;

    private final List<StuckTriggers> nodes = new ArrayList<>();

    @BeforeAll
    static void starts() throws SchedulerException {
        db = TestDatabase.create();
        threads = Executors.newFixedThreadPool(2);
        one = node(properties("one"));
        two = node(properties("two"));
        one.get().start();
        two.get().start();
        await("both have checked in").until(() -> db.number("SELECT count(*) FROM qrtz_scheduler_state") == 2);
    }

    @AfterAll
    static void stops() throws Exception {
        two.close();
        one.close();
        DBConnectionManager.getInstance().shutdown(SHARED);
        threads.shutdownNow();
        db.close();
    }

    /** The schedule is stored, and its daily firing is not near. */
    @BeforeEach
    void storesTheSchedule() throws SchedulerException {
        store(one.get());
        nodes.add(stuckTriggers(one.get()));
        nodes.add(stuckTriggers(two.get()));
    }

    @AfterEach
    void clears() throws SchedulerException {
        one.get().clear();
        db.execute("DROP TRIGGER IF EXISTS slow ON model_usage_details_archive; DROP FUNCTION IF EXISTS slow();"
                + " DELETE FROM qrtz_fired_triggers; DELETE FROM usage_archive_sweep");
    }

    @ParameterizedTest
    @CsvSource({"ACQUIRED, PT1S", "ACQUIRED, PT2H", "BLOCKED, PT1S", "BLOCKED, PT2H"})
    void a_trigger_without_a_record_of_who_has_it_fires_once(String state, Duration late) throws Exception {
        leave(state, late);

        looks(2);
        assertThat(cronState()).isEqualTo(state);

        looks(1);
        awaitOneSweep();
    }

    @Test
    void a_trigger_that_a_live_node_has_acquired_and_forgotten_fires_once() throws Exception {
        leave("ACQUIRED", LATE);
        record("ACQUIRED", "one", LATE);

        looks(2);
        assertThat(cronState()).isEqualTo("ACQUIRED");

        looks(1);
        awaitOneSweep();
        assertThat(records()).isEmpty();
    }

    @Test
    void a_trigger_that_a_node_has_acquired_for_a_moment_to_come_is_left_to_it() throws Exception {
        leave("ACQUIRED", Duration.ofMinutes(-1));
        record("ACQUIRED", "one", Duration.ofMinutes(-1));

        looks(5);

        assertThat(cronState()).isEqualTo("ACQUIRED");
        assertThat(records()).containsExactly("one ACQUIRED");
    }

    @Test
    void a_record_of_another_live_node_is_left_to_that_node() throws Exception {
        leave("BLOCKED", LATE);
        record("EXECUTING", "one", LATE);
        nodes.remove(0);

        looks(5);

        assertThat(cronState()).isEqualTo("BLOCKED");
        assertThat(records()).containsExactly("one EXECUTING");
    }

    @Test
    void a_firing_that_was_lost_before_it_began_runs_once() throws Exception {
        leave("BLOCKED", Duration.ofHours(-22));
        record("EXECUTING", "one", LATE);

        looks(2);
        assertThat(cronState()).isEqualTo("BLOCKED");

        looks(1);
        awaitOneSweep();
        assertThat(records()).isEmpty();
    }

    /** A task executor of the host, or a listener of it, can keep it waiting. */
    @Test
    void a_firing_of_this_node_that_has_not_begun_is_given_up_only_after_many_looks() throws Exception {
        leave("BLOCKED", Duration.ofHours(-22));
        record("EXECUTING", "one", LATE);
        nodes.clear();
        nodes.add(new StuckTriggers(one.get(), JOB, SchedulerNode.of(one.get()).firings(), StuckTriggers.EVERY, 7));

        looks(6);
        assertThat(records()).containsExactly("one EXECUTING");

        looks(1);
        awaitOneSweep();
        assertThat(records()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"ACQUIRED", "EXECUTING"})
    void what_a_node_has_that_is_not_in_the_cluster_fires_once(String state) throws Exception {
        leave(state.equals("ACQUIRED") ? state : "BLOCKED", LATE);
        record(state, "gone", LATE);

        looks(2);
        assertThat(records()).containsExactly("gone " + state);

        looks(1);
        awaitOneSweep();
        assertThat(records()).isEmpty();
    }

    /** Quartz does not run a job whose listeners throw, and forgets about it. */
    @Test
    void a_firing_that_a_listener_of_the_host_kept_from_running_runs_once() throws Exception {
        List<String> fired = onBoth(new Thrower(true));
        leave("WAITING", Duration.ofSeconds(-1));
        await("Quartz gives the firing up").until(() -> !fired.isEmpty());
        removeListeners();
        assertThat(cronState()).isEqualTo("BLOCKED");

        looks(3);

        awaitOneSweep();
        assertThat(records()).isEmpty();
    }

    /** Quartz does not store the end of a job whose listeners throw. */
    @Test
    void a_firing_whose_end_was_not_stored_is_not_run_again() throws Exception {
        List<String> ended = onBoth(new Thrower(false));
        leave("WAITING", Duration.ofSeconds(-1));
        await("the sweep has ended").until(() -> !ended.isEmpty());
        removeListeners();
        assertThat(cronState()).isEqualTo("BLOCKED");
        assertThat(records()).hasSize(1);

        try (CapturedLog log = new CapturedLog()) {
            looks(3);

            assertThat(log.messages(Level.WARN, ArchivePlugin.class))
                    .singleElement()
                    .asString()
                    .matches("Trigger usage-archiver.usageArchiver.cron of \\S+Z was EXECUTING on node (one|two),"
                            + " where it has ended: its job fires again");
        }
        awaitOneSweep();
        assertThat(records()).isEmpty();
        leave("WAITING", Duration.ofSeconds(-1));
        awaitSweeps(2);
    }

    @Test
    void a_startup_trigger_whose_end_was_not_stored_does_not_keep_the_next_start_from_sweeping() throws Exception {
        leave("WAITING", Duration.ofHours(-22));
        List<String> ended = onBoth(new Thrower(false));
        store(one.get());
        await("the sweep has ended").until(() -> !ended.isEmpty());
        removeListeners();

        looks(3);

        assertThat(db.strings("SELECT trigger_name FROM qrtz_triggers")).containsExactly("usageArchiver.cron");
        assertThat(records()).isEmpty();
    }

    @Test
    void a_trigger_that_is_over_without_a_record_is_removed() throws Exception {
        leave("COMPLETE", LATE);
        db.execute("UPDATE qrtz_triggers SET next_fire_time = -1");

        looks(3);

        assertThat(db.strings("SELECT trigger_name FROM qrtz_triggers")).isEmpty();
    }

    @Test
    void a_sweep_that_runs_for_long_is_left_alone() throws Exception {
        db.slowBatches(Duration.ofMillis(200));
        db.insertUsage("SELECT i, timestamp '2020-01-01', timestamp '2020-01-01' FROM generate_series(1, 100) i");
        db.execute("UPDATE qrtz_job_details SET job_data = convert_to(replace(convert_from(job_data, 'LATIN1'),"
                + " 'batchSize=1000', 'batchSize=1'), 'LATIN1')");
        leave("WAITING", Duration.ofSeconds(-1));
        String running = "SELECT count(*) FROM usage_archive_sweep WHERE state = 'RUNNING'";
        await("the sweep runs").until(() -> db.number(running) == 1);
        db.execute("UPDATE qrtz_triggers SET next_fire_time = " + millis(LATE));

        looks(5);

        assertThat(cronState()).isEqualTo("BLOCKED");
        assertThat(records()).singleElement().asString().endsWith("EXECUTING");
        assertThat(db.number(running)).isEqualTo(1);
        one.get().interrupt(JOB);
        two.get().interrupt(JOB);
        await().until(() -> records().isEmpty());
        db.execute("DELETE FROM model_usage_details");
    }

    @Test
    void what_an_operator_paused_stays_paused_and_loses_no_firing() throws Exception {
        leave("PAUSED_BLOCKED", Duration.ofHours(-22));
        record("EXECUTING", "one", LATE);

        looks(3);
        assertThat(cronState()).isEqualTo("PAUSED");
        assertThat(records()).isEmpty();
        assertThat(sweeps()).isZero();

        one.get().resumeTrigger(CRON);
        awaitOneSweep();
    }

    @Test
    void a_trigger_that_is_paused_and_blocked_without_a_record_is_paused_only() throws Exception {
        leave("PAUSED_BLOCKED", LATE);

        looks(3);

        assertThat(cronState()).isEqualTo("PAUSED");
        assertThat(sweeps()).isZero();
    }

    @ParameterizedTest
    @ValueSource(strings = {"PAUSED", "ERROR"})
    void other_states_are_left_alone(String state) throws Exception {
        leave(state, LATE);

        looks(5);

        assertThat(cronState()).isEqualTo(state);
    }

    @Test
    void triggers_of_the_hosts_own_jobs_are_left_alone() throws Exception {
        for (String state : List.of("ACQUIRED", "BLOCKED", "PAUSED_BLOCKED")) {
            one.get()
                    .scheduleJob(
                            JobBuilder.newJob(NoOpJob.class)
                                    .withIdentity(state, "host")
                                    .build(),
                            TriggerBuilder.newTrigger()
                                    .withIdentity(state, "host")
                                    .startAt(java.util.Date.from(
                                            java.time.Instant.now().plusSeconds(3_600)))
                                    .withSchedule(SimpleScheduleBuilder.repeatHourlyForever())
                                    .build());
            db.execute("UPDATE qrtz_triggers SET trigger_state = '" + state + "', next_fire_time = " + millis(LATE)
                    + " WHERE trigger_name = '" + state + "'");
        }
        leave("ACQUIRED", LATE);
        db.execute(
                "INSERT INTO qrtz_fired_triggers VALUES ('UsageArchiver', 'host', 'BLOCKED', 'host', 'gone', 1, 1, 5,"
                        + " 'EXECUTING', 'BLOCKED', 'host', true, true)");

        looks(3);

        awaitOneSweep();
        assertThat(db.strings(
                        "SELECT trigger_name || ' ' || trigger_state FROM qrtz_triggers WHERE trigger_group = 'host'"
                                + " ORDER BY 1"))
                .containsExactly("ACQUIRED ACQUIRED", "BLOCKED BLOCKED", "PAUSED_BLOCKED PAUSED_BLOCKED");
        assertThat(records()).containsExactly("gone EXECUTING");
    }

    /** As a thread pool of the host can have it. */
    @Test
    void a_firing_that_was_given_up_does_not_begin_later() {
        Firings firings = new Firings();
        assertThat(firings.giveUp("late")).isTrue();
        assertThat(firings.begin("late")).isFalse();
        assertThat(firings.begin("early")).isTrue();
        assertThat(firings.giveUp("early")).isFalse();
        firings.end("early");
        assertThat(firings.giveUp("early")).isFalse();
    }

    /** The change writes the trigger twice; the fault hits each of them once. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void a_fault_of_the_database_while_it_is_freed_changes_nothing(int write) throws Exception {
        leave("BLOCKED", Duration.ofHours(-22));
        record("EXECUTING", "one", LATE);
        db.execute("CREATE SEQUENCE writes; GRANT ALL ON SEQUENCE writes TO public;"
                + " CREATE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF nextval('writes') = "
                + write
                + " THEN RAISE EXCEPTION 'a fault' USING ERRCODE = '40001'; END IF; RETURN new; END $$;"
                + " CREATE TRIGGER fault BEFORE UPDATE ON qrtz_triggers FOR EACH ROW EXECUTE FUNCTION fault()");
        try {
            looks(2);
            assertThatThrownBy(() -> looks(1)).hasMessageContaining("a fault");
            assertThat(cronState()).isEqualTo("BLOCKED");
            assertThat(records()).containsExactly("one EXECUTING");

            looks(1);
            awaitOneSweep();
        } finally {
            db.execute("DROP FUNCTION fault() CASCADE; DROP SEQUENCE writes");
        }
    }

    /** Where a firing is due, a starting node looks after that first; it must not do so for good. */
    @Test
    void a_node_looks_by_itself_as_long_as_it_is_up() throws Exception {
        SchedulerNode node = SchedulerNode.of(one.get());
        PluginSettings settings = PluginSettings.parse(Map.of("dataSource", SHARED), name -> name, variable -> null);
        node.add("usageArchiver", settings);
        record("EXECUTING", "one", Duration.ZERO);
        db.execute("UPDATE qrtz_cron_triggers SET cron_expression = '0 0 3 * * ?'; UPDATE qrtz_triggers"
                + " SET trigger_state = 'BLOCKED', next_fire_time = " + millis(LATE) + " WHERE" + IS_CRON);
        ScheduleKeeper keeper = new ScheduleKeeper("usageArchiver", one.get(), settings, node, Duration.ofMillis(50));
        keeper.start();
        try {
            awaitOneSweep();
            await().until(() -> records().isEmpty());
        } finally {
            keeper.shutdown();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"clustered", "alone"})
    void other_job_stores_are_looked_after_likewise(String kind) throws Exception {
        try (TestDatabase other = TestDatabase.create()) {
            Properties properties = SampleConfig.of(other);
            properties.setProperty("org.quartz.scheduler.instanceName", "Other");
            properties.setProperty("org.quartz.scheduler.idleWaitTime", "1000");
            properties.setProperty("org.quartz.jobStore.misfireThreshold", "2000");
            properties.keySet().removeIf(name -> name.toString().startsWith("org.quartz.plugin."));
            rename(properties, "quartz", "otherQuartz");
            properties.setProperty("org.quartz.jobStore.dataSource", "otherQuartz");
            boolean clustered = kind.equals("clustered");
            String triggers = clustered ? "jobs_triggers" : "qrtz_triggers";
            if (clustered) {
                properties.setProperty("org.quartz.jobStore.tablePrefix", "JOBS_");
                other.execute("DO $$ DECLARE t text; BEGIN FOR t IN SELECT relname FROM pg_class WHERE relkind = 'r'"
                        + " AND relname LIKE 'qrtz\\_%' LOOP EXECUTE format('ALTER TABLE %I RENAME TO %I', t,"
                        + " replace(t, 'qrtz_', 'jobs_')); END LOOP; END $$");
                properties.setProperty(
                        "org.quartz.jobStore.selectWithLockSQL",
                        "SELECT * FROM {0}LOCKS WHERE SCHED_NAME = {1} AND LOCK_NAME = ? FOR NO KEY UPDATE");
            } else {
                properties.setProperty("org.quartz.jobStore.isClustered", "false");
                properties.setProperty("org.quartz.jobStore.class", JobStoreCMT.class.getName());
                properties.setProperty("org.quartz.jobStore.nonManagedTXDataSource", "otherQuartz");
                properties.setProperty("org.quartz.jobStore.dontSetAutoCommitFalse", "true");
            }
            try (TestScheduler node = new TestScheduler(properties)) {
                node.get().start();
                ArchiveScheduleTest.store(node.get(), Map.of("cron", "0 0 1 1 *"));
                String finished = "SELECT count(*) FROM usage_archive_sweep WHERE state = 'DRAINED' AND fired_by = ";
                await().until(() -> other.number(finished + "'usageArchiver.startup'") == 1);
                StuckTriggers stuck = stuckTriggers(node.get());
                other.execute("UPDATE " + triggers + " SET trigger_state = 'ACQUIRED', next_fire_time = " + millis(LATE)
                        + " WHERE" + IS_CRON);

                stuck.look();
                stuck.look();
                stuck.look();

                await().until(() -> other.number(finished + "'usageArchiver.cron'") == 1);
            }
        }
    }

    @Test
    void a_job_store_without_tables_has_nothing_to_look_at() throws Exception {
        Properties properties = new Properties();
        properties.setProperty("org.quartz.scheduler.instanceName", "Ram");
        properties.setProperty("org.quartz.jobStore.class", RAMJobStore.class.getName());
        properties.setProperty("org.quartz.threadPool.threadCount", "1");
        try (TestScheduler ram = new TestScheduler(properties);
                CapturedLog log = new CapturedLog()) {
            stuckTriggers(ram.get()).look();

            assertThat(log.messages(Level.WARN, ArchivePlugin.class)).isEmpty();
        }
    }

    private static Properties properties(String id) {
        Properties properties = SampleConfig.of(db);
        properties.setProperty("org.quartz.scheduler.instanceId", id);
        properties.setProperty("org.quartz.scheduler.idleWaitTime", "1000");
        // Quartz looks for missed firings as often.
        properties.setProperty("org.quartz.jobStore.misfireThreshold", "2000");
        properties.keySet().removeIf(name -> name.toString().startsWith("org.quartz.plugin."));
        return properties;
    }

    /** A second one in this JVM: Quartz knows schedulers and data sources by name. */
    private static TestScheduler node(Properties properties) throws SchedulerException {
        String dataSource = "quartz-" + properties.getProperty("org.quartz.scheduler.instanceId");
        rename(properties, SampleConfig.QUARTZ_DATA_SOURCE, dataSource);
        rename(properties, SampleConfig.ARCHIVE_DATA_SOURCE, SHARED);
        properties.setProperty("org.quartz.jobStore.dataSource", dataSource);
        TestScheduler node = new TestScheduler(properties);
        SchedulerRepository.getInstance().remove(node.get().getSchedulerName());
        return node;
    }

    private static void rename(Properties properties, String from, String to) {
        String prefix = "org.quartz.dataSource." + from + ".";
        for (String name : properties.stringPropertyNames()) {
            if (name.startsWith(prefix)) {
                properties.setProperty("org.quartz.dataSource." + to + "." + name.substring(prefix.length()), (String)
                        properties.remove(name));
            }
        }
    }

    private static StuckTriggers stuckTriggers(Scheduler scheduler) throws SchedulerException {
        return new StuckTriggers(
                scheduler, JOB, SchedulerNode.of(scheduler).firings(), StuckTriggers.EVERY, StuckTriggers.LOOKS);
    }

    /** By a listener that throws, the startup trigger may stay. */
    private static void store(Scheduler scheduler) throws SchedulerException {
        long before = db.number("SELECT count(*) FROM usage_archive_sweep WHERE fired_by = 'usageArchiver.startup'");
        ArchiveScheduleTest.store(scheduler, Map.of("cron", dailyAt(now().plusHours(6)), "dataSource", SHARED));
        await("the startup sweep has run")
                .until(() -> db.number("SELECT count(*) FROM usage_archive_sweep WHERE state = 'DRAINED'"
                                + " AND fired_by = 'usageArchiver.startup'")
                        > before);
        if (one.get().getListenerManager().getJobListeners().isEmpty()) {
            await("it is over").until(() -> records().isEmpty());
        }
    }

    private void looks(int times) throws Exception {
        for (int i = 0; i < times; i++) {
            List<Future<?>> looks = new ArrayList<>();
            for (StuckTriggers node : nodes) {
                looks.add(threads.submit(() -> {
                    node.look();
                    return null;
                }));
            }
            for (Future<?> look : looks) {
                look.get();
            }
        }
    }

    /** Leaves the daily trigger in a state, with a firing that is late by so much. */
    private static void leave(String state, Duration late) {
        OffsetDateTime due = now().minus(late).truncatedTo(ChronoUnit.SECONDS);
        long millis = due.toInstant().toEpochMilli();
        db.execute("UPDATE qrtz_cron_triggers SET cron_expression = '" + dailyAt(due) + "'; UPDATE qrtz_triggers"
                + " SET trigger_state = '" + state + "', start_time = " + (millis - 3 * 86_400_000L)
                + ", prev_fire_time = " + (millis - 86_400_000L) + ", next_fire_time = " + millis + " WHERE" + IS_CRON);
    }

    private static void record(String state, String node, Duration late) {
        boolean executing = state.equals("EXECUTING");
        db.execute("INSERT INTO qrtz_fired_triggers VALUES ('UsageArchiver', '" + node + "1', 'usageArchiver.cron',"
                + " 'usage-archiver', '" + node + "', " + millis(late) + ", " + millis(late) + ", 5, '" + state + "', "
                + (executing ? "'usageArchiver', 'usage-archiver', true, true" : "null, null, false, false") + ")");
    }

    private static long millis(Duration late) {
        return now().minus(late).toInstant().toEpochMilli();
    }

    private static OffsetDateTime now() {
        return OffsetDateTime.now(ZoneOffset.UTC);
    }

    private static String dailyAt(OffsetDateTime time) {
        return time.getSecond() + " " + time.getMinute() + " " + time.getHour() + " * * ?";
    }

    private static String cronState() {
        return db.strings("SELECT trigger_state FROM qrtz_triggers WHERE" + IS_CRON)
                .get(0);
    }

    private static List<String> records() {
        return db.strings("SELECT instance_name || ' ' || state FROM qrtz_fired_triggers ORDER BY 1");
    }

    private static long sweeps() {
        return db.number("SELECT count(*) FROM usage_archive_sweep WHERE fired_by = 'usageArchiver.cron'");
    }

    private static void awaitSweeps(int count) {
        await("the trigger waits for its next day").untilAsserted(() -> {
            assertThat(sweeps()).isEqualTo(count);
            assertThat(cronState()).isEqualTo("WAITING");
            assertThat(db.number("SELECT next_fire_time FROM qrtz_triggers WHERE" + IS_CRON))
                    .isGreaterThan(System.currentTimeMillis());
        });
    }

    private static void awaitOneSweep() {
        awaitSweeps(1);
    }

    private static List<String> onBoth(Thrower thrower) throws SchedulerException {
        for (TestScheduler node : List.of(one, two)) {
            node.get().getListenerManager().addTriggerListener(thrower.onFiring);
            node.get().getListenerManager().addJobListener(thrower.onEnd);
        }
        return thrower.thrown;
    }

    private static void removeListeners() throws SchedulerException {
        for (TestScheduler node : List.of(one, two)) {
            node.get().getListenerManager().removeTriggerListener("thrower");
            node.get().getListenerManager().removeJobListener("thrower");
        }
    }

    /** Listeners of a host that throw once, before the job runs or after it. */
    private static final class Thrower {
        private final List<String> thrown = new CopyOnWriteArrayList<>();
        private final TriggerListenerSupport onFiring;
        private final JobListenerSupport onEnd;

        Thrower(boolean before) {
            onFiring = new TriggerListenerSupport() {
                @Override
                public String getName() {
                    return "thrower";
                }

                @Override
                public void triggerFired(Trigger trigger, JobExecutionContext context) {
                    throwIf(before);
                }
            };
            onEnd = new JobListenerSupport() {
                @Override
                public String getName() {
                    return "thrower";
                }

                @Override
                public void jobWasExecuted(JobExecutionContext context, JobExecutionException fault) {
                    throwIf(!before);
                }
            };
        }

        private void throwIf(boolean now) {
            if (now && thrown.isEmpty()) {
                thrown.add("once");
                throw new IllegalStateException("a listener of the host");
            }
        }
    }
}
