package io.usagearchiver.faults;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.usagearchiver.quartz.ArchiveJob;
import io.usagearchiver.testing.SampleConfig;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestScheduler;
import java.time.Duration;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.temporal.ChronoUnit;
import java.util.Properties;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.quartz.SchedulerException;
import org.quartz.impl.matchers.GroupMatcher;

/** What a node finds in the job store when it starts, as Quartz left it behind or an operator set it. */
class LeftoverTriggersTest {
    private static final String IS_CRON = " trigger_name = 'usageArchiver.cron'";

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    private final Properties properties = SampleConfig.of(db);

    LeftoverTriggersTest() {
        // Quartz looks for missed firings as often: at the sample's 60 s these tests would take as long.
        properties.setProperty("org.quartz.jobStore.misfireThreshold", "2000");
    }

    /** A node has been up once; its daily firing is not near. */
    @BeforeEach
    void storesTheSchedule() throws SchedulerException {
        properties.setProperty(SampleConfig.archiver("cron"), dailyAt(now().plusHours(6)));
        try (TestScheduler node = start()) {
            awaitSweeps("startup", 1);
        }
    }

    @ParameterizedTest
    @CsvSource({
        "WAITING,  PT1S, false",
        "WAITING,  PT2H,  false",
        "ACQUIRED, PT1S, false",
        "ACQUIRED, PT2H,  false",
        "ACQUIRED, PT2H,  true",
        "BLOCKED,  PT1S, false",
        "BLOCKED,  PT2H,  false",
        "BLOCKED,  PT2H,  true",
        "ERROR,    PT1S, false",
        "ERROR,    PT2H,  false",
    })
    void a_firing_that_is_due_runs_once_whatever_state_its_trigger_was_left_in(
            String state, Duration late, boolean postponed) throws Exception {
        leaveBehind(state, late, postponed);

        try (TestScheduler node = start()) {
            awaitSweeps("cron", 1);
            awaitSweeps("startup", 2);
            awaitWaiting();
        }
        assertThat(sweeps("cron")).isEqualTo(1);
    }

    /** Quartz cannot load the job for a while, as on a node without its class, or one that is shut down meanwhile. */
    @Test
    void a_trigger_that_gets_into_error_while_nodes_are_up_fires_again() throws Exception {
        properties.setProperty("org.quartz.scheduler.idleWaitTime", "1000");
        properties.setProperty("org.quartz.jobStore.misfireThreshold", "60000");
        try (TestScheduler node = start()) {
            awaitSweeps("startup", 2);
            db.execute("UPDATE qrtz_job_details SET job_class_name = 'no.such.Job'");
            leaveBehind("WAITING", Duration.ofSeconds(-2), false);
            await("Quartz gives the trigger up").until(() -> cronState().equals("ERROR"));
            db.execute("UPDATE qrtz_job_details SET job_class_name = '" + ArchiveJob.class.getName() + "'");

            awaitSweeps("cron", 1);
            awaitWaiting();
        }
        assertThat(sweeps("cron")).isEqualTo(1);
    }

    /** The change has two writes, or more; the fault hits each of them once. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3})
    void a_fault_of_the_database_during_the_repair_leaves_no_trigger_behind(int write) throws Exception {
        leaveBehind("ACQUIRED", Duration.ofHours(2), false);
        db.execute("CREATE SEQUENCE writes; GRANT ALL ON SEQUENCE writes TO public;"
                + " CREATE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                + " IF nextval('writes') = " + write
                + " THEN RAISE EXCEPTION 'a fault' USING ERRCODE = '40001'; END IF;"
                + " RETURN coalesce(new, old); END $$;"
                + " CREATE TRIGGER fault BEFORE INSERT OR DELETE ON qrtz_triggers FOR EACH ROW EXECUTE FUNCTION fault();"
                + " CREATE TRIGGER fault_on_update BEFORE UPDATE ON qrtz_triggers FOR EACH ROW"
                + " WHEN (old." + IS_CRON.strip() + ") EXECUTE FUNCTION fault()");

        try (TestScheduler node = start()) {
            awaitSweeps("cron", 1);
            awaitWaiting();
        }
        assertThat(db.number("SELECT last_value FROM writes")).isGreaterThanOrEqualTo(write);
        assertThat(sweeps("cron")).isEqualTo(1);
    }

    @ParameterizedTest
    @ValueSource(strings = {"PAUSED", "PAUSED_BLOCKED"})
    void a_trigger_that_an_operator_paused_stays_paused(String state) throws Exception {
        leaveBehind(state, Duration.ofHours(2), false);

        try (TestScheduler node = start()) {
            awaitSweeps("startup", 2);
            awaitPaused();
        }
        assertThat(sweeps("cron")).isZero();
    }

    @Test
    void a_trigger_that_an_operator_paused_stays_paused_under_another_cron_expression() throws Exception {
        leaveBehind("PAUSED", Duration.ofHours(2), false);
        String another = dailyAt(now().plusHours(7));
        properties.setProperty(SampleConfig.archiver("cron"), another);

        try (TestScheduler node = start()) {
            awaitSweeps("startup", 2);
            awaitPaused();
        }
        assertThat(db.strings("SELECT cron_expression FROM qrtz_cron_triggers")).containsExactly(another);
    }

    @Test
    void a_group_of_triggers_that_an_operator_paused_keeps_a_new_node_from_sweeping() throws Exception {
        try (TestScheduler node = new TestScheduler(properties)) {
            node.get().pauseTriggers(GroupMatcher.triggerGroupEquals("usage-archiver"));
        }

        try (TestScheduler node = start()) {
            await().untilAsserted(() -> assertThat(
                            db.strings("SELECT trigger_name || ' ' || trigger_state FROM qrtz_triggers ORDER BY 1"))
                    .containsExactly("usageArchiver.cron PAUSED", "usageArchiver.startup PAUSED"));
        }
        assertThat(sweeps("startup")).isEqualTo(1);
    }

    private TestScheduler start() throws SchedulerException {
        TestScheduler node = new TestScheduler(properties);
        node.get().start();
        return node;
    }

    /**
     * Leaves the daily trigger in a state with a firing that is due, as no node would.
     *
     * @param postponed whether Quartz had noticed that the firing was missed, and had put it off to another moment
     */
    private void leaveBehind(String state, Duration late, boolean postponed) {
        OffsetDateTime due = now().minus(late).truncatedTo(ChronoUnit.SECONDS);
        String daily = dailyAt(due);
        properties.setProperty(SampleConfig.archiver("cron"), daily);
        long dueMillis = due.toInstant().toEpochMilli();
        long dayBefore = due.minusDays(1).toInstant().toEpochMilli();
        db.execute("UPDATE qrtz_cron_triggers SET cron_expression = '" + daily + "'; UPDATE qrtz_triggers"
                + " SET trigger_state = '" + state + "', start_time = " + (dayBefore - 7_000)
                + ", prev_fire_time = " + dayBefore + ", next_fire_time = " + (dueMillis + (postponed ? 61_234 : 0))
                + " WHERE" + IS_CRON);
    }

    private static OffsetDateTime now() {
        return OffsetDateTime.now(ZoneOffset.UTC);
    }

    private static String dailyAt(OffsetDateTime time) {
        return time.getSecond() + " " + time.getMinute() + " " + time.getHour() + " * * ?";
    }

    private void awaitSweeps(String trigger, int count) {
        await(trigger + " sweeps").until(() -> sweeps(trigger) == count);
    }

    /** As long as the job runs, Quartz has it PAUSED_BLOCKED. */
    private void awaitPaused() {
        await("the trigger is paused").until(() -> cronState().equals("PAUSED"));
    }

    private long sweeps(String trigger) {
        return db.number("SELECT count(*) FROM usage_archive_sweep WHERE state = 'DRAINED'"
                + " AND fired_by = 'usageArchiver." + trigger + "'");
    }

    private void awaitWaiting() {
        await("the trigger waits for its next day").untilAsserted(() -> {
            assertThat(cronState()).isEqualTo("WAITING");
            assertThat(db.number("SELECT next_fire_time FROM qrtz_triggers WHERE" + IS_CRON))
                    .isGreaterThan(System.currentTimeMillis());
        });
    }

    private String cronState() {
        return db.strings("SELECT trigger_state FROM qrtz_triggers WHERE" + IS_CRON)
                .get(0);
    }
}
