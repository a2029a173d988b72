package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import io.usagearchiver.testing.TappedConnections;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import io.usagearchiver.testing.UsageRows;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.jooq.Record;
import org.jooq.TableField;
import org.jooq.impl.SQLDataType;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Holds and restores by the values of columns of a table that has neither users nor models, and of which the code knows but
 * the key and the age: nine rows, all expired.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ColumnFilterTest {
    private static final String REASON = "lawsuit";
    private static final String HOSTILE_NAME = "na\"me', '?:x";
    private static final String HOSTILE_VALUE = "it's \"5\"\\ ?{0} $$ %s";

    /** It has no order, and values are equal without their case; record's own operator would tell them apart. */
    private static final String TYPE_WITHOUT_ORDER = """
            CREATE TYPE "Ext. 2".tag AS (name text);
            CREATE FUNCTION "Ext. 2".eq("Ext. 2".tag, "Ext. 2".tag) RETURNS boolean IMMUTABLE LANGUAGE sql AS
              'SELECT lower($1.name) = lower($2.name)';
            CREATE FUNCTION "Ext. 2".hash("Ext. 2".tag) RETURNS integer IMMUTABLE LANGUAGE sql AS
              'SELECT hashtext(lower($1.name))';
            CREATE OPERATOR "Ext. 2".= (LEFTARG = "Ext. 2".tag, RIGHTARG = "Ext. 2".tag, FUNCTION = "Ext. 2".eq);
            CREATE OPERATOR CLASS "Ext. 2".tag_ops DEFAULT FOR TYPE "Ext. 2".tag USING hash AS
              OPERATOR 1 "Ext. 2".=, FUNCTION 1 "Ext. 2".hash("Ext. 2".tag)""";

    private static final AnyPair TICKETS = tickets();
    private static final ArchivePair<?> PAIR = TestedPair.of(TICKETS.pair());

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    private static AnyPair tickets() {
        ForeignTable hot = new ForeignTable("public", "tickets");
        TableField<Record, Long> id = hot.column("id", SQLDataType.BIGINT);
        TableField<Record, OffsetDateTime> age = hot.column("at", SQLDataType.TIMESTAMPWITHTIMEZONE);
        return new AnyPair(
                "a column of many a type",
                ArchivePair.of(hot, hot.twin("public", "tickets_archive"), id, age),
                "id bigint PRIMARY KEY, at timestamptz, n bigint, ident uuid, region text, folded text COLLATE folded,"
                        + " label \"Ext. 1\".citext, part \"Ext. 1\".code, tag \"Ext. 2\".tag, mood mood, amount numeric, price numeric(9, 2),"
                        + " flag boolean, moment timestamptz, stamp timestamp(0), day date, short varchar(5),"
                        + " padded char(5), share real, tags text[], payload jsonb, plain json, spot point, area box,"
                        + " bits bit(3), small \"Small Number\", none text, \"" + HOSTILE_NAME.replace("\"", "\"\"")
                        + "\" text, \"a=b\" text, \"Größe\" text",
                "SELECT i, timestamptz '2020-01-01 00:00+00' + i * interval '1 hour', i, md5(i::text)::uuid,"
                        + " CASE WHEN i < 4 THEN '' WHEN i < 6 THEN 'eu' WHEN i < 8 THEN 'EU' END,"
                        + " CASE WHEN i < 6 THEN 'eu' WHEN i < 8 THEN 'EU' END,"
                        + " CASE WHEN i < 6 THEN 'eu' WHEN i < 8 THEN 'EU' END,"
                        + " ROW(CASE i WHEN 5 THEN 'A' ELSE 'a' END, i / 2)::\"Ext. 1\".code,"
                        + " ROW(CASE i WHEN 5 THEN 'A' ELSE 'a' END || i / 2)::\"Ext. 2\".tag,"
                        + " CASE i % 2 WHEN 0 THEN 'so so' ELSE 'good' END::mood,"
                        + " CASE i WHEN 2 THEN 1.0 WHEN 3 THEN 1.00 ELSE i * 10 END, i / 4.0, i % 3 = 0,"
                        + " timestamptz '2020-01-01 00:00+00' + i * interval '1 hour',"
                        + " timestamp '2020-01-01' + i * interval '1 second', date '2020-01-01' + i, 'c' || i, 'c' || i,"
                        + " i / 10.0, ARRAY['a', i::text], jsonb_build_object('n', i), '{}', '(1,2)', '(1,1),(0,0)',"
                        + " i::int::bit(3), i, null, CASE i WHEN 7 THEN '" + HOSTILE_VALUE.replace("'", "''")
                        + "' ELSE 'x' END, 'y' || i, 'ä' || i FROM generate_series(1, 9) i");
    }

    @BeforeEach
    void nine_rows() {
        db.execute(
                "DROP TABLE IF EXISTS tickets, tickets_archive; DROP SCHEMA IF EXISTS \"Ext. 2\" CASCADE;"
                        + " CREATE SCHEMA \"Ext. 2\"; GRANT USAGE ON SCHEMA \"Ext. 2\" TO PUBLIC; " + TYPE_WITHOUT_ORDER
                        + ";"
                        + " CREATE COLLATION IF NOT EXISTS folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false);"
                        + " DROP DOMAIN IF EXISTS \"Small Number\" CASCADE; CREATE DOMAIN \"Small Number\" AS integer CHECK (VALUE < 10)");
        TICKETS.create(db);
    }

    static Stream<Arguments> values() {
        return Stream.of(
                arguments("n", "5", "5", "5"),
                arguments("n", " +5 ", "5", "5"),
                arguments("ident", "E4DA3B7F-BBCE-2345-D777-2B0674A318D5", "e4da3b7f-bbce-2345-d777-2b0674a318d5", "5"),
                arguments("region", "eu", "eu", "4 5"),
                arguments("region", "", "", "1 2 3"),
                arguments("region", "Eu", "Eu", null),
                arguments("folded", "Eu", "Eu", "1 2 3 4 5 6 7"),
                arguments("label", "Eu", "Eu", "1 2 3 4 5 6 7"),
                arguments("part", "(A,2)", "(A,2)", "4 5"),
                arguments("tag", "(A2)", "(A2)", "4 5"),
                arguments("mood", "so so", "so so", "2 4 6 8"),
                arguments("amount", "1", "1", "2 3"),
                arguments("amount", "10.000", "10.000", "1"),
                arguments("price", "1.250", "1.250", "5"),
                arguments("flag", "yes", "true", "3 6 9"),
                arguments("moment", "2020-01-01 05:00", "2020-01-01 05:00:00+00", "5"),
                arguments("moment", "2020-01-01 10:30+05:30", "2020-01-01 05:00:00+00", "5"),
                arguments("stamp", "2020-01-01T00:00:05", "2020-01-01 00:00:05", "5"),
                arguments("day", "Jan 6, 2020", "2020-01-06", "5"),
                arguments("short", "c5", "c5", "5"),
                arguments("padded", "c5", "c5", "5"),
                arguments("share", "0.5000", "0.5", "5"),
                arguments("share", "0.1", "0.1", "1"),
                arguments("tags", "{a,5}", "{a,5}", "5"),
                arguments("payload", "{\"n\": 5.0}", "{\"n\": 5.0}", "5"),
                arguments("bits", "101", "101", "5"),
                arguments("small", "5", "5", "5"),
                arguments("none", "", "", null),
                arguments("id", "5", "5", "5"),
                arguments(HOSTILE_NAME, HOSTILE_VALUE, HOSTILE_VALUE, "7"),
                arguments("a=b", "y5", "y5", "5"),
                arguments("Größe", "ä5", "ä5", "5"));
    }

    @ParameterizedTest
    @MethodSource("values")
    void rows_whose_column_equals_a_value_are_held_and_restored(
            String column, String value, String stored, String ids) {
        RowFilter filter = RowFilter.where(column, value);
        Archiver restorer = restorer();

        Hold hold = restorer.holds().hold(filter, null, REASON);
        assertThat(hold.filter()).isEqualTo(RowFilter.where(column, stored));
        assertThat(sweep(4).stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(hot()).as("held").isEqualTo(ids);
        assertThat(archiver().build().holds().list()).containsExactly(hold);
        restorer.holds().release(hold.id());
        sweep(4);
        assertThat(hot()).as("held by a hold that was released").isNull();

        long matching = ids == null ? 0 : ids.split(" ").length;
        assertThat(restorer.previewRestore(filter)).isEqualTo(new RestorePreview(matching, 0, 0, List.of()));
        RestoreResult restored = restorer.restore(filter, null, REASON, new StopSignal());
        assertThat(restored.counts().rowsMoved()).isEqualTo(matching);
        assertThat(restored.hold().filter()).isEqualTo(RowFilter.where(column, stored));
        assertThat(hot()).as("restored").isEqualTo(ids);
        assertThat(db.strings("SELECT t::text FROM (TABLE tickets UNION ALL TABLE tickets_archive) t ORDER BY id"))
                .isEqualTo(db.strings("SELECT o::text FROM original o ORDER BY id"));
    }

    @Test
    void all_columns_have_to_match_and_all_else_that_is_set() {
        RowFilter filter = RowFilter.where("mood", "so so").andWhere("region", "eu");
        Holds holds = restorer().holds();
        holds.hold(filter, null, REASON);
        holds.hold(RowFilter.ids("6", null).andWhere("flag", "t"), null, REASON);
        holds.hold(
                RowFilter.ages(LocalDateTime.parse("2020-01-01T07:00"), null).andWhere("mood", "good"), null, REASON);

        sweep(2);

        assertThat(hot()).isEqualTo("4 6 7 9");
        assertThat(holds.list())
                .extracting(hold -> hold.filter().toString())
                .containsExactly(
                        "from 2020-01-01 07:00, mood = 'good'",
                        "ids 6.., flag = 'true'",
                        "mood = 'so so', region = 'eu'");
        holds.list().forEach(hold -> holds.release(hold.id()));
        sweep(2);
        assertThat(restorer()
                        .restore(filter, null, REASON, new StopSignal())
                        .counts()
                        .rowsMoved())
                .isEqualTo(1);
        assertThat(hot()).isEqualTo("4");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
            nope   | 1             | where column nope = '1': public.tickets has no such column
            N      | 5             | where column "N" = '5': public.tickets has no such column
            ctid   | (0,1)         | where column ctid = '(0,1)': public.tickets has no such column
            n      | five          | where column n = 'five': the column of public.tickets is bigint, which has no such value (ERROR: invalid input syntax for type bigint: "five")
            n      | ``            | where column n = '': the column of public.tickets is bigint, which has no such value
            n      | 5.5           | where column n = '5.5': the column of public.tickets is bigint, which has no such value
            n      | 9223372036854775808 | is bigint, which has no such value
            ident  | 7             | where column ident = '7': the column of public.tickets is uuid, which has no such value
            mood   | bad           | where column mood = 'bad': the column of public.tickets is public.mood, which has no such value
            flag   | maybe         | is boolean, which has no such value
            day    | 2020-02-30    | is date, which has no such value
            price  | 1.005         | where column price = '1.005': the column of public.tickets is numeric(9,2), which has no such value
            price  | 12345678      | is numeric(9,2), which has no such value
            stamp  | 2020-01-01 00:00:00.5 | is timestamp(0) without time zone, which has no such value
            short  | longer        | where column short = 'longer': the column of public.tickets is character varying(5), which has no such value
            padded | longer        | is character(5), which has no such value
            bits   | 1010          | is bit(3), which has no such value
            small  | 10            | is public."Small Number", which has no such value
            plain  | {}            | where column plain = '{}': the column of public.tickets is json, whose values cannot be told to be equal (ERROR: could not identify an equality operator for type json)
            spot   | (1,2)         | is point, whose values cannot be told to be equal
            area   | (1,1),(0,0)   | is box, whose values cannot be told to be equal
            """)
    void a_value_that_no_row_can_equal_is_refused_and_nothing_is_changed(String column, String value, String told) {
        RowFilter filter = RowFilter.where("region", "eu").andWhere(column, value);
        for (Executable attempt : List.<Executable>of(
                () -> restorer().holds().hold(filter, null, REASON),
                () -> restorer().restore(filter, null, REASON, new StopSignal()),
                () -> restorer().previewRestore(filter))) {
            assertThatThrownBy(attempt::execute)
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageStartingWith("where column ")
                    .hasMessageContaining(told);
        }
        assertThat(db.number("SELECT (SELECT count(*) FROM usage_archive_hold) + count(*) FROM usage_archive_sweep"))
                .isZero();
    }

    @Test
    void a_name_or_a_value_that_the_database_cannot_store_is_refused() {
        Holds holds = restorer().holds();
        for (String text : List.of("a\0b", "a\uD83Db")) {
            for (RowFilter filter : List.of(RowFilter.where(text, "x"), RowFilter.where("region", text))) {
                assertThatIllegalArgumentException()
                        .isThrownBy(() -> holds.hold(filter, null, REASON))
                        .withMessageStartingWith("where column ")
                        .withMessageContaining("which the database cannot store");
            }
        }
    }

    @Test
    void a_day_that_depends_on_today_is_that_of_the_day_on_which_the_hold_is_set() {
        Hold hold = restorer().holds().hold(RowFilter.where("day", "today"), null, REASON);
        assertThat(hold.filter().where().get("day")).matches("\\d{4}-\\d\\d-\\d\\d");
    }

    @Test
    void a_filter_says_which_columns_equal_what() {
        RowFilter filter = RowFilter.user(7).andWhere("b", "it's").andWhere("A", "");
        assertThat(filter).hasToString("user 7, \"A\" = '', b = 'it''s'");
        assertThat(filter.where()).containsExactly(Map.entry("A", ""), Map.entry("b", "it's"));
        assertThat(filter).isEqualTo(RowFilter.user(7).andWhere("A", "").andWhere("b", "it's"));
        assertThat(RowFilter.user(7)).isEqualTo(new RowFilter(null, null, null, null, 7L, null, Map.of()));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> filter.andWhere("b", "its"))
                .withMessage("column b is to equal both 'it''s' and 'its': name it once");
        assertThatThrownBy(() -> filter.where().put("c", "d")).isInstanceOf(UnsupportedOperationException.class);
        assertThatThrownBy(() -> RowFilter.where("b", null)).isInstanceOf(NullPointerException.class);
    }

    static Stream<Arguments> changes() {
        return Stream.of(
                arguments("region", "eu", "BOTH RENAME region TO area_of_sale", "tickets has no such column"),
                arguments("region", "eu", "BOTH DROP region", "tickets has no such column"),
                arguments("region", "eu", "BOTH ALTER region TYPE integer USING 7", "integer, which has no such value"),
                arguments(
                        "short", "c5", "BOTH ALTER short TYPE varchar(1) USING 'c'", "character varying(1), which has"),
                arguments("payload", "{\"n\": 5}", "BOTH ALTER payload TYPE json", "json, whose values cannot be told"),
                arguments(
                        "mood", "so so", "TYPE RENAME VALUE 'so so' TO 'ok'", "public.mood, which has no such value"));
    }

    private void change(String change) {
        if (change.startsWith("TYPE")) {
            db.execute("ALTER TYPE mood" + change.substring("TYPE".length()));
        } else {
            for (String table : List.of("tickets", "tickets_archive")) {
                db.execute(change.replace("BOTH", "ALTER TABLE " + table));
            }
        }
    }

    @ParameterizedTest
    @MethodSource("changes")
    void a_column_that_was_altered_since_stops_everything_until_the_hold_is_released(
            String column, String value, String change, String told) {
        Hold hold = restorer().holds().hold(RowFilter.where(column, value), null, REASON);
        change(change);
        Archiver archiver = archiver().build();

        SchemaDriftException disabled = catchThrowableOfType(SchemaDriftException.class, archiver::sweep);

        assertThat(disabled.differences())
                .singleElement()
                .asString()
                .startsWith("holds public.usage_archive_hold has hold " + hold.id()
                        + ", which cannot be honoured: where column " + column + " = '" + value + "': ")
                .contains(told)
                .endsWith("; correct its row, or release it: usage-archiver release " + hold.id());
        assertThat(hot()).isEqualTo("1 2 3 4 5 6 7 8 9");
        assertThat(archiver.health().status()).isEqualTo(Health.Status.DISABLED);
        assertThat(new Planner(PAIR, db.archiver(), ArchiveSettings.defaults())
                        .plan(100, new StopSignal())
                        .schemaDifferences())
                .isEqualTo(disabled.differences());
        assertThat(archiver.holds().list()).singleElement().satisfies(listed -> {
            assertThat(listed.stopsSweeps()).isTrue();
            assertThat(listed.filter()).isEqualTo(hold.filter());
        });

        restorer().holds().release(hold.id());
        archiver.sweep();
        assertThat(hot()).isNull();
    }

    @ParameterizedTest
    @MethodSource("changes")
    void a_column_that_is_altered_under_a_sweep_lets_no_row_go_that_is_held(
            String column, String value, String change, String told) {
        Hold hold = restorer().holds().hold(RowFilter.where(column, value), null, REASON);
        List<String> held = db.strings("SELECT id FROM original WHERE \"" + column + "\" = '" + value + "'");
        Archiver archiver = archiver()
                .settings(ArchiveSettings.defaults().withBatchSize(1))
                .listener(UsageRows.afterBatch(1, () -> change(change)))
                .build();

        assertThatThrownBy(archiver::sweep).isInstanceOf(ArchiveException.class);

        assertThat(db.strings("SELECT id FROM tickets")).containsAll(held).hasSizeLessThan(9);
        assertThatThrownBy(archiver::sweep)
                .isInstanceOf(SchemaDriftException.class)
                .hasMessageContainingAll("has hold " + hold.id(), told);
    }

    @Test
    void a_hold_by_a_column_counts_at_once_in_a_sweep_that_runs() {
        SweepResult result = archiver()
                .settings(ArchiveSettings.defaults().withBatchSize(2))
                .listener(UsageRows.afterBatch(
                        1, () -> restorer().holds().hold(RowFilter.where("label", "EU"), null, REASON)))
                .build()
                .sweep();

        assertThat(result.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(hot()).isEqualTo("3 4 5 6 7");
    }

    @Test
    void with_several_workers_rows_under_a_hold_by_a_column_stay() {
        restorer().holds().hold(RowFilter.where("label", "EU").andWhere("moment", "2020-01-01 05:00"), null, REASON);
        archiver()
                .settings(ArchiveSettings.defaults().withBatchSize(1).withWorkers(3))
                .build()
                .sweep();
        assertThat(hot()).isEqualTo("5");
    }

    @Test
    void a_plan_leaves_out_rows_under_a_hold_by_a_column() {
        restorer().holds().hold(RowFilter.where("label", "EU"), null, REASON);
        Plan plan = new Planner(PAIR, db.archiver(), ArchiveSettings.defaults()).plan(100, new StopSignal());
        assertThat(plan.backlog().rows()).isEqualTo(2);
    }

    /** What was granted before there were such holds. */
    @Test
    void a_role_that_may_not_name_columns_sets_other_holds() {
        db.execute("REVOKE INSERT (column_values) ON usage_archive_hold FROM " + TestDatabase.RESTORER);
        try {
            Holds holds = restorer().holds();
            holds.hold(RowFilter.ids("1", "3"), null, REASON);
            assertThatThrownBy(() -> holds.hold(RowFilter.where("n", "5"), null, REASON))
                    .isInstanceOf(ArchiveException.class)
                    .hasMessageContainingAll("permission denied for table usage_archive_hold", "06-restore-grants");
            sweep(4);
            assertThat(hot()).isEqualTo("1 2 3");
        } finally {
            db.execute("GRANT INSERT (column_values) ON usage_archive_hold TO " + TestDatabase.RESTORER);
        }
    }

    /** Read once a session, however many batches there are. */
    @Test
    void types_of_columns_are_not_read_for_each_batch() {
        restorer().holds().hold(RowFilter.where("label", "EU"), null, REASON);
        List<String> statements = new ArrayList<>();
        Archiver.builder(PAIR, new TappedConnections(db.archiver(), (sql, connection) -> statements.add(sql)))
                .settings(ArchiveSettings.defaults().withBatchSize(1))
                .build()
                .sweep();
        assertThat(statements).filteredOn(sql -> sql.contains("amopstrategy")).hasSizeLessThanOrEqualTo(4);
    }

    private Archiver.Builder archiver() {
        return Archiver.builder(PAIR, db.archiver());
    }

    private Archiver restorer() {
        return Archiver.builder(PAIR, db.restorer())
                .settings(ArchiveSettings.defaults().withBatchSize(2))
                .build();
    }

    private SweepResult sweep(int batchSize) {
        return archiver()
                .settings(ArchiveSettings.defaults().withBatchSize(batchSize))
                .build()
                .sweep();
    }

    private String hot() {
        return db.strings("SELECT string_agg(id::text, ' ' ORDER BY id) FROM tickets")
                .get(0);
    }
}
