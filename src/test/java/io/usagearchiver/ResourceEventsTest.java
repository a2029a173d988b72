package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import io.usagearchiver.testing.UsageRows;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.LocalDateTime;
import java.util.List;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** GPUStack's events: whatever is archived or comes back, GPUStack finds the newest one of each resource where it was. */
class ResourceEventsTest {
    /** What GPUStack's collectors of instances and of volumes and its logger of events take from the table at their start. */
    private static final String NEWEST = """
            SELECT max(id)::text AS newest FROM resource_events WHERE resource_type IN ('gpu_instance', 'cpu_instance')
              AND event_type IN ('phase_to_metered', 'phase_left_metered', 'deleted') AND resource_id IS NOT NULL
            GROUP BY resource_id
            UNION ALL SELECT max(id)::text FROM resource_events WHERE resource_type = 'persistent_volume'
              AND event_type IN ('created', 'deleted') AND resource_id IS NOT NULL GROUP BY resource_id
            UNION ALL (SELECT DISTINCT ON (resource_type, resource_id) id::text FROM resource_events
              WHERE event_type IN ('created', 'phase_to_metered', 'phase_left_metered', 'deleted') AND resource_id IS NOT NULL
              ORDER BY resource_type, resource_id, occurred_at DESC, id DESC)
            ORDER BY 1""";

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    ResourceEventsTest() {
        db.addExamples();
    }

    /** A resource's events in the order of their ids, @ which minute where it is not the next one; and which of them stay. */
    private static final String CASES = """
            gpu_instance      | phase_to_metered                                               | 1
            gpu_instance      | phase_to_metered phase_to_metered                              | 2
            gpu_instance      | created phase_to_metered                                       | 2
            cpu_instance      | created phase_to_metered phase_left_metered                    | 3
            gpu_instance      | created phase_to_metered phase_left_metered phase_to_metered   | 4
            gpu_instance      | created phase_to_metered phase_left_metered deleted            | 4
            gpu_instance      | deleted created                                                | 1,2
            gpu_instance      | phase_to_metered updated                                       | 1,2
            gpu_instance      | updated phase_to_metered updated updated                       | 2,4
            persistent_volume | created                                                        | 1
            persistent_volume | created attached detached attached                             | 1,3,4
            persistent_volume | created attached detached deleted                              | 4
            persistent_volume | created resized                                                | 1,2
            gpu_instance      | phase_to_metered@5 phase_left_metered@5                        | 2
            gpu_instance      | phase_to_metered@5 phase_left_metered@5 phase_to_metered@5     | 3
            gpu_instance      | phase_to_metered@5 phase_left_metered@4                        | 1,2
            gpu_instance      | phase_to_metered@5 phase_left_metered@4 phase_to_metered@5     | 3
            """;

    @Test
    void of_a_resource_stays_what_nothing_newer_has_replaced() {
        List<String> cases = CASES.lines().toList();
        for (int resource = 0; resource < cases.size(); resource++) {
            String[] parts = cases.get(resource).split("\\|");
            String[] events = parts[1].strip().split(" ");
            for (int i = 0; i < events.length; i++) {
                String[] event = events[i].split("@");
                int minute = event.length > 1 ? Integer.parseInt(event[1]) : i;
                event(10 * resource + i + 1, minute, parts[0].strip(), resource, event[0]);
            }
        }
        List<String> newest = db.strings(NEWEST);

        SweepResult result = archiver(1000).sweep();

        assertThat(result.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(result.rowsMoved()).isPositive();
        for (int resource = 0; resource < cases.size(); resource++) {
            String[] stay = cases.get(resource).replaceFirst(".*\\| *", "").split(",");
            assertThat(db.strings("SELECT id %% 10 FROM resource_events WHERE resource_id = %d ORDER BY id"
                            .formatted(resource)))
                    .as(cases.get(resource))
                    .containsExactly(stay);
        }
        assertThat(db.strings(NEWEST)).isEqualTo(newest);
    }

    @Test
    void resources_have_nothing_to_do_with_each_other_and_events_of_none_expire_like_all_rows() {
        event(1, 1, "gpu_instance", 7, "phase_to_metered");
        event(2, 2, "gpu_instance", 8, "deleted");
        event(3, 3, "persistent_volume", 7, "created");
        event(4, 4, "persistent_volume", 7, "deleted");
        event(5, 5, "gpu_instance", null, "deleted");
        event(6, 6, "gpu_instance", null, "deleted");
        // In the year 2100.
        event(7, 42_000_000, "gpu_instance", 9, "phase_left_metered");
        event(8, 8, "gpu_instance", 9, "phase_to_metered");

        archiver(1000).sweep();

        assertThat(db.strings("SELECT id FROM resource_events ORDER BY id")).containsExactly("1", "2", "4", "7", "8");
    }

    @Test
    void an_old_event_goes_when_its_successor_is_committed_and_not_before() throws SQLException {
        event(1, 1, "gpu_instance", 7, "phase_to_metered");
        try (Connection application = db.connectAsOwner()) {
            application.setAutoCommit(false);
            UsageRows.execute(application, insert(2, 42_000_000, "gpu_instance", 7, "phase_left_metered"));
            assertThat(archiver(1000).sweep().rowsMoved()).isZero();
            application.rollback();
            assertThat(archiver(1000).sweep().rowsMoved()).isZero();
            UsageRows.execute(application, insert(3, 42_000_000, "gpu_instance", 7, "phase_left_metered"));
            application.commit();
        }

        assertThat(archiver(1000).sweep().rowsMoved()).isEqualTo(1);

        assertThat(db.strings("SELECT id FROM resource_events")).containsExactly("3");
    }

    @ParameterizedTest
    @ValueSource(ints = {5, 1000})
    void whatever_the_batches_are_and_whatever_comes_back_gpustack_meters_by_the_same_events(int batchSize) {
        int rows = 200;
        db.execute("""
                SELECT setseed(0.%d);
                INSERT INTO resource_events (id, occurred_at, resource_type, resource_id, resource_name, event_type, created_at, updated_at)
                SELECT i, timestamp '2020-01-01' + (i + floor(random() * 5)) / 3 * interval '1 minute',
                  (ARRAY['gpu_instance', 'cpu_instance', 'persistent_volume'])[1 + floor(random() * 3)],
                  nullif(floor(random() * 12), 0), 'r', (ARRAY['created', 'phase_to_metered', 'phase_left_metered', 'updated',
                    'attached', 'deleted', 'created', 'phase_to_metered', 'phase_left_metered'])[1 + floor(random() * 9)],
                  now(), now()
                FROM generate_series(1, %d) i;
                CREATE TABLE original AS TABLE resource_events""".formatted(batchSize, rows));
        List<String> newest = db.strings(NEWEST);

        SweepResult swept = Archiver.builder(TestedPair.of(ResourceEvents.PAIR), db.archiver())
                .settings(ArchiveSettings.defaults().withBatchSize(batchSize))
                .listener(new SweepListener() {
                    @Override
                    public void batchCommitted(SweepProgress progress) {
                        assertThat(db.strings(NEWEST)).isEqualTo(newest);
                    }
                })
                .build()
                .sweep();

        assertThat(swept.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(swept.rowsMoved()).isBetween(rows / 3L, rows - 30L);
        assertThat(db.strings(NEWEST)).isEqualTo(newest);
        assertThat(archiver(batchSize).sweep().rowsMoved()).isZero();

        RestoreResult restored = Archiver.builder(TestedPair.of(ResourceEvents.PAIR), db.restorer())
                .settings(ArchiveSettings.defaults().withBatchSize(batchSize))
                .build()
                .restore(
                        RowFilter.ages(null, LocalDateTime.parse("2020-01-01T01:00")),
                        LocalDateTime.parse("2100-01-01T00:00"),
                        "audit",
                        new StopSignal());

        assertThat(restored.counts().rowsMoved()).isPositive();
        assertThat(db.strings(NEWEST)).isEqualTo(newest);
        assertThat(db.strings(
                        "TABLE original EXCEPT ALL (TABLE resource_events UNION ALL TABLE resource_events_archive)"
                                .replace("TABLE original", "SELECT original::text FROM original")
                                .replace(
                                        "TABLE resource_events_archive",
                                        "SELECT a::text FROM resource_events_archive a")
                                .replace("TABLE resource_events", "SELECT e::text FROM resource_events e")))
                .isEmpty();
        assertThat(
                        db.number(
                                "SELECT (SELECT count(*) FROM resource_events) + (SELECT count(*) FROM resource_events_archive)"))
                .isEqualTo(rows);
    }

    @Test
    void each_candidate_finds_its_successor_by_the_index_also_where_most_are_of_one_resource() {
        int rows = 6_000;
        db.execute("""
                INSERT INTO resource_events (id, occurred_at, resource_type, resource_id, resource_name, event_type, created_at, updated_at)
                SELECT i, timestamp '2020-01-01' + i * interval '1 second', 'gpu_instance', CASE i %% 20 WHEN 0 THEN i ELSE 7 END, 'r',
                  CASE i %% 2 WHEN 0 THEN 'phase_to_metered' ELSE 'phase_left_metered' END, now(), now()
                FROM generate_series(1, %d) i; ANALYZE resource_events""".formatted(rows));

        assertThat(archiver(1000).sweep().rowsMoved()).isEqualTo(rows - 1 - rows / 20);

        await("the sweep's session has told what it read")
                .until(() -> db.number("SELECT coalesce(sum(idx_scan), 0) FROM pg_stat_user_indexes"
                                + " WHERE indexrelname = 'ix_resource_events_resource_lookup'")
                        >= rows);
        // Entries that are read: the row itself and its successor, for the page and for the batch.
        assertThat(db.number("SELECT sum(idx_tup_read) FROM pg_stat_user_indexes"
                        + " WHERE indexrelname = 'ix_resource_events_resource_lookup'"))
                .isLessThan(10L * rows);
    }

    private Archiver archiver(int batchSize) {
        return Archiver.builder(TestedPair.of(ResourceEvents.PAIR), db.archiver())
                .settings(ArchiveSettings.defaults().withBatchSize(batchSize))
                .build();
    }

    private void event(int id, int minute, String resourceType, Integer resource, String type) {
        db.execute(insert(id, minute, resourceType, resource, type));
    }

    private static String insert(int id, int minute, String resourceType, Integer resource, String type) {
        return """
                INSERT INTO resource_events (id, occurred_at, resource_type, resource_id, resource_name, event_type,
                  created_at, updated_at)
                VALUES (%d, timestamp '2020-01-01' + %d * interval '1 minute', '%s', %s, 'r', '%s', now(), now())""".formatted(id, minute, resourceType, resource, type);
    }
}
