package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;

import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.LocalTime;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.jooq.impl.DSL;
import org.jooq.impl.DefaultDataType;
import org.jooq.impl.SQLDataType;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A plan says what a sweep then does: for each state that a database can be in, both are run and compared. In statements,
 * HOT, ARC, LEDGER and HOLDS stand for the names of the tables, ROLE for that of the role.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class PlanAgreesTest {
    private static final int EXPIRED = 10;

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    @BeforeEach
    void expired_rows_in_tables_as_shipped() {
        db.execute(
                "DROP PUBLICATION IF EXISTS p; DROP SCHEMA IF EXISTS repack, ext CASCADE; DROP SCHEMA public CASCADE;"
                        + " CREATE SCHEMA public");
        TestDatabase.scripts().stream()
                .filter(script -> !script.contains("qrtz"))
                .forEach(db::execute);
        db.insertUsage(
                "SELECT i, timestamp '2020-01-01', timestamp '2020-01-01' FROM generate_series(1, " + EXPIRED + ") i");
        db.execute("CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
                + " CREATE FUNCTION g(anyelement) RETURNS anyelement IMMUTABLE LANGUAGE sql AS 'SELECT $1';"
                + " REVOKE EXECUTE ON FUNCTION g(anyelement) FROM PUBLIC");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '~', textBlock = """
            tables as shipped               | SELECT 1
            all rows under a hold           | INSERT INTO HOLDS (table_name, id_min, reason, created_by, node, created_at) VALUES ('public.HOT', '1', 'r', 'c', 'n', now())
            a hold of another table         | INSERT INTO HOLDS (table_name, id_min, reason, created_by, node, created_at) VALUES ('public.other', '1', 'r', 'c', 'n', now())
            no row at all                   | TRUNCATE HOT
            a further unique index          | CREATE UNIQUE INDEX ON ARC (date)
            a further CHECK                 | ALTER TABLE ARC ADD CHECK (id > 5)
            a disabled trigger              | CREATE TRIGGER t BEFORE DELETE ON HOT FOR EACH ROW EXECUTE FUNCTION f(); ALTER TABLE HOT DISABLE TRIGGER t
            a statement_timeout of the role | ALTER ROLE ROLE IN DATABASE DB SET statement_timeout = '5ms'
            another search path             | ALTER ROLE ROLE IN DATABASE DB SET search_path = ''
            another owner                   | ALTER TABLE HOT OWNER TO ROLE
            rights that come by a role      | REVOKE ALL ON HOT FROM ROLE; GRANT ALL ON HOT TO PUBLIC
            rights by column                | REVOKE SELECT, INSERT ON ARC FROM ROLE; DO $$ BEGIN EXECUTE (SELECT format('GRANT SELECT (%s), INSERT (%s) ON ARC TO usage_archiver', string_agg(attname, ', '), string_agg(attname, ', ')) FROM pg_attribute WHERE attrelid = 'ARC'::regclass AND attnum > 0 AND NOT attisdropped); END $$
            a sweep that runs               | INSERT INTO LEDGER (table_name, state, node, fired_by, cutoff, started_at) VALUES ('public.HOT', 'RUNNING', 'n', 'f', now(), now())
            a restore that died             | INSERT INTO LEDGER (table_name, direction, state, node, fired_by, cutoff, started_at, live_until) VALUES ('public.HOT', 'RESTORE', 'RUNNING', 'n', 'f', now(), now(), '2020-01-01')
            a reference that forbids        | CREATE TABLE bill (id int REFERENCES HOT); INSERT INTO bill VALUES (1); CREATE INDEX ON bill (id)
            a lost index of the ages        | DROP INDEX ix_HOT_completed_at
            no baseline                     | DROP TABLE usage_archive_baseline
            deletes that are published      | CREATE PUBLICATION p FOR TABLE HOT
            the other's function            | CREATE INDEX ON HOT (g(user_id)); ALTER TABLE HOT ADD CHECK (g(user_id) < 100)
            a domain's CHECK                | CREATE DOMAIN d AS int CHECK (g(value) > 0); ALTER TABLE HOT ADD x d; ALTER TABLE ARC ADD x d
            a default's function            | ALTER TABLE ARC ALTER user_id SET DEFAULT g(1)
            no right on a sequence          | REVOKE ALL ON SEQUENCE HOT_id_seq FROM ROLE
            no right on the baseline        | REVOKE ALL ON usage_archive_baseline FROM ROLE
            """)
    void a_sweep_that_is_foreseen_goes_through_and_moves_what_was_counted(String state, String change) {
        db.execute(named(change));
        try {
            Outcome outcome = outcome();
            assertThat(outcome.refusals()).isEmpty();
            assertThat(outcome.plan.verdict())
                    .isEqualTo(
                            state.equals("a lost index of the ages")
                                    ? Plan.Verdict.NOT_ALL_KNOWN
                                    : Plan.Verdict.LET_THROUGH);
            assertThat(outcome.fault).isNull();
            assertThat(outcome.result.stopReason()).isEqualTo(StopReason.DRAINED);
            if (outcome.plan.backlog().exact()) {
                assertThat(outcome.result.rowsMoved() + outcome.result.rowsRejected())
                        .isEqualTo(outcome.plan.backlog().rows());
            }
        } finally {
            db.execute(named("ALTER ROLE ROLE IN DATABASE DB RESET ALL"));
        }
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '~', textBlock = """
            DROP TABLE ARC | archive public.ARC does not exist; apply sql/01-usage-tables.sql where no application makes it
            DROP TABLE LEDGER CASCADE | ledger public.LEDGER does not exist; apply sql/02-ledger.sql
            DROP TABLE HOLDS | holds public.HOLDS does not exist; apply sql/02-ledger.sql
            DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO ROLE | hot public.HOT does not exist
            ALTER TABLE HOT DROP CONSTRAINT HOT_pkey | has no primary key
            ALTER TABLE LEDGER SET UNLOGGED | is unlogged
            ALTER TABLE HOT ENABLE ROW LEVEL SECURITY | disable it, or give the role BYPASSRLS
            ALTER TABLE HOT ALTER id TYPE bigint; ALTER TABLE ARC ALTER id TYPE bigint | hot public.HOT column id is bigint, the generated code has integer; a pair of code that is generated from these tables takes them
            ALTER TABLE HOT DROP user_id; ALTER TABLE ARC DROP user_id | a pair of code that is generated from these tables takes them
            CREATE PUBLICATION p FOR TABLE HOT; ALTER TABLE HOT REPLICA IDENTITY NOTHING | publishes deletes
            CREATE TRIGGER t BEFORE DELETE ON HOT FOR EACH ROW EXECUTE FUNCTION f() | which acts on DELETE; drop or disable it
            CREATE TRIGGER repack_trigger AFTER INSERT OR DELETE OR UPDATE ON HOT FOR EACH ROW EXECUTE FUNCTION f(); ALTER TABLE HOT ENABLE ALWAYS TRIGGER repack_trigger | has trigger repack_trigger, which acts on DELETE; it is pg_repack's, and goes when that is done; if none runs, one was interrupted: DROP TRIGGER repack_trigger ON public.HOT, or DROP EXTENSION pg_repack CASCADE and create it anew
            CREATE TRIGGER repack_trigger AFTER INSERT OR DELETE OR UPDATE ON ARC FOR EACH ROW EXECUTE FUNCTION f() | which acts on each INSERT; it is pg_repack's
            CREATE TABLE bill (id int REFERENCES HOT ON DELETE CASCADE) | it must be ON DELETE NO ACTION or RESTRICT
            INSERT INTO HOLDS (table_name, user_id, reason, created_by, node, created_at) VALUES ('public.HOT', 99999999999, 'r', 'c', 'n', now()) | hold 1, which cannot be honoured
            ALTER TABLE HOLDS DROP id_min CASCADE | holds public.HOLDS lacks column id_min; add it as sql/02-ledger.sql declares it
            ALTER DATABASE DB SET default_transaction_read_only = on | sessions of this data source are read-only (default_transaction_read_only, set by ALTER DATABASE): a sweep fails until they are not
            ALTER ROLE ROLE IN DATABASE DB SET default_transaction_read_only = on | set by ALTER ROLE IN DATABASE)
            REVOKE USAGE ON SCHEMA public FROM ROLE, PUBLIC | GRANT USAGE ON SCHEMA public TO ROLE
            REVOKE SELECT ON HOT FROM ROLE | GRANT SELECT ON public.HOT TO ROLE
            REVOKE DELETE ON HOT FROM ROLE | GRANT DELETE ON public.HOT TO ROLE
            REVOKE UPDATE (updated_at) ON HOT FROM ROLE | GRANT UPDATE (updated_at) ON public.HOT TO ROLE
            REVOKE INSERT ON ARC FROM ROLE | GRANT INSERT ON public.ARC TO ROLE
            REVOKE SELECT ON HOLDS FROM ROLE | GRANT SELECT ON public.HOLDS TO ROLE
            REVOKE INSERT (node) ON LEDGER FROM ROLE | GRANT INSERT (node) ON public.LEDGER TO ROLE
            REVOKE UPDATE (batches) ON LEDGER FROM ROLE | GRANT UPDATE (batches) ON public.LEDGER TO ROLE
            CREATE INDEX ON ARC (g(user_id)) | GRANT EXECUTE ON FUNCTION public.g(anyelement) TO ROLE
            CREATE INDEX ON ARC (user_id) WHERE g(user_id) > 1 | GRANT EXECUTE ON FUNCTION public.g(anyelement) TO ROLE
            ALTER TABLE ARC ADD CHECK (g(user_id) < 100) | GRANT EXECUTE ON FUNCTION public.g(anyelement) TO ROLE
            CREATE FUNCTION h(int, int) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT true'; REVOKE EXECUTE ON FUNCTION h FROM PUBLIC; CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = h); ALTER TABLE ARC ADD CHECK (id === 1) | GRANT EXECUTE ON FUNCTION public.h(integer,integer) TO ROLE
            """)
    void a_sweep_that_would_fail_is_foreseen_with_what_it_says(String change, String refusal) {
        db.execute(named(change));
        try {
            assertRefused(outcome(), refusal);
        } finally {
            db.execute(named("ALTER ROLE ROLE IN DATABASE DB RESET ALL"));
            try (Connection server = DriverManager.getConnection(TestDatabase.superuserUrl())) {
                TestDatabase.execute(server, named("ALTER DATABASE DB RESET ALL"));
            } catch (SQLException e) {
                throw new IllegalStateException(e);
            }
        }
    }

    /** What is revoked is granted again with the very statement, but for what the role lacks not as such. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "REVOKE SELECT ON HOT FROM ROLE; GRANT SELECT (id, completed_at, created_at) ON HOT TO ROLE",
                "REVOKE INSERT ON ARC FROM ROLE",
                "REVOKE USAGE ON SCHEMA public FROM ROLE, PUBLIC",
                "REVOKE SELECT, INSERT, UPDATE ON LEDGER FROM ROLE",
                "CREATE INDEX ON ARC (g(user_id))"
            })
    void the_statements_that_a_plan_names_let_a_sweep_through(String change) {
        db.execute(named(change));
        Outcome before = outcome();
        assertRefused(before, "GRANT");
        List<String> grants = new ArrayList<>(before.plan.missingGrants());
        grants.forEach(db::execute);
        // What could not be looked into before.
        plan().missingGrants().forEach(db::execute);
        assertThat(outcome().result.rowsMoved()).isEqualTo(EXPIRED);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "readOnly=true",
                "readOnly=true&readOnlyMode=always",
                "options=-c%20default_transaction_read_only=on"
            })
    void a_url_that_makes_connections_read_only_is_foreseen(String parameter) {
        assertRefused(outcome(connections(parameter)), "read-only");
    }

    /** As pools do. */
    @Test
    void connections_that_their_pool_sets_read_only_are_foreseen() {
        ConnectionSource readOnly = () -> {
            Connection connection = db.connectAsArchiver();
            connection.setReadOnly(true);
            return connection;
        };
        assertRefused(
                outcome(readOnly),
                "connections of this data source are read-only (readOnly=true in its URL, or a pool");
    }

    @Test
    void a_url_that_says_read_only_and_means_it_not_lets_a_sweep_through() {
        Outcome outcome = outcome(connections("readOnly=true&readOnlyMode=ignore"));
        assertThat(outcome.plan.verdict()).isEqualTo(Plan.Verdict.LET_THROUGH);
        assertThat(outcome.result.rowsMoved()).isEqualTo(EXPIRED);
    }

    @Test
    void a_restore_that_lives_keeps_a_sweep_from_moving_anything() {
        db.execute(named(
                "INSERT INTO LEDGER (table_name, direction, state, node, fired_by, cutoff, started_at, live_until)"
                        + " VALUES ('public.HOT', 'RESTORE', 'RUNNING', 'n', 'f', now(), '2026-01-01', '2200-01-01')"));
        Outcome outcome = outcome();
        assertThat(outcome.plan.verdict()).isEqualTo(Plan.Verdict.NOT_NOW);
        assertThat(outcome.plan.waits())
                .containsExactly(
                        "restore 1 is RUNNING on n since 2026-01-01 00:00 UTC: a sweep that begins now ends BUSY"
                                + " at once");
        assertThat(outcome.result.stopReason()).isEqualTo(StopReason.BUSY);
    }

    @Test
    void outside_of_its_run_window_a_sweep_moves_nothing_and_inside_it_does() {
        LocalTime now = LocalTime.parse(
                db.strings("SELECT to_char(timezone('UTC', now()), 'HH24:MI')").get(0));
        RunWindow later = new RunWindow(now.plusHours(2), now.plusHours(3));
        Outcome outside = outcome(
                db.archiver(), ArchiveSettings.defaults().withPace(Pace.full().withRunWindow(later)));
        assertThat(outside.plan.verdict()).isEqualTo(Plan.Verdict.NOT_NOW);
        assertThat(outside.plan.waits())
                .singleElement()
                .asString()
                .startsWith("runWindow is " + later + " UTC, and it is ")
                .endsWith(": a sweep that begins before " + later.start() + " UTC ends OUTSIDE_WINDOW at once");
        assertThat(outside.result.stopReason()).isEqualTo(StopReason.OUTSIDE_WINDOW);

        RunWindow open = new RunWindow(now.minusHours(1), now.plusHours(1));
        Outcome inside = outcome(
                db.archiver(), ArchiveSettings.defaults().withPace(Pace.full().withRunWindow(open)));
        assertThat(inside.plan.verdict()).isEqualTo(Plan.Verdict.LET_THROUGH);
        assertThat(inside.result.rowsMoved()).isEqualTo(EXPIRED);
    }

    @Test
    void a_type_of_another_schema_is_foreseen_in_the_key_and_in_the_condition_through_two_domains() {
        db.execute(
                named("CREATE SCHEMA ext; CREATE EXTENSION citext SCHEMA ext; CREATE DOMAIN inner_name AS ext.citext;"
                        + " CREATE DOMAIN name AS inner_name; CREATE TABLE a (id public.name PRIMARY KEY, at timestamp);"
                        + " CREATE TABLE b (LIKE a INCLUDING ALL); CREATE INDEX ON a (at);"
                        + " INSERT INTO a VALUES ('A', '2020-01-01');"
                        + " GRANT SELECT, DELETE, UPDATE ON a TO ROLE; GRANT SELECT, INSERT, UPDATE ON b TO ROLE"));
        ForeignTable hot = new ForeignTable("public", "a");
        ArchivePair<?> pair = ArchivePair.of(
                hot,
                hot.twin("public", "b"),
                hot.column("id", DefaultDataType.getDefaultDataType("name")),
                hot.column("at", SQLDataType.LOCALDATETIME));
        assertRefused(outcome(pair, db.archiver(), ArchiveSettings.defaults()), "GRANT USAGE ON SCHEMA ext TO ROLE");
        db.execute(named("GRANT USAGE ON SCHEMA ext TO ROLE"));
        assertThat(outcome(pair, db.archiver(), ArchiveSettings.defaults())
                        .result
                        .rowsMoved())
                .isEqualTo(1);
        assertRefused(
                outcome(
                        pair.where(DSL.condition("{0} = 'A'", DSL.field(DSL.name("id")))),
                        db.archiver(),
                        ArchiveSettings.defaults()),
                "column id of the pair's condition is public.name, which has operators of its own");
    }

    @Test
    void functions_of_a_pairs_condition_are_asked_for_their_rights() {
        Outcome outcome = outcome(
                TestedPair.USAGE.where(DSL.condition("public.g({0}) > 0", DSL.field(DSL.name("id"), Integer.class))),
                db.archiver(),
                ArchiveSettings.defaults());
        assertRefused(outcome, "cannot be asked for the pair's condition: ERROR: permission denied for function g");
    }

    private void assertRefused(Outcome outcome, String refusal) {
        assertThat(outcome.plan.verdict()).isEqualTo(Plan.Verdict.REFUSED);
        assertThat(outcome.refusals()).anySatisfy(told -> assertThat(told).contains(named(refusal)));
        assertThat(outcome.fault).isInstanceOf(SchemaDriftException.class);
        SchemaDriftException drift = (SchemaDriftException) outcome.fault;
        assertThat(drift.differences()).hasSameSizeAs(outcome.refusals());
        outcome.refusals()
                .forEach(told -> assertThat(drift.differences())
                        .anySatisfy(difference -> assertThat(difference).contains(told)));
        assertThat(outcome.plan.allowsSweep()).isFalse();
    }

    private Outcome outcome() {
        return outcome(db.archiver());
    }

    private Outcome outcome(ConnectionSource connections) {
        return outcome(connections, ArchiveSettings.defaults());
    }

    private Outcome outcome(ConnectionSource connections, ArchiveSettings settings) {
        return outcome(TestedPair.USAGE, connections, settings);
    }

    private static Outcome outcome(ArchivePair<?> pair, ConnectionSource connections, ArchiveSettings settings) {
        Plan plan = new Planner(pair, connections, settings).plan(1000, new StopSignal());
        try {
            return new Outcome(
                    plan,
                    Archiver.builder(pair, connections)
                            .settings(settings)
                            .build()
                            .sweep(),
                    null);
        } catch (ArchiveException e) {
            return new Outcome(plan, null, e);
        }
    }

    private Plan plan() {
        return new Planner(TestedPair.USAGE, db.archiver(), ArchiveSettings.defaults()).plan(1000, new StopSignal());
    }

    private ConnectionSource connections(String parameter) {
        return () -> DriverManager.getConnection(
                db.url() + (db.url().contains("?") ? "&" : "?") + parameter,
                TestDatabase.ARCHIVER,
                TestDatabase.ARCHIVER);
    }

    private String named(String text) {
        return text.replace("HOT", "model_usage_details")
                .replace("ARC", "model_usage_details_archive")
                .replace("LEDGER", "usage_archive_sweep")
                .replace("HOLDS", "usage_archive_hold")
                .replace("DATABASE DB", "DATABASE " + db.name())
                .replace("ROLE ROLE", "ROLE " + TestDatabase.ARCHIVER)
                .replaceAll("\\bROLE\\b(?=$|,|;)", TestDatabase.ARCHIVER);
    }

    /** A plan, and the sweep that followed at once: its result, or what ended it. */
    private record Outcome(Plan plan, SweepResult result, ArchiveException fault) {
        List<String> refusals() {
            return Stream.concat(plan.schemaDifferences().stream(), plan.missingGrants().stream())
                    .toList();
        }
    }
}
