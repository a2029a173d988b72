package io.usagearchiver.quartz;

import static io.usagearchiver.testing.SampleConfig.archiver;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Level;
import io.usagearchiver.testing.CapturedLog;
import io.usagearchiver.testing.SampleConfig;
import io.usagearchiver.testing.TestDatabase;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.quartz.JobKey;
import org.quartz.Scheduler;
import org.quartz.SchedulerException;
import org.quartz.impl.StdSchedulerFactory;
import org.quartz.simpl.RAMJobStore;
import org.quartz.utils.ConnectionProvider;
import org.quartz.utils.DBConnectionManager;

/** Quartz knows data sources by name, for all schedulers of a JVM, and closes none but the job store's. */
class DataSourcesTest {
    private static final JobKey JOB = new JobKey("usageArchiver", "usage-archiver");

    @AutoClose
    private final TestDatabase here = TestDatabase.create();

    @AutoClose
    private final TestDatabase there = TestDatabase.create();

    @AutoClose
    private final CapturedLog log = new CapturedLog();

    private final List<Scheduler> schedulers = new ArrayList<>();

    @AfterEach
    void shutDown() throws SchedulerException {
        for (Scheduler scheduler : schedulers) {
            scheduler.shutdown(true);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void two_schedulers_with_one_name_for_their_data_sources_sweep_their_own_databases(boolean inTheOrderOfTheirMaking)
            throws Exception {
        insertExpired(here, 25);
        insertExpired(there, 7);
        Scheduler first = make("first", here);
        Scheduler second = make("second", there);

        (inTheOrderOfTheirMaking ? first : second).start();
        (inTheOrderOfTheirMaking ? second : first).start();

        awaitSweeps(here, first, "DRAINED 25");
        awaitSweeps(there, second, "DRAINED 7");
    }

    @Test
    void each_keeps_its_database_while_the_other_is_shut_down_and_made_again() throws Exception {
        Scheduler first = make("first", here);
        Scheduler second = make("second", there);
        first.start();
        second.start();
        awaitSweeps(here, first, "DRAINED 0");
        awaitSweeps(there, second, "DRAINED 0");

        second.shutdown(true);
        insertExpired(here, 3);
        insertExpired(there, 4);
        first.triggerJob(JOB);
        awaitSweeps(here, first, "DRAINED 0", "DRAINED 3");

        Scheduler again = make("second", there);
        first.triggerJob(JOB);
        awaitSweeps(here, first, "DRAINED 0", "DRAINED 3", "DRAINED 0");
        again.start();
        await().until(
                        () -> there.strings(
                                "SELECT state || ' ' || rows_moved FROM usage_archive_sweep ORDER BY sweep_id"),
                        List.of("DRAINED 0", "DRAINED 4")::equals);
        assertThat(log.messages(Level.ERROR)).isEmpty();
    }

    @Test
    void a_scheduler_without_an_archiver_that_takes_the_name_redirects_nobody() throws Exception {
        insertExpired(here, 25);
        Scheduler archives = make("first", here);
        Properties other = properties("second", there);
        other.keySet().removeIf(name -> ((String) name).startsWith("org.quartz.plugin."));
        make(other);

        archives.start();

        awaitSweeps(here, archives, "DRAINED 25");
        assertThat(there.number("SELECT count(*) FROM usage_archive_sweep")).isZero();
    }

    @Test
    void a_data_source_that_was_made_for_another_scheduler_is_refused() throws Exception {
        make("first", here);
        Properties second = properties("second", there);
        second.keySet().removeIf(name -> ((String) name).startsWith("org.quartz.dataSource.archive."));

        assertThatThrownBy(() -> make(second))
                .isInstanceOf(SchedulerException.class)
                .hasMessage(
                        "data source archive was made for scheduler first of this JVM, and closes with it: scheduler"
                                + " second must have one of its own, by properties org.quartz.dataSource.archive.*");
    }

    @Test
    void what_spring_registered_for_an_earlier_context_is_not_taken_for_what_it_registers_later() throws Exception {
        insertExpired(here, 25);
        String name = "springNonTxDataSource.first";
        DBConnectionManager.getInstance().addConnectionProvider(name, new HostProvider(there));
        Properties properties = properties("first", here);
        properties.setProperty(archiver("dataSource"), name);
        Scheduler scheduler = make(properties);
        DBConnectionManager.getInstance().addConnectionProvider(name, new HostProvider(here));

        scheduler.start();
        DBConnectionManager.getInstance().addConnectionProvider(name, new HostProvider(there));

        awaitSweeps(here, scheduler, "DRAINED 25");
    }

    @ParameterizedTest
    @ValueSource(strings = {"c3p0", "hikaricp"})
    void a_scheduler_that_is_shut_down_leaves_no_connection_and_no_thread_of_its_pool(String provider)
            throws Exception {
        Predicate<Thread> ofPool = thread -> thread.getName().matches("(C3P0|Hikari|archive ).*");
        long before = threads(ofPool);
        for (int cycle = 1; cycle <= 3; cycle++) {
            Scheduler scheduler = make(withPool(provider, properties("cycles", here)));
            scheduler.start();
            int sweeps = cycle;
            await().until(() ->
                    here.number("SELECT count(*) FROM usage_archive_sweep WHERE state = 'DRAINED'") == sweeps);
            assertThat(sessions()).isPositive();
            scheduler.shutdown(true);
        }

        await("no session is left").until(() -> sessions() == 0);
        await("no thread is left").until(() -> threads(ofPool) == before);
        assertThat(log.messages(Level.ERROR)).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"c3p0", "hikaricp"})
    void a_shutdown_that_does_not_wait_leaves_the_pool_open_until_the_sweep_has_ended(String provider)
            throws Exception {
        insertExpired(here, 1000);
        here.slowBatches(Duration.ofMillis(300));
        Properties properties = withPool(provider, properties("first", here));
        properties.setProperty(archiver("batchSize"), "10");
        Scheduler scheduler = make(properties);
        scheduler.start();
        await().until(() -> here.number("SELECT coalesce(sum(batches), 0) FROM usage_archive_sweep") > 0);

        scheduler.shutdown(false);

        await().until(() -> here.strings("SELECT state FROM usage_archive_sweep"), List.of("INTERRUPTED")::equals);
        assertThat(here.number("SELECT count(*) FROM model_usage_details_archive"))
                .isEqualTo(here.number("SELECT rows_moved FROM usage_archive_sweep"))
                .isLessThan(1000);
        await("no session is left").until(() -> sessions() == 0);
    }

    @Test
    void an_archiver_on_the_job_stores_data_source_leaves_it_to_the_job_store_to_the_end() throws Exception {
        Properties properties = properties("first", here);
        properties.setProperty(archiver("dataSource"), "quartz-first");
        Scheduler scheduler = make(properties);
        scheduler.start();
        awaitSweeps(here, scheduler, "DRAINED 0");

        scheduler.shutdown(true);

        assertThat(log.messages(Level.ERROR)).isEmpty();
        assertThat(log.messages(Level.WARN)).isEmpty();
        await("no session is left")
                .until(() -> here.number("SELECT count(*) FROM pg_stat_activity WHERE usename = 'usage_archiver'"
                                + " AND datname = current_database()")
                        == 0);
    }

    @Test
    void a_data_source_that_the_host_registered_itself_is_the_hosts_to_close() throws Exception {
        HostProvider provider = new HostProvider(here);
        DBConnectionManager.getInstance().addConnectionProvider("of-the-host", provider);
        Properties properties = properties("first", here);
        properties.setProperty(archiver("dataSource"), "of-the-host");
        Scheduler scheduler = make(properties);
        scheduler.start();
        awaitSweeps(here, scheduler, "DRAINED 0");

        scheduler.shutdown(true);

        assertThat(provider.shutdowns).hasValue(0);
    }

    private Scheduler make(String name, TestDatabase db) throws SchedulerException {
        return make(properties(name, db));
    }

    private Scheduler make(Properties properties) throws SchedulerException {
        Scheduler scheduler = new StdSchedulerFactory(properties).getScheduler();
        schedulers.add(scheduler);
        return scheduler;
    }

    /** The sample under another name, with the archiver's data source under the same. */
    private static Properties properties(String scheduler, TestDatabase db) {
        Properties sample = SampleConfig.of(db);
        Properties properties = new Properties();
        sample.stringPropertyNames()
                .forEach(name -> properties.setProperty(
                        name.replace("dataSource.quartz.", "dataSource.quartz-" + scheduler + "."),
                        sample.getProperty(name)));
        properties.setProperty("org.quartz.jobStore.dataSource", "quartz-" + scheduler);
        properties.setProperty("org.quartz.scheduler.instanceName", scheduler);
        properties.setProperty(archiver("cron"), "0 0 1 1 *");
        return properties;
    }

    private static Properties withPool(String provider, Properties properties) {
        // So that there is only the archiver's pool.
        properties
                .keySet()
                .removeIf(name -> ((String) name).matches("org\\.quartz\\.(jobStore|dataSource\\.quartz).*"));
        properties.setProperty("org.quartz.jobStore.class", RAMJobStore.class.getName());
        if (provider.equals("hikaricp")) {
            String prefix = "org.quartz.dataSource.archive.";
            List<String> kept = List.of("driver", "URL", "user", "password", "maxConnections");
            properties
                    .keySet()
                    .removeIf(name -> ((String) name).startsWith(prefix)
                            && !kept.contains(((String) name).substring(prefix.length())));
            properties.setProperty(prefix + "provider", provider);
        }
        return properties;
    }

    private static void insertExpired(TestDatabase db, int rows) {
        db.insertUsage(
                "SELECT i, timestamp '2020-01-01', timestamp '2020-01-01' FROM generate_series(1, " + rows + ") i");
    }

    /** Each by the scheduler, and there are no others. */
    private static void awaitSweeps(TestDatabase db, Scheduler scheduler, String... sweeps) throws SchedulerException {
        String node = scheduler.getSchedulerInstanceId();
        await().untilAsserted(() -> assertThat(db.strings("SELECT concat_ws(' ', state, rows_moved, node)"
                        + " FROM usage_archive_sweep ORDER BY sweep_id"))
                .containsExactly(List.of(sweeps).stream()
                        .map(sweep -> sweep + " " + node)
                        .toArray(String[]::new)));
    }

    private long sessions() {
        return here.number("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'usage-archiver'"
                + " AND datname = current_database()");
    }

    private static long threads(Predicate<Thread> wanted) {
        return Thread.getAllStackTraces().keySet().stream().filter(wanted).count();
    }

    /** A host's own way to a database. */
    private static final class HostProvider implements ConnectionProvider {
        private final TestDatabase db;
        private final AtomicInteger shutdowns = new AtomicInteger();

        HostProvider(TestDatabase db) {
            this.db = db;
        }

        @Override
        public Connection getConnection() throws SQLException {
            return db.connectAsArchiver();
        }

        @Override
        public void shutdown() {
            shutdowns.incrementAndGet();
        }

        @Override
        public void initialize() {}
    }
}
