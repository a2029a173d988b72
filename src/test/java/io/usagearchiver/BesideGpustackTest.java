package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import io.usagearchiver.testing.UsageRows;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.LocalDateTime;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The pairs on tables as GPUStack's versions make them, with the ledger and the grants and nothing else; and what its page says. */
class BesideGpustackTest {
    private static final List<ArchivePair<?>> PAIRS =
            List.of(UsageDetails.PAIR, MeteredUsage.PAIR, ResourceEvents.PAIR);
    private static final Path PAGE = Path.of("docs/beside-gpustack.md");
    private static final int ROWS = 90;

    @AutoClose
    private final TestDatabase db = TestDatabase.empty();

    @ParameterizedTest
    @ValueSource(strings = {"2.2.3", "2.3.0"})
    void all_rows_are_archived_and_come_back_with_every_column(String version) {
        make(version);
        for (ArchivePair<?> pair : PAIRS) {
            String hot = pair.hot().getName();
            fill(hot);
            List<String> all = rows(hot);

            SweepResult swept = archiver(pair, db.archiver()).sweep();

            assertThat(swept.rowsMoved()).as(hot).isEqualTo(ROWS);
            assertThat(rows(hot)).isEmpty();
            assertThat(rows(hot + "_archive")).isEqualTo(all);

            RestoreResult restored = archiver(pair, db.restorer())
                    .restore(
                            RowFilter.ages(null, LocalDateTime.parse("2100-01-01T00:00")),
                            null,
                            "all",
                            new StopSignal());

            assertThat(restored.counts().rowsMoved()).as(hot).isEqualTo(ROWS);
            assertThat(rows(hot)).isEqualTo(all);
        }
    }

    @Test
    void tables_that_a_migration_goes_over_are_archived_before_and_after_it() {
        make("2.2.3");
        fill("metered_usage");
        Archiver archiver = archiver(MeteredUsage.PAIR, db.archiver());
        archiver.sweep();
        List<String> before = rows("metered_usage_archive");
        migrate("2.3.0");
        db.execute("""
                INSERT INTO metered_usage (id, meter_key, resource_type, resource_id, resource_name, sku, sku_count,
                  definition_snapshot, instance_type_name, bucket_start, quantity, unit, created_at, updated_at)
                SELECT 1000 + i, 'instance.uptime', 'gpu_instance', 7, 'r', 'sha1:a', i * 0.11904762, 'sha1:b', 'mig',
                  timestamp '2020-01-01', 3600, 'seconds', now(), now()
                FROM generate_series(1, 3) i""");

        archiver.sweep();

        assertThat(db.strings("SELECT sku_count || ' ' || definition_snapshot || ' ' || instance_type_name"
                        + " FROM metered_usage_archive WHERE id > 1000 ORDER BY id"))
                .containsExactly("0.11904762 sha1:b mig", "0.23809524 sha1:b mig", "0.35714286 sha1:b mig");
        assertThat(before).hasSize(ROWS);
        assertThat(db.number("SELECT count(*) FROM metered_usage_archive WHERE sku_count = 1.00000000"))
                .isEqualTo(ROWS);
    }

    @Test
    void a_migration_that_has_come_to_one_table_alone_disables_archival_until_the_other_has_it() {
        make("2.2.3");
        fill("metered_usage");
        db.execute(
                "ALTER TABLE metered_usage ADD COLUMN definition_snapshot varchar, ADD COLUMN instance_type_name varchar,"
                        + " ALTER COLUMN sku_count TYPE numeric(20, 8)");
        Archiver archiver = archiver(MeteredUsage.PAIR, db.archiver());

        assertThatThrownBy(archiver::sweep)
                .isInstanceOf(SchemaDriftException.class)
                .hasMessageContaining("archive public.metered_usage_archive lacks column definition_snapshot")
                .hasMessageContaining("archive public.metered_usage_archive lacks column instance_type_name")
                .hasMessageContaining("sku_count is integer (hot: numeric(20,8))");
        assertThat(rows("metered_usage")).hasSize(ROWS);

        db.execute("ALTER TABLE metered_usage_archive ADD COLUMN definition_snapshot varchar,"
                + " ADD COLUMN instance_type_name varchar, ALTER COLUMN sku_count TYPE numeric(20, 8)");
        assertThat(archiver.sweep().rowsMoved()).isEqualTo(ROWS);
    }

    @Test
    void tables_made_by_an_earlier_version_of_the_examples_are_refused_until_these_are_applied_again()
            throws IOException {
        TestDatabase.scripts().forEach(db::execute);
        db.addExamples();
        for (String table : List.of("metered_usage", "resource_events")) {
            db.execute("ALTER TABLE " + table + " DROP consumer_principal_kind; ALTER TABLE " + table
                    + "_archive DROP consumer_principal_kind");
        }
        for (ArchivePair<?> pair : PAIRS.subList(1, 3)) {
            assertThatThrownBy(() -> archiver(pair, db.archiver()).sweep())
                    .hasMessageContaining("lacks column consumer_principal_kind, which the generated code has");
        }

        db.addExamples();

        for (ArchivePair<?> pair : PAIRS.subList(1, 3)) {
            fill(pair.hot().getName());
            assertThat(archiver(pair, db.archiver()).sweep().rowsMoved()).isEqualTo(ROWS);
        }
    }

    @Test
    void a_rename_beside_a_sweep_reaches_every_row() throws SQLException {
        make("2.3.0");
        fill("model_usage_details");
        db.execute("UPDATE model_usage_details SET user_id = id % 2, user_name = 'old'");
        try (Connection gpustack = db.connectAsOwner()) {
            gpustack.setAutoCommit(false);
            UsageRows.execute(gpustack, "UPDATE model_usage_details SET user_name = 'new' WHERE user_id = 1");
            assertThat(archiver(UsageDetails.PAIR, db.archiver()).sweep().rowsMoved())
                    .isEqualTo(ROWS / 2);
            UsageRows.execute(gpustack, "UPDATE model_usage_details_archive SET user_name = 'new' WHERE user_id = 1");
            gpustack.commit();
        }
        archiver(UsageDetails.PAIR, db.archiver()).sweep();

        assertThat(db.strings("SELECT DISTINCT user_id || user_name FROM model_usage_details_archive ORDER BY 1"))
                .containsExactly("0old", "1new");
        assertThat(rows("model_usage_details")).isEmpty();
    }

    @Test
    void what_a_restore_brings_back_in_the_middle_of_a_rename_gets_the_new_name_by_the_pages_statement()
            throws Exception {
        make("2.3.0");
        db.execute(
                "CREATE TABLE principals (id integer PRIMARY KEY, name varchar); INSERT INTO principals VALUES (7, 'old')");
        fill("model_usage_details");
        db.execute("UPDATE model_usage_details SET user_id = 6 + id % 2, user_name = 'old'");
        archiver(UsageDetails.PAIR, db.archiver()).sweep();
        try (Connection gpustack = db.connectAsOwner()) {
            gpustack.setAutoCommit(false);
            UsageRows.execute(gpustack, "UPDATE principals SET name = 'new' WHERE id = 7");
            UsageRows.execute(gpustack, "UPDATE model_usage_details SET user_name = 'new' WHERE user_id = 7");
            archiver(UsageDetails.PAIR, db.restorer())
                    .restore(
                            RowFilter.ages(null, LocalDateTime.parse("2100-01-01T00:00")),
                            null,
                            "all",
                            new StopSignal());
            UsageRows.execute(gpustack, "UPDATE model_usage_details_archive SET user_name = 'new' WHERE user_id = 7");
            gpustack.commit();
        }
        String names = "SELECT DISTINCT user_id || user_name FROM model_usage_details ORDER BY 1";
        assertThat(db.strings(names)).containsExactly("6old", "7old");

        db.execute(sqlOfThePage("A user is renamed"));

        assertThat(db.strings(names)).containsExactly("6old", "7new");
    }

    @Test
    void the_pages_query_finds_the_events_without_which_gpustack_would_not_meter() throws Exception {
        make("2.2.3");
        db.execute("""
                INSERT INTO resource_events_archive (id, occurred_at, resource_type, resource_id, resource_name, event_type,
                  created_at, updated_at)
                SELECT id, timestamp '2020-01-01' + id * interval '1 hour', type, resource, 'r', event, now(), now()
                FROM (VALUES (1, 'gpu_instance', 1, 'phase_to_metered'), (2, 'gpu_instance', 1, 'phase_left_metered'),
                  (3, 'gpu_instance', 2, 'created'), (4, 'gpu_instance', 2, 'phase_to_metered'),
                  (5, 'gpu_instance', 3, 'phase_to_metered'), (6, 'persistent_volume', 4, 'created'),
                  (7, 'persistent_volume', 5, 'created'), (8, 'persistent_volume', 5, 'deleted'),
                  (9, 'cpu_instance', 6, 'created')) AS event (id, type, resource, event);
                INSERT INTO resource_events SELECT * FROM resource_events_archive WHERE id = 5;
                UPDATE resource_events SET id = 10, event_type = 'phase_left_metered'""");

        assertThat(db.strings(sqlOfThePage("The newest event of a resource"))).containsExactly("4", "6");
    }

    private static String sqlOfThePage(String section) throws IOException {
        var block = Pattern.compile("\n## " + section + "\n(?s:.*?)\n```sql\n((?s:.*?))\n```")
                .matcher(Files.readString(PAGE));
        assertThat(block.find()).isTrue();
        return block.group(1);
    }

    private static Archiver archiver(ArchivePair<?> pair, ConnectionSource connections) {
        return Archiver.builder(TestedPair.of(pair), connections)
                .settings(ArchiveSettings.defaults().withBatchSize(40))
                .build();
    }

    /** GPUStack's tables, and what its page says that is missing there. */
    private void make(String version) {
        migrate("2.2.3");
        if (!version.equals("2.2.3")) {
            migrate(version);
        }
        TestDatabase.scripts().stream()
                .filter(script -> !script.contains("qrtz_")
                        && !script.contains("CREATE TABLE IF NOT EXISTS public.model_usage_details"))
                .forEach(db::execute);
        db.grantExamples();
    }

    private void migrate(String version) {
        try {
            db.execute(
                    Files.readString(Path.of("src/it/codegen-gpustack/src/main/resources/gpustack", version + ".sql")));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Expired rows that have a value of their own in each column, but for an event's type and resource. */
    private void fill(String table) {
        String values = db.strings("""
                        SELECT string_agg(CASE
                          WHEN column_name = 'id' THEN 'i'
                          WHEN column_name = 'event_type' THEN '''created'''
                          WHEN column_name = 'sku_count' THEN '1'
                          WHEN data_type = 'integer' THEN 'i * 100 + ' || ordinal_position
                          WHEN data_type = 'bigint' THEN 'i * 10000000000 + ' || ordinal_position
                          WHEN data_type = 'boolean' THEN 'i % 2 = ' || ordinal_position % 2
                          WHEN data_type = 'date' THEN 'date ''2020-01-01'' + i'
                          WHEN data_type LIKE 'timestamp%' THEN 'timestamp ''2020-01-01 00:00:00.000001'' + i * interval ''1 hour'' + '
                            || ordinal_position || ' * interval ''1 second'''
                          WHEN data_type = 'json' THEN '(''{"n":  1.0, "n": '' || i || ''}'')::json'
                          ELSE '''' || left(column_name, 20) || ' '' || i' END, ', ' ORDER BY ordinal_position)
                        FROM information_schema.columns WHERE table_schema = 'public' AND table_name = '%s'""".replace("%s", table)).get(0);
        db.execute("INSERT INTO " + table + " SELECT " + values + " FROM generate_series(1, " + ROWS + ") i");
        if (table.equals("resource_events")) {
            db.execute("UPDATE resource_events SET resource_id = NULL");
        }
    }

    private List<String> rows(String table) {
        return db.strings("SELECT t::text FROM " + table + " t ORDER BY id");
    }
}
