package io.usagearchiver.quartz;

import static io.usagearchiver.testing.SampleConfig.archiver;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Level;
import io.usagearchiver.ArchivePair;
import io.usagearchiver.testing.CapturedLog;
import io.usagearchiver.testing.SampleConfig;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestScheduler;
import java.time.LocalDateTime;
import java.util.List;
import java.util.Properties;
import java.util.function.Supplier;
import org.jooq.Record;
import org.jooq.TableField;
import org.jooq.impl.DSL;
import org.jooq.impl.SQLDataType;
import org.jooq.impl.TableImpl;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.quartz.JobKey;
import org.quartz.SchedulerException;

class TwoArchiversTest {
    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    @AutoClose
    private final CapturedLog log = new CapturedLog();

    private final Properties properties = SampleConfig.of(db);

    TwoArchiversTest() {
        db.execute("""
                CREATE TABLE audit (event bigint PRIMARY KEY, at timestamp NOT NULL, what text);
                CREATE TABLE audit_archive (event bigint PRIMARY KEY, at timestamp NOT NULL, what text);
                CREATE INDEX ON audit (at);
                GRANT SELECT, DELETE, UPDATE ON audit TO :role;
                GRANT SELECT, INSERT, UPDATE ON audit_archive TO :role;
                INSERT INTO audit SELECT i, timestamp '2020-01-01' + i * interval '1 day', 'event ' || i
                  FROM generate_series(1, 40) i;
                INSERT INTO audit VALUES (41, localtimestamp - interval '40 days', 'fresh for the first, old for the second')
                """.replace(":role", TestDatabase.ARCHIVER));
        db.insertUsage("SELECT i, timestamp '2020-01-01', timestamp '2020-01-01' FROM generate_series(1, 25) i"
                + " UNION ALL SELECT 26, localtimestamp - interval '40 days', localtimestamp");
        properties.setProperty("org.quartz.plugin.auditArchiver.class", ArchivePlugin.class.getName());
        properties.setProperty("org.quartz.plugin.auditArchiver.dataSource", "archive");
        properties.setProperty("org.quartz.plugin.auditArchiver.pair", AuditPair.class.getName());
        properties.setProperty("org.quartz.plugin.auditArchiver.retentionMonths", "1");
        properties.setProperty("org.quartz.plugin.auditArchiver.cron", "0 4 * * *");
    }

    @Test
    void two_archivers_move_their_own_rows_by_their_own_settings() throws Exception {
        runUntilBothHaveSwept(1);

        assertThat(db.strings("select concat_ws(' ', table_name, fired_by, state, rows_moved)"
                        + " from usage_archive_sweep order by 1"))
                .containsExactly(
                        "public.audit auditArchiver.startup DRAINED 41",
                        "public.model_usage_details usageArchiver.startup DRAINED 25");
        assertThat(db.number("select count(*) from audit_archive")).isEqualTo(41);
        assertThat(db.number("select count(*) from audit")).isZero();
        assertThat(db.number("select count(*) from model_usage_details_archive"))
                .isEqualTo(25);
        assertThat(db.strings("select id from model_usage_details")).containsExactly("26");
    }

    @Test
    void two_archivers_keep_to_their_own_job_and_triggers() throws Exception {
        runUntilBothHaveSwept(1);
        List<String> audit = rowsOf("auditArchiver");
        assertThat(db.strings("select concat(job_group, '.', job_name) from qrtz_job_details order by 1"))
                .containsExactly("usage-archiver.auditArchiver", "usage-archiver.usageArchiver");
        assertThat(db.strings("select trigger_name || ' ' || cron_expression from qrtz_cron_triggers order by 1"))
                .containsExactly("auditArchiver.cron 0 0 4 * * ? *", "usageArchiver.cron 0 0 3 * * ? *");

        properties.setProperty(archiver("cron"), "0 5 * * *");
        properties.setProperty(archiver("batchSize"), "7");
        runUntilBothHaveSwept(2);

        assertThat(rowsOf("auditArchiver")).isEqualTo(audit);
        assertThat(db.strings("select trigger_name || ' ' || cron_expression from qrtz_cron_triggers order by 1"))
                .containsExactly("auditArchiver.cron 0 0 4 * * ? *", "usageArchiver.cron 0 0 5 * * ? *");
    }

    @Test
    void two_archivers_of_one_table_with_different_retention_periods_are_refused() {
        addSecondOf("retentionMonths", "5");

        assertThatThrownBy(() -> new TestScheduler(properties).close())
                .isInstanceOf(SchedulerException.class)
                .message()
                .satisfiesAnyOf(
                        message -> assertThat(message)
                                .isEqualTo(
                                        "org.quartz.plugin.second: retentionMonths 5 for public.model_usage_details, data"
                                                + " source archive, for which org.quartz.plugin.usageArchiver has 13: a table must have"
                                                + " one retention period"),
                        message -> assertThat(message)
                                .isEqualTo("org.quartz.plugin.usageArchiver: retentionMonths 13 for"
                                        + " public.model_usage_details, data source archive, for which"
                                        + " org.quartz.plugin.second has 5: a table must have one retention period"));
    }

    @Test
    void two_archivers_of_one_table_with_the_same_retention_period_are_told_that_one_is_enough() throws Exception {
        addSecondOf("batchSize", "5");

        new TestScheduler(properties).close();

        assertThat(log.messages(Level.WARN, ArchivePlugin.class))
                .singleElement()
                .asString()
                .matches("Archivers (second and usageArchiver|usageArchiver and second) both archive"
                        + " public.model_usage_details, data source archive: each one's sweep ends the other's that runs; one of"
                        + " them is enough");
    }

    @Test
    void two_archivers_of_tables_of_one_name_in_two_databases_are_none_of_each_others_business() throws Exception {
        addSecondOf("retentionMonths", "5");
        properties.setProperty("org.quartz.plugin.second.dataSource", "quartz");

        new TestScheduler(properties).close();

        assertThat(log.messages(Level.WARN, ArchivePlugin.class)).isEmpty();
    }

    private void addSecondOf(String setting, String value) {
        properties.setProperty("org.quartz.plugin.second.class", ArchivePlugin.class.getName());
        properties.setProperty("org.quartz.plugin.second.dataSource", "archive");
        properties.setProperty("org.quartz.plugin.second." + setting, value);
    }

    private void runUntilBothHaveSwept(int times) throws SchedulerException {
        try (TestScheduler scheduler = new TestScheduler(properties)) {
            scheduler.get().start();
            await().until(() ->
                    db.number("select count(*) from usage_archive_sweep where state = 'DRAINED'") == 2L * times
                            && db.number("select count(*) from qrtz_triggers where trigger_type = 'SIMPLE'") == 0);
            assertThat(scheduler
                            .get()
                            .getJobDetail(new JobKey("auditArchiver", "usage-archiver"))
                            .getJobDataMap())
                    .containsEntry("pair", AuditPair.class.getName())
                    .containsEntry("retentionMonths", "1")
                    .containsEntry("batchSize", "1000");
        }
    }

    private List<String> rowsOf(String plugin) {
        return db.strings(
                "select concat(t, c) from qrtz_triggers t join qrtz_cron_triggers c using (trigger_name) where trigger_name = '"
                        + plugin + ".cron'");
    }

    /** The second pair, as a host's generated code would have it. */
    public static final class AuditPair implements Supplier<ArchivePair<?>> {
        @Override
        public ArchivePair<?> get() {
            Audit hot = new Audit("audit");
            return ArchivePair.of(hot, new Audit("audit_archive"), hot.event, hot.at);
        }
    }

    private static final class Audit extends TableImpl<Record> {
        private static final long serialVersionUID = 1;

        final TableField<Record, Long> event = createField(DSL.name("event"), SQLDataType.BIGINT.notNull(), this);
        final TableField<Record, LocalDateTime> at =
                createField(DSL.name("at"), SQLDataType.LOCALDATETIME(6).notNull(), this);

        Audit(String name) {
            super(DSL.name(name), DSL.schema(DSL.name("public")));
            createField(DSL.name("what"), SQLDataType.CLOB, this);
        }
    }
}
