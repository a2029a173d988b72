package io.usagearchiver.peers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

import io.usagearchiver.Archiver;
import io.usagearchiver.SchemaDriftException;
import io.usagearchiver.StopReason;
import io.usagearchiver.SweepResult;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.UsageRows;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Debian's pg_repack, which writes a table anew beside those who use it: a trigger tells it what they change meanwhile. */
class PgRepackTest {
    private static final String HOT = "model_usage_details";
    private static final String ARCHIVE = "model_usage_details_archive";
    private static final int ROWS = 100;

    @AutoClose
    private static final DebianServer server = new DebianServer();

    @AutoClose
    private final TestDatabase db = TestDatabase.createOn(server.superuserUrl());

    private final UsageRows rows = new UsageRows(db);

    @BeforeEach
    void has_rows() {
        db.execute("CREATE EXTENSION pg_repack");
        rows.replaceWithExpired(ROWS);
    }

    @ParameterizedTest
    @CsvSource({
        HOT + ", hot public.model_usage_details has trigger repack_trigger, 'which acts on DELETE'",
        ARCHIVE + ", archive public.model_usage_details_archive has trigger repack_trigger, 'which acts on each INSERT'"
    })
    void archival_is_disabled_while_it_works_and_goes_on_afterwards(String table, String told, String why)
            throws SQLException {
        try (Connection old = oldSnapshot();
                Program repack = repack(table)) {
            awaitTrigger(table);
            assertThatExceptionOfType(SchemaDriftException.class)
                    .isThrownBy(() -> archiver().build().sweep())
                    .withMessageContaining("Archival of public.model_usage_details is disabled")
                    .withMessageContaining(told + ", " + why);
            rows.assertAllHot();

            old.rollback();
            repack.join();
        }
        assertThat(archiver().build().sweep().rowsMoved()).isEqualTo(ROWS);
        rows.assertMoved("true");
    }

    @ParameterizedTest
    @ValueSource(strings = {HOT, ARCHIVE})
    void a_sweep_in_progress_ends_when_it_begins_and_the_next_one_moves_the_rest(String table) throws SQLException {
        try (Connection old = oldSnapshot()) {
            Program[] repack = new Program[1];
            Archiver archiver = archiver()
                    .listener(UsageRows.afterBatch(3, () -> {
                        repack[0] = repack(table);
                        awaitTrigger(table);
                    }))
                    .build();

            assertThatExceptionOfType(SchemaDriftException.class)
                    .isThrownBy(archiver::sweep)
                    .withMessageContaining("trigger repack_trigger");
            rows.assertMoved("id <= 30");

            try (Program begun = repack[0]) {
                old.rollback();
                begun.join();
            }
        }
        rows.assertMoved("id <= 30");
        assertThat(archiver().build().sweep().rowsMoved()).isEqualTo(ROWS - 30);
        rows.assertMoved("true");
    }

    /** The table has its identity and other files: rows are elsewhere in it. */
    @ParameterizedTest
    @ValueSource(strings = {HOT, ARCHIVE})
    void a_sweep_goes_on_over_a_table_that_it_has_written_anew_between_two_batches(String table) {
        String file = "SELECT pg_relation_filenode('" + table + "')";
        long before = db.number(file);

        SweepResult sweep = archiver()
                .listener(UsageRows.afterBatch(3, () -> {
                    try (Program repack = repack(table)) {
                        repack.join();
                    }
                }))
                .build()
                .sweep();

        assertThat(db.number(file)).isNotEqualTo(before);
        assertThat(sweep.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(sweep.rowsMoved()).isEqualTo(ROWS);
        rows.assertMoved("true");
    }

    /** Its last step waits for a lock that nobody may hold, and whoever wants one after it waits, too. */
    @Test
    void a_sweep_does_not_keep_it_from_its_end_nor_it_a_sweep() throws SQLException {
        db.slowBatches(Duration.ofMillis(100));
        try (Program repack = repack(HOT)) {
            SweepResult sweep = null;
            while (sweep == null) {
                try {
                    sweep = archiver().build().sweep();
                } catch (SchemaDriftException e) {
                    assertThat(e).hasMessageContaining("trigger repack_trigger");
                }
            }
            repack.join();
            assertThat(repack.log()).doesNotContain("ERROR");
        }
        rows.assertMoved("true");
        assertThat(db.number("SELECT sum(rows_moved) FROM usage_archive_sweep")).isEqualTo(ROWS);
    }

    @Test
    void what_a_killed_one_leaves_disables_archival_until_its_extension_is_dropped() throws SQLException {
        try (Connection old = oldSnapshot();
                Program repack = repack(HOT)) {
            awaitTrigger(HOT);
            repack.kill();
            old.rollback();
        }
        assertThatExceptionOfType(SchemaDriftException.class)
                .isThrownBy(() -> archiver().build().sweep())
                .withMessageContaining("has trigger repack_trigger");
        rows.assertAllHot();

        db.execute("DROP EXTENSION pg_repack CASCADE");

        assertThat(archiver().build().sweep().rowsMoved()).isEqualTo(ROWS);
        rows.assertMoved("true");
    }

    @Test
    void it_gives_the_disk_back_what_vacuum_only_makes_reusable() {
        // Those that stay are in the table's last pages.
        rows.replace("SELECT i, timestamp '2024-01-01' + CASE WHEN i > 20000 THEN interval '10 years'"
                + " ELSE i * interval '1 minute' END, timestamp '2024-01-01' FROM generate_series(1, 20100) i");
        archiver(1_000).build().sweep();
        db.execute("VACUUM " + HOT);
        String size = "SELECT pg_table_size('" + HOT + "')";
        long vacuumed = db.number(size);

        try (Program repack = repack(HOT)) {
            repack.join();
        }

        assertThat(db.number(size)).isLessThan(vacuumed / 10);
        rows.assertMoved("id <= 20000");
    }

    private Archiver.Builder archiver() {
        return archiver(10);
    }

    private Archiver.Builder archiver(int batchSize) {
        return rows.archiver(batchSize);
    }

    /** It waits, before its end, for whoever could still see the table as it was before its beginning. */
    private Connection oldSnapshot() throws SQLException {
        Connection connection = db.connectAsOwner();
        connection.setAutoCommit(false);
        connection.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
        TestDatabase.execute(connection, "SELECT txid_current()");
        return connection;
    }

    private Program repack(String table) {
        return new Program(List.of(
                DebianServer.PROGRAMS.resolve("pg_repack").toString(),
                "--host=127.0.0.1",
                "--port=" + server.port(),
                "--username=postgres",
                "--dbname=" + db.name(),
                "--table=public." + table));
    }

    private void awaitTrigger(String table) {
        await("its trigger is there")
                .until(() -> db.number("SELECT count(*) FROM pg_trigger WHERE tgname = 'repack_trigger'"
                                + " AND tgrelid = 'public." + table + "'::regclass")
                        == 1);
    }
}
