package io.usagearchiver.internal.ledger;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import ch.qos.logback.classic.Level;
import io.usagearchiver.ArchiveSettings;
import io.usagearchiver.Archiver;
import io.usagearchiver.Health;
import io.usagearchiver.Holds;
import io.usagearchiver.Plan;
import io.usagearchiver.Planner;
import io.usagearchiver.RowFilter;
import io.usagearchiver.SchemaDriftException;
import io.usagearchiver.StopReason;
import io.usagearchiver.StopSignal;
import io.usagearchiver.SweepListener;
import io.usagearchiver.internal.postgres.NaiveUtc;
import io.usagearchiver.testing.CapturedLog;
import io.usagearchiver.testing.TappedConnections;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import io.usagearchiver.testing.UsageRows;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Holds that somebody wrote into the table by hand, or under another version: honoured, refused, or else nothing moves. */
class StoredHoldsTest {
    private static final String HOT = "'public.model_usage_details'";

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    private final UsageRows rows = new UsageRows(db);
    private final Holds holds = rows.restorer(1).build().holds();

    /** Row 1 is of -infinity, row 2 of 45 BC, row 3 of AD 2024-01-01 00:03, and so on to row 9. */
    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
            hold_until, user_id   | 'infinity', 7                               | user_id = 7       | user 7
            hold_until, user_id   | '294276-12-31 23:59:59.999999', 7           | user_id = 7       | user 7
            released_at, user_id  | 'infinity', 7                               | user_id = 7       | user 7
            released_at, user_id  | '2100-01-01', 7                             | user_id = 7       | user 7
            age_from              | '-infinity'                                 | true              | from -infinity
            age_to                | 'infinity'                                  | true              | before infinity
            age_from, age_to      | '-infinity', '0044-03-15 BC'                | id <= 2           | from -infinity, to 0044-03-15 00:00 BC
            age_from              | '0046-01-01 BC'                             | id >= 2           | from 0046-01-01 00:00 BC
            age_from, age_to      | '0001-02-29 BC', '2024-01-01 00:05'         | id IN (3, 4)      | from 0001-02-29 00:00 BC, to 2024-01-01 00:05
            age_from, age_to      | '2024-01-01 00:07:00.000001', '12345-06-07' | id >= 8           | from 2024-01-01 00:07:00.000001, to 12345-06-07 00:00
            id_min, created_at    | '8', '-infinity'                            | id >= 8           | ids 8..
            id_max, created_at    | '2', '0044-03-15 BC'                        | id <= 2           | ids ..2
            """)
    void infinity_and_the_years_beyond_four_digits_mean_what_they_say(
            String columns, String values, String held, String told) {
        rows.replace("SELECT i, CASE i WHEN 1 THEN timestamp '-infinity' WHEN 2 THEN '0045-01-01 BC'"
                + " ELSE timestamp '2024-01-01' + i * interval '1 minute' END, now() FROM generate_series(1, 9) i");
        long id = write(columns, values);

        assertThat(rows.archiver(4).build().sweep().stopReason()).isEqualTo(StopReason.DRAINED);
        rows.assertMoved("(" + held + ") IS NOT TRUE");
        assertThat(holds.list()).singleElement().satisfies(hold -> {
            assertThat(hold.active()).isTrue();
            assertThat(hold.problem()).isNull();
            assertThat(hold.filter()).hasToString(told);
            assertThat(hold.until()).isNotEqualTo(LocalDateTime.MAX);
        });

        assertThat(holds.release(id).active()).isFalse();
        rows.archiver(4).build().sweep();
        rows.assertMoved("true");
    }

    /** Numbers and what is in braces need no quotes as they would in a text. */
    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
            column_values          | '{"user_id": 7}'                          | user_id = 7                  | user_id = '7'
            column_values          | '{"model_id": "0", "completed": true}'    | completed AND model_id = 0   | completed = 'true', model_id = '0'
            column_values, user_id | '{"model_id": "0"}', 7                    | user_id = 7 AND model_id = 0 | user 7, model_id = '0'
            column_values, user_id | '{}', 7                                   | user_id = 7                  | user 7
            """)
    void values_of_columns_that_were_written_by_hand_are_honoured(
            String columns, String values, String held, String told) {
        rows.replaceWithExpired(30);
        write(columns, values);
        rows.archiver(4).build().sweep();
        rows.assertMoved("(" + held + ") IS NOT TRUE");
        assertThat(holds.list())
                .singleElement()
                .satisfies(hold -> assertThat(hold.filter()).hasToString(told));
    }

    /** What a version of before the column reads of a row that has it. */
    @Test
    void who_does_not_know_values_of_columns_keeps_more_rows_or_all() {
        rows.replaceWithExpired(30);
        holds.hold(RowFilter.user(7).andWhere("model_id", "0"), null, "wider");
        String seenBefore = "UPDATE usage_archive_hold SET column_values = null WHERE released_at IS NULL";
        db.execute(seenBefore);
        rows.archiver(4).build().sweep();
        rows.assertMoved("user_id IS DISTINCT FROM 7");

        holds.hold(RowFilter.where("user_name", "user 8"), null, "of nothing else");
        dropConstraints();
        db.execute(seenBefore);
        assertThatThrownBy(() -> rows.archiver(4).build().sweep())
                .isInstanceOf(SchemaDriftException.class)
                .hasMessageContaining("has hold 2, which cannot be honoured: no filter is set");
        rows.assertMoved("user_id IS DISTINCT FROM 7");
    }

    @Test
    void a_hold_that_ended_before_all_times_is_none() {
        rows.replaceWithExpired(3);
        write("hold_until, created_at, user_id", "'0044-03-15 BC', '-infinity', 1");
        rows.archiver().build().sweep();
        rows.assertMoved("true");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
            table_name, user_id  | 'model_usage_details', 7 | usage_archive_hold_table
            table_name, user_id  | 'Public.model_usage_details', 7 | usage_archive_hold_table
            table_name, user_id  | 'public.model_usage_details ', 7 | usage_archive_hold_table
            table_name, user_id  | 'usage.public.model_usage_details', 7 | usage_archive_hold_table
            table_name, user_id  | 'public."model_usage_details', 7 | usage_archive_hold_table
            table_name, user_id  | '', 7 | usage_archive_hold_table
            table_name, user_id  | '"public"."model_usage_details"', 7 | usage_archive_hold_table
            table_name, user_id  | 'public."model_usage_details"', 7 | usage_archive_hold_table
            table_name, user_id  | '"public".model_usage_details', 7 | usage_archive_hold_table
            table_name, user_id  | 'public.my-table', 7 | usage_archive_hold_table
            table_name, user_id  | 'public.1st', 7 | usage_archive_hold_table
            table_name, user_id  | 'public.größe', 7 | usage_archive_hold_table
            table_name, user_id  | 'public.""', 7 | usage_archive_hold_table
            age_from, age_to     | '2024-01-02', '2024-01-01'                | usage_archive_hold_ages
            age_from, age_to     | '2024-01-01', '2024-01-01'                | usage_archive_hold_ages
            age_from             | 'infinity'                                | usage_archive_hold_ages
            age_to               | '-infinity'                               | usage_archive_hold_ages
            hold_until, user_id  | '-infinity', 7                            | usage_archive_hold_end
            hold_until, user_id  | '2020-01-01', 7                           | usage_archive_hold_end
            user_id              | null                                      | usage_archive_hold_filter
            column_values        | '{}'                                      | usage_archive_hold_filter
            column_values        | '{"operation": null}'                     | usage_archive_hold_columns
            column_values        | '{"operation": "a", "user_name": null}'   | usage_archive_hold_columns
            column_values        | '["operation"]'                           | usage_archive_hold_columns
            column_values        | '"operation"'                             | usage_archive_hold_columns
            column_values, user_id | 'null', 7                               | usage_archive_hold_columns
            """)
    void a_row_that_would_keep_nothing_is_refused_by_the_table(String columns, String values, String constraint) {
        assertThatThrownBy(() -> write(columns, values)).hasStackTraceContaining("\"" + constraint + "\"");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "public.usage$old",
                "public.\"Größe\"",
                "\"Metering, data\".\"say \"\"when\"\"\"",
                "public.\"a\"\"b\"",
                "\"a\"\"\".\"\"\"b\"",
                "\"a\"\".b\".c",
                "public.\"1st\"",
                "public.user",
                "_.a"
            })
    void the_name_of_any_hot_table_is_taken(String name) {
        db.execute(
                "INSERT INTO usage_archive_hold (table_name, user_id, reason, created_by, node, created_at) VALUES ('"
                        + name + "', 1, 'r', 'c', 'n', now())");
        rows.replaceWithExpired(1);
        rows.archiver().build().sweep();
        rows.assertMoved("true");
    }

    @Test
    void the_table_knows_names_as_sweeps_do() {
        assertThat(db.strings("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname ="
                        + " 'usage_archive_hold_table'"))
                .singleElement()
                .asString()
                .contains("'" + StoredHolds.NAME + "'");
    }

    @Test
    void a_hold_on_a_table_that_is_not_there_is_told_by_each_sweep_and_listed_and_can_be_released() {
        rows.replaceWithExpired(9);
        holds.hold(RowFilter.ids("2", "3"), null, "of another one");
        long id = write("table_name, user_id", "'public.model_usage_detail', 99999999999");
        Archiver archiver = rows.archiver(4).build();
        try (CapturedLog log = new CapturedLog()) {
            archiver.sweep();
            assertThat(log.messages(Level.WARN, "io.usagearchiver.StoredHolds"))
                    .containsExactly(
                            "Hold " + id + " keeps nothing: there is no table public.model_usage_detail; if it was"
                                    + " meant for public.model_usage_details, its rows are archived: correct it, or release it:"
                                    + " usage-archiver release " + id);
        }
        rows.assertMoved("id NOT IN (2, 3)");
        assertThat(holds.list()).first().satisfies(hold -> {
            assertThat(hold.id()).isEqualTo(id);
            assertThat(hold.problem()).isEqualTo("there is no table public.model_usage_detail");
            assertThat(hold.filter()).hasToString("user 99999999999");
            assertThat(hold.stopsSweeps()).isFalse();
        });

        assertThat(holds.release(id).active()).isFalse();
        try (CapturedLog log = new CapturedLog()) {
            archiver.sweep();
            assertThat(log.messages(Level.WARN)).isEmpty();
        }
    }

    @Test
    void a_hold_on_another_table_that_is_there_is_not_this_pairs() {
        db.execute("CREATE SCHEMA \"Not yours\"; CREATE TABLE \"Not yours\".\"a\"\"b\" ()");
        rows.replaceWithExpired(3);
        long id = write("table_name, user_id", "'\"Not yours\".\"a\"\"b\"', 7");
        try (CapturedLog log = new CapturedLog()) {
            rows.archiver().build().sweep();
            assertThat(log.messages(Level.WARN)).isEmpty();
        }
        rows.assertMoved("true");
        assertThat(holds.list()).isEmpty();
        assertThatThrownBy(() -> holds.release(id)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void holds_that_may_not_be_read_are_not_blamed_on_their_columns() {
        rows.replaceWithExpired(1);
        db.execute("REVOKE SELECT ON usage_archive_hold FROM " + TestDatabase.ARCHIVER);
        assertThatThrownBy(() -> rows.archiver().build().sweep())
                .hasMessageContainingAll("GRANT SELECT ON public.usage_archive_hold", "04-grants.sql")
                .hasMessageNotContaining("its columns must be");
    }

    /** Rows of before the constraints were there, or of a table whose columns have changed since. */
    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
            -                                       | user_id             | 99999999999                | user_id 99999999999: the column of public.model_usage_details is integer
            HOT ALTER user_id TYPE uuid USING null  | user_id             | 7                          | user_id 7: the column of public.model_usage_details is uuid
            HOT ALTER user_id TYPE text             | user_id             | 7                          | user_id 7: the column of public.model_usage_details is text
            HOT ALTER model_id TYPE smallint        | model_id            | 32768                      | model_id 32768: the column of public.model_usage_details is smallint
            -                                       | id_min              | 'abc'                      | id abc: not a key of public.model_usage_details
            -                                       | id_max              | '99999999999'              | id 99999999999: not a key of public.model_usage_details
            -                                       | id_min, id_max      | '9', '5'                   | ids 9..5: the first must not be after the last
            -                                       | age_from, age_to    | '2024-01-02', '2024-01-01' | from 2024-01-02 00:00 to 2024-01-01 00:00: from must be before to
            -                                       | age_from            | 'infinity'                 | no row that expires is of such an age
            -                                       | user_id             | null                       | no filter is set
            -                                       | column_values       | '{}'                       | no filter is set
            -                                       | column_values, user_id | '{"operation": null}', 7 | column_values {"operation": null}: nothing equals null, which operation is to equal
            -                                       | column_values, user_id | '["operation"]', 7      | column_values ["operation"]: must be an object of columns and their values, such as {"region": "eu"}
            -                                       | column_values, user_id | 'null', 7               | column_values null: must be an object
            -                                       | column_values, user_id | '{"user_id": "seven"}', 7 | where column user_id = 'seven': the column of public.model_usage_details is integer
            -                                       | column_values       | '{"users": "7"}'           | where column users = '7': public.model_usage_details has no such column
            -                                       | table_name, user_id | 'model_usage_details', 7   | table_name model_usage_details: must be schema.table
            -                                       | table_name, user_id | '"public"."model_usage_details"', 7 | table_name "public"."model_usage_details": must be schema.table
            -                                       | table_name, user_id | 'PUBLIC.MODEL_USAGE_DETAILS', 7 | table_name PUBLIC.MODEL_USAGE_DETAILS: must be schema.table
            """)
    void a_hold_that_cannot_be_honoured_stops_everything_until_it_is_released(
            String alter, String columns, String values, String problem) {
        rows.replaceWithExpired(9);
        dropConstraints();
        if (!alter.equals("-")) {
            db.execute("ALTER TABLE " + alter.replace("HOT", "model_usage_details"));
            if (alter.startsWith("HOT")) {
                db.execute("ALTER TABLE " + alter.replace("HOT", "model_usage_details_archive"));
            }
            rows.remember();
        }
        holds.hold(RowFilter.ids("2", "3"), null, "of another one");
        long id = write(columns, values);
        Archiver archiver = rows.archiver(4).build();

        SchemaDriftException disabled = catchThrowableOfType(SchemaDriftException.class, archiver::sweep);

        assertThat(disabled).hasMessageStartingWith("Archival of public.model_usage_details is disabled");
        assertThat(disabled.differences())
                .singleElement()
                .asString()
                .startsWith("holds public.usage_archive_hold has hold " + id + ", which cannot be honoured: ")
                .contains(problem)
                .endsWith("; correct its row, or release it: usage-archiver release " + id);
        rows.assertAllHot();
        assertThat(rows.ledger("state || message")).isEqualTo("FAILED" + disabled.getMessage());
        assertThat(archiver.health().status()).isEqualTo(Health.Status.DISABLED);
        assertThatThrownBy(archiver::checkSchema).hasMessage(disabled.getMessage());
        Plan plan =
                new Planner(TestedPair.USAGE, db.archiver(), ArchiveSettings.defaults()).plan(100, new StopSignal());
        assertThat(plan.schemaDifferences()).isEqualTo(disabled.differences());
        assertThat(plan.allowsSweep()).isFalse();
        assertThat(archiver.holds().list())
                .filteredOn(hold -> hold.problem() != null)
                .singleElement()
                .satisfies(hold -> {
                    assertThat(hold.id()).isEqualTo(id);
                    assertThat(hold.problem()).contains(problem);
                });

        assertThat(holds.release(id).active()).isFalse();
        archiver.sweep();
        rows.assertMoved("id NOT IN (2, 3)");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "hold_until TYPE text",
                "age_from TYPE boolean USING true",
                "age_from TYPE timestamptz",
                "user_id TYPE text USING 'abc'"
            })
    void holds_that_cannot_be_read_stop_everything(String alter) {
        rows.replaceWithExpired(3);
        dropConstraints();
        write("user_id", "7");
        db.execute("ALTER TABLE usage_archive_hold ALTER " + alter);
        Archiver archiver = rows.archiver().build();

        SchemaDriftException disabled = catchThrowableOfType(SchemaDriftException.class, archiver::sweep);

        assertThat(disabled.differences()).isNotEmpty().allMatch(difference -> difference.startsWith("holds "));
        rows.assertAllHot();
        assertThat(new Planner(TestedPair.USAGE, db.archiver(), ArchiveSettings.defaults())
                        .plan(100, new StopSignal())
                        .allowsSweep())
                .isFalse();
    }

    @Test
    void a_hold_that_cannot_be_honoured_stops_a_sweep_that_runs_once_it_reads_the_holds_again() {
        rows.replaceWithExpired(30);
        dropConstraints();
        SweepListener meet = UsageRows.afterBatch(1, () -> {
            write("id_min", "'abc'");
            holds.hold(RowFilter.user(7), null, "lawsuit");
        });

        assertThatThrownBy(() -> rows.archiver(4).listener(meet).build().sweep())
                .isInstanceOf(SchemaDriftException.class)
                .hasMessageContaining("id abc: not a key");

        rows.assertMoved("id <= 4");
        assertThat(rows.ledger("state || rows_moved")).isEqualTo("FAILED4");
    }

    @Test
    void holds_are_tried_in_a_few_statements_however_many_there_are() {
        List<Integer> statements = new ArrayList<>();
        for (int count : new int[] {1, 20}) {
            rows.replaceWithExpired(3);
            for (int i = 0; i < count; i++) {
                write("user_id, id_min, age_from", i + ", '10', '2024-01-01'");
            }
            List<String> seen = new ArrayList<>();
            Archiver.builder(TestedPair.USAGE, new TappedConnections(db.archiver(), (sql, connection) -> seen.add(sql)))
                    .build()
                    .sweep();
            statements.add(seen.size());
        }
        assertThat(statements.get(1)).isEqualTo(statements.get(0));
    }

    @Test
    void a_plan_tells_of_holds_that_keep_nothing() {
        dropConstraints();
        db.execute("CREATE SCHEMA secret; CREATE TABLE secret.details ()");
        write("table_name, user_id", "'public.model_usage_detials', 7");
        write("table_name, user_id", "'public.model_usage_details_archive', 7");
        write("table_name, user_id", "'public.qrtz_locks', 7");
        write("table_name, user_id, released_at", "'x.y.z.', 7, now()");
        write("table_name, user_id", "'secret.details', 7");
        write("table_name, user_id", "'secret.detials', 7");

        Plan plan =
                new Planner(TestedPair.USAGE, db.archiver(), ArchiveSettings.defaults()).plan(100, new StopSignal());

        assertThat(plan.allowsSweep()).isTrue();
        assertThat(plan.warnings())
                .contains(
                        "hold 1 keeps nothing: public.model_usage_detials does not exist",
                        "hold 2 keeps nothing: public.model_usage_details_archive is the archive; a hold names the hot"
                                + " table",
                        "hold 6 keeps nothing: secret.detials does not exist")
                .filteredOn(warning -> warning.startsWith("hold "))
                .hasSize(3);
    }

    /** As PostgreSQL itself writes and reads them. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "infinity",
                "-infinity",
                "2024-02-29 23:59:59.999999",
                "0001-01-01 00:00:00",
                "0001-12-31 23:59:00 BC",
                "0001-02-29 00:00:00 BC",
                "4713-01-01 00:00:00 BC",
                "9999-12-31 00:00:00",
                "10000-01-01 00:00:00.1",
                "294276-12-31 23:59:59.999999"
            })
    void moments_of_all_times_cross_as_text(String text) {
        String written = db.strings("SELECT timestamp '" + text + "'").get(0);
        LocalDateTime moment = NaiveUtc.parse(written);
        assertThat(db.strings("SELECT timestamp '" + NaiveUtc.literal(moment) + "'"))
                .containsExactly(written);
    }

    /** Without the constraints of this version. */
    private void dropConstraints() {
        for (String constraint : List.of("table", "ages", "end", "filter", "columns")) {
            db.execute("ALTER TABLE usage_archive_hold DROP CONSTRAINT IF EXISTS usage_archive_hold_" + constraint);
        }
    }

    private long write(String columns, String values) {
        String named = columns.startsWith("table_name") ? "" : "table_name, ";
        String created = columns.contains("created_at") ? "" : ", created_at";
        return db.number("INSERT INTO usage_archive_hold (" + named + columns + ", reason, created_by, node" + created
                + ") VALUES (" + (named.isEmpty() ? "" : HOT + ", ") + values + ", 'by hand', 'dba', 'psql'"
                + (created.isEmpty() ? "" : ", timezone('UTC', now())") + ") RETURNING hold_id");
    }
}
