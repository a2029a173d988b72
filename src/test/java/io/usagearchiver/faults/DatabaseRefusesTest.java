package io.usagearchiver.faults;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import io.usagearchiver.quartz.ArchiveJob;
import io.usagearchiver.quartz.ArchivePlugin;
import io.usagearchiver.testing.CapturedLog;
import io.usagearchiver.testing.SampleConfig;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestScheduler;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Properties;
import java.util.concurrent.Semaphore;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.quartz.JobExecutionContext;
import org.quartz.JobExecutionException;
import org.quartz.JobKey;
import org.quartz.listeners.JobListenerSupport;
import org.quartz.utils.DBConnectionManager;
import org.slf4j.LoggerFactory;

/** Faults that wait for an operator: each firing says so once and leaves everything as it was, and a later one goes on. */
class DatabaseRefusesTest {
    private static final JobKey JOB = new JobKey("usageArchiver", "usage-archiver");

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    /** The job store is elsewhere, so that it can fire. */
    @AutoClose
    private final TestDatabase jobStore = TestDatabase.create();

    private final ExpiredRows rows = new ExpiredRows(db, 40);

    @AutoClose
    private final CapturedLog log = new CapturedLog();

    private final Properties properties = SampleConfig.of(db);

    private final Deque<Connection> taken = new ArrayDeque<>();

    @BeforeEach
    void smallBatches() {
        properties.setProperty(SampleConfig.archiver("batchSize"), "10");
        properties.setProperty("org.quartz.dataSource.archive.checkoutTimeout", "2000");
        // Sessions keep a setting of their database that was changed since; this pool replaces them.
        properties.setProperty("org.quartz.dataSource.archive.maxConnectionAge", "1");
        properties.setProperty("org.quartz.dataSource.quartz.maxConnectionAge", "1");
    }

    @ParameterizedTest
    @EnumSource
    void each_firing_says_so_once_and_the_one_after_the_repair_goes_on(Refusal refusal) throws Exception {
        SampleConfig.setUrl(properties, SampleConfig.QUARTZ_DATA_SOURCE, db.url(), jobStore.url());
        // The startup firing has nothing to move yet.
        db.execute("CREATE TABLE backlog AS TABLE model_usage_details; DELETE FROM model_usage_details");
        try (TestScheduler node = new TestScheduler(properties)) {
            Semaphore ended = new Semaphore(0);
            node.get().getListenerManager().addJobListener(new JobListenerSupport() {
                @Override
                public String getName() {
                    return "ended";
                }

                @Override
                public void jobWasExecuted(JobExecutionContext context, JobExecutionException fault) {
                    ended.release();
                }
            });
            node.get().start();
            await().until(() -> log.messages(Level.INFO, ArchivePlugin.class).stream()
                    .anyMatch(message -> message.contains("fit to be archived")));
            await().until(ended::tryAcquire);
            db.execute("INSERT INTO model_usage_details TABLE backlog");

            refusal.begin(this);
            for (int firing = 1; firing <= 2; firing++) {
                node.get().triggerJob(JOB);
                await().until(ended::tryAcquire);
                assertThat(log.messages(Level.ERROR, ArchiveJob.class))
                        .hasSize(firing)
                        .last()
                        .asString()
                        .startsWith("usageArchiver: ")
                        .contains(refusal.message);
                assertThat(log.messages(Level.ERROR)).as("all errors").hasSize(firing);
                rows.assertNothingLost();
            }
            assertThat(db.strings("SELECT DISTINCT state FROM usage_archive_sweep WHERE sweep_id > 1"))
                    .isSubsetOf("FAILED");
            refusal.end(this);

            await().until(() -> {
                node.get().triggerJob(JOB);
                ended.acquire();
                return rows.archived() == 40;
            });
        }
        rows.assertAllArchived();
    }

    @Test
    void a_node_that_starts_on_a_read_only_database_archives_once_it_may_write() throws Exception {
        Refusal.READ_ONLY.begin(this);
        Logger plugin = (Logger) LoggerFactory.getLogger(ArchivePlugin.class);
        Level level = plugin.getLevel();
        plugin.setLevel(Level.DEBUG);

        try (TestScheduler node = new TestScheduler(properties)) {
            node.get().start();
            await("more attempts")
                    .until(() -> log.messages(Level.DEBUG, ArchivePlugin.class).size() >= 2);
            Refusal.READ_ONLY.end(this);

            await().until(() -> rows.archived() == 40);
        } finally {
            plugin.setLevel(level);
        }
        assertThat(log.messages(Level.ERROR, ArchivePlugin.class))
                .singleElement()
                .asString()
                .contains("keeps trying, but could not store its schedule; check the job store's data source")
                .contains("read-only");
        rows.assertAllArchived();
    }

    private enum Refusal {
        READ_ONLY("are read-only (default_transaction_read_only, set by ALTER DATABASE)") {
            @Override
            void begin(DatabaseRefusesTest test) {
                test.setForNewSessions("SET default_transaction_read_only = on");
                test.endSessions();
            }

            @Override
            void end(DatabaseRefusesTest test) {
                test.setForNewSessions("RESET default_transaction_read_only");
            }
        },
        /** What COPY gets is the kernel's own ENOSPC, so what the batch gets is PostgreSQL's own 53100. */
        DISK_FULL("make room on the database's disk") {
            @Override
            void begin(DatabaseRefusesTest test) {
                test.db.execute("CREATE SEQUENCE copies; GRANT ALL ON SEQUENCE copies TO public;"
                        + " CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN"
                        + " IF nextval('public.copies') > 2 THEN COPY (SELECT repeat('x', 100000)) TO '/dev/full'; END IF;"
                        + " RETURN NULL; END $$;"
                        + " CREATE TRIGGER fill AFTER INSERT ON model_usage_details_archive"
                        + " FOR EACH STATEMENT EXECUTE FUNCTION fill()");
            }

            @Override
            void end(DatabaseRefusesTest test) {
                test.db.execute("DROP TRIGGER fill ON model_usage_details_archive");
            }
        },
        POOL_EXHAUSTED("are all of the data source's connections in use?") {
            @Override
            void begin(DatabaseRefusesTest test) throws SQLException {
                for (int i = 0; i < 2; i++) {
                    test.taken.add(DBConnectionManager.getInstance().getConnection(SampleConfig.ARCHIVE_DATA_SOURCE));
                }
            }

            @Override
            void end(DatabaseRefusesTest test) throws SQLException {
                for (Connection connection : test.taken) {
                    connection.close();
                }
            }
        };

        final String message;

        Refusal(String message) {
            this.message = message;
        }

        abstract void begin(DatabaseRefusesTest test) throws SQLException;

        abstract void end(DatabaseRefusesTest test) throws SQLException;
    }

    private void setForNewSessions(String setting) {
        db.execute("ALTER DATABASE " + db.name() + " " + setting);
    }

    private void endSessions() {
        db.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                + " AND application_name = 'usage-archiver'");
    }
}
