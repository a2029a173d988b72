package io.usagearchiver;

import static io.usagearchiver.generated.Tables.MODEL_USAGE_DETAILS;
import static org.assertj.core.api.Assertions.assertThat;

import io.usagearchiver.testing.Rival;
import io.usagearchiver.testing.TappedConnections;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jooq.DataType;
import org.jooq.Field;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Ids that the archive holds already. Five rows are expired; it is row 17, which has no NULL, that meets its own id. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ConflictTest {
    private static final String ARCHIVE_17 =
            "INSERT INTO model_usage_details_archive SELECT * FROM model_usage_details WHERE id = 17";
    private static final String CHANGE_17 =
            "UPDATE model_usage_details_archive SET prompt_token_count = prompt_token_count + 1 WHERE id = 17";

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    @AutoClose
    private final Connection connection = db.connectAsArchiver();

    ConflictTest() throws SQLException {}

    @BeforeEach
    void five_expired_rows() {
        db.execute("DELETE FROM model_usage_details; DELETE FROM model_usage_details_archive");
        insertExpired(15, 19);
    }

    @Test
    void a_row_that_is_archived_already_leaves_the_hot_table_and_is_counted() {
        db.execute("INSERT INTO model_usage_details_archive SELECT * FROM model_usage_details WHERE id < 18");
        db.execute("CREATE TABLE before AS TABLE model_usage_details");

        assertCounts(sweep(), 2, 3, 0);

        assertThat(db.number("SELECT count(*) FROM model_usage_details")).isZero();
        assertThat(db.strings("TABLE before EXCEPT TABLE model_usage_details_archive"))
                .isEmpty();
        assertThat(db.number("SELECT count(*) FROM model_usage_details_archive"))
                .isEqualTo(5);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("differences")
    void a_row_whose_archived_copy_differs_in_one_column_stays_hot(String difference, String makeIt) {
        db.execute(ARCHIVE_17);
        db.execute(makeIt);
        String hot = row17("model_usage_details");
        String archived = row17("model_usage_details_archive");
        assertThat(hot).as("the rows before the sweep").isNotEqualTo(archived);

        assertCounts(sweep(), 4, 0, 1);

        assertThat(db.strings("SELECT id FROM model_usage_details")).containsExactly("17");
        assertThat(row17("model_usage_details")).isEqualTo(hot);
        assertThat(row17("model_usage_details_archive")).isEqualTo(archived);
    }

    static Stream<String[]> differences() {
        return Arrays.stream(MODEL_USAGE_DETAILS.fields())
                .filter(column -> !column.equals(MODEL_USAGE_DETAILS.ID))
                .flatMap(ConflictTest::differences);
    }

    private static Stream<String[]> differences(Field<?> column) {
        String name = column.getName();
        Stream<String[]> values = Stream.<String[]>of(new String[] {
            name + ": two values",
            "UPDATE model_usage_details_archive SET " + name + " = " + another(name, column.getDataType())
        });
        Stream<String[]> nulls = Stream.of("model_usage_details", "model_usage_details_archive")
                .map(table ->
                        new String[] {name + ": NULL in " + table, "UPDATE " + table + " SET " + name + " = NULL"});
        return column.getDataType().nullable() ? Stream.concat(values, nulls) : values;
    }

    private static String another(String column, DataType<?> type) {
        if (type.isString()) {
            return column + " || '~'";
        }
        if (type.isBoolean()) {
            return "NOT " + column;
        }
        return column + (type.isTimestamp() ? " + interval '1 microsecond'" : " + 1");
    }

    @Test
    void a_row_in_conflict_is_reported_again_by_each_sweep_and_each_ends() {
        db.execute(ARCHIVE_17);
        db.execute(CHANGE_17);

        assertCounts(sweep(), 4, 0, 1);
        assertCounts(sweep(), 0, 0, 1);
        assertCounts(sweep(), 0, 0, 1);
    }

    @Test
    void more_conflicts_than_a_page_holds_do_not_keep_other_rows_hot() {
        insertExpired(101, 160);
        db.execute("INSERT INTO model_usage_details_archive SELECT * FROM model_usage_details WHERE id > 100");
        db.execute("UPDATE model_usage_details_archive SET completed = NOT completed");
        db.execute("UPDATE model_usage_details SET completed_at = completed_at + interval '1 year' WHERE id < 100");

        SweepResult result = Archiver.builder(TestedPair.USAGE, db.archiver())
                .settings(ArchiveSettings.defaults().withBatchSize(1)) // so a page is 50 rows
                .build()
                .sweep();

        assertThat(result.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(result.rowsMoved()).isEqualTo(5);
        assertThat(result.rowsInConflict()).isEqualTo(60);
        assertThat(result.conflictingIds())
                .containsExactlyElementsOf(IntStream.rangeClosed(101, 120)
                        .mapToObj(String::valueOf)
                        .toList());
        assertThat(db.number("SELECT count(*) FROM model_usage_details")).isEqualTo(60);
    }

    @ParameterizedTest
    @ValueSource(strings = {"DELETE FROM model_usage_details_archive", CHANGE_17})
    void a_row_whose_archived_copy_goes_or_changes_between_copy_and_proof_stays_hot(String change) throws Exception {
        db.execute(ARCHIVE_17);
        String hot = row17("model_usage_details");
        try (Rival rival = new Rival(db, "SELECT FROM model_usage_details_archive WHERE id = 17 FOR UPDATE")) {
            CompletableFuture<SweepResult> sweep = start();
            rival.awaitWaiting(1, Rival.PROOF);
            rival.execute(change);
            rival.commit();

            assertCounts(sweep.get(), 4, 0, 1);
        }
        assertThat(row17("model_usage_details")).isEqualTo(hot);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            -       | identical | commits | 4 | 1 | 0
            -       | different | commits | 4 | 0 | 1
            -       | different | aborts  | 5 | 0 | 0
            archive | different | commits | 4 | 0 | 1
            archive | different | aborts  | 4 | 1 | 0
            archive | deleted   | commits | 4 | 0 | 1
            archive | deleted   | aborts  | 4 | 1 | 0
            """)
    void an_open_transaction_that_writes_the_archived_copy_is_waited_for(
            String before, String write, String end, int moved, int alreadyArchived, int conflicts) throws Exception {
        boolean archived = before.equals("archive");
        if (archived) {
            db.execute(ARCHIVE_17);
        }
        String statement = switch (write) {
            case "identical" -> ARCHIVE_17;
            case "different" -> archived ? CHANGE_17 : ARCHIVE_17 + ";" + CHANGE_17;
            default -> "DELETE FROM model_usage_details_archive";
        };
        String hot = row17("model_usage_details");
        try (Rival rival = new Rival(db, statement)) {
            CompletableFuture<SweepResult> sweep = start();
            rival.awaitWaiting(1, archived ? Rival.PROOF : Rival.COPY);
            if (end.equals("commits")) {
                rival.commit();
            } else {
                rival.close();
            }

            assertCounts(sweep.get(), moved, alreadyArchived, conflicts);
        }
        if (conflicts == 0) {
            assertThat(db.number("SELECT count(*) FROM model_usage_details")).isZero();
            assertThat(row17("model_usage_details_archive")).isEqualTo(hot);
        } else {
            assertThat(row17("model_usage_details")).isEqualTo(hot);
            assertThat(row17("model_usage_details_archive")).isNotEqualTo(hot);
        }
    }

    @Test
    void a_row_that_another_session_archives_at_the_same_instant_is_proven_also_when_it_is_alone_in_its_batch()
            throws Exception {
        try (Rival rival = new Rival(db, ARCHIVE_17)) {
            CompletableFuture<SweepResult> sweep = start(db.archiver(), 1);
            rival.awaitWaiting(1, Rival.COPY);
            rival.commit();

            assertCounts(sweep.get(), 4, 1, 0);
        }
    }

    @Test
    void a_pool_whose_transactions_are_serializable_proves_as_well() throws Exception {
        try (Rival rival = new Rival(db, ARCHIVE_17)) {
            CompletableFuture<SweepResult> sweep = start(() -> {
                Connection connection = db.connectAsArchiver();
                connection.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
                return connection;
            });
            rival.awaitWaiting(1, Rival.COPY);
            rival.commit();

            assertCounts(sweep.get(), 4, 1, 0);
        }
    }

    private void insertExpired(int from, int to) {
        db.insertUsage("SELECT i, timestamp '2020-01-01' + i * interval '1 minute', timestamp '2020-01-01'"
                + " FROM generate_series(%d, %d) i".formatted(from, to));
    }

    private SweepResult sweep() {
        return Archiver.builder(TestedPair.USAGE, TappedConnections.keptOpen(connection))
                .build()
                .sweep();
    }

    private CompletableFuture<SweepResult> start() {
        return start(db.archiver());
    }

    private static CompletableFuture<SweepResult> start(ConnectionSource connections) {
        return start(connections, ArchiveSettings.DEFAULT_BATCH_SIZE);
    }

    private static CompletableFuture<SweepResult> start(ConnectionSource connections, int batchSize) {
        Duration patience = Duration.ofMinutes(1);
        Archiver archiver = Archiver.builder(TestedPair.USAGE, connections)
                .settings(ArchiveSettings.defaults()
                        .withBatchSize(batchSize)
                        .withTimeouts(patience.minusSeconds(1), patience, patience))
                .build();
        return CompletableFuture.supplyAsync(archiver::sweep, task -> new Thread(task).start());
    }

    private String row17(String table) {
        return String.join("\n", db.strings("SELECT t::text FROM " + table + " t WHERE id = 17"));
    }

    /** That the sweep, which came to an end, counts so many rows, that its ledger row does as well, and what it lists. */
    private void assertCounts(SweepResult result, int moved, int alreadyArchived, int conflicts) {
        assertThat(result.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(result.rowsMoved()).as("moved").isEqualTo(moved);
        assertThat(result.rowsAlreadyArchived()).as("archived already").isEqualTo(alreadyArchived);
        assertThat(result.rowsInConflict()).as("in conflict").isEqualTo(conflicts);
        assertThat(result.conflictingIds()).isEqualTo(conflicts == 0 ? List.of() : List.of("17"));
        assertThat(db.strings("SELECT concat_ws(' ', state, rows_moved, rows_already_archived, rows_in_conflict)"
                        + " FROM usage_archive_sweep WHERE sweep_id = " + result.sweepId()))
                .containsExactly("DRAINED %d %d %d".formatted(moved, alreadyArchived, conflicts));
    }
}
