package io.usagearchiver.quartz;

import static io.usagearchiver.testing.SampleConfig.archiver;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Level;
import io.usagearchiver.testing.CapturedLog;
import io.usagearchiver.testing.SampleConfig;
import io.usagearchiver.testing.TcpProxy;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestScheduler;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.Date;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.quartz.JobKey;
import org.quartz.SchedulerException;
import org.quartz.Trigger;
import org.quartz.TriggerKey;
import org.quartz.simpl.SimpleClassLoadHelper;

class ArchivePluginTest {
    private static final TriggerKey CRON = new TriggerKey("usageArchiver.cron", "usage-archiver");
    private static final String EVERY_SECOND = "* * * * * ?";
    private static final long ROWS = 25;

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    @AutoClose
    private final CapturedLog log = new CapturedLog();

    private final Properties properties = SampleConfig.of(db);

    /** The roles are the server's, for all tests. */
    @AfterEach
    void revokes() {
        db.execute("revoke pg_monitor from usage_archiver");
    }

    @Test
    void the_sample_stores_its_job_and_archives_at_once() throws Exception {
        insertExpired();
        try (TestScheduler scheduler = started()) {
            awaitArchival();
            await().until(() -> db.strings("select state from usage_archive_sweep"), List.of("DRAINED")::equals);

            assertThat(db.strings("select node || ' ' || fired_by from usage_archive_sweep"))
                    .containsExactly(scheduler.get().getSchedulerInstanceId() + " usageArchiver.startup");
            assertThat(db.strings("select job_group || '.' || job_name from qrtz_job_details"))
                    .containsExactly("usage-archiver.usageArchiver");
            assertThat(scheduler
                            .get()
                            .getJobDetail(new JobKey("usageArchiver", "usage-archiver"))
                            .getJobDataMap())
                    .containsOnly(
                            entry("dataSource", "archive"),
                            entry("pair", "io.usagearchiver.UsageDetails"),
                            entry("retentionMonths", "13"),
                            entry("cron", "0 3 * * *"),
                            entry("batchSize", "1000"),
                            entry("lockTimeout", "5s"),
                            entry("statementTimeout", "1m"),
                            entry("idleTransactionTimeout", "10s"),
                            entry("retryTimeout", "5m"));
            await().until(() -> db.strings("select trigger_name from qrtz_triggers"), List.of(CRON.getName())::equals);
            await().untilAsserted(() -> assertThat(log.messages(Level.INFO, ArchivePlugin.class))
                    .containsExactly(
                            "Archiver usageArchiver starts: {dataSource=archive, pair=io.usagearchiver.UsageDetails,"
                                    + " retentionMonths=13, cron=0 3 * * *, batchSize=1000, lockTimeout=5s,"
                                    + " statementTimeout=1m, idleTransactionTimeout=10s, retryTimeout=5m}",
                            "Archiver usageArchiver: the tables are fit to be archived"));
            assertThat(log.messages(Level.ERROR)).isEmpty();
        }
    }

    @Test
    void the_start_tells_which_settings_are_of_the_environment_and_warns_of_gpustacks_switch() throws Exception {
        properties.stringPropertyNames().stream()
                .filter(name -> name.startsWith("org.quartz.plugin."))
                .forEach(properties::remove);
        Map<String, String> environment = Map.of(
                "GPUSTACK_USAGE_DETAILS_RETENTION_MONTHS", "1200",
                "GPUSTACK_USAGE_DETAILS_ARCHIVE_CRON", "0 3 * * 0",
                "USAGE_ARCHIVER_CRON", "0 3 * * MON");
        ArchivePlugin plugin = new ArchivePlugin(environment::get);
        plugin.setDataSource("archive");
        plugin.setBatchSize("500");
        try (TestScheduler scheduler = new TestScheduler(properties)) {
            plugin.initialize("usageArchiver", scheduler.get(), new SimpleClassLoadHelper());
            plugin.start();
            plugin.shutdown();
        }

        assertThat(log.messages(Level.INFO, ArchivePlugin.class))
                .contains("Archiver usageArchiver takes from the environment: {cron=USAGE_ARCHIVER_CRON,"
                        + " retentionMonths=GPUSTACK_USAGE_DETAILS_RETENTION_MONTHS}");
        assertThat(log.messages(Level.WARN, ArchivePlugin.class))
                .singleElement()
                .asString()
                .startsWith("Archiver usageArchiver: retentionMonths is 1200, from the environment variable");
    }

    @Test
    void a_cron_with_a_year_runs_at_its_last_firing_and_from_then_on_nodes_start_and_say_that_it_is_over()
            throws Exception {
        properties.setProperty(archiver("cron"), "0 0 3 1 1 ? 2098");
        try (TestScheduler scheduler = started()) {
            await().until(() -> db.strings("select trigger_name from qrtz_triggers"), List.of(CRON.getName())::equals);
        }
        // As if that year had come while the node was down.
        db.execute("update qrtz_cron_triggers set cron_expression = '0 0 3 1 1 ? 2020'");
        db.execute("update qrtz_triggers set next_fire_time = 1577847600000");
        properties.setProperty(archiver("cron"), "0 0 3 1 1 ? 2020");
        try (TestScheduler scheduler = started()) {
            await().until(() -> db.number("select count(*) from usage_archive_sweep"
                            + " where fired_by = 'usageArchiver.cron' and state = 'DRAINED'")
                    == 1);
            await().until(() -> db.number("select count(*) from qrtz_triggers") == 0);
        }
        insertExpired();
        try (TestScheduler scheduler = started()) {
            awaitArchival();
            await().until(() -> db.number("select count(*) from qrtz_triggers") == 0);
        }
        String over =
                "Archiver usageArchiver: its cron '0 0 3 1 1 ? 2020' has no firing to come: only the start of a node"
                        + " archives; set one that fires again";
        assertThat(log.messages(Level.WARN, ArchivePlugin.class)).containsExactly(over, over);
        assertThat(log.messages(Level.ERROR)).isEmpty();
    }

    @Test
    void a_firing_outside_the_run_window_moves_nothing_and_is_in_the_ledger() throws Exception {
        String later = db.strings("SELECT to_char(now + interval '2 hours', 'HH24:MI-')"
                        + " || to_char(now + interval '3 hours', 'HH24:MI')"
                        + " FROM timezone('UTC', clock_timestamp()) AS t (now)")
                .get(0);
        properties.setProperty(archiver("runWindow"), later);
        insertExpired();
        try (TestScheduler scheduler = started()) {
            await().until(() -> db.strings("select state from usage_archive_sweep"), List.of("OUTSIDE_WINDOW")::equals);
            assertThat(db.number("select count(*) from model_usage_details_archive"))
                    .isZero();
            assertThat(log.messages(Level.ERROR)).isEmpty();
        }
    }

    @Test
    void every_property_reaches_the_sweep() throws Exception {
        properties.setProperty(archiver("retentionMonths"), "1");
        properties.setProperty(archiver("batchSize"), "10");
        properties.setProperty(archiver("timeBudget"), "1h");
        properties.setProperty(archiver("lockTimeout"), "2s");
        properties.setProperty(archiver("statementTimeout"), "33s");
        properties.setProperty(archiver("idleTransactionTimeout"), "34s");
        properties.setProperty(archiver("retryTimeout"), "6s");
        properties.setProperty(archiver("pause"), "7ms");
        properties.setProperty(archiver("pauseShare"), "0.5");
        properties.setProperty(archiver("runWindow"), "00:00-24:00");
        properties.setProperty(archiver("targetBatchTime"), "8s");
        properties.setProperty(archiver("maxReplicaLag"), "9s");
        db.execute("grant pg_monitor to usage_archiver");
        properties.setProperty(archiver("cron"), "0 0 1 1 *");
        properties.setProperty(archiver("pair"), "io.usagearchiver.UsageDetails");
        insertExpired();
        try (TestScheduler scheduler = started()) {
            awaitArchival();
            await().until(() -> db.number("select count(*) from usage_archive_sweep where state = 'DRAINED'") == 1);

            assertThat(db.number("select batches from usage_archive_sweep")).isEqualTo(3);
            assertThat(
                            db.strings(
                                    "select cutoff BETWEEN started_at - interval '1 month 1 minute' AND started_at - interval '1 month' FROM usage_archive_sweep"))
                    .containsExactly("t");
            assertThat(scheduler
                            .get()
                            .getJobDetail(new JobKey("usageArchiver", "usage-archiver"))
                            .getJobDataMap())
                    .contains(
                            entry("timeBudget", "1h"),
                            entry("lockTimeout", "2s"),
                            entry("statementTimeout", "33s"),
                            entry("idleTransactionTimeout", "34s"),
                            entry("retryTimeout", "6s"),
                            entry("pause", "7ms"),
                            entry("pauseShare", "0.5"),
                            entry("runWindow", "00:00-24:00"),
                            entry("targetBatchTime", "8s"),
                            entry("maxReplicaLag", "9s"));
        }
    }

    /** The year's second Sunday of March begins daylight saving in the JVM's zone: 02:30 does not exist there. */
    @Test
    void stored_triggers_fire_at_these_times_in_utc() throws Exception {
        Map<String, String> expected = Map.of(
                "0 3 * * *", "2099-03-07T03:00 2099-03-08T03:00",
                "*/15 * * * *", "2099-03-07T00:15 2099-03-07T00:30",
                "30 2 * * 0", "2099-03-08T02:30 2099-03-15T02:30",
                "30 2 * * 7", "2099-03-08T02:30 2099-03-15T02:30",
                "0 0 * * 0-7", "2099-03-08T00:00 2099-03-09T00:00",
                "0 0 1 * *", "2099-04-01T00:00 2099-05-01T00:00",
                "0 0 3 ? * MON-FRI", "2099-03-09T03:00 2099-03-10T03:00");
        Map<String, String> actual = new HashMap<>();
        try (TestScheduler scheduler = new TestScheduler(properties)) {
            for (String cron : expected.keySet()) {
                ArchivePlugin plugin = new ArchivePlugin();
                plugin.setDataSource("archive");
                plugin.setCron(cron);
                plugin.initialize("usageArchiver", scheduler.get(), new SimpleClassLoadHelper());
                plugin.start();
                actual.put(cron, nextTwo(scheduler.get().getTrigger(CRON), "2099-03-07T00:00"));
                plugin.shutdown();
            }
        }
        assertThat(actual).isEqualTo(expected);
    }

    @Test
    void a_run_that_was_missed_while_no_node_was_up_is_made_up_for_once() throws Exception {
        properties.setProperty(archiver("cron"), "0 0 1 1 *");
        try (TestScheduler scheduler = started()) {
            await().until(() -> firedBy().equals(List.of("usageArchiver.startup")));
        }
        long threeDaysAgo = System.currentTimeMillis() - Duration.ofDays(3).toMillis();
        db.execute("update qrtz_triggers set next_fire_time = " + threeDaysAgo + ", start_time = " + threeDaysAgo);

        try (TestScheduler scheduler = started()) {
            await().until(() ->
                    firedBy().equals(List.of("usageArchiver.cron", "usageArchiver.startup", "usageArchiver.startup")));
            await().until(() -> scheduler.get().getTriggerState(CRON) == Trigger.TriggerState.NORMAL);
            assertThat(scheduler.get().getTrigger(CRON).getNextFireTime()).isInTheFuture();
        }
        assertThat(firedBy()).hasSize(3);
    }

    @Test
    void a_data_source_that_the_host_does_not_have_is_an_error_in_the_log_and_stops_nothing_else() throws Exception {
        properties.setProperty(archiver("dataSource"), "nowhere");
        try (TestScheduler scheduler = started()) {
            scheduler.scheduleHostJob();

            awaitPluginError("could not check its tables; check data source nowhere: ");
            awaitHostFirings();
        }
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            ALTER TABLE model_usage_details_archive DROP COLUMN operation | lacks column operation (hot: character varying(32)) | ALTER TABLE model_usage_details_archive ADD COLUMN operation varchar(32)
            DROP TABLE usage_archive_sweep CASCADE                        | does not exist; apply sql/02-ledger.sql             | sql
            """)
    void tables_that_do_not_allow_it_are_an_error_and_archival_begins_once_they_are_repaired(
            String damage, String message, String repair) throws Exception {
        properties.setProperty(archiver("cron"), EVERY_SECOND);
        insertExpired();
        db.execute(damage);
        try (TestScheduler scheduler = started()) {
            scheduler.scheduleHostJob();

            awaitPluginError("model_usage_details is disabled", message);
            await().untilAsserted(() -> assertThat(log.messages(Level.ERROR, ArchiveJob.class))
                    .hasSizeGreaterThan(1)
                    .allMatch(error -> error.contains(message)));
            awaitHostFirings();
            assertThat(db.number("select count(*) from model_usage_details")).isEqualTo(ROWS);

            if (repair.equals("sql")) {
                db.execute(Files.readString(Path.of("sql/02-ledger.sql")));
                db.execute("GRANT SELECT, INSERT, UPDATE ON usage_archive_sweep TO " + TestDatabase.ARCHIVER);
            } else {
                db.execute(repair);
            }
            awaitArchival();
        }
    }

    @Test
    void an_archive_database_that_is_down_at_the_start_is_an_error_and_archival_begins_once_it_is_up()
            throws Exception {
        insertExpired();
        try (TcpProxy proxy = new TcpProxy(db.url())) {
            proxy.refuse();
            SampleConfig.setUrl(properties, SampleConfig.ARCHIVE_DATA_SOURCE, db.url(), proxy.url());
            try (TestScheduler scheduler = started()) {
                scheduler.scheduleHostJob();

                awaitPluginError("keeps trying, but could not check its tables; check data source archive: ");
                awaitHostFirings();
                assertThat(db.number("select count(*) from model_usage_details"))
                        .isEqualTo(ROWS);

                awaitPauseBetweenAttempts();
                proxy.accept();
                awaitArchival();
                await().until(() -> log.messages(Level.INFO, ArchivePlugin.class)
                        .contains("Archiver usageArchiver: the tables are fit to be archived"));
            }
        }
    }

    @Test
    void a_job_store_that_is_down_at_the_start_is_an_error_and_all_jobs_run_once_it_is_up() throws Exception {
        insertExpired();
        try (TestScheduler scheduler = new TestScheduler(properties)) {
            scheduler.scheduleHostJob();
        }
        assertThat(TestScheduler.hostFirings(db)).isZero();
        try (TcpProxy proxy = new TcpProxy(db.url())) {
            proxy.refuse();
            SampleConfig.setUrl(properties, SampleConfig.ARCHIVE_DATA_SOURCE, db.url(), proxy.url());
            SampleConfig.setUrl(properties, SampleConfig.QUARTZ_DATA_SOURCE, db.url(), proxy.url());
            try (TestScheduler scheduler = started()) {
                awaitPluginError("keeps trying, but could not store its schedule; check the job store's data source: ");
                assertThat(scheduler.get().isStarted()).isTrue();

                awaitPauseBetweenAttempts();
                proxy.accept();
                awaitArchival();
                awaitHostFirings();
                assertThat(log.messages(Level.ERROR, ArchivePlugin.class)).doesNotHaveDuplicates();
                assertThat(db.strings("select fired_by from usage_archive_sweep"))
                        .containsExactly("usageArchiver.startup");
                assertThat(scheduler.get().checkExists(CRON)).isTrue();
            }
        }
    }

    private TestScheduler started() throws SchedulerException {
        TestScheduler scheduler = new TestScheduler(properties);
        scheduler.get().start();
        return scheduler;
    }

    private List<String> firedBy() {
        return db.strings("select fired_by from usage_archive_sweep where state = 'DRAINED' order by 1");
    }

    private void insertExpired() {
        db.insertUsage(
                "SELECT i, timestamp '2020-01-01', timestamp '2020-01-01' FROM generate_series(1, " + ROWS + ") i");
    }

    private void awaitArchival() {
        await("the expired rows are archived")
                .until(() -> db.number("select count(*) from model_usage_details_archive") == ROWS
                        && db.number("select count(*) from model_usage_details") == 0);
    }

    private void awaitHostFirings() {
        long before = TestScheduler.hostFirings(db);
        await("the host's own job runs").until(() -> TestScheduler.hostFirings(db) > before);
    }

    private static void awaitPauseBetweenAttempts() {
        await("the archiver's background thread pauses")
                .until(() -> Thread.getAllStackTraces().entrySet().stream()
                        .filter(thread -> thread.getKey().getName().equals("usage-archiver-usageArchiver"))
                        .flatMap(thread -> Stream.of(thread.getValue()))
                        .anyMatch(frame -> frame.getClassName().equals(CountDownLatch.class.getName())));
    }

    private void awaitPluginError(String... parts) {
        await().untilAsserted(() -> assertThat(log.messages(Level.ERROR, ArchivePlugin.class))
                .doesNotHaveDuplicates()
                .anySatisfy(error -> assertThat(error).contains(parts)));
    }

    private static String nextTwo(Trigger trigger, String after) {
        Date first =
                trigger.getFireTimeAfter(Date.from(LocalDateTime.parse(after).toInstant(ZoneOffset.UTC)));
        return Stream.of(first, trigger.getFireTimeAfter(first))
                .map(time -> time.toInstant()
                        .atOffset(ZoneOffset.UTC)
                        .toLocalDateTime()
                        .toString())
                .collect(Collectors.joining(" "));
    }

    private static Map.Entry<String, Object> entry(String name, String value) {
        return Map.entry(name, value);
    }
}
