package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import ch.qos.logback.classic.Level;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.usagearchiver.metrics.SweepMetrics;
import io.usagearchiver.testing.CapturedLog;
import io.usagearchiver.testing.SlowPath;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.UsageRows;
import java.time.Duration;
import java.time.LocalDateTime;
import java.util.List;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Pairs that are told by names alone: what the live tables do not have is told in the words of the settings, and what they
 * have is read anew. {@link AnyPairTest} has them do all that pairs of generated code do.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class NamedPairTest {
    private static final PairNames INVOICES = PairNames.of("billing.invoices", "closed_at");

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    NamedPairTest() {
        db.execute("CREATE SCHEMA billing; GRANT USAGE ON SCHEMA billing TO " + TestDatabase.ARCHIVER + ", "
                + TestDatabase.RESTORER + "; CREATE EXTENSION citext");
    }

    /** 30 rows that have expired, and 3 that have not. */
    @BeforeEach
    void tables() {
        db.execute("DROP TABLE IF EXISTS billing.invoices, billing.invoices_archive, billing.closed;"
                + " TRUNCATE usage_archive_sweep, usage_archive_hold, usage_archive_baseline");
        for (String table : List.of("billing.invoices", "billing.invoices_archive")) {
            db.execute("CREATE TABLE " + table + " (id bigint PRIMARY KEY, state text, closed_at timestamp,"
                    + " opened_at timestamp, zoned timestamptz, day date, total numeric, label citext, tags text[],"
                    + " payload jsonb, \"Due at\" timestamp);"
                    + " CREATE INDEX ON " + table + " (closed_at);"
                    + " GRANT SELECT, INSERT, DELETE, UPDATE ON " + table + " TO " + TestDatabase.ARCHIVER + ", "
                    + TestDatabase.RESTORER);
        }
        db.execute(
                "INSERT INTO billing.invoices SELECT i, CASE i % 3 WHEN 0 THEN 'open' ELSE 'paid' END, a, a, a, a, i,"
                        + " 'L' || i, ARRAY['a', 'b'], '{\"n\": 1}', a FROM (SELECT i, CASE WHEN i <= 30 THEN timestamp '2020-01-01'"
                        + " + i * interval '1 hour' ELSE '2100-01-01' END AS a FROM generate_series(1, 33) i) s");
    }

    @Test
    void the_names_of_a_hot_table_and_its_age_are_enough() {
        Plan plan = plan(INVOICES);
        assertThat(plan.verdict()).isEqualTo(Plan.Verdict.LET_THROUGH);
        assertThat(plan.backlog().rows()).isEqualTo(30);

        SweepResult sweep = sweep(INVOICES);

        assertThat(sweep.table()).isEqualTo("billing.invoices");
        assertThat(sweep.rowsMoved()).isEqualTo(30);
        assertThat(sweep.batches()).isEqualTo(5);
        assertThat(db.number("SELECT count(*) FROM billing.invoices_archive")).isEqualTo(30);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '\u0000', nullValues = "-", textBlock = """
            billing.invoces    | -    | -  | closed_at  | hotTable = 'billing.invoces': there is no such table in this database; did you mean billing.invoices, or billing.invoices_archive?
            invoices           | -    | -  | closed_at  | hotTable = 'public.invoices': there is no such table in this database; did you mean billing.invoices, or
            billing."Invoices" | -    | -  | closed_at  | hotTable = 'billing."Invoices"': there is no such table in this database; did you mean billing.invoices
            invoice            | -    | -  | closed_at  | hotTable = 'public.invoice': there is no such table in this database; did you mean billing.invoices, or
            nowhere.at_all     | -    | -  | closed_at  | hotTable = 'nowhere.at_all': there is no such table in this database
            billing.invoices   | old  | -  | closed_at  | archive public.old does not exist; 'usage-archiver init --create-archive' makes it, unless archiveTable is to name another one
            billing.invoices   | -    | -  | closedat   | ageColumns = 'closedat': billing.invoices has no column closedat; it has id, state, closed_at, opened_at, zoned, day, total, label, tags, payload, "Due at"
            billing.invoices   | -    | -  | Due_at     | ageColumns = 'due_at': billing.invoices has no column due_at; it has id,
            billing.invoices   | -    | -  | "Closed_At" | ageColumns = '"Closed_At"': billing.invoices has no column "Closed_At"; it has
            billing.invoices   | -    | -  | state      | ageColumns = 'state': state of billing.invoices is text: an age is timestamp, timestamptz or date; there is closed_at, opened_at, zoned, day, "Due at"
            billing.invoices   | -    | -  | closed_at, total | ageColumns = 'closed_at, total': total of billing.invoices is numeric: an age is
            billing.invoices   | -    | -  | closed_at, zoned | ageColumns = 'closed_at, zoned': must be of one type; closed_at is timestamp without time zone, zoned is timestamp with time zone
            billing.invoices   | -    | no | closed_at  | keyColumns = 'no': billing.invoices has no column no; it has id,
            billing.invoices   | -    | state | closed_at | hot billing.invoices has no primary key or full unique index on exactly state, not null
            """)
    void what_the_live_table_does_not_have_is_told_in_the_words_of_the_settings(
            String hot, String archive, String key, String ages, String told) {
        PairNames names = PairNames.of(hot, ages);
        names = archive == null ? names : names.withArchiveTable(archive);
        PairNames bad = key == null ? names : names.withKeyColumns(key);

        assertThat(refusal(bad).differences())
                .anySatisfy(line -> assertThat(line).startsWith(told));
        Plan plan = plan(bad);
        assertThat(plan.verdict()).isEqualTo(Plan.Verdict.REFUSED);
        assertThat(plan.schemaDifferences()).anySatisfy(line -> assertThat(line).startsWith(told));
        assertThat(db.number("SELECT count(*) FROM billing.invoices")).isEqualTo(33);
    }

    @Test
    void a_table_without_a_primary_key_needs_the_columns_of_a_unique_index() {
        db.execute("ALTER TABLE billing.invoices DROP CONSTRAINT invoices_pkey, ALTER total SET NOT NULL");
        assertThat(refusal(INVOICES).differences())
                .containsExactly(
                        "keyColumns is not set, and hot billing.invoices has no primary key: set it to the columns of"
                                + " a full unique index that take no null, once there is one");

        db.execute("CREATE UNIQUE INDEX ON billing.invoices (id) WHERE id > 0;"
                + " CREATE UNIQUE INDEX ON billing.invoices (label);"
                + " CREATE UNIQUE INDEX ON billing.invoices (total);"
                + " ALTER TABLE billing.invoices_archive ALTER total SET NOT NULL;"
                + " CREATE UNIQUE INDEX ON billing.invoices_archive (total)");
        assertThat(refusal(INVOICES).differences())
                .containsExactly("keyColumns is not set, and hot billing.invoices has no primary key: set it to total");

        assertThat(sweep(INVOICES.withKeyColumns("total")).rowsMoved()).isEqualTo(30);
    }

    @Test
    void all_that_is_wrong_is_told_at_once() {
        assertThat(refusal(new PairNames("billing.invoices", "nothing", List.of("no"), List.of("at"), "stat = 'paid'"))
                        .differences())
                .satisfiesExactly(
                        line -> assertThat(line).startsWith("ageColumns = 'at': "),
                        line -> assertThat(line).startsWith("archive public.nothing does not exist"),
                        line -> assertThat(line).startsWith("keyColumns = 'no': "),
                        line -> assertThat(line).startsWith("where = 'stat = 'paid'': "));
    }

    @Test
    void an_age_without_an_index_is_told_and_swept() {
        Plan plan = plan(PairNames.of("billing.invoices", "opened_at"));

        assertThat(plan.verdict()).isEqualTo(Plan.Verdict.NOT_ALL_KNOWN);
        assertThat(plan.backlog().branches())
                .singleElement()
                .satisfies(branch -> assertThat(branch.index()).isNull());
        assertThat(sweep(PairNames.of("billing.invoices", "opened_at")).rowsMoved())
                .isEqualTo(30);
    }

    @Test
    void the_second_age_is_for_rows_in_which_the_first_is_null() {
        db.execute("UPDATE billing.invoices SET closed_at = null WHERE id IN (1, 2, 31);"
                + " UPDATE billing.invoices SET opened_at = '2100-01-01' WHERE id IN (2, 3);"
                + " CREATE INDEX ON billing.invoices (opened_at)");

        assertThat(sweep(PairNames.of("billing.invoices", "closed_at", "opened_at"))
                        .rowsMoved())
                .isEqualTo(29);
        assertThat(db.strings("SELECT id FROM billing.invoices ORDER BY 1")).containsExactly("2", "31", "32", "33");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "state = 'paid'",
                "invoices.state = 'paid'",
                "billing.invoices.state = 'paid'",
                "false or STATE = 'paid'",
                "state <> 'open'\nand state <> '?{0}:x $1;--/*''\"\\'",
                "state = 'paid' and tags @> '{a,b}'::text[] and tags[1 : 1] = array['a']",
                "state = 'paid' and payload ->> 'n' = '1' and (payload -> 'n')::int = 1",
                "exists (select from billing.invoices other where other.id = invoices.id and other.state = 'paid')",
                "case state when 'paid' then true end",
                "state = 'paid' and closed_at < now() - interval '1 day'",
                "label operator(public.<>) 'x'::public.citext and state = any (array['paid'])",
                "state like 'p%' and id % 3 <> 0 and payload #>> '{n}' = '1' and payload @> '{\"n\": 1}' and 1 = - -1",
                "(select state = 'paid')"
            })
    void only_rows_that_meet_the_condition_expire_on_either_path(String where) {
        for (boolean slow : new boolean[] {false, true}) {
            tables();
            try (SlowPath path = new SlowPath(slow)) {
                PairNames paid = INVOICES.withWhere(where);
                assertThat(plan(paid).backlog().rows()).isEqualTo(20);

                assertThat(sweep(paid).rowsMoved()).isEqualTo(20);

                assertThat(db.number("SELECT count(*) FROM billing.invoices_archive WHERE state = 'paid'"))
                        .isEqualTo(20);
            }
        }
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '\u0000', textBlock = """
            stat = 'paid'                | ERROR: column "stat" does not exist
            state = paid                 | ERROR: column "paid" does not exist
            archived.id = 1              | ERROR: missing FROM-clause entry for table "archived"
            total                        | ERROR: argument of WHERE must be type boolean, not type numeric
            id, state                    | ERROR: argument of WHERE must be type boolean, not type record
            state = 'paid' and           | ERROR: syntax error at or near ")"
            state == 'paid'              | ERROR: operator does not exist: text == unknown
            true order by id             | ERROR: syntax error at or near "order"
            true limit 1                 | ERROR: syntax error at or near "limit"
            true for update              | ERROR: syntax error at or near "for"
            true union select true       | ERROR: syntax error at or near "union"
            delete from billing.invoices | ERROR: syntax error at or near "from"
            with d as (delete from billing.invoices returning 1) select true | ERROR: WITH clause containing a data-modifying statement must be at the top level
            (select true, true)          | ERROR: subquery must return only one column
            count(*) > 1                 | ERROR: aggregate functions are not allowed in WHERE
            total = 'paid'               | ERROR: invalid input syntax for type numeric: "paid"
            paid(state)                  | ERROR: function paid(text) does not exist (what an index, CHECK, trigger or condition calls runs with search_path
            state = 'x'::mood            | ERROR: type "mood" does not exist
            exists (select from invoices i where i.id = 1) | ERROR: relation "invoices" does not exist
            exists (select from billing.closed c) | ERROR: relation "billing.closed" does not exist
            tags[1 = 'a'                 | ERROR: syntax error at or near ")"
            label = 'l1'                 | column label is public.citext, which has operators of its own; the condition must name them with their schema
            "label" = 'l1'               | column label is public.citext, which has operators of its own
            LABEL is not null            | column label is public.citext, which has operators of its own
            """)
    void a_condition_that_postgresql_does_not_take_is_quoted_with_the_reason(String where, String reason) {
        assertThat(refusal(INVOICES.withWhere(where)).differences())
                .singleElement()
                .asString()
                .startsWith("where = '" + where + "': " + reason);
        assertThat(plan(INVOICES.withWhere(where)).schemaDifferences())
                .singleElement()
                .asString()
                .startsWith("where = '" + where + "': " + reason);
        assertThat(refusal(INVOICES.withWhere(where)).getMessage()).doesNotContain("was altered");
        assertThat(db.number("SELECT count(*) FROM billing.invoices")).isEqualTo(33);
    }

    @Test
    void a_key_by_a_property_goes_before_the_primary_key() {
        for (String table : List.of("billing.invoices", "billing.invoices_archive")) {
            db.execute(
                    "ALTER TABLE " + table + " ALTER total SET NOT NULL; CREATE UNIQUE INDEX ON " + table + " (total)");
        }
        db.execute("INSERT INTO billing.invoices_archive (id, total) VALUES (100, 7)");

        assertThat(sweep(INVOICES.withKeyColumns("total")).conflictingIds()).containsExactly("7");
    }

    /** Names that the archiver's own statements have for other things. */
    @ParameterizedTest
    @ValueSource(strings = {"value", "key", "age", "row", "candidates", "wanted_key", "moved", "it's ?{0} $1 :x;--/*"})
    void a_column_of_the_condition_is_the_hot_tables_whatever_it_is_called(String column) {
        for (String table : List.of("billing.invoices", "billing.invoices_archive")) {
            db.execute("ALTER TABLE " + table + " RENAME state TO \"" + column + "\"");
        }
        db.execute("INSERT INTO billing.invoices_archive SELECT * FROM billing.invoices WHERE id < 5;"
                + " UPDATE billing.invoices_archive SET total = 0 WHERE id = 1");
        PairNames paid = INVOICES.withWhere("\"" + column + "\" = 'paid'");
        db.execute("CREATE VIEW billing.counted AS SELECT count(*) AS rows FROM billing.invoices_archive WHERE \""
                + column + "\" = 'paid'");
        try {
            assertThat(plan(paid).overlap().different()).isEqualTo(1);
            SweepResult sweep = sweep(paid);
            assertThat(sweep.rowsMoved()).isEqualTo(17);
            assertThat(sweep.rowsAlreadyArchived()).isEqualTo(2);
            assertThat(sweep.rowsInConflict()).isEqualTo(1);
            assertThat(db.number("SELECT rows FROM billing.counted")).isEqualTo(20);
        } finally {
            db.execute("DROP VIEW billing.counted");
        }
    }

    @Test
    void a_row_that_no_longer_meets_the_condition_when_it_is_locked_stays() {
        SweepResult sweep = archiver(INVOICES.withWhere("state <> 'open'"))
                .listener(UsageRows.afterBatch(
                        1, () -> db.execute("UPDATE billing.invoices SET state = 'open' WHERE id = 29")))
                .build()
                .sweep();

        assertThat(sweep.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(sweep.rowsMoved()).isEqualTo(19);
        assertThat(db.number("SELECT count(*) FROM billing.invoices WHERE id = 29"))
                .isEqualTo(1);
    }

    @Test
    void a_type_that_is_altered_between_two_sweeps_or_within_one_is_the_one_that_counts() {
        SweepResult altered = archiver(INVOICES)
                .listener(UsageRows.afterBatch(
                        1,
                        () -> db.execute("ALTER TABLE billing.invoices ALTER closed_at TYPE timestamptz"
                                + " USING closed_at AT TIME ZONE 'UTC', ALTER id TYPE text;"
                                + " ALTER TABLE billing.invoices_archive ALTER closed_at TYPE timestamptz"
                                + " USING closed_at AT TIME ZONE 'UTC', ALTER id TYPE text")))
                .build()
                .sweep();

        assertThat(altered.rowsMoved()).isEqualTo(30);
        assertThat(db.strings(
                        "SELECT timezone('UTC', closed_at) FROM billing.invoices_archive ORDER BY closed_at LIMIT 1"))
                .containsExactly("2020-01-01 01:00:00");

        for (String table : List.of("billing.invoices", "billing.invoices_archive")) {
            db.execute("ALTER TABLE " + table + " ALTER closed_at TYPE date");
        }
        db.execute(
                "UPDATE billing.invoices SET closed_at = CASE id WHEN '31' THEN date '2025-05-15' ELSE '2020-01-01' END");
        SweepResult days = archiver(INVOICES)
                .clock(UsageRows.clockAt(LocalDateTime.parse("2026-06-15T12:00")))
                .build()
                .sweep();
        assertThat(days.rowsMoved()).as("a day has to be over").isEqualTo(2);
    }

    @Test
    void another_primary_key_is_the_key_of_the_next_sweep() {
        assertThat(sweep(INVOICES).rowsMoved()).isEqualTo(30);
        for (String table : List.of("invoices", "invoices_archive")) {
            db.execute(
                    "ALTER TABLE billing." + table + " DROP CONSTRAINT " + table + "_pkey, ADD PRIMARY KEY (day, id)");
        }
        db.execute("INSERT INTO billing.invoices (id, day, closed_at) VALUES (1, '1999-01-01', '2020-01-01')");

        try (SlowPath slow = new SlowPath()) {
            assertThat(sweep(INVOICES).rowsMoved()).isEqualTo(1);
        }
        assertThat(verification(INVOICES).clean()).isTrue();
    }

    @Test
    void tables_that_are_made_anew_with_other_types_are_those_of_the_next_sweep() {
        Archiver archiver = archiver(INVOICES).build();
        assertThat(archiver.sweep().rowsMoved()).isEqualTo(30);
        db.execute("DROP TABLE billing.invoices, billing.invoices_archive");
        assertThat(catchThrowableOfType(SchemaDriftException.class, archiver::sweep)
                        .differences())
                .contains("hotTable = 'billing.invoices': there is no such table in this database");

        for (String table : List.of("billing.invoices", "billing.invoices_archive")) {
            db.execute(
                    "CREATE TABLE " + table + " (closed_at date, gone int, id uuid, no char(3), PRIMARY KEY (no, id));"
                            + " ALTER TABLE " + table + " DROP gone; CREATE INDEX ON " + table + " (closed_at);"
                            + " GRANT SELECT, INSERT, DELETE, UPDATE ON " + table + " TO " + TestDatabase.ARCHIVER);
        }
        db.execute(
                "INSERT INTO billing.invoices SELECT '2020-01-01', md5(i::text)::uuid, i FROM generate_series(1, 9) i");
        assertThat(archiver.sweep().rowsMoved()).isEqualTo(9);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            CREATE VIEW billing.others AS TABLE billing.invoices                | a view
            CREATE MATERIALIZED VIEW billing.others AS TABLE billing.invoices   | a materialized view
            CREATE UNLOGGED TABLE billing.others (LIKE billing.invoices INCLUDING ALL) | unlogged: a crash empties it
            CREATE SEQUENCE billing.others                                      | not a table
            """)
    void what_is_no_permanent_table_is_told_in_place_of_what_it_lacks(String create, String kind) {
        db.execute(create);
        try {
            assertThat(refusal(new PairNames(
                                    "billing.others",
                                    "billing.invoices_archive",
                                    List.of(),
                                    List.of("closed_at"),
                                    null))
                            .differences())
                    .contains("hot billing.others is " + kind
                            + "; it must be a permanent table, ordinary or partitioned");
        } finally {
            db.execute("DROP " + create.replaceFirst("CREATE (UNLOGGED )?(.*) (billing.others).*", "$2 $3"));
        }
    }

    /** The text of a value without its length would be cut, or read as another one. */
    @ParameterizedTest
    @CsvSource(delimiter = '~', quoteCharacter = '\u0000', textBlock = """
            "char"          ~ chr(96 + i)::"char"
            name            ~ 'N ' || i
            money           ~ i / 4.0
            bit(8)          ~ i::bit(8)
            bit varying     ~ i::bit(4)::bit varying
            real            ~ i / 3.0
            interval        ~ i * interval '1 month -2 days 25:00:00.000001'
            inet            ~ ('10.0.0.' || i || '/8')::inet
            int4range       ~ int4range(i, i + 5)
            jsonb           ~ jsonb_build_object('a', i, 'b', null)
            pg_lsn          ~ ('0/' || i)::pg_lsn
            numeric(9, 2)[] ~ array[i / 4.0, null]
            char(3)[]       ~ array['a', 'b' || i]
            bit(4)[]        ~ array[i::bit(4), null]
            """)
    void a_key_may_be_of_any_type_that_has_an_order(String type, String value) {
        db.execute("DROP TABLE IF EXISTS keyed, keyed_archive, original");
        for (String table : List.of("keyed", "keyed_archive")) {
            db.execute("CREATE TABLE " + table + " (k " + type + " PRIMARY KEY, at date NOT NULL, note text);"
                    + " GRANT SELECT, INSERT, DELETE, UPDATE ON " + table + " TO " + TestDatabase.ARCHIVER + ", "
                    + TestDatabase.RESTORER);
        }
        db.execute("INSERT INTO keyed SELECT " + value + ", '2020-01-01' FROM generate_series(1, 9) i;"
                + " INSERT INTO keyed_archive SELECT k, at, 'other' FROM keyed ORDER BY k LIMIT 1;"
                + " CREATE TABLE original AS TABLE keyed");
        PairNames keyed = PairNames.of("keyed", "at");

        SweepResult sweep = sweep(keyed);
        assertThat(sweep.rowsMoved()).isEqualTo(8);
        assertThat(sweep.conflictingIds()).isEqualTo(db.strings("SELECT k FROM keyed"));
        assertThat(verification(keyed).different()).isEqualTo(1);
        assertThat(db.strings("SELECT k::text FROM original ORDER BY 1"))
                .isEqualTo(db.strings("SELECT k::text FROM keyed UNION ALL SELECT k::text FROM keyed_archive"
                        + " WHERE note IS NULL ORDER BY 1"));
    }

    @Test
    void names_that_do_not_fit_any_more_disable_archival_until_they_do() {
        SimpleMeterRegistry registry = new SimpleMeterRegistry();
        Archiver archiver =
                archiver(INVOICES).listener(new SweepMetrics(registry)).build();
        assertThat(archiver.health().status()).isEqualTo(Health.Status.OK);
        for (String table : List.of("billing.invoices", "billing.invoices_archive")) {
            db.execute("ALTER TABLE " + table + " RENAME closed_at TO ended_at");
        }

        assertThat(archiver.health().status()).isEqualTo(Health.Status.DISABLED);
        assertThat(archiver.health().message())
                .contains(
                        "ageColumns = 'closed_at': billing.invoices has no column closed_at; it has id, state, ended_at,");
        assertThat(catchThrowableOfType(SchemaDriftException.class, archiver::sweep)
                        .differences())
                .hasSize(1);
        assertThat(registry.get(SweepMetrics.SWEEPS)
                        .tag(SweepMetrics.TABLE, "billing.invoices")
                        .counters())
                .isNotEmpty();

        for (String table : List.of("billing.invoices", "billing.invoices_archive")) {
            db.execute("ALTER TABLE " + table + " RENAME ended_at TO closed_at");
        }
        assertThat(archiver.sweep().rowsMoved()).isEqualTo(30);
        assertThat(archiver.health().status()).isEqualTo(Health.Status.OK);
    }

    @Test
    void the_rights_of_the_types_of_its_key_are_looked_at_too() {
        db.execute("CREATE SCHEMA types; CREATE TYPE types.kind AS ENUM ('a', 'b')");
        for (String table : List.of("invoices", "invoices_archive")) {
            db.execute("ALTER TABLE billing." + table + " ADD kind types.kind NOT NULL DEFAULT 'a', DROP CONSTRAINT "
                    + table + "_pkey, ADD PRIMARY KEY (kind, id)");
        }
        try {
            assertThat(plan(INVOICES).missingGrants()).containsExactly("GRANT USAGE ON SCHEMA types TO usage_archiver");
        } finally {
            tables();
            db.execute("DROP SCHEMA types CASCADE");
        }
    }

    @Test
    void the_right_to_update_a_column_is_asked_for_one_that_is_there_to_be_updated() {
        db.execute("REVOKE UPDATE ON billing.invoices FROM " + TestDatabase.ARCHIVER);
        assertThat(plan(INVOICES).missingGrants())
                .containsExactly("GRANT UPDATE (closed_at) ON billing.invoices TO usage_archiver");
        for (String table : List.of("billing.invoices", "billing.invoices_archive")) {
            db.execute("ALTER TABLE " + table + " ADD updated_at timestamp");
        }
        assertThat(plan(INVOICES).missingGrants())
                .containsExactly("GRANT UPDATE (updated_at) ON billing.invoices TO usage_archiver");
    }

    @Test
    void the_log_quotes_the_condition() {
        try (CapturedLog log = new CapturedLog()) {
            sweep(INVOICES.withWhere("state = 'paid'"));

            assertThat(log.messages(Level.INFO, Archiver.class))
                    .singleElement()
                    .asString()
                    .contains(" of billing.invoices where state = 'paid' ended DRAINED: 20 rows moved");
        }
    }

    @Test
    void rows_are_held_restored_and_verified_by_names_too() {
        new Verifier(pair(INVOICES), db::connectAsOwner, ArchiveSettings.defaults()).takeBaseline();
        assertThat(sweep(INVOICES).rowsMoved()).isEqualTo(30);
        assertThat(verification(INVOICES).clean()).isTrue();
        Archiver restorer = Archiver.builder(pair(INVOICES), db.restorer()).build();
        RowFilter five = RowFilter.ids("1", "5");

        assertThat(restorer.previewRestore(five).restorable()).isEqualTo(5);
        RestoreResult restored = restorer.restore(five, null, "audit", new StopSignal());

        assertThat(restored.counts().rowsMoved()).isEqualTo(5);
        assertThat(restorer.holds().list())
                .singleElement()
                .satisfies(hold -> assertThat(hold.problem()).isNull());
        assertThat(sweep(INVOICES).rowsMoved()).isZero();
        restorer.holds().release(restored.hold().id());
        assertThat(sweep(INVOICES).rowsMoved()).isEqualTo(5);
        assertThat(new SweepHistory(pair(INVOICES), db.archiver(), ArchiveSettings.defaults()).newest(9))
                .hasSize(4);
        assertThat(verification(INVOICES).clean()).isTrue();
    }

    @Test
    void what_cannot_be_read_is_told_by_those_who_do_not_sweep_too() {
        PairNames bad = PairNames.of("billing.invoices", "ended_at");
        String told = "The tables of billing.invoices are not as the settings name them:\n"
                + "  - ageColumns = 'ended_at': billing.invoices has no column ended_at; it has ";
        Archiver restorer = Archiver.builder(pair(bad), db.restorer()).build();

        assertThat(catchThrowableOfType(SchemaDriftException.class, () -> verification(bad)))
                .hasMessageStartingWith(told);
        assertThat(catchThrowableOfType(
                        SchemaDriftException.class, () -> restorer.previewRestore(RowFilter.ids("1", "5"))))
                .hasMessageStartingWith(told);
        assertThat(catchThrowableOfType(
                        SchemaDriftException.class,
                        () -> restorer.holds().hold(RowFilter.ids("1", "5"), null, "audit")))
                .hasMessageStartingWith(told);
    }

    private SchemaDriftException refusal(PairNames names) {
        SchemaDriftException refusal = catchThrowableOfType(SchemaDriftException.class, () -> sweep(names));
        assertThat(refusal).as("refusal of " + names).isNotNull();
        return refusal;
    }

    private SweepResult sweep(PairNames names) {
        return archiver(names).build().sweep();
    }

    private Archiver.Builder archiver(PairNames names) {
        return Archiver.builder(pair(names), db.archiver())
                .settings(ArchiveSettings.defaults().withBatchSize(7));
    }

    private Plan plan(PairNames names) {
        return new Planner(pair(names), db.archiver(), ArchiveSettings.defaults()).plan(1000, new StopSignal());
    }

    private Verification verification(PairNames names) {
        return new Verifier(pair(names), db.archiver(), ArchiveSettings.defaults())
                .verify(Duration.ofMinutes(1), cost -> {}, new StopSignal());
    }

    private static ArchivePair<?> pair(PairNames names) {
        return ArchivePair.of(names);
    }
}
