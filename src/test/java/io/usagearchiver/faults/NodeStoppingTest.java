package io.usagearchiver.faults;

import static io.usagearchiver.testing.SampleConfig.archiver;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.usagearchiver.testing.NodeProcess;
import io.usagearchiver.testing.SampleConfig;
import io.usagearchiver.testing.TcpProxy;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestScheduler;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.awaitility.core.ConditionFactory;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.quartz.JobExecutionContext;
import org.quartz.JobExecutionException;
import org.quartz.JobKey;
import org.quartz.Scheduler;
import org.quartz.SchedulerException;
import org.quartz.listeners.JobListenerSupport;
import org.quartz.utils.DBConnectionManager;

/** Each way to stop a sweep, in each situation in which it would not end a batch by itself. */
class NodeStoppingTest {
    private static final Duration PROMPTLY = Duration.ofSeconds(5);
    private static final int BATCH = 10;
    private static final int BATCHES_BEFORE = 3;
    private static final int FAULTS_BEFORE = 4;

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    private final ExpiredRows rows = new ExpiredRows(db, 200);

    @AutoClose
    private final TcpProxy network = new TcpProxy(db.url());

    /** Holds what {@link Situation#LOCK} and {@link Situation#LOCK_OF_THE_OPENING} wait for. */
    @AutoClose
    private final Connection rival = db.connectAsOwner();

    private final Properties properties = SampleConfig.of(db);

    NodeStoppingTest() throws SQLException {}

    @BeforeEach
    void noTimeoutEndsTheWait() throws Exception {
        SampleConfig.setUrl(properties, SampleConfig.ARCHIVE_DATA_SOURCE, db.url(), network.url());
        // As the sample has it: how long a vain attempt to connect takes is part of the five seconds.
        properties.setProperty("org.quartz.dataSource.archive.acquireRetryDelay", "500");
        properties.setProperty(archiver("batchSize"), String.valueOf(BATCH));
        properties.setProperty(archiver("lockTimeout"), "9m");
        properties.setProperty(archiver("statementTimeout"), "10m");
        properties.setProperty(archiver("idleTransactionTimeout"), "10m");
        rival.setAutoCommit(false);
    }

    @ParameterizedTest
    @CsvSource({
        "INTERRUPT,      HANGING_STATEMENT",
        "INTERRUPT,      LOCK",
        "INTERRUPT,      LOCK_OF_THE_OPENING",
        "INTERRUPT,      RETRY",
        "INTERRUPT,      RETRY_WITHOUT_DATABASE",
        "SHUTDOWN_TRUE,  HANGING_STATEMENT",
        "SHUTDOWN_TRUE,  LOCK",
        "SHUTDOWN_TRUE,  LOCK_OF_THE_OPENING",
        "SHUTDOWN_TRUE,  RETRY",
        "SHUTDOWN_TRUE,  RETRY_WITHOUT_DATABASE",
        "SHUTDOWN_FALSE, HANGING_STATEMENT",
        "SHUTDOWN_FALSE, LOCK",
        "SHUTDOWN_FALSE, LOCK_OF_THE_OPENING",
        "SHUTDOWN_FALSE, RETRY",
        "SHUTDOWN_FALSE, RETRY_WITHOUT_DATABASE",
    })
    void a_scheduler_stops_its_sweep_promptly(Way way, Situation situation) throws Exception {
        prepare(situation);
        try (TestScheduler node = new TestScheduler(properties)) {
            CountDownLatch ended = new CountDownLatch(1);
            node.get().getListenerManager().addJobListener(new JobListenerSupport() {
                @Override
                public String getName() {
                    return "ended";
                }

                @Override
                public void jobWasExecuted(JobExecutionContext context, JobExecutionException fault) {
                    ended.countDown();
                }
            });
            node.get().start();
            awaitReached(situation, await(situation.name()));

            long start = System.nanoTime();
            way.stop(node.get());

            assertThat(ended.await(10, TimeUnit.SECONDS)).isTrue();
            assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(PROMPTLY);
            assertStopped(situation);
        }
    }

    /** That a node ends while a batch waits for a lock is {@code ClusterTest}'s. */
    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "LOCK")
    void a_node_that_gets_sigterm_ends_promptly(Situation situation) throws Exception {
        prepare(situation);
        try (NodeProcess node = NodeProcess.start(properties, Map.of())) {
            awaitReached(
                    situation, await(situation.name()).failFast("the node has ended", () -> node.ends(Duration.ZERO)));

            node.terminate();

            assertThat(node.ends(PROMPTLY)).as(node.log()).isTrue();
            assertThat(node.exitCode()).as(node.log()).isZero();
            assertStopped(situation);
        }
    }

    /** Quartz waits for a free thread before it says that it shuts down. */
    @Test
    void a_node_whose_only_thread_sweeps_ends_promptly() throws Exception {
        properties.setProperty("org.quartz.threadPool.threadCount", "1");
        a_node_that_gets_sigterm_ends_promptly(Situation.HANGING_STATEMENT);
    }

    /** From the fourth batch on, the copy of each batch runs into the situation. */
    private void prepare(Situation situation) throws SQLException {
        db.execute("CREATE SEQUENCE copies; GRANT ALL ON SEQUENCE copies TO public;"
                + " CREATE FUNCTION obstruct() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                + " IF nextval('public.copies') > " + BATCHES_BEFORE + " THEN " + situation.obstruction + "; END IF;"
                + " RETURN NULL; END $$;"
                + " CREATE TRIGGER obstruct BEFORE INSERT ON model_usage_details_archive"
                + " FOR EACH STATEMENT EXECUTE FUNCTION obstruct()");
        if (situation == Situation.LOCK) {
            TestDatabase.execute(rival, "SELECT pg_advisory_lock(1)");
        }
        if (situation == Situation.LOCK_OF_THE_OPENING) {
            db.execute(
                    "INSERT INTO usage_archive_sweep (table_name, state, node, fired_by, cutoff, started_at)"
                            + " VALUES ('public.model_usage_details', 'RUNNING', 'other', 'other', '2020-01-01', '2026-01-01')");
            TestDatabase.execute(rival, "SELECT FROM usage_archive_sweep FOR UPDATE");
        }
    }

    private void awaitReached(Situation situation, ConditionFactory condition) throws Exception {
        condition.atMost(Duration.ofSeconds(60)).until(() -> db.number(situation.reached) > 0);
        if (situation == Situation.RETRY_WITHOUT_DATABASE) {
            network.refuse();
            condition.until(() -> db.number("SELECT count(*) FROM pg_stat_activity WHERE " + Situation.OURS) == 0);
        }
    }

    /** Quartz interrupts the thread that fires, and sets the trigger to ERROR if it cannot load the job then. */
    @Test
    void the_job_store_can_be_read_by_a_thread_that_a_shutdown_has_interrupted() throws Exception {
        try (TestScheduler node = new TestScheduler(properties);
                Connection connection =
                        DBConnectionManager.getInstance().getConnection(SampleConfig.QUARTZ_DATA_SOURCE)) {
            node.get().start();

            Thread.currentThread().interrupt();
            try (PreparedStatement statement = connection.prepareStatement("SELECT count(*) FROM qrtz_job_details")) {
                statement.executeQuery();
                assertThat(Thread.currentThread().isInterrupted()).isTrue();
            } finally {
                Thread.interrupted();
            }
        }
    }

    private void assertStopped(Situation situation) {
        assertThat(db.number("SELECT count(*) FROM pg_stat_activity WHERE state <> 'idle' AND " + Situation.OURS))
                .as("sessions that still do something")
                .isZero();
        assertThat(db.strings("SELECT state FROM usage_archive_sweep")).containsExactly(situation.state);
        assertThat(rows.archived()).isEqualTo(situation == Situation.LOCK_OF_THE_OPENING ? 0 : BATCH * BATCHES_BEFORE);
        rows.assertNothingLost();
    }

    private enum Way {
        INTERRUPT {
            @Override
            void stop(Scheduler scheduler) throws SchedulerException {
                assertThat(scheduler.interrupt(new JobKey("usageArchiver", "usage-archiver")))
                        .isTrue();
            }
        },
        SHUTDOWN_TRUE {
            @Override
            void stop(Scheduler scheduler) throws SchedulerException {
                scheduler.shutdown(true);
            }
        },
        SHUTDOWN_FALSE {
            @Override
            void stop(Scheduler scheduler) throws SchedulerException {
                scheduler.shutdown(false);
            }
        };

        abstract void stop(Scheduler scheduler) throws SchedulerException;
    }

    private enum Situation {
        HANGING_STATEMENT("PERFORM pg_sleep(600)", waiting("wait_event = 'PgSleep'"), "INTERRUPTED"),
        LOCK("PERFORM pg_advisory_xact_lock(1)", waiting("wait_event = 'advisory'"), "INTERRUPTED"),
        /** Another sweep's row, which is RUNNING, is locked. */
        LOCK_OF_THE_OPENING("NULL", waiting("wait_event_type = 'Lock'"), "RUNNING"),
        /** By then the pauses are long, so that the request comes in one. */
        RETRY(
                "RAISE EXCEPTION 'again' USING ERRCODE = '40001'",
                "SELECT count(*) FROM copies WHERE last_value >= " + (BATCHES_BEFORE + FAULTS_BEFORE),
                "INTERRUPTED"),
        /** The ledger row cannot be closed. The next sweep supersedes it. */
        RETRY_WITHOUT_DATABASE(RETRY.obstruction, RETRY.reached, "RUNNING");

        static final String OURS = "datname = current_database() AND application_name = 'usage-archiver'";

        final String obstruction;
        final String reached;
        final String state;

        Situation(String obstruction, String reached, String state) {
            this.obstruction = obstruction;
            this.reached = reached;
            this.state = state;
        }

        private static String waiting(String condition) {
            return "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                    + " AND application_name = 'usage-archiver' AND " + condition;
        }
    }
}
