package io.usagearchiver.quartz;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.usagearchiver.ArchivePair;
import io.usagearchiver.ArchiveSettings;
import io.usagearchiver.Archiver;
import io.usagearchiver.MeteredUsage;
import io.usagearchiver.Planner;
import io.usagearchiver.ResourceEvents;
import io.usagearchiver.RestoreResult;
import io.usagearchiver.RowFilter;
import io.usagearchiver.StopSignal;
import io.usagearchiver.SweepResult;
import io.usagearchiver.testing.NodeProcess;
import io.usagearchiver.testing.SampleConfig;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import java.io.IOException;
import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.LocalDateTime;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

/** GPUStack's hourly sums and resource events, archived as the lines of docs/other-tables.md have it. */
class FurtherPairsTest {
    private static final List<String> TABLES = List.of("metered_usage", "resource_events", "model_usage_details");

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    FurtherPairsTest() {
        db.addExamples();
    }

    @Test
    void sums_and_events_are_archived_and_come_back_byte_for_byte() {
        insert(500);
        // Newer ones of all volumes, so that none of the expired events is a volume's newest.
        db.execute("""
                INSERT INTO resource_events (id, occurred_at, resource_type, resource_id, resource_name, event_type, created_at,
                  updated_at)
                SELECT 1000 + i, timestamp '2100-01-01', 'persistent_volume', i, 'volume', 'deleted', now(), now()
                FROM generate_series(0, 8) i""");
        for (ArchivePair<?> pair : List.of(TestedPair.of(MeteredUsage.PAIR), TestedPair.of(ResourceEvents.PAIR))) {
            String table = pair.hot().getName();
            db.execute("CREATE TABLE " + table + "_original AS TABLE " + table);
            ArchiveSettings settings = ArchiveSettings.defaults().withBatchSize(70);
            assertThat(new Planner(pair, db.archiver(), settings)
                            .plan(1000, new StopSignal())
                            .backlog()
                            .rows())
                    .isEqualTo(500);

            SweepResult sweep = Archiver.builder(pair, db.archiver())
                    .settings(settings)
                    .build()
                    .sweep();

            assertThat(sweep.rowsMoved()).isEqualTo(500);
            assertHolds(table + "_archive", table + "_original WHERE id <= 500");
            assertHolds(table, table + "_original WHERE id > 500");

            RestoreResult restored = Archiver.builder(pair, db.restorer())
                    .settings(settings)
                    .build()
                    .restore(
                            RowFilter.ages(null, LocalDateTime.parse("2020-01-02T00:00")),
                            null,
                            "audit",
                            new StopSignal());

            assertThat(restored.counts().rowsMoved()).isPositive().isLessThan(500);
            assertHolds(
                    table,
                    table + "_original WHERE id > 500 OR coalesce(to_jsonb(" + table
                            + "_original) ->> 'bucket_start', to_jsonb(" + table
                            + "_original) ->> 'occurred_at')::timestamp < '2020-01-02'");
        }
    }

    @Test
    void three_pairs_of_one_file_share_two_nodes_of_one_thread_each_and_none_starves() throws Exception {
        Properties properties = SampleConfig.of(db);
        properties.putAll(linesOfThePage());
        properties.setProperty("org.quartz.threadPool.threadCount", "1");
        Map<String, String> crons = Map.of(
                "usageArchiver", "* * * * * ?", "meteredUsage", "0/1 * * * * ?", "resourceEvents", "0/2 * * * * ?");
        crons.forEach((name, cron) -> {
            String plugin = "org.quartz.plugin." + name + ".";
            properties.setProperty(plugin + "cron", cron);
            properties.setProperty(plugin + "batchSize", "1");
            properties.setProperty(plugin + "pause", "50ms");
            // Longer than the crons' periods, so that each firing is late and has to wait for its turn.
            properties.setProperty(plugin + "timeBudget", "1500ms");
        });
        try (NodeProcess first = NodeProcess.start(properties, Map.of());
                NodeProcess second = NodeProcess.start(properties, Map.of())) {
            await("both nodes have checked in")
                    .atMost(Duration.ofSeconds(60))
                    .until(() -> db.number("SELECT count(*) FROM qrtz_scheduler_state") == 2);
            insert(2000);
            db.insertUsage("SELECT i, timestamp '2020-01-01', timestamp '2020-01-01' FROM generate_series(1, 2000) i");

            await("two pairs are swept at once, on different nodes")
                    .atMost(Duration.ofSeconds(30))
                    .until(() -> db.number("SELECT count(DISTINCT table_name) * count(DISTINCT node)"
                                    + " FROM usage_archive_sweep WHERE state = 'RUNNING'")
                            == 4);
            await("each pair has had three turns")
                    .atMost(Duration.ofSeconds(60))
                    .until(() -> turns().stream().allMatch(turns -> turns >= 3));
            assertThat(turns().stream().mapToLong(turns -> turns).max().getAsLong())
                    .as("turns of the pair that had most, when each had three or more")
                    .isLessThanOrEqualTo(
                            2 * turns().stream().mapToLong(turns -> turns).min().getAsLong() + 1);

            first.terminate();
            second.terminate();
            assertThat(first.ends(Duration.ofSeconds(10))).as(first.log()).isTrue();
            assertThat(second.ends(Duration.ofSeconds(10))).as(second.log()).isTrue();
        }
        assertThat(db.strings("SELECT state FROM usage_archive_sweep WHERE state NOT IN"
                        + " ('DRAINED', 'TIME_BUDGET', 'INTERRUPTED')" + ClusterTest.NOT_BESIDE_A_STARTUP))
                .isEmpty();
        assertThat(db.strings("SELECT trigger_name || ' ' || cron_expression FROM qrtz_cron_triggers ORDER BY 1"))
                .containsExactly(
                        "meteredUsage.cron 0/1 * * * * ?",
                        "resourceEvents.cron 0/2 * * * * ?",
                        "usageArchiver.cron * * * * * ?");
        for (String table : TABLES) {
            long moved = db.number(
                    "SELECT sum(rows_moved) FROM usage_archive_sweep WHERE table_name = 'public." + table + "'");
            assertThat(db.number("SELECT count(*) FROM " + table + "_archive"))
                    .isEqualTo(moved)
                    .isPositive();
            assertThat(db.number("SELECT count(*) FROM " + table + "_archive JOIN " + table + " USING (id)"))
                    .isZero();
        }
    }

    @Test
    void the_page_shows_a_pair_as_it_is_declared() throws IOException {
        String declared = Files.readString(Path.of("src/main/java/io/usagearchiver/MeteredUsage.java"))
                .replaceAll("(?s)/\\*\\*.*?\\*/\\s*", "")
                // What the shipped ones do so that plugins can tell why jOOQ does not start.
                .replaceFirst("static \\{[^}]*}", "");

        assertThat(block("java", "MeteredUsage"))
                .isEqualToIgnoringWhitespace(declared.substring(declared.indexOf("public final class")));
    }

    private static Properties linesOfThePage() throws IOException {
        Properties lines = new Properties();
        lines.load(new StringReader(block("properties", "meteredUsage")));
        assertThat(lines).hasSizeGreaterThanOrEqualTo(8);
        return lines;
    }

    static String block(String language, String about) throws IOException {
        return Pattern.compile("(?s)\n```" + language + "\n(.*?)\n```\n")
                .matcher(Files.readString(Path.of("docs/other-tables.md")))
                .results()
                .map(block -> block.group(1))
                .filter(block -> block.contains(about))
                .findFirst()
                .orElseThrow(() -> new AssertionError("no block of " + language + " with " + about));
    }

    /** The turns that each pair has had since there are rows, each to the end of its time. */
    private List<Long> turns() {
        return TABLES.stream()
                .map(table -> db.number("SELECT count(*) FROM usage_archive_sweep WHERE state = 'TIME_BUDGET'"
                        + " AND fired_by LIKE '%.cron' AND table_name = 'public." + table + "'"))
                .toList();
    }

    /** Expired rows with the ids from 1, a hundred an hour, and three more that are not expired. */
    private void insert(int expired) {
        db.execute("""
                INSERT INTO metered_usage (id, meter_key, resource_type, resource_id, resource_name, sku, dimensions,
                  bucket_start, quantity, unit, sealed_at, created_at, updated_at, consumer_principal_kind)
                SELECT i, 'instance.uptime', 'gpu_instance', i % 100, 'instance ' || i % 100, 'gpu', '{"b": 1,  "a": [1.0]}',
                  h, 3600, 'seconds', h + interval '2 hours', h, h, CASE i % 2 WHEN 0 THEN 'org' END
                FROM (SELECT i, CASE WHEN i > %1$d THEN timestamp '2100-01-01' + i * interval '1 hour'
                    ELSE timestamp '2020-01-01 20:00' + (i - 1) / 100 * interval '1 hour' END AS h
                  FROM generate_series(1, %1$d + 3) i) s;
                INSERT INTO resource_events (id, occurred_at, resource_type, resource_id, resource_name, event_type,
                  event_message, phase, spec_snapshot, created_at, updated_at, consumer_principal_kind)
                SELECT i, h, 'persistent_volume', i % 9, 'volume ' || i % 9, 'phase_to_metered', repeat('m', i %% 1000),
                  'Running', '{"size": "10Gi",  "size": 1}', h, h, 'user'
                FROM (SELECT i, CASE WHEN i > %1$d THEN timestamp '2100-01-01' + i * interval '1 second'
                    ELSE timestamp '2020-01-01 20:00' + i * interval '1 minute' END AS h
                  FROM generate_series(1, %1$d + 3) i) s""".replace("%1$d", String.valueOf(expired)).replace("%%", "%"));
    }

    private void assertHolds(String table, String original) {
        String name = original.split(" ", 2)[0];
        assertThat(db.strings("SELECT " + table + "::text FROM " + table + " ORDER BY 1"))
                .isEqualTo(db.strings("SELECT " + name + "::text FROM " + original + " ORDER BY 1"));
    }
}
