package consumer;

import static org.assertj.core.api.Assertions.assertThat;

import consumer.generated.Public;
import io.usagearchiver.ArchivePair;
import io.usagearchiver.Archiver;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class SealedHoursTest extends GeneratedCode {
    private static final ArchivePair<?> PAIR = new SealedHours().get();

    SealedHoursTest() {
        super(Public.PUBLIC, PAIR);
    }

    @Override
    protected Database migrated() throws Exception {
        Database db = Database.empty();
        for (String version : new String[] {"2.2.3", "2.3.0"}) {
            db.execute(Files.readString(Path.of("src/main/resources/gpustack", version + ".sql")));
        }
        db.executeSql("none", "02-ledger.sql");
        return db;
    }

    @Override
    protected void insert(Database db) {
        db.execute("""
                INSERT INTO metered_usage (id, meter_key, resource_type, resource_id, resource_name, sku, sku_count,
                  definition_snapshot, instance_type_name, bucket_start, quantity, unit, sealed_at, created_at, updated_at)
                SELECT i, 'instance.uptime', 'gpu_instance', i, 'r', 'sha1:' || i, i / 8.0, 'sha1:' || i, 'mig', h, 3600,
                  'seconds', CASE WHEN i <= 100 THEN h END, h, h
                FROM generate_series(1, 110) i, (VALUES (timestamp '2020-01-01 07:00')) AS hour (h)""");
    }

    @Test
    void columns_of_the_later_version_arrive_as_they_are() throws Exception {
        try (Database db = migrated()) {
            insert(db);
            String rows = "SELECT m::text FROM %s m WHERE id <= 100 ORDER BY id";
            var hot = db.strings(rows.formatted("metered_usage"));
            Archiver.builder(PAIR, db::connectAsOwner).build().sweep();
            assertThat(db.strings(rows.formatted("metered_usage_archive")))
                    .hasSize(100)
                    .isEqualTo(hot);
        }
    }
}
