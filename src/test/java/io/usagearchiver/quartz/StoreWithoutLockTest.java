package io.usagearchiver.quartz;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.usagearchiver.testing.SampleConfig;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestScheduler;
import java.sql.Connection;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.quartz.impl.jdbcjobstore.JobStoreCMT;

/** A job store whose lock ends with the statement that takes it, as that of Spring's outside of a transaction. */
class StoreWithoutLockTest {
    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    @Test
    void storing_at_the_same_moment_fails_nobody() throws Exception {
        Properties properties = SampleConfig.of(db);
        properties.setProperty("org.quartz.jobStore.class", JobStoreCMT.class.getName());
        properties.setProperty("org.quartz.jobStore.nonManagedTXDataSource", SampleConfig.QUARTZ_DATA_SOURCE);
        properties.setProperty("org.quartz.jobStore.dontSetAutoCommitFalse", "true");
        ExecutorService nodes = Executors.newFixedThreadPool(2);
        try (TestScheduler withoutLock = new TestScheduler(properties);
                Connection triggers = db.connectAsOwner();
                Connection jobs = db.connectAsOwner()) {
            hold(triggers, "qrtz_triggers");
            hold(jobs, "qrtz_job_details");
            Callable<Void> node = () -> {
                ArchiveScheduleTest.store(withoutLock.get(), Map.of());
                return null;
            };
            List<Future<Void>> stored = List.of(nodes.submit(node), nodes.submit(node));
            awaitTwoInsertsInto("qrtz_job_details");
            jobs.rollback();
            awaitTwoInsertsInto("qrtz_triggers");
            triggers.rollback();
            for (Future<Void> each : stored) {
                each.get();
            }
        } finally {
            nodes.shutdownNow();
        }
        assertThat(db.strings("select trigger_name from qrtz_triggers order by 1"))
                .containsExactly("usageArchiver.cron", "usageArchiver.startup");
    }

    private static void hold(Connection connection, String table) throws Exception {
        connection.setAutoCommit(false);
        TestDatabase.execute(connection, "LOCK TABLE " + table + " IN SHARE MODE");
    }

    private void awaitTwoInsertsInto(String table) {
        await().until(() -> db.number("select count(*) from pg_locks where not granted and mode = 'RowExclusiveLock'"
                        + " and relation = '" + table + "'::regclass")
                == 2);
    }
}
