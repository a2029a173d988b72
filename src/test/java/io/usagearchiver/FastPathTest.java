package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.usagearchiver.testing.Rival;
import io.usagearchiver.testing.SlowPath;
import io.usagearchiver.testing.TappedConnections;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import io.usagearchiver.testing.UsageRows;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Slices that one statement moves: how they are cut, what they give back, and what they do to the application. */
class FastPathTest {
    private static final int WRITERS = 3;

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    @AutoClose("shutdownNow")
    private final ExecutorService threads = Executors.newFixedThreadPool(WRITERS);

    private final UsageRows rows = new UsageRows(db);
    private final List<String> statements = Collections.synchronizedList(new ArrayList<>());

    /** Ages of every kind: far apart, in crowds, -infinity, in either column. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 7, 10, 16, 97, 250, 1000, 5000})
    void however_ages_lie_each_row_moves_and_no_batch_is_larger_than_it_may_be(int batchSize) {
        Random random = new Random(batchSize);
        int count = batchSize < 10 ? 100 : 700;
        for (int round = 0; round < 3; round++) {
            int crowds = 1 + random.nextInt(12);
            rows.replace(IntStream.rangeClosed(1, count)
                    .mapToObj(id -> {
                        int age = random.nextInt(4) == 0 ? random.nextInt(100_000) : random.nextInt(crowds);
                        String moment = random.nextInt(200) == 0
                                ? "timestamp '-infinity'"
                                : "timestamp '2024-01-01' + interval '" + age + " s'";
                        return "SELECT " + id + ", " + (random.nextBoolean() ? moment : "NULL::timestamp") + ", "
                                + moment;
                    })
                    .collect(Collectors.joining(" UNION ALL ")));
            List<Long> sizes = new ArrayList<>(List.of(0L));
            SweepResult result = rows.archiver(batchSize)
                    .listener(new SweepListener() {
                        @Override
                        public void batchCommitted(SweepProgress progress) {
                            sizes.add(progress.rowsMoved());
                        }
                    })
                    .build()
                    .sweep();

            assertThat(result.stopReason()).isEqualTo(StopReason.DRAINED);
            assertThat(result.rowsMoved()).isEqualTo(count);
            for (int batch = 1; batch < sizes.size(); batch++) {
                assertThat(sizes.get(batch) - sizes.get(batch - 1)).isBetween(1L, (long) batchSize);
            }
            rows.assertMoved("true");
        }
    }

    @Test
    void rows_with_old_ages_that_come_meanwhile_move_in_the_same_sweep() {
        rows.replaceWithExpired(1000);

        SweepResult result = rows.archiver(100)
                .listener(UsageRows.afterBatch(
                        5,
                        () -> db.insertUsage("SELECT i, timestamp '2024-01-01' + (i - 2000) * interval '1 minute',"
                                + " timestamp '2024-01-01' FROM generate_series(2001, 2900) i")))
                .build()
                .sweep();

        assertThat(result.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(result.rowsMoved()).isEqualTo(1900);
        assertThat(db.number("SELECT count(*) FROM model_usage_details")).isZero();
    }

    @Test
    void a_slice_that_is_given_back_goes_the_slow_way_and_the_next_one_does_not() throws SQLException {
        rows.replaceWithExpired(1000);
        db.execute("INSERT INTO model_usage_details_archive SELECT * FROM model_usage_details WHERE id IN (150, 550);"
                + " UPDATE model_usage_details_archive SET user_name = 'other' WHERE id = 150");
        SweepResult result;
        try (Rival rival = new Rival(db, "SELECT 1 FROM model_usage_details WHERE id = 350 FOR UPDATE")) {
            result = tapped(100, 1).sweep();
        }

        assertThat(result.rowsMoved()).isEqualTo(997);
        assertThat(result.rowsAlreadyArchived()).isEqualTo(1);
        assertThat(result.conflictingIds()).containsExactly("150");
        assertThat(result.stopReason()).isEqualTo(StopReason.ROWS_LOCKED);
        // Ten slices; of the three that were given back, the rest of the second pass is once more locked and in
        // conflict.
        assertThat(atOnce()).isBetween(10L, 12L);
        assertThat(slowly()).isBetween(3L, 5L);
    }

    @Test
    void where_slice_after_slice_is_given_back_few_are_tried() {
        rows.replaceWithExpired(5000);
        db.execute("INSERT INTO model_usage_details_archive SELECT * FROM model_usage_details");

        SweepResult result = tapped(10, 1).sweep();

        assertThat(result.rowsAlreadyArchived()).isEqualTo(5000);
        assertThat(slowly()).isEqualTo(500);
        assertThat(atOnce()).isBetween(6L, 16L);
    }

    @ParameterizedTest
    @CsvSource({
        "DROP INDEX ix_model_usage_details_completed_at, false",
        "DROP INDEX ix_model_usage_details_completed_at; CREATE INDEX ON model_usage_details USING brin (completed_at), false",
        "DROP INDEX ix_model_usage_details_completed_at; CREATE INDEX ON model_usage_details (completed_at) WHERE id > 5, false",
        "DROP INDEX ix_model_usage_details_completed_at; CREATE INDEX ON model_usage_details (completed_at NULLS FIRST), false",
        "DROP INDEX ix_model_usage_details_completed_at; CREATE INDEX ON model_usage_details (completed_at DESC), true",
        "DROP INDEX ix_model_usage_details_completed_at; CREATE INDEX ON model_usage_details (completed_at)"
                + " WHERE completed_at IS NOT NULL, true",
        "SELECT 1, true"
    })
    void without_an_index_in_the_order_of_the_ages_rows_are_moved_by_their_keys(String change, boolean inStretches) {
        rows.replaceWithExpired(100);
        db.execute(change);

        SweepResult result = tapped(10, 1).sweep();

        assertThat(result.rowsMoved()).isEqualTo(100);
        assertThat(atOnce()).isEqualTo(10);
        assertThat(statements.stream().filter(sql -> sql.contains("with \"moved\"") && sql.contains(" any (cast(")))
                .hasSize(inStretches ? 0 : 10);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "ALTER DATABASE %s SET deadlock_timeout = '39ms'",
                "ALTER ROLE " + TestDatabase.ARCHIVER + " IN DATABASE %s SET deadlock_timeout = 30",
                "ALTER ROLE postgres IN DATABASE %s SET deadlock_timeout = '0.02s'",
                "ALTER ROLE postgres IN DATABASE %s SET deadlock_timeout = '0x64'",
                "ALTER ROLE " + TestDatabase.ARCHIVER + " IN DATABASE %s SET deadlock_timeout = '10s'"
            })
    void where_deadlocks_are_looked_for_very_soon_no_row_is_waited_for(String setting) {
        rows.replaceWithExpired(100);
        db.execute(setting.formatted(db.name()));

        SweepResult result = tapped(10, 1).sweep();

        assertThat(result.rowsMoved()).isEqualTo(100);
        assertThat(atOnce()).isZero();
    }

    @Test
    void a_statement_ends_before_others_look_for_deadlocks() {
        rows.replaceWithExpired(200);
        db.execute("ALTER ROLE postgres IN DATABASE " + db.name() + " SET deadlock_timeout = '400ms'");
        // 2 s for all rows, and none for those of which another transaction holds a lock.
        db.execute("CREATE FUNCTION slow(integer) RETURNS boolean LANGUAGE sql AS $$"
                + " SELECT pg_catalog.pg_sleep(0.01) IS NOT NULL $$;"
                + " ALTER TABLE model_usage_details_archive ADD CHECK (slow(id)) NOT VALID");

        SweepResult result = tapped(200, 1).sweep();

        assertThat(result.rowsMoved()).isEqualTo(200);
        assertThat(atOnce()).isEqualTo(1);
        assertThat(slowly()).isEqualTo(1);
        rows.assertMoved("true");
    }

    @ParameterizedTest
    @CsvSource({"1, false", "1, true", "2, false"})
    void a_row_whose_age_was_changed_while_its_statement_waited_for_it_stays(int workers, boolean byKeys)
            throws Exception {
        rows.replaceWithExpired(100);
        if (byKeys) {
            db.execute("DROP INDEX ix_model_usage_details_completed_at");
        }
        // Commits as soon as somebody waits for it: before the statement gives up.
        Future<?> application = threads.submit(() -> {
            try (Connection connection = db.connectAsOwner()) {
                TestDatabase.execute(
                        connection,
                        "DO $$ BEGIN"
                                + " UPDATE model_usage_details SET completed_at = '2026-06-01', user_name = 'late' WHERE id = 50;"
                                + " PERFORM pg_advisory_lock(50);"
                                + " WHILE NOT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"
                                + "   AND transactionid = pg_current_xact_id()::xid) LOOP PERFORM pg_sleep(0.001); END LOOP;"
                                + " END $$");
            }
            return null;
        });
        await().until(() -> db.number("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 50"
                        + " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())")
                == 1);

        SweepResult result = tapped(100, workers).sweep();

        application.get(1, TimeUnit.MINUTES);
        assertThat(result.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(result.rowsMoved()).isEqualTo(99);
        assertThat(db.strings("SELECT id || user_name FROM model_usage_details"))
                .containsExactly("50late");
    }

    /**
     * Writers change expired rows in any order, several a transaction, and move some ages past the cutoff: none of them fails,
     * none of what they were told is stored is lost, and no row moves that is not expired any more.
     */
    @ParameterizedTest
    @CsvSource({"1, false", "3, false", "1, true"})
    void writers_in_any_order_are_not_ended_and_lose_nothing(int workers, boolean slow) throws Exception {
        int count = 6000;
        rows.replaceWithExpired(count);
        db.execute("UPDATE model_usage_details SET prompt_token_count = 0");
        int[] acknowledged = new int[count + 1];
        boolean[] kept = new boolean[count + 1];
        List<Future<Integer>> writers = new ArrayList<>();
        for (int i = 0; i < WRITERS; i++) {
            int number = i;
            writers.add(threads.submit(() -> write(number, count, acknowledged, kept)));
        }
        SweepResult result;
        try (SlowPath path = new SlowPath(slow)) {
            result = tapped(100, workers).sweep();
        }
        int transactions = 0;
        for (Future<Integer> writer : writers) {
            transactions += writer.get(1, TimeUnit.MINUTES);
        }
        SweepResult last = rows.archiver(100).build().sweep();

        assertThat(last.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(transactions).as("transactions of writers").isGreaterThan(100);
        assertThat(db.strings("SELECT id FROM model_usage_details ORDER BY id"))
                .containsExactlyElementsOf(IntStream.rangeClosed(1, count)
                        .filter(id -> kept[id])
                        .mapToObj(String::valueOf)
                        .toList());
        assertThat(result.rowsMoved() + last.rowsMoved())
                .isEqualTo(db.number("SELECT count(*) FROM model_usage_details_archive"));
        assertThat(db.strings("SELECT id || ' ' || prompt_token_count FROM (TABLE model_usage_details UNION ALL"
                        + " TABLE model_usage_details_archive) u ORDER BY id"))
                .containsExactlyElementsOf(IntStream.rangeClosed(1, count)
                        .mapToObj(id -> id + " " + acknowledged[id])
                        .toList());
    }

    /** Of rows of its own, so that writers are in nobody's way but the sweep's. */
    private int write(int number, int count, int[] acknowledged, boolean[] kept) throws SQLException {
        Random random = new Random(number);
        int transactions = 0;
        try (Connection connection = db.connectAsOwner();
                Statement statement = connection.createStatement()) {
            connection.setAutoCommit(false);
            for (int round = 0; round < 250; round++) {
                List<Integer> ids = new ArrayList<>();
                boolean keep = random.nextInt(20) == 0;
                int first = random.nextInt(count / WRITERS - 60);
                for (int update = 0; update < 4; update++) {
                    int id = (first + random.nextInt(60)) * WRITERS + number + 1;
                    String set = "prompt_token_count = prompt_token_count + 1"
                            + (keep ? ", completed_at = '2999-01-01'" : "");
                    if (statement.executeUpdate("UPDATE model_usage_details SET " + set + " WHERE id = " + id) == 1) {
                        ids.add(id);
                    }
                }
                connection.commit();
                transactions++;
                for (int id : ids) {
                    acknowledged[id]++;
                    kept[id] |= keep;
                }
            }
        }
        return transactions;
    }

    private Archiver tapped(int batchSize, int workers) {
        statements.clear();
        return Archiver.builder(
                        TestedPair.USAGE,
                        new TappedConnections(db.archiver(), (sql, connection) -> statements.add(sql)))
                .clock(UsageRows.clockAt(UsageRows.CUTOFF.plusMonths(13)))
                .settings(ArchiveSettings.defaults().withBatchSize(batchSize).withWorkers(workers))
                .build();
    }

    private long atOnce() {
        return statements.stream().filter(sql -> sql.contains("with \"moved\"")).count();
    }

    private long slowly() {
        return statements.stream().filter(sql -> sql.contains("skip locked")).count();
    }
}
