package io.usagearchiver.quartz;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.entry;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Level;
import io.usagearchiver.Health;
import io.usagearchiver.testing.CapturedLog;
import io.usagearchiver.testing.SampleConfig;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestScheduler;
import java.io.StringReader;
import java.util.List;
import java.util.Locale;
import java.util.Properties;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.quartz.JobDetail;
import org.quartz.JobKey;
import org.quartz.SchedulerException;

/** A plugin that names its tables and columns, instead of the class of a pair. */
class NamedPairPluginTest {
    private static final String PREFIX = "org.quartz.plugin.audit.";
    private static final JobKey JOB = new JobKey("audit", "usage-archiver");

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    @AutoClose
    private final CapturedLog log = new CapturedLog();

    private final Properties properties = SampleConfig.of(db);

    NamedPairPluginTest() {
        db.execute("""
                CREATE TABLE audit (event bigint PRIMARY KEY, at timestamptz NOT NULL, what text);
                CREATE TABLE audit_archive (event bigint PRIMARY KEY, at timestamptz NOT NULL, what text);
                CREATE INDEX ON audit (at);
                GRANT SELECT, DELETE, UPDATE ON audit TO :role;
                GRANT SELECT, INSERT, UPDATE ON audit_archive TO :role;
                INSERT INTO audit SELECT i, timestamptz '2020-01-01 00:00+00' + i * interval '1 day', 'event ' || i % 2
                  FROM generate_series(1, 40) i""".replace(":role", TestDatabase.ARCHIVER));
        properties.stringPropertyNames().stream()
                .filter(name -> name.startsWith("org.quartz.plugin."))
                .forEach(properties::remove);
        set("class", ArchivePlugin.class.getName());
        set("dataSource", "archive");
        set("hotTable", "audit");
        set("ageColumns", "at");
    }

    private void set(String setting, String value) {
        properties.setProperty(PREFIX + setting, value);
    }

    @Test
    void it_needs_no_class_and_its_job_tells_any_node_the_names() throws Exception {
        set("where", "what = 'event 1'");
        try (TestScheduler scheduler = new TestScheduler(properties)) {
            scheduler.get().start();
            awaitSweeps("DRAINED");

            assertThat(db.number("SELECT count(*) FROM audit_archive WHERE what = 'event 1'"))
                    .isEqualTo(20);
            assertThat(db.number("SELECT count(*) FROM audit WHERE what = 'event 0'"))
                    .isEqualTo(20);
            JobDetail job = scheduler.get().getJobDetail(JOB);
            assertThat(job.getJobDataMap())
                    .contains(
                            entry("hotTable", "public.audit"),
                            entry("archiveTable", "public.audit_archive"),
                            entry("ageColumns", "at"),
                            entry("where", "what = 'event 1'"))
                    .doesNotContainKeys("pair", "keyColumns");
            assertThat(job.getDescription())
                    .isEqualTo("Moves expired rows: \"public\".\"audit\" -> \"public\".\"audit_archive\"");
            assertThat(log.messages(Level.INFO, ArchivePlugin.class).get(0))
                    .startsWith("Archiver audit starts: {dataSource=archive, hotTable=public.audit,"
                            + " archiveTable=public.audit_archive, ageColumns=at, where=what = 'event 1', ");
            assertThat(ArchiverHealth.read(scheduler.get(), "audit").ok()).isTrue();
            assertThat(StoredJob.all(scheduler.get()))
                    .singleElement()
                    .satisfies(stored -> assertThat(stored.settings().table()).isEqualTo("public.audit"));
        }
        assertThat(log.messages(Level.ERROR)).isEmpty();
    }

    @Test
    void the_six_lines_of_the_page_are_all_that_it_takes() throws Exception {
        db.execute("""
                CREATE SCHEMA billing;
                CREATE TABLE billing.invoices (id bigint PRIMARY KEY, state text NOT NULL, closed_at timestamptz);
                CREATE INDEX ON billing.invoices (closed_at);
                CREATE TABLE billing.invoices_archive (LIKE billing.invoices INCLUDING INDEXES);
                GRANT USAGE ON SCHEMA billing TO :role;
                GRANT SELECT, DELETE, UPDATE ON billing.invoices TO :role;
                GRANT SELECT, INSERT, UPDATE ON billing.invoices_archive TO :role;
                INSERT INTO billing.invoices SELECT i, CASE i % 2 WHEN 0 THEN 'paid' ELSE 'void' END, '2020-01-01'
                  FROM generate_series(1, 40) i""".replace(":role", TestDatabase.ARCHIVER));
        properties.stringPropertyNames().stream()
                .filter(name -> name.startsWith(PREFIX))
                .forEach(properties::remove);
        String lines = FurtherPairsTest.block("properties", "billing.invoices");
        assertThat(lines.lines()).hasSize(6);
        properties.load(new StringReader(lines));
        try (TestScheduler scheduler = new TestScheduler(properties)) {
            scheduler.get().start();
            awaitSweeps("DRAINED");
        }
        assertThat(db.strings("SELECT DISTINCT state FROM billing.invoices")).containsExactly("void");
        assertThat(db.number("SELECT count(*) FROM billing.invoices_archive")).isEqualTo(20);
    }

    /** So long that Quartz's tables have no room for all of them, nor PostgreSQL for one with _archive behind it. */
    @Test
    void the_longest_names_fit_into_quartzs_tables() throws Exception {
        String longest = "Ä" + "n".repeat(61);
        String table = "\"" + longest + "\".\"" + longest + "\"";
        String archive = "\"" + longest + "\".\"" + longest.toLowerCase(Locale.ROOT) + "\"";
        db.execute(("CREATE SCHEMA \"" + longest + "\"; GRANT USAGE ON SCHEMA \"" + longest + "\" TO :role;"
                        + " ALTER TABLE audit RENAME TO \"" + longest + "\"; ALTER TABLE \"" + longest
                        + "\" SET SCHEMA \"" + longest + "\"; ALTER TABLE audit_archive RENAME TO \""
                        + longest.toLowerCase(Locale.ROOT) + "\"; ALTER TABLE \"" + longest.toLowerCase(Locale.ROOT)
                        + "\" SET SCHEMA \"" + longest + "\"")
                .replace(":role", TestDatabase.ARCHIVER));
        set("hotTable", table);
        set("archiveTable", archive);
        try (TestScheduler scheduler = new TestScheduler(properties)) {
            scheduler.get().start();
            awaitSweeps("DRAINED");
            assertThat(scheduler.get().getJobDetail(JOB).getDescription())
                    .startsWith("Moves expired rows: " + table + " -> ")
                    .hasSize(250);
        }
        assertThat(db.number("SELECT count(*) FROM " + archive)).isEqualTo(40);
        assertThat(log.messages(Level.ERROR)).isEmpty();
    }

    @Test
    void a_name_that_the_database_does_not_have_is_an_error_in_the_log_until_it_does() throws Exception {
        String told = "ageColumns = 'at': public.audit has no column at; it has event, happened_at, what";
        db.execute("ALTER TABLE audit RENAME at TO happened_at");
        try (TestScheduler scheduler = new TestScheduler(properties)) {
            scheduler.scheduleHostJob();
            scheduler.get().start();
            await().until(() -> log.messages(Level.ERROR, ArchivePlugin.class).stream()
                    .anyMatch(line -> line.contains(told)
                            && line.endsWith("The scheduler goes on; each firing checks the tables again.")));
            await().until(() ->
                    log.messages(Level.ERROR, ArchiveJob.class).stream().anyMatch(line -> line.contains(told)));
            Health health = ArchiverHealth.read(scheduler.get(), "audit");
            assertThat(health.status()).isEqualTo(Health.Status.DISABLED);
            assertThat(health.message()).contains(told);
            long firings = TestScheduler.hostFirings(db);
            await().until(() -> TestScheduler.hostFirings(db) > firings);

            db.execute("ALTER TABLE audit RENAME happened_at TO at");
            scheduler.get().triggerJob(JOB);
            awaitSweeps("DRAINED");
            assertThat(db.number("SELECT count(*) FROM audit_archive")).isEqualTo(40);
        }
    }

    @Test
    void a_bad_value_keeps_the_scheduler_from_being_made() {
        set("ageColumns", "at at");
        assertThatThrownBy(() -> new TestScheduler(properties).close())
                .isInstanceOf(SchedulerException.class)
                .hasMessageStartingWith(PREFIX + "ageColumns = 'at at': must be names, separated by commas, as in SQL");
        set("ageColumns", "at");
        set("pair", "io.usagearchiver.UsageDetails");
        assertThatThrownBy(() -> new TestScheduler(properties).close())
                .isInstanceOf(SchedulerException.class)
                .hasMessage(PREFIX + "pair = 'io.usagearchiver.UsageDetails' and " + PREFIX
                        + "hotTable = 'audit': both tell which tables; there must be the one or the other");
    }

    @Test
    void the_same_table_by_a_class_and_by_names_has_one_retention_period() {
        set("hotTable", "model_usage_details");
        set("ageColumns", "completed_at, created_at");
        set("retentionMonths", "12");
        properties.setProperty(SampleConfig.archiver("class"), ArchivePlugin.class.getName());
        properties.setProperty(SampleConfig.archiver("dataSource"), "archive");

        assertThatThrownBy(() -> new TestScheduler(properties).close())
                .isInstanceOf(SchedulerException.class)
                .hasMessageContaining("a table must have one retention period");
    }

    private void awaitSweeps(String... states) {
        await().until(
                        () -> db.strings("SELECT state FROM usage_archive_sweep ORDER BY sweep_id"),
                        List.of(states)::equals);
    }
}
