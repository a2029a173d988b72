package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;

import io.usagearchiver.testing.Rival;
import io.usagearchiver.testing.TappedConnections;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.sql.DriverManager;
import java.time.LocalDateTime;
import java.util.concurrent.atomic.AtomicInteger;
import org.jooq.Record;
import org.jooq.TableField;
import org.jooq.impl.SQLDataType;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.postgresql.PGConnection;

/**
 * Keys of ten thousand characters each, of which a sweep remembers some four hundred: what it keeps in memory is bounded,
 * and its counts are exact all the same. Of 3,000 rows, 2,500 are in conflict and every sixth is not.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class LongKeysTest {
    private static final ForeignTable HOT = new ForeignTable("public", "document");
    private static final TableField<Record, String> ID = HOT.column("id", SQLDataType.VARCHAR);
    private static final TableField<Record, LocalDateTime> AT = HOT.column("at", SQLDataType.LOCALDATETIME);
    private static final ArchivePair<?> PAIR =
            TestedPair.of(ArchivePair.of(HOT, HOT.twin("public", "document_archive"), ID, AT));

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    LongKeysTest() {
        for (String table : new String[] {"document", "document_archive"}) {
            // PostgreSQL compresses them, in the index too.
            db.execute("CREATE TABLE " + table + " (id varchar(20000) PRIMARY KEY, at timestamp NOT NULL, note text);"
                    + " CREATE INDEX ON " + table + " (at);"
                    + " GRANT SELECT, INSERT, DELETE, UPDATE ON " + table + " TO " + TestDatabase.ARCHIVER);
        }
    }

    @BeforeEach
    void rows() {
        db.execute("TRUNCATE document, document_archive, usage_archive_sweep;"
                + " INSERT INTO document SELECT i || repeat('k', 10000), timestamp '2020-01-01' + i * interval '1 second'"
                + " FROM generate_series(1, 3000) i; INSERT INTO document_archive SELECT id, at, 'other' FROM document"
                + " WHERE extract(second from at)::integer % 6 <> 0");
    }

    @Test
    void a_small_heap_holds_a_sweep_of_more_rows_in_conflict_than_would_fit_into_it() throws Exception {
        assertThat(sweepOfItsOwnProcess("-Xmx56m")).contains("DRAINED 500 moved, 2500 in conflict");
        assertCounts("DRAINED 500 2500");
    }

    @Test
    void a_small_heap_holds_a_sweep_of_large_batches() throws Exception {
        db.execute("TRUNCATE document_archive");
        assertThat(sweepOfItsOwnProcess("-Xmx56m")).contains("DRAINED 3000 moved, 0 in conflict");
        assertCounts("DRAINED 3000 0");
    }

    @Test
    void after_a_lost_connection_rows_that_are_not_remembered_are_counted_once() {
        AtomicInteger batches = new AtomicInteger();
        SweepResult result = Archiver.builder(PAIR, new TappedConnections(db.archiver(), (sql, connection) -> {
                    if (sql.startsWith("update \"public\".\"usage_archive_sweep\"")
                            && sql.contains("rows_moved")
                            && batches.incrementAndGet() == 10) {
                        db.strings("SELECT pg_terminate_backend("
                                + connection.unwrap(PGConnection.class).getBackendPID() + ", 5000)");
                    }
                }))
                .build()
                .sweep();

        assertThat(batches).hasValueGreaterThan(10);
        assertThat(result.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(result.rowsInConflict()).isEqualTo(2500);
        assertCounts("DRAINED 500 2500");
    }

    @Test
    void a_row_that_is_locked_is_told_from_those_that_are_not_remembered() throws Exception {
        try (Rival rival =
                new Rival(db, "SELECT FROM document WHERE at = timestamp '2020-01-01 00:01:00' FOR UPDATE")) {
            Archiver.builder(PAIR, db.archiver()).build().sweep();
        }
        assertCounts("ROWS_LOCKED 499 2500");
        Archiver.builder(PAIR, db.archiver()).build().sweep();
        assertCounts("DRAINED 1 2500");
    }

    private String sweepOfItsOwnProcess(String heap) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        heap,
                        "-XX:+UseSerialGC",
                        "-XX:TieredStopAtLevel=1",
                        "-cp",
                        System.getProperty("java.class.path"),
                        LongKeysTest.class.getName(),
                        db.url())
                .redirectErrorStream(true)
                .start();
        try {
            return new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        } finally {
            process.destroyForcibly().waitFor();
        }
    }

    /** Sweeps in batches of the largest size. */
    public static void main(String[] args) {
        SweepResult result = Archiver.builder(
                        PAIR, () -> DriverManager.getConnection(args[0], TestDatabase.ARCHIVER, TestDatabase.ARCHIVER))
                .settings(ArchiveSettings.defaults().withBatchSize(ArchiveSettings.MAX_BATCH_SIZE))
                .build()
                .sweep();
        System.out.println(
                result.stopReason() + " " + result.rowsMoved() + " moved, " + result.rowsInConflict() + " in conflict");
    }

    private void assertCounts(String expected) {
        assertThat(db.strings("SELECT concat_ws(' ', state, rows_moved, rows_in_conflict) FROM usage_archive_sweep"
                        + " ORDER BY sweep_id DESC LIMIT 1"))
                .containsExactly(expected);
        assertThat(db.number("SELECT count(*) FROM document_archive")).isLessThanOrEqualTo(3000);
        assertThat(db.number("SELECT count(*) FROM document JOIN document_archive USING (id) WHERE"
                        + " document_archive.note IS NULL"))
                .isZero();
    }
}
