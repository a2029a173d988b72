package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import ch.qos.logback.classic.Level;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.usagearchiver.metrics.SweepMetrics;
import io.usagearchiver.testing.CapturedLog;
import io.usagearchiver.testing.TappedConnections;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import io.usagearchiver.testing.UsageRows;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Rows that the archive refuses, with whatever SQLSTATE: they stay, the others move, and no more is asked than need be. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class RefusedRowsTest {
    private static final String SECRET = "S3CR3T-4711";

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    @AutoClose
    private final CapturedLog log = new CapturedLog();

    private final UsageRows rows = new UsageRows(db);

    @BeforeEach
    void nothing_is_refused() {
        db.execute("DROP FUNCTION IF EXISTS refuse CASCADE; DROP TABLE IF EXISTS bill;"
                + " ALTER TABLE model_usage_details_archive DROP CONSTRAINT IF EXISTS refusing");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "02000", "09000", "20000", "21000", "22003", "23514", "24000", "27000", "2D000", "2F002", "38000",
                "39001", "40002", "44000", "54000", "54001", "55000", "AB123", "HV000", "P0001", "P0002", "P0004",
                "XX000", "XX001", "XX002"
            })
    void a_row_that_a_function_in_an_index_refuses_stays_hot_and_the_others_move(String state) {
        rows.replaceWithExpired(30);
        refuseInIndex("id IN (7, 23)", state);

        SweepResult result = rows.archiver(10).build().sweep();

        assertThat(result.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(result.rowsRejected()).isEqualTo(2);
        assertThat(result.rejectedIds()).containsExactly("7", "23");
        assertThat(rows.ledger("message")).contains("\n7: ERROR: refused", "\n23: ERROR: refused");
        rows.assertMoved("id NOT IN (7, 23)");
    }

    @Test
    void a_row_whose_data_are_damaged_is_told_as_an_error() {
        rows.replaceWithExpired(30);
        refuseInIndex("id = 7", "XX001");

        SweepResult result = rows.archiver(10).build().sweep();

        assertThat(log.messages(Level.ERROR, "io.usagearchiver.Sweep"))
                .contains("Sweep " + result.sweepId() + " of public.model_usage_details: row 7 cannot be moved:"
                        + " ERROR: refused (the server may have damaged data: see its log, and check the tables with"
                        + " pg_amcheck)");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            0A000 |
            0P000 |
            25006 | the next sweep that may write goes on
            26000 | PgBouncer
            28000 |
            3F000 |
            42501 | GRANT it to the role
            42703 | is missing or was altered
            42P01 | search_path = pg_catalog
            53100 | make room
            53200 | batchSize
            53300 | connections
            57P04 |
            58030 | see its log
            F0000 |
            """)
    void what_is_not_a_rows_fault_ends_the_sweep_at_once_with_what_to_do(String state, String hint) {
        rows.replaceWithExpired(30);
        refuse("id = 17", state);
        List<String> copies = new ArrayList<>();

        SweepFailedException failure = catchThrowableOfType(
                SweepFailedException.class,
                () -> Archiver.builder(TestedPair.USAGE, new TappedConnections(db.archiver(), (sql, connection) -> {
                            if (sql.contains("insert into \"public\".\"model_usage_details_archive\"")) {
                                copies.add(sql);
                            }
                        }))
                        .settings(ArchiveSettings.defaults().withBatchSize(10))
                        .clock(UsageRows.clockAt(UsageRows.CUTOFF.plusMonths(13)))
                        .build()
                        .sweep());

        assertThat(failure).hasMessageContaining(" failed: ERROR: refused" + (hint == null ? "" : " ("));
        assertThat(failure).hasMessageContaining(hint == null ? "" : hint);
        assertThat(copies).hasSize(2);
        assertThat(rows.ledger("state || ' ' || rows_moved || ' ' || rows_rejected"))
                .isEqualTo("FAILED 10 0");
        rows.assertMoved("id <= 10");
    }

    @Test
    void a_single_row_that_takes_too_long_stays_hot() {
        rows.replaceWithExpired(30);
        refuse("id = 17", "57014");

        SweepResult result = rows.archiver(30).build().sweep();

        assertThat(result.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(result.rejectedIds()).containsExactly("17");
        rows.assertMoved("id <> 17");
    }

    @Test
    void a_sweep_whose_rows_all_take_too_long_ends_after_a_few() {
        rows.replaceWithExpired(100);
        refuse("true", "57014");

        SweepFailedException failure = catchThrowableOfType(
                SweepFailedException.class, () -> rows.archiver(100).build().sweep());

        assertThat(failure.result().rowsRejected()).isLessThanOrEqualTo(20);
        rows.assertAllHot();
    }

    @Test
    void a_sweep_that_is_refused_row_after_row_ends_with_the_first_rows_and_their_reasons() {
        rows.replaceWithExpired(5_000);
        db.execute("ALTER TABLE model_usage_details_archive ADD CONSTRAINT refusing CHECK (id < 0)");

        SweepFailedException failure = catchThrowableOfType(
                SweepFailedException.class, () -> rows.archiver(25).build().sweep());

        assertThat(failure.result().stopReason()).isEqualTo(StopReason.FAILED);
        assertThat(failure.result().rowsRejected()).isBetween(1000L, 1100L);
        String message = rows.ledger("message");
        assertThat(message.lines())
                .hasSize(2 + SweepResult.LISTED_IDS)
                .startsWith(
                        "row after row is refused: " + failure.result().rowsRejected()
                                + " rows that were tried stay, and at least "
                                + (5_000 - failure.result().rowsRejected()) + " more were not tried",
                        "rejected by the archive, or by what refers to the row:",
                        "1: ERROR: new row for relation \"model_usage_details_archive\" violates check constraint"
                                + " \"refusing\"");
        assertThat(failure).hasMessageContaining(message);
        rows.assertAllHot();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 100})
    void good_rows_behind_more_refused_ones_than_a_sweep_tries_move(int batchSize) {
        rows.replaceWithExpired(3_000);
        db.execute("ALTER TABLE model_usage_details_archive ADD CONSTRAINT refusing CHECK (id > 2450)");

        SweepFailedException failure = catchThrowableOfType(
                SweepFailedException.class,
                () -> rows.archiver(batchSize).build().sweep());

        assertThat(failure.result().rowsMoved()).isEqualTo(550);
        assertThat(failure.result().rowsRejected()).isLessThan(2450);
        rows.assertMoved("id > 2450");
    }

    @Test
    void all_good_rows_move_however_many_bad_ones_lie_among_them() {
        rows.replaceWithExpired(1_300);
        db.execute("ALTER TABLE model_usage_details_archive ADD CONSTRAINT refusing CHECK (id % 400 = 0 OR id > 1250)");

        SweepResult result = rows.archiver(100).build().sweep();

        assertThat(result.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(result.rowsRejected()).isEqualTo(1247);
        rows.assertMoved("id % 400 = 0 OR id > 1250");
    }

    @Test
    void a_row_that_another_table_refers_to_is_told_so() {
        rows.replaceWithExpired(10);
        db.execute("CREATE TABLE bill (usage_id integer REFERENCES model_usage_details); INSERT INTO bill VALUES (7)");

        assertThat(rows.archiver(10).build().sweep().rejectedIds()).containsExactly("7");

        assertThat(rows.ledger("message"))
                .startsWith(
                        "rejected by the archive, or by what refers to the row:\n7: ERROR: update or delete on table")
                .contains("\"bill\"")
                .endsWith("(where the constraint is of a table that refers to the row: it stays until that does not any"
                        + " more)");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            ADD CONSTRAINT refusing CHECK (id <> 7)                                          | DRAINED
            ADD CONSTRAINT refusing UNIQUE (user_name)                                       | DRAINED
            ADD CONSTRAINT refusing UNIQUE (user_name) DEFERRABLE INITIALLY DEFERRED         | DRAINED
            ADD CONSTRAINT refusing EXCLUDE USING btree (user_name WITH =)                   | DRAINED
            ADD CONSTRAINT refusing CHECK (refuse(id, user_name, 'P0001'))                   | DRAINED
            ADD CONSTRAINT refusing CHECK (refuse(id, user_name, '42501'))                   | FAILED
            """)
    void what_a_refused_row_contains_is_told_nowhere(String constraint, StopReason reason) {
        db.execute("""
                CREATE FUNCTION refuse(id integer, name text, state text) RETURNS boolean LANGUAGE plpgsql AS $$
                BEGIN
                  IF id = 7 THEN
                    EXECUTE format('DO $do$ BEGIN RAISE EXCEPTION USING MESSAGE = ''refused'', ERRCODE = %L, DETAIL = %L,'
                      ' HINT = %L; END $do$ -- %s', state, name, name, name);
                  END IF;
                  RETURN true;
                END $$""");
        rows.replaceWithExpired(10);
        db.execute("UPDATE model_usage_details SET user_name = CASE WHEN id IN (7, 99) THEN '" + SECRET
                + "' ELSE id::text END");
        db.insertUsage("SELECT 99, timestamp '2019-01-01', timestamp '2019-01-01'");
        db.execute("UPDATE model_usage_details SET user_name = '" + SECRET + "' WHERE id = 99");
        db.execute("ALTER TABLE model_usage_details_archive " + constraint);
        SimpleMeterRegistry registry = new SimpleMeterRegistry();
        StringWriter told = new StringWriter();
        log.everythingOf("io.usagearchiver");

        try {
            told.append(rows.archiver(4)
                    .listener(new SweepMetrics(registry))
                    .build()
                    .sweep()
                    .toString());
        } catch (SweepFailedException e) {
            e.printStackTrace(new PrintWriter(told, true));
        }

        assertThat(rows.ledger("state")).isEqualTo(reason.name());
        assertThat(rows.ledger("message")).contains("ERROR: ").doesNotContain(SECRET, "DETAIL", "Detail");
        assertThat(told.toString()).doesNotContain(SECRET);
        assertThat(db.strings("SELECT s::text FROM usage_archive_status s").toString())
                .doesNotContain(SECRET);
        assertThat(new SweepHistory(TestedPair.USAGE, db.archiver(), ArchiveSettings.defaults())
                        .newest(10)
                        .toString())
                .doesNotContain(SECRET);
        assertThat(registry.getMetersAsString()).doesNotContain(SECRET);
        assertThat(log.everything()).contains("refuse").doesNotContain(SECRET);
    }

    private void refuse(String which, String state) {
        function(which, state);
        db.execute("ALTER TABLE model_usage_details_archive ADD CONSTRAINT refusing CHECK (refuse(id) = 0)");
    }

    private void refuseInIndex(String which, String state) {
        function(which, state);
        db.execute("CREATE INDEX ON model_usage_details_archive (refuse(id))");
    }

    private void function(String which, String state) {
        db.execute("""
                CREATE FUNCTION refuse(id integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$
                BEGIN
                  IF {which} THEN
                    RAISE EXCEPTION 'refused' USING ERRCODE = '{state}';
                  END IF;
                  RETURN 0;
                END $$""".replace("{which}", which).replace("{state}", state));
    }
}
