package io.usagearchiver;

import static org.assertj.core.api.Assertions.as;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.assertj.core.api.InstanceOfAssertFactories.STRING;

import io.usagearchiver.generated.tables.records.ModelUsageDetailsRecord;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.jooq.Name;
import org.jooq.TableField;
import org.jooq.impl.CustomTable;
import org.jooq.impl.DSL;
import org.jooq.impl.SQLDataType;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Each kind of drift with its message. In statements and messages, HOT, ARC and LEDGER stand for the names of the hot
 * table, its archive and the ledger, HOLDS for that of the holds; f() is a trigger function.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class SchemaCheckTest {
    private static final String PAIR_OF_ONES_OWN =
            "a pair of code that is generated from these tables takes them (docs/other-tables.md)";

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    @BeforeEach
    void the_tables_as_shipped() {
        db.execute("DROP PUBLICATION IF EXISTS p; DROP SCHEMA public CASCADE; CREATE SCHEMA public");
        createTables();
        db.execute("CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'");
    }

    private void createTables() {
        TestDatabase.scripts().stream()
                .filter(script -> !script.contains("qrtz"))
                .forEach(db::execute);
    }

    @Tag(TestedPair.OF_CODE)
    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '~', textBlock = """
            DROP TABLE HOT | hot public.HOT does not exist; apply sql/01-usage-tables.sql where no application makes it
            DROP TABLE ARC | archive public.ARC does not exist; apply sql/01-usage-tables.sql where no application makes it
            DROP TABLE LEDGER CASCADE | ledger public.LEDGER does not exist; apply sql/02-ledger.sql
            DROP TABLE HOLDS | holds public.HOLDS does not exist; apply sql/02-ledger.sql
            ALTER TABLE HOLDS DROP user_id CASCADE | holds public.HOLDS lacks column user_id; add it as sql/02-ledger.sql declares it
            ALTER TABLE HOLDS DROP column_values CASCADE | holds public.HOLDS lacks column column_values; apply sql/02-ledger.sql
            """)
    void a_missing_table_is_refused(String change, String difference) {
        assertRefused(change, difference);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '~', textBlock = """
            ALTER TABLE HOT SET UNLOGGED | hot public.HOT is unlogged: a crash empties it
            ALTER TABLE ARC SET UNLOGGED | archive public.ARC is unlogged: a crash empties it
            CREATE TABLE child () INHERITS (HOT) | hot public.HOT is a table with inheritance children
            CREATE TABLE child () INHERITS (ARC) | archive public.ARC is a table with inheritance children
            """)
    void a_table_that_is_not_permanent_or_has_children_is_refused(String change, String difference) {
        assertRefused(change, difference + "; it must be a permanent table, ordinary or partitioned");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '~', textBlock = """
            CREATE VIEW {0} AS TABLE plain | a view
            CREATE MATERIALIZED VIEW {0} AS TABLE plain | a materialized view
            CREATE FOREIGN DATA WRAPPER far; CREATE SERVER far FOREIGN DATA WRAPPER far; CREATE FOREIGN TABLE {0} (id int) SERVER far | a foreign table
            """)
    void a_relation_of_another_kind_is_refused_on_either_side(String create, String kind) {
        for (String side : List.of("hot public.HOT", "archive public.ARC")) {
            String table = named(side.split("\\.")[1]);
            db.execute("ALTER TABLE " + table + " RENAME TO plain");
            db.execute(create.replace("{0}", table));

            assertThat(differences())
                    .contains(named(side) + " is " + kind + "; it must be a permanent table, ordinary or partitioned");

            db.execute("DROP " + kind.substring(2) + " " + table
                    + "; DROP SERVER IF EXISTS far; DROP FOREIGN DATA WRAPPER IF EXISTS far");
            db.execute("ALTER TABLE plain RENAME TO " + table);
        }
        assertAccepted();
    }

    @Test
    void temporary_tables_are_refused() {
        ArchivePair<Integer> pair = ArchivePair.of(
                new Temporary(DSL.name("hot")),
                new Temporary(DSL.name("archive")),
                new Temporary(DSL.name("hot")).id,
                new Temporary(DSL.name("hot")).age);
        ConnectionSource withTemporaryTables = () -> {
            Connection connection = db.connectAsArchiver();
            for (String table : List.of("hot", "archive")) {
                TestDatabase.execute(
                        connection, "CREATE TEMPORARY TABLE " + table + " (id int PRIMARY KEY, age timestamp)");
            }
            return connection;
        };
        assertThat(differences(Archiver.builder(pair, withTemporaryTables).build()))
                .hasSize(2)
                .allMatch(difference -> difference.matches(
                        "\\w+ pg_temp.\\w+ is temporary; it must be a permanent table, ordinary or partitioned"));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '~', textBlock = """
            no key                  |
            not unique              | CREATE INDEX ON {0} (id)
            deferrable              | ALTER TABLE {0} ADD PRIMARY KEY (id) DEFERRABLE
            initially deferred      | ALTER TABLE {0} ADD UNIQUE (id) DEFERRABLE INITIALLY DEFERRED
            partial                 | CREATE UNIQUE INDEX ON {0} (id) WHERE id > 0
            of two columns          | ALTER TABLE {0} ADD PRIMARY KEY (id, created_at)
            on an expression        | CREATE UNIQUE INDEX ON {0} (abs(id))
            on another column       | CREATE UNIQUE INDEX ON {0} (created_at)
            of a column with nulls  | ALTER TABLE {0} ADD UNIQUE (id), ALTER id DROP NOT NULL
            """)
    void a_key_that_is_not_plainly_unique_is_refused_on_either_side(String kind, String create) {
        for (String side : List.of("hot public.HOT", "archive public.ARC")) {
            String table = named(side.split("\\.")[1]);
            db.execute("ALTER TABLE " + table + " RENAME TO plain");
            db.execute("CREATE TABLE " + table + " (LIKE plain)");
            db.execute("GRANT ALL ON " + table + " TO " + TestDatabase.ARCHIVER);
            if (create != null) {
                db.execute(create.replace("{0}", table));
            }

            assertThat(differences())
                    .as(kind)
                    .filteredOn(difference -> !difference.endsWith("column id is NOT NULL (hot: null allowed)"))
                    .containsExactly(named(side) + " has no primary key or full unique index on exactly id, not null");

            db.execute("DROP TABLE " + table + "; ALTER TABLE plain RENAME TO " + table);
        }
        assertAccepted();
    }

    @Test
    void a_unique_index_that_could_not_be_built_is_refused() {
        db.execute(named("ALTER TABLE ARC DROP CONSTRAINT ARC_pkey"));
        db.insertUsage("SELECT 1, now(), now()");
        db.execute(named("INSERT INTO ARC TABLE HOT; INSERT INTO ARC TABLE HOT"));
        assertThatThrownBy(() -> db.execute(named("CREATE UNIQUE INDEX CONCURRENTLY ON ARC (id)")))
                .hasRootCauseInstanceOf(SQLException.class);
        assertThat(differences())
                .containsExactly(
                        named("archive public.ARC has no primary key or full unique index on exactly id, not null"));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '~', textBlock = """
            ALTER TABLE HOT ADD extra numeric(9, 2) | archive public.ARC lacks column extra (hot: numeric(9,2))
            ALTER TABLE ARC ADD extra text | hot public.HOT lacks column extra (archive: text)
            ALTER TABLE HOT ADD "Extra" int; ALTER TABLE ARC ADD extra int | archive public.ARC lacks column Extra (hot: integer); hot public.HOT lacks column extra (archive: integer)
            ALTER TABLE ARC ALTER operation TYPE varchar(31) | archive public.ARC column operation is character varying(31) (hot: character varying(32))
            ALTER TABLE ARC ALTER operation TYPE varchar | archive public.ARC column operation is character varying (hot: character varying(32))
            ALTER TABLE ARC ALTER operation TYPE text | archive public.ARC column operation is text (hot: character varying(32))
            ALTER TABLE ARC ALTER prompt_token_count TYPE integer | archive public.ARC column prompt_token_count is integer (hot: bigint)
            ALTER TABLE ARC ALTER deleted_at TYPE timestamp(3) | archive public.ARC column deleted_at is timestamp(3) without time zone (hot: timestamp without time zone)
            ALTER TABLE ARC ALTER deleted_at TYPE timestamptz | archive public.ARC column deleted_at is timestamp with time zone (hot: timestamp without time zone)
            ALTER TABLE HOT ADD extra numeric(9, 2); ALTER TABLE ARC ADD extra numeric(9, 3) | archive public.ARC column extra is numeric(9,3) (hot: numeric(9,2))
            ALTER TABLE HOT ADD extra text[]; ALTER TABLE ARC ADD extra varchar[] | archive public.ARC column extra is character varying[] (hot: text[])
            ALTER TABLE ARC ALTER user_id SET NOT NULL | archive public.ARC column user_id is NOT NULL (hot: null allowed)
            """)
    void columns_that_differ_are_refused(String change, String expected) {
        assertRefused(change, expected.split("; "));
    }

    @Tag(TestedPair.OF_CODE)
    @Test
    void columns_that_only_the_generated_code_has_are_refused() {
        assertRefused(
                "ALTER TABLE HOT DROP operation; ALTER TABLE ARC DROP operation",
                "archive public.ARC lacks column operation, which the generated code has; " + PAIR_OF_ONES_OWN,
                "hot public.HOT lacks column operation, which the generated code has; " + PAIR_OF_ONES_OWN);
    }

    @Tag(TestedPair.OF_CODE)
    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '~', textBlock = """
            id           | bigint      | bigint                   | integer
            id           | text        | text                     | integer
            completed_at | timestamptz | timestamp with time zone | timestamp without time zone
            created_at   | date        | date                     | timestamp without time zone
            """)
    void a_key_or_age_column_of_another_type_than_generated_is_refused(
            String column, String type, String live, String generated) {
        assertRefused(
                "ALTER TABLE HOT ALTER {0} TYPE {1}; ALTER TABLE ARC ALTER {0} TYPE {1}"
                        .replace("{0}", column)
                        .replace("{1}", type),
                "hot public.HOT column " + column + " is " + live + ", the generated code has " + generated + "; "
                        + PAIR_OF_ONES_OWN);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '~', textBlock = """
            CREATE TRIGGER t BEFORE INSERT ON ARC FOR EACH ROW EXECUTE FUNCTION f() | has trigger t, which acts on each INSERT; drop or disable it
            CREATE TRIGGER t AFTER UPDATE OR INSERT ON ARC FOR EACH ROW EXECUTE FUNCTION f() | has trigger t, which acts on each INSERT; drop or disable it
            CREATE TRIGGER t AFTER INSERT ON ARC FOR EACH ROW EXECUTE FUNCTION f(); ALTER TABLE ARC ENABLE ALWAYS TRIGGER t | has trigger t, which acts on each INSERT; drop or disable it
            CREATE TRIGGER t AFTER INSERT ON ARC REFERENCING NEW TABLE AS moved FOR EACH STATEMENT EXECUTE FUNCTION f() | has trigger t, which can act on the rows of an INSERT; drop or disable it
            CREATE RULE r AS ON INSERT TO ARC DO INSTEAD NOTHING | has rule r, which acts on each INSERT; drop or disable it
            CREATE RULE r AS ON INSERT TO ARC DO ALSO SELECT 1 | has rule r, which acts on each INSERT; drop or disable it
            ALTER TABLE ARC ALTER id ADD GENERATED ALWAYS AS IDENTITY | column id is GENERATED ALWAYS: it takes no copy; DROP EXPRESSION, or SET GENERATED BY DEFAULT where it is an identity
            ALTER TABLE HOT ADD extra int; ALTER TABLE ARC ADD extra int GENERATED ALWAYS AS (1) STORED | column extra is GENERATED ALWAYS: it takes no copy; DROP EXPRESSION, or SET GENERATED BY DEFAULT where it is an identity
            """)
    void what_could_change_or_swallow_a_row_on_its_way_into_the_archive_is_refused(String change, String difference) {
        assertRefused(change, "archive public.ARC " + difference);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '~', textBlock = """
            CREATE TRIGGER t BEFORE DELETE ON HOT FOR EACH ROW EXECUTE FUNCTION f() | has trigger t, which acts on DELETE; drop or disable it
            CREATE TRIGGER t AFTER INSERT OR DELETE ON HOT FOR EACH STATEMENT EXECUTE FUNCTION f() | has trigger t, which acts on DELETE; drop or disable it
            CREATE RULE r AS ON DELETE TO HOT DO INSTEAD NOTHING | has rule r, which acts on DELETE; drop or disable it
            CREATE RULE r AS ON DELETE TO HOT DO ALSO SELECT 1 | has rule r, which acts on DELETE; drop or disable it
            CREATE TABLE bill (a int, CONSTRAINT c FOREIGN KEY (a) REFERENCES HOT ON DELETE CASCADE) | is referenced by c of public.bill on delete cascade: moving a row would change other rows; it must be ON DELETE NO ACTION or RESTRICT
            CREATE TABLE bill (a int, CONSTRAINT c FOREIGN KEY (a) REFERENCES HOT ON DELETE SET NULL) | is referenced by c of public.bill on delete set null: moving a row would change other rows; it must be ON DELETE NO ACTION or RESTRICT
            CREATE TABLE bill (a int, CONSTRAINT c FOREIGN KEY (a) REFERENCES HOT ON DELETE SET DEFAULT) | is referenced by c of public.bill on delete set default: moving a row would change other rows; it must be ON DELETE NO ACTION or RESTRICT
            ALTER TABLE HOT ADD CONSTRAINT c FOREIGN KEY (user_id) REFERENCES HOT ON DELETE SET NULL | is referenced by c of public.HOT on delete set null: moving a row would change other rows; it must be ON DELETE NO ACTION or RESTRICT
            """)
    void what_acts_when_a_hot_row_is_deleted_is_refused(String change, String difference) {
        assertRefused(change, "hot public.HOT " + difference);
    }

    @Test
    void any_trigger_that_an_insert_into_the_hot_table_fires_keeps_rows_from_being_restored() {
        db.execute(named("CREATE TRIGGER t AFTER INSERT ON HOT FOR EACH STATEMENT EXECUTE FUNCTION f()"));
        assertAccepted();

        Archiver restorer = Archiver.builder(TestedPair.USAGE, db.restorer()).build();
        assertThat(catchThrowableOfType(
                                SchemaDriftException.class, () -> restorer.previewRestore(RowFilter.ids("1", "2")))
                        .differences())
                .containsExactly(named(
                        "hot public.HOT has trigger t, which can act on the rows of an INSERT; drop or disable it"));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '~', textBlock = """
            CREATE PUBLICATION p FOR ALL TABLES; ALTER TABLE HOT REPLICA IDENTITY NOTHING | because it does not have a replica identity and publishes deletes; see
            CREATE PUBLICATION p FOR TABLE HOT; ALTER TABLE HOT REPLICA IDENTITY NOTHING | it does not have a replica identity and publishes deletes
            CREATE PUBLICATION p FOR TABLES IN SCHEMA public; ALTER TABLE HOT DROP CONSTRAINT HOT_pkey; CREATE UNIQUE INDEX ON HOT (id) | it does not have a replica identity and publishes deletes
            CREATE TABLE root (LIKE HOT) PARTITION BY RANGE (id); ALTER TABLE root ATTACH PARTITION HOT DEFAULT; ALTER TABLE HOT REPLICA IDENTITY NOTHING; CREATE PUBLICATION p FOR TABLE root | because it does not have a replica identity and publishes deletes; see
            CREATE PUBLICATION p FOR TABLE HOT WHERE (user_id > 1) | cannot delete from table "model_usage_details"; see its replica identity, and the row filter
            CREATE PUBLICATION p FOR TABLE HOT (user_id) | cannot delete from table "model_usage_details"; see its replica identity, and the row filter
            """)
    void deletes_that_are_published_but_cannot_be_are_refused(String change, String reason) {
        db.execute(named(change));
        assertThat(differences())
                .singleElement(as(STRING))
                .startsWith(named("hot public.HOT publishes deletes, which PostgreSQL refuses: "))
                .contains(reason);

        db.execute("DROP PUBLICATION p");
        assertAccepted();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "CREATE PUBLICATION p FOR TABLE HOT",
                "CREATE PUBLICATION p FOR TABLE HOT; ALTER TABLE HOT REPLICA IDENTITY FULL",
                "CREATE PUBLICATION p FOR TABLE HOT WITH (publish = 'insert'); ALTER TABLE HOT REPLICA IDENTITY NOTHING",
                "CREATE PUBLICATION p FOR TABLE ARC; ALTER TABLE ARC REPLICA IDENTITY NOTHING"
            })
    void deletes_that_are_published_as_they_should_be_are_accepted(String change) {
        db.execute(named(change));
        assertAccepted();
    }

    @Test
    void under_session_replication_role_replica_other_triggers_fire_and_foreign_keys_do_not_hold() {
        db.execute(named("CREATE TABLE bill (a int, CONSTRAINT c FOREIGN KEY (a) REFERENCES HOT);"
                + " CREATE TRIGGER t BEFORE INSERT ON ARC FOR EACH ROW EXECUTE FUNCTION f();"
                + " ALTER TABLE ARC ENABLE REPLICA TRIGGER t;"
                + " CREATE TRIGGER u BEFORE INSERT ON ARC FOR EACH ROW EXECUTE FUNCTION f()"));
        String database =
                "ALTER DATABASE " + db.strings("SELECT current_database()").get(0);
        assertThat(differences())
                .containsExactly(
                        named("archive public.ARC has trigger u, which acts on each INSERT; drop or disable it"));

        db.execute(database + " SET session_replication_role = replica");
        try {
            assertThat(differences())
                    .containsExactly(
                            named("archive public.ARC has trigger t, which acts on each INSERT; drop or disable it"),
                            named("hot public.HOT is referenced by c of public.bill, which is not enforced in this"
                                    + " session: a row that is moved would be missed there; enable its triggers, or see"
                                    + " session_replication_role"));
        } finally {
            db.execute(database + " RESET session_replication_role");
        }
    }

    @Test
    void a_foreign_key_whose_triggers_are_disabled_is_refused() {
        assertRefused(
                "CREATE TABLE bill (a int, CONSTRAINT c FOREIGN KEY (a) REFERENCES HOT); ALTER TABLE HOT DISABLE TRIGGER ALL",
                "hot public.HOT is referenced by c of public.bill, which is not enforced in this session: a row that is"
                        + " moved would be missed there; enable its triggers, or see session_replication_role");
    }

    @ParameterizedTest
    @MethodSource
    void a_key_that_may_be_null_or_overlap_after_all_is_refused_on_either_side(String create) {
        for (String side : List.of("hot public.HOT", "archive public.ARC")) {
            String table = named(side.split("\\.")[1]);
            db.execute("ALTER TABLE " + table + " RENAME TO plain");
            db.execute("CREATE TABLE " + table + " (LIKE plain)");
            db.execute(create.replace("{0}", table));

            assertThat(differences())
                    .contains(named(side) + " has no primary key or full unique index on exactly id, not null");

            db.execute("DROP TABLE " + table + "; ALTER TABLE plain RENAME TO " + table);
        }
    }

    /** Since PostgreSQL 18, a NOT NULL may not have been validated. */
    private List<String> a_key_that_may_be_null_or_overlap_after_all_is_refused_on_either_side() {
        List<String> changes = new ArrayList<>(List.of(
                "ALTER TABLE {0} ALTER id DROP NOT NULL; CREATE UNIQUE INDEX ON {0} (id) NULLS NOT DISTINCT",
                "ALTER TABLE {0} ADD CHECK (id IS NOT NULL) NOT VALID, ALTER id DROP NOT NULL, ADD UNIQUE (id)",
                "ALTER TABLE {0} ADD EXCLUDE USING btree (id WITH =)"));
        if (db.number("SELECT current_setting('server_version_num')::int") >= 180_000) {
            changes.add(
                    "ALTER TABLE {0} ALTER id DROP NOT NULL; ALTER TABLE {0} ADD NOT NULL id NOT VALID, ADD UNIQUE (id)");
        }
        return changes;
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '~', textBlock = """
            ALTER TABLE LEDGER SET UNLOGGED | ledger public.LEDGER is unlogged: a crash empties it; it must be a permanent ordinary table
            ALTER TABLE HOLDS SET UNLOGGED | holds public.HOLDS is unlogged: a crash empties it; it must be a permanent ordinary table
            ALTER TABLE BASELINE SET UNLOGGED | baseline public.BASELINE is unlogged: a crash empties it; it must be a permanent ordinary table
            ALTER TABLE BASELINE RENAME TO plain; CREATE TABLE BASELINE (LIKE plain, PRIMARY KEY (table_name)) PARTITION BY LIST (table_name) | baseline public.BASELINE is a partitioned table; it must be a permanent ordinary table
            CREATE TABLE child () INHERITS (HOLDS) | holds public.HOLDS is a table with inheritance children; it must be a permanent ordinary table
            ALTER TABLE LEDGER ENABLE ROW LEVEL SECURITY | ledger public.LEDGER has row security that applies to this role: rows could be passed over unseen; disable it, or give the role BYPASSRLS
            ALTER TABLE HOLDS ENABLE ROW LEVEL SECURITY | holds public.HOLDS has row security that applies to this role: rows could be passed over unseen; disable it, or give the role BYPASSRLS
            ALTER TABLE BASELINE ENABLE ROW LEVEL SECURITY | baseline public.BASELINE has row security that applies to this role: rows could be passed over unseen; disable it, or give the role BYPASSRLS
            ALTER TABLE HOLDS ALTER hold_until TYPE timestamptz | holds public.HOLDS column hold_until is timestamp with time zone; it must be timestamp without time zone
            ALTER TABLE HOLDS ALTER user_id TYPE text | holds public.HOLDS column user_id is text; it must be bigint
            CREATE PUBLICATION p FOR TABLE LEDGER WHERE (state <> 'RUNNING') WITH (publish = 'insert, update') | ledger public.LEDGER publishes updates, which PostgreSQL refuses: ERROR: cannot update table "LEDGER"; see its replica identity, and the row filter and column list of its publications
            CREATE TRIGGER t BEFORE UPDATE ON LEDGER FOR EACH ROW EXECUTE FUNCTION f() | ledger public.LEDGER has trigger t, which could change or swallow what is written; drop or disable it
            CREATE TRIGGER t BEFORE INSERT ON LEDGER FOR EACH ROW EXECUTE FUNCTION f() | ledger public.LEDGER has trigger t, which could change or swallow what is written; drop or disable it
            CREATE TRIGGER t AFTER UPDATE ON LEDGER REFERENCING NEW TABLE AS counted FOR EACH STATEMENT EXECUTE FUNCTION f() | ledger public.LEDGER has trigger t, which could change or swallow what is written; drop or disable it
            CREATE TRIGGER t BEFORE INSERT ON HOLDS FOR EACH ROW EXECUTE FUNCTION f() | holds public.HOLDS has trigger t, which could change or swallow what is written; drop or disable it
            CREATE RULE r AS ON UPDATE TO LEDGER DO INSTEAD NOTHING | ledger public.LEDGER has rule r, which could change or swallow what is written; drop or disable it
            CREATE RULE r AS ON INSERT TO BASELINE DO INSTEAD NOTHING | baseline public.BASELINE has rule r, which could change or swallow what is written; drop or disable it
            """)
    void what_could_hide_or_lose_the_archivers_own_rows_is_refused(String change, String difference) {
        assertRefused(change, difference);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "CREATE TRIGGER t AFTER UPDATE ON LEDGER FOR EACH STATEMENT EXECUTE FUNCTION f()",
                "CREATE TRIGGER t BEFORE DELETE ON HOLDS FOR EACH ROW EXECUTE FUNCTION f()",
                "CREATE TRIGGER t BEFORE UPDATE ON LEDGER FOR EACH ROW EXECUTE FUNCTION f(); ALTER TABLE LEDGER DISABLE TRIGGER t"
            })
    void what_does_no_harm_to_the_archivers_own_rows_is_accepted(String change) {
        db.execute(named(change));
        assertAccepted();
    }

    @ParameterizedTest
    @ValueSource(strings = {"hot public.HOT", "archive public.ARC"})
    void row_security_that_applies_to_the_role_is_refused(String side) {
        assertRefused(
                "ALTER TABLE " + side.split(" ")[1] + " ENABLE ROW LEVEL SECURITY",
                side
                        + " has row security that applies to this role: rows could be passed over unseen; disable it, or give the role BYPASSRLS");

        Archiver owner = Archiver.builder(TestedPair.USAGE, db::connectAsOwner).build();
        assertThatCode(owner::checkSchema)
                .as("row security that does not apply to the role")
                .doesNotThrowAnyException();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '~', textBlock = """
            ALTER TABLE LEDGER DROP rows_rejected CASCADE | lacks column rows_rejected; add it as sql/02-ledger.sql declares it
            ALTER TABLE LEDGER DROP CONSTRAINT LEDGER_state, ADD CONSTRAINT LEDGER_state CHECK (state IN ('RUNNING', 'DRAINED', 'ROWS_LOCKED', 'TIME_BUDGET', 'INTERRUPTED', 'SUPERSEDED', 'BUSY', 'FAILED')) | does not allow state OUTSIDE_WINDOW; apply sql/02-ledger.sql
            ALTER TABLE LEDGER DROP direction CASCADE | lacks column direction; apply sql/02-ledger.sql
            ALTER TABLE LEDGER DROP holds_version CASCADE | lacks column holds_version; apply sql/02-ledger.sql
            ALTER TABLE LEDGER DROP live_until CASCADE | lacks column live_until; apply sql/02-ledger.sql
            DROP INDEX LEDGER_running | lacks the unique index that allows one RUNNING sweep a table; apply sql/02-ledger.sql
            DROP INDEX LEDGER_running; CREATE INDEX LEDGER_running ON LEDGER (table_name) WHERE state = 'RUNNING' | lacks the unique index that allows one RUNNING sweep a table; drop public.LEDGER_running, which is another one, and then apply sql/02-ledger.sql
            DROP INDEX LEDGER_running; CREATE UNIQUE INDEX ON LEDGER (table_name, node) WHERE state = 'RUNNING' | lacks the unique index that allows one RUNNING sweep a table; apply sql/02-ledger.sql
            DROP INDEX LEDGER_running; CREATE UNIQUE INDEX ON LEDGER (node) WHERE state = 'RUNNING' | lacks the unique index that allows one RUNNING sweep a table; apply sql/02-ledger.sql
            DROP INDEX LEDGER_running; CREATE UNIQUE INDEX ON LEDGER (table_name) WHERE state = 'FAILED' | lacks the unique index that allows one RUNNING sweep a table; apply sql/02-ledger.sql
            DROP INDEX LEDGER_running; CREATE UNIQUE INDEX ON LEDGER (table_name) WHERE state = 'RUNNING' AND node = 'a' | lacks the unique index that allows one RUNNING sweep a table; apply sql/02-ledger.sql
            """)
    void a_ledger_that_is_no_fence_is_refused_with_what_mends_it(String change, String difference) {
        assertRefused(change, "ledger public.LEDGER " + difference);

        if (difference.contains("apply")) {
            if (difference.contains("; drop ")) {
                db.execute(named("DROP INDEX public.LEDGER_running"));
            }
            createTables();
            assertAccepted();
        }
    }

    @Test
    void the_search_path_decides_nothing() {
        db.insertUsage("SELECT 1, timestamp '2020-01-01', timestamp '2020-01-01'");
        for (String table : List.of("HOT", "ARC", "LEDGER")) {
            db.execute(named("CREATE SCHEMA IF NOT EXISTS decoy; CREATE TABLE decoy." + table + " (id int);"
                    + " GRANT ALL ON SCHEMA decoy TO PUBLIC; GRANT ALL ON decoy." + table + " TO PUBLIC"));
        }
        Archiver archiver = Archiver.builder(TestedPair.USAGE, () -> {
                    Connection connection = db.connectAsArchiver();
                    TestDatabase.execute(connection, "SET search_path = decoy");
                    return connection;
                })
                .build();

        assertThat(archiver.sweep().rowsMoved()).isEqualTo(1);

        db.execute("DROP TABLE public.model_usage_details");
        assertThat(differences(archiver))
                .singleElement()
                .asString()
                .containsPattern("public.model_usage_details'?:? (does not exist|there is no such table)");
        db.execute("DROP SCHEMA decoy CASCADE");
    }

    @Tag(TestedPair.OF_CODE)
    @Test
    void all_that_is_wrong_is_said_at_once_and_sorted_and_a_repair_needs_no_restart() {
        db.insertUsage("SELECT 1, timestamp '2020-01-01', timestamp '2020-01-01'");
        db.execute(named("ALTER TABLE ARC DROP operation; ALTER TABLE HOT ADD extra int; DROP INDEX LEDGER_running"));
        Archiver archiver = archiver();

        SchemaDriftException drift = catchThrowableOfType(SchemaDriftException.class, archiver::sweep);

        assertThat(drift.differences())
                .isSorted()
                .containsExactly(
                        named("archive public.ARC lacks column extra (hot: integer)"),
                        named("archive public.ARC lacks column operation (hot: character varying(32))"),
                        named("archive public.ARC lacks column operation, which the generated code has; ")
                                + PAIR_OF_ONES_OWN,
                        named("ledger public.LEDGER lacks the unique index that allows one RUNNING sweep a table;"
                                + " apply sql/02-ledger.sql"));
        assertThat(drift)
                .hasMessage(named("Archival of public.HOT is disabled, because the database does not allow it:\n  - ")
                        + String.join("\n  - ", drift.differences()));
        assertThat(db.number("SELECT count(*) FROM usage_archive_sweep")).isZero();
        assertThat(db.number("SELECT count(*) FROM model_usage_details")).isEqualTo(1);

        db.execute(named("ALTER TABLE ARC ADD operation varchar(32), ADD extra int"));
        createTables();

        assertThat(archiver.sweep().rowsMoved()).isEqualTo(1);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "ALTER TABLE ARC ALTER operation SET DEFAULT 'x', ALTER completed DROP DEFAULT",
                "DROP INDEX ix_ARC_date; CREATE INDEX ON ARC USING brin (created_at)",
                "ALTER TABLE ARC DROP user_name; ALTER TABLE ARC ADD user_name varchar(255)",
                "ALTER TABLE HOT DROP user_id; ALTER TABLE HOT ADD user_id int",
                "COMMENT ON TABLE ARC IS 'x'; COMMENT ON COLUMN HOT.id IS 'y'",
                "ALTER TABLE HOT ADD extra jsonb; ALTER TABLE ARC ADD extra jsonb",
                "ALTER TABLE HOT ALTER user_id SET NOT NULL",
                "ALTER TABLE ARC ALTER model_name DROP NOT NULL",
                "ALTER TABLE HOT ADD extra int GENERATED ALWAYS AS (1) STORED; ALTER TABLE ARC ADD extra int",
                "ALTER TABLE ARC ALTER id ADD GENERATED BY DEFAULT AS IDENTITY",
                "ALTER TABLE ARC DROP CONSTRAINT ARC_pkey; CREATE UNIQUE INDEX ON ARC (id) INCLUDE (user_id)",
                "CREATE TRIGGER t BEFORE INSERT ON ARC FOR EACH ROW EXECUTE FUNCTION f(); ALTER TABLE ARC DISABLE TRIGGER t",
                "CREATE TRIGGER t BEFORE DELETE ON HOT FOR EACH ROW EXECUTE FUNCTION f(); ALTER TABLE HOT DISABLE TRIGGER t",
                "CREATE TRIGGER t AFTER INSERT ON ARC FOR EACH STATEMENT EXECUTE FUNCTION f()",
                "CREATE TRIGGER t BEFORE UPDATE OR DELETE ON ARC FOR EACH ROW EXECUTE FUNCTION f()",
                "CREATE TRIGGER t BEFORE INSERT OR UPDATE ON HOT FOR EACH ROW EXECUTE FUNCTION f()",
                "CREATE RULE r AS ON INSERT TO ARC DO INSTEAD NOTHING; ALTER TABLE ARC DISABLE RULE r",
                "CREATE RULE r AS ON DELETE TO HOT DO INSTEAD NOTHING; ALTER TABLE HOT DISABLE RULE r",
                "CREATE TABLE bill (a int REFERENCES HOT, b int REFERENCES HOT ON DELETE RESTRICT)",
                "CREATE TABLE bill (a int REFERENCES HOT ON UPDATE CASCADE)"
            })
    void what_may_differ_is_accepted_and_rows_move(String change) {
        db.execute(named(change));
        db.insertUsage("SELECT i, timestamp '2020-01-01', timestamp '2020-01-01' FROM generate_series(1, 3) i");
        String columns = String.join(
                ", ",
                db.strings(named("SELECT quote_ident(attname) FROM pg_attribute"
                        + " WHERE attrelid = 'HOT'::regclass AND attnum > 0 AND NOT attisdropped")));
        db.execute(named("CREATE TABLE before AS SELECT " + columns + " FROM HOT"));

        assertThat(archiver().sweep().rowsMoved()).isEqualTo(3);

        assertThat(db.strings(named("TABLE before EXCEPT SELECT " + columns + " FROM ARC")))
                .isEmpty();
    }

    /** Each into one partition hot_low or arc_low, and one partitioned itself, hot_high of hot_rest, or arc_high of arc_rest. */
    private void partition(String table, String key) {
        String prefix = table.toLowerCase(Locale.ROOT);
        db.execute(named("ALTER TABLE T$ RENAME TO P$_whole; CREATE TABLE T$ (LIKE P$_whole, PRIMARY KEY (" + key
                                + "))"
                                + " PARTITION BY RANGE (id); CREATE INDEX ON T$ (completed_at); CREATE INDEX ON T$ (created_at);"
                                + " CREATE TABLE P$_low PARTITION OF T$ FOR VALUES FROM (MINVALUE) TO (3);"
                                + " CREATE TABLE P$_rest PARTITION OF T$ DEFAULT PARTITION BY RANGE (id);"
                                + " CREATE TABLE P$_high PARTITION OF P$_rest DEFAULT; GRANT ALL ON T$ TO ")
                        .replace("T$", named(table))
                        .replace("P$", prefix)
                + TestDatabase.ARCHIVER);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '~', textBlock = """
            ALTER TABLE arc_low SET UNLOGGED | archive public.ARC has partition public.arc_low, which is unlogged: a crash empties it; each must be a permanent table, ordinary or partitioned itself
            ALTER TABLE hot_high SET UNLOGGED | hot public.HOT has partition public.hot_high, which is unlogged: a crash empties it; each must be a permanent table, ordinary or partitioned itself
            CREATE TRIGGER t BEFORE INSERT ON arc_high FOR EACH ROW EXECUTE FUNCTION f() | archive public.ARC has partition public.arc_high with trigger t, which acts on each INSERT; drop or disable it
            CREATE TRIGGER t AFTER INSERT ON arc_rest FOR EACH ROW EXECUTE FUNCTION f(); ALTER TABLE ONLY arc_rest DISABLE TRIGGER t | archive public.ARC has partition public.arc_high with trigger t, which acts on each INSERT; drop or disable it
            CREATE TRIGGER t AFTER INSERT ON ARC FOR EACH ROW EXECUTE FUNCTION f() | archive public.ARC has trigger t, which acts on each INSERT; drop or disable it
            CREATE TRIGGER t AFTER INSERT ON ARC FOR EACH ROW EXECUTE FUNCTION f(); ALTER TABLE ONLY ARC DISABLE TRIGGER t; ALTER TABLE arc_rest DISABLE TRIGGER t | archive public.ARC has partition public.arc_low with trigger t, which acts on each INSERT; drop or disable it
            CREATE TRIGGER t BEFORE DELETE ON hot_low FOR EACH ROW EXECUTE FUNCTION f() | hot public.HOT has partition public.hot_low with trigger t, which acts on DELETE; drop or disable it
            CREATE TABLE bill (a int, CONSTRAINT c FOREIGN KEY (a) REFERENCES hot_low ON DELETE CASCADE) | hot public.HOT has partition public.hot_low, which is referenced by c of public.bill on delete cascade: moving a row would change other rows; it must be ON DELETE NO ACTION or RESTRICT
            CREATE TABLE bill (a int, CONSTRAINT c FOREIGN KEY (a) REFERENCES HOT ON DELETE SET NULL) | hot public.HOT is referenced by c of public.bill on delete set null: moving a row would change other rows; it must be ON DELETE NO ACTION or RESTRICT
            ALTER TABLE HOT ENABLE ROW LEVEL SECURITY | hot public.HOT has row security that applies to this role: rows could be passed over unseen; disable it, or give the role BYPASSRLS
            """)
    void what_could_lose_or_change_a_row_in_a_partition_is_refused(String change, String difference) {
        partition("HOT", "id");
        partition("ARC", "id");
        assertAccepted();
        assertRefused(change, difference);
    }

    @Test
    void foreign_keys_that_one_partition_does_not_enforce_are_refused() {
        partition("HOT", "id");
        db.execute(named("CREATE TABLE bill (a int, CONSTRAINT c FOREIGN KEY (a) REFERENCES HOT)"));
        assertAccepted();
        db.execute("ALTER TABLE hot_high DISABLE TRIGGER ALL");

        assertThat(differences())
                .singleElement(as(STRING))
                .startsWith(named("hot public.HOT has partition public.hot_high, which is referenced by "))
                .endsWith(" of public.bill, which is not enforced in this session: a row that is moved would be missed"
                        + " there; enable its triggers, or see session_replication_role");
    }

    @Test
    void a_foreign_table_as_a_partition_is_refused() {
        // With a key there can be none.
        partition("ARC", "id");
        db.execute(named("ALTER TABLE ARC DROP CONSTRAINT ARC_pkey1; CREATE FOREIGN DATA WRAPPER far;"
                + " CREATE SERVER far FOREIGN DATA WRAPPER far; DROP TABLE arc_low;"
                + " CREATE FOREIGN TABLE arc_far PARTITION OF ARC FOR VALUES FROM (MINVALUE) TO (3) SERVER far"));
        try {
            assertThat(differences())
                    .contains(named(
                            "archive public.ARC has partition public.arc_far, which is a foreign table; each must be"
                                    + " a permanent table, ordinary or partitioned itself"));
        } finally {
            db.execute("DROP FOREIGN DATA WRAPPER far CASCADE");
        }
    }

    /** Since 16, PostgreSQL refuses it itself. */
    @Test
    void a_partition_that_computes_what_is_inserted_is_refused() {
        partition("ARC", "id");
        String attach =
                "ALTER TABLE arc_rest DETACH PARTITION arc_high; ALTER TABLE arc_high DROP operation, ADD operation"
                        + " varchar(32) GENERATED ALWAYS AS ('x') STORED; ALTER TABLE arc_rest ATTACH PARTITION arc_high DEFAULT";
        if (db.number("SELECT current_setting('server_version_num')::int") >= 160_000) {
            assertThatThrownBy(() -> db.execute(attach)).hasRootCauseInstanceOf(SQLException.class);
            return;
        }
        assertRefused(
                attach,
                "archive public.ARC has partition public.arc_high, whose column operation is generated: it takes no copy;"
                        + " DROP EXPRESSION");
    }

    @ParameterizedTest
    @ValueSource(strings = {"hot public.HOT", "archive public.ARC"})
    void a_key_that_lacks_what_the_table_is_partitioned_by_is_refused_with_that(String side) {
        partition(side.split("\\.")[1], "id, model_name");

        assertThat(differences())
                .containsExactly(
                        named(
                                side + " has no primary key or full unique index on exactly id, not null; that of a"
                                        + " table that is partitioned by RANGE (id) has these columns, too, and so must the pair's key"));
    }

    @Test
    void a_key_that_not_every_partition_has_is_refused() {
        partition("ARC", "id, model_name");
        db.execute(named("CREATE UNIQUE INDEX ON ONLY ARC (id)"));
        assertThat(differences()).hasSize(1);
        db.execute(named("CREATE UNIQUE INDEX ON ARC (id)"));
        assertAccepted();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '~', textBlock = """
            CREATE PUBLICATION p FOR TABLE HOT; ALTER TABLE hot_high REPLICA IDENTITY NOTHING
            CREATE PUBLICATION p FOR TABLE HOT WITH (publish_via_partition_root); ALTER TABLE hot_low REPLICA IDENTITY NOTHING
            CREATE PUBLICATION p FOR ALL TABLES; ALTER TABLE hot_low REPLICA IDENTITY NOTHING
            CREATE PUBLICATION p FOR TABLE hot_low; ALTER TABLE hot_low REPLICA IDENTITY NOTHING
            CREATE SCHEMA s; ALTER TABLE hot_low SET SCHEMA s; CREATE PUBLICATION p FOR TABLES IN SCHEMA s; ALTER TABLE s.hot_low REPLICA IDENTITY NOTHING
            """)
    void deletes_of_a_partition_that_are_published_but_cannot_be_are_refused(String change) {
        partition("HOT", "id");
        db.execute(named(change));
        try {
            assertThat(differences())
                    .singleElement(as(STRING))
                    .startsWith(named("hot public.HOT publishes deletes, which PostgreSQL refuses: "))
                    .contains("because it does not have a replica identity and publishes deletes; see");

            db.execute("DROP PUBLICATION p");
            assertAccepted();
        } finally {
            db.execute("DROP SCHEMA IF EXISTS s CASCADE");
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "CREATE RULE r AS ON INSERT TO arc_high DO INSTEAD NOTHING; CREATE RULE r AS ON DELETE TO hot_high DO INSTEAD NOTHING",
                "ALTER TABLE arc_high ENABLE ROW LEVEL SECURITY; ALTER TABLE hot_high ENABLE ROW LEVEL SECURITY",
                "CREATE TRIGGER t AFTER INSERT ON arc_high REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION f()",
                "CREATE TRIGGER t BEFORE DELETE ON hot_high FOR EACH STATEMENT EXECUTE FUNCTION f()",
                "CREATE TRIGGER t BEFORE INSERT ON arc_high FOR EACH ROW EXECUTE FUNCTION f(); ALTER TABLE arc_high DISABLE TRIGGER t",
                "ALTER TABLE arc_high ADD CHECK (id > 0), ALTER operation SET DEFAULT 'x', ALTER model_id SET NOT NULL",
                "CREATE TABLE bill (a int REFERENCES hot_high, b int REFERENCES HOT)",
                "CREATE PUBLICATION p FOR TABLE HOT; ALTER TABLE arc_high REPLICA IDENTITY NOTHING",
                "ALTER TABLE arc_rest DETACH PARTITION arc_high; ALTER TABLE arc_high DROP user_name, DROP operation;"
                        + " ALTER TABLE arc_high ADD operation varchar(32), ADD user_name varchar(255);"
                        + " ALTER TABLE arc_rest ATTACH PARTITION arc_high DEFAULT"
            })
    void what_partitions_may_have_of_their_own_is_accepted_and_rows_move(String change) {
        partition("HOT", "id");
        partition("ARC", "id");
        what_may_differ_is_accepted_and_rows_move(change);
    }

    private void assertRefused(String change, String... expected) {
        db.execute(named(change));
        assertThat(differences())
                .containsExactlyElementsOf(
                        Arrays.stream(expected).map(SchemaCheckTest::named).toList());
    }

    private void assertAccepted() {
        assertThatCode(archiver()::checkSchema).doesNotThrowAnyException();
    }

    private List<String> differences() {
        return differences(archiver());
    }

    private static List<String> differences(Archiver archiver) {
        return catchThrowableOfType(SchemaDriftException.class, archiver::checkSchema)
                .differences();
    }

    private Archiver archiver() {
        return Archiver.builder(TestedPair.USAGE, db.archiver()).build();
    }

    private static String named(String text) {
        return text.replace("HOT", "model_usage_details")
                .replace("ARC", "model_usage_details_archive")
                .replace("LEDGER", "usage_archive_sweep")
                .replace("HOLDS", "usage_archive_hold")
                .replace("BASELINE", "usage_archive_baseline");
    }

    /** A table of the session's temporary schema. */
    private static final class Temporary extends CustomTable<ModelUsageDetailsRecord> {
        private static final long serialVersionUID = 1;

        private final TableField<ModelUsageDetailsRecord, Integer> id =
                createField(DSL.name("id"), SQLDataType.INTEGER);
        private final TableField<ModelUsageDetailsRecord, LocalDateTime> age =
                createField(DSL.name("age"), SQLDataType.LOCALDATETIME);

        Temporary(Name name) {
            super(name, DSL.schema(DSL.name("pg_temp")));
        }

        @Override
        public Class<ModelUsageDetailsRecord> getRecordType() {
            return ModelUsageDetailsRecord.class;
        }
    }
}
