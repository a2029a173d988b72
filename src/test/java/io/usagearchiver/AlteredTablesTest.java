package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import io.usagearchiver.testing.UsageRows;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Tables that are altered between two batches: a sweep or restore that would pass them by would lose or change rows. In
 * statements and messages, HOT, ARC, LEDGER and HOLDS stand for the names of the tables; alter_row, skip_row and eat_rows are
 * trigger functions.
 */
class AlteredTablesTest {
    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    private final UsageRows usage = new UsageRows(db);
    private boolean changed;

    @BeforeEach
    void a_hundred_expired_rows_and_triggers_that_do_harm() {
        usage.replaceWithExpired(100);
        db.execute("""
                CREATE FUNCTION alter_row() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.user_name := ''x''; RETURN NEW; END';
                CREATE FUNCTION skip_row() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
                CREATE FUNCTION eat_rows() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
                  'BEGIN DELETE FROM public.model_usage_details_archive a USING moved m WHERE a.id = m.id; RETURN NULL; END'""");
        // From the beginning, so that neither table turns from one without triggers into one with them.
        db.execute(named("CREATE TRIGGER harmless BEFORE UPDATE ON ARC FOR EACH ROW EXECUTE FUNCTION alter_row();"
                + " CREATE TRIGGER harmless BEFORE UPDATE ON HOT FOR EACH ROW EXECUTE FUNCTION alter_row();"
                + " CREATE TRIGGER sleeping BEFORE INSERT ON ARC FOR EACH ROW EXECUTE FUNCTION alter_row();"
                + " ALTER TABLE ARC DISABLE TRIGGER sleeping;"
                + " CREATE TRIGGER harmless BEFORE DELETE ON LEDGER FOR EACH ROW EXECUTE FUNCTION skip_row()"));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '~', textBlock = """
            CREATE TRIGGER t BEFORE INSERT ON ARC FOR EACH ROW EXECUTE FUNCTION alter_row() | archive public.ARC has trigger t
            CREATE TRIGGER t BEFORE INSERT ON ARC FOR EACH ROW EXECUTE FUNCTION skip_row() | archive public.ARC has trigger t
            CREATE TRIGGER t AFTER INSERT ON ARC REFERENCING NEW TABLE AS moved FOR EACH STATEMENT EXECUTE FUNCTION eat_rows() | archive public.ARC has trigger t
            ALTER TABLE ARC ENABLE TRIGGER sleeping | archive public.ARC has trigger sleeping
            ALTER TABLE ARC ENABLE ALWAYS TRIGGER sleeping | archive public.ARC has trigger sleeping
            CREATE TRIGGER t BEFORE DELETE ON HOT FOR EACH ROW EXECUTE FUNCTION skip_row() | hot public.HOT has trigger t
            CREATE RULE r AS ON INSERT TO ARC DO INSTEAD NOTHING | archive public.ARC has rule r
            CREATE RULE r AS ON DELETE TO HOT DO INSTEAD NOTHING | hot public.HOT has rule r
            ALTER TABLE ARC SET UNLOGGED | archive public.ARC is unlogged
            ALTER TABLE HOT SET UNLOGGED | hot public.HOT is unlogged
            ALTER TABLE LEDGER SET UNLOGGED | ledger public.LEDGER is unlogged
            ALTER TABLE HOLDS SET UNLOGGED | holds public.HOLDS is unlogged
            ALTER TABLE HOT ENABLE ROW LEVEL SECURITY | hot public.HOT has row security
            ALTER TABLE ARC ENABLE ROW LEVEL SECURITY | archive public.ARC has row security
            ALTER TABLE LEDGER ENABLE ROW LEVEL SECURITY | ledger public.LEDGER has row security
            ALTER TABLE HOLDS ENABLE ROW LEVEL SECURITY | holds public.HOLDS has row security
            CREATE TRIGGER t BEFORE UPDATE ON LEDGER FOR EACH ROW EXECUTE FUNCTION skip_row() | ledger public.LEDGER has trigger t
            ALTER TABLE HOT DROP CONSTRAINT HOT_pkey | hot public.HOT has no primary key
            ALTER TABLE ARC DROP CONSTRAINT ARC_pkey; CREATE UNIQUE INDEX ON ARC (id) WHERE id > 0 | archive public.ARC has no primary key
            CREATE TABLE child () INHERITS (HOT) | hot public.HOT is a table with inheritance children
            CREATE TABLE child () INHERITS (ARC) | archive public.ARC is a table with inheritance children
            CREATE TABLE bill (a int REFERENCES HOT ON DELETE CASCADE) | hot public.HOT is referenced by
            CREATE PUBLICATION p FOR TABLE HOT; ALTER TABLE HOT REPLICA IDENTITY NOTHING | hot public.HOT publishes deletes
            ALTER TABLE ARC ALTER completed_at SET NOT NULL | archive public.ARC column completed_at is NOT NULL
            ALTER TABLE ARC ALTER prompt_token_count TYPE integer | archive public.ARC column prompt_token_count is integer
            ALTER TABLE ARC ALTER prompt_cached_token_count DROP DEFAULT, ALTER prompt_cached_token_count ADD GENERATED ALWAYS AS IDENTITY | archive public.ARC column prompt_cached_token_count is GENERATED ALWAYS
            ALTER TABLE HOT RENAME TO elsewhere; CREATE VIEW HOT AS TABLE elsewhere; GRANT ALL ON HOT TO PUBLIC | hot public.HOT is a view
            ALTER TABLE ARC SET SCHEMA elsewhere | archive public.ARC does not exist;
            """)
    void a_sweep_ends_with_what_is_wrong_and_without_the_next_batch(String change, String difference) {
        db.execute("CREATE SCHEMA elsewhere");

        Throwable fault = catchThrowable(() -> sweepWithChangeAfter(2, change, 10));

        assertThat(fault).isInstanceOf(SchemaDriftException.class).hasMessageContaining(named(difference));
        assertThat(usage.ledger("rows_moved")).isEqualTo("20");
    }

    @Tag(TestedPair.OF_CODE)
    @Test
    void so_it_does_when_a_column_is_dropped_that_the_generated_code_has() {
        a_sweep_ends_with_what_is_wrong_and_without_the_next_batch(
                "ALTER TABLE HOT DROP operation; ALTER TABLE ARC DROP operation", "lacks column operation");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '~', textBlock = """
            CREATE TRIGGER t BEFORE INSERT ON HOT FOR EACH ROW EXECUTE FUNCTION alter_row() | hot public.HOT has trigger t
            CREATE TRIGGER t AFTER INSERT ON HOT FOR EACH STATEMENT EXECUTE FUNCTION skip_row() | hot public.HOT has trigger t
            CREATE TRIGGER t BEFORE DELETE ON ARC FOR EACH ROW EXECUTE FUNCTION skip_row() | archive public.ARC has trigger t
            ALTER TABLE HOT SET UNLOGGED | hot public.HOT is unlogged
            CREATE TRIGGER t BEFORE UPDATE ON LEDGER FOR EACH ROW EXECUTE FUNCTION skip_row() | ledger public.LEDGER has trigger t
            CREATE TABLE bill (a int REFERENCES ARC ON DELETE CASCADE) | archive public.ARC is referenced by
            """)
    void so_does_a_restore(String change, String difference) {
        usage.archiver(10).build().sweep();

        Throwable fault = catchThrowable(() -> usage.restorer(10)
                .listener(after(2, change))
                .build()
                .restore(RowFilter.ids("1", "100"), null, "test", new StopSignal()));

        assertThat(fault).isInstanceOf(SchemaDriftException.class).hasMessageContaining(named(difference));
        assertThat(db.number("SELECT count(*) FROM model_usage_details")).isEqualTo(20);
        assertNothingLostOrChanged();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "CREATE TRIGGER t BEFORE UPDATE ON HOT FOR EACH ROW EXECUTE FUNCTION alter_row()",
                "ALTER TABLE HOT ADD extra int; ALTER TABLE ARC ADD extra int",
                "CREATE TABLE bill (a int REFERENCES HOT)",
                "CREATE INDEX ON ARC (user_name); COMMENT ON TABLE HOT IS 'x'; ANALYZE HOT",
                "ALTER TABLE ARC DROP CONSTRAINT ARC_pkey; CREATE UNIQUE INDEX ON ARC (id) INCLUDE (user_id)"
            })
    void a_change_that_does_no_harm_ends_no_sweep(String change) {
        assertThat(sweepWithChangeAfter(2, change, 10).rowsMoved()).isEqualTo(100);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 10, 1000})
    void two_rows_behind_one_key_stay_hot_and_the_others_move(int batchSize) {
        secondRowBehindKey("7", "twin");

        SweepResult result = usage.archiver(batchSize).build().sweep();

        assertThat(result.rowsMoved()).isEqualTo(99);
        assertThat(result.rowsRejected()).isEqualTo(2);
        assertThat(result.rejectedIds()).containsOnly("7");
        assertThat(usage.ledger("message")).contains("7: ", "more than one row has the same key");
        assertThat(db.strings("SELECT id || ' ' || coalesce(user_name, '') FROM model_usage_details ORDER BY 1"))
                .containsExactly("7 user 7", "7 x");
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 10, 1000})
    void two_rows_behind_one_key_are_not_proven_by_one_archived_row(int batchSize) {
        db.execute(named("INSERT INTO ARC SELECT * FROM HOT WHERE id = 7"));
        secondRowBehindKey("7", null);

        SweepResult result = usage.archiver(batchSize).build().sweep();

        assertThat(result.rowsMoved()).isEqualTo(99);
        assertThat(result.rejectedIds()).containsOnly("7");
        assertThat(db.number("SELECT count(*) FROM model_usage_details WHERE id = 7"))
                .isEqualTo(2);
    }

    /** What a hold keeps depends on the tables: 16777217 is no value of a real. */
    @Test
    void holds_are_tried_again_when_a_table_has_changed() {
        db.execute(named("UPDATE HOT SET user_id = 16777217 WHERE id > 50"));
        usage.remember();
        usage.restorer(10).build().holds().hold(RowFilter.user(16777217), null, "lawsuit");

        Throwable fault = catchThrowable(() -> usage.archiver(10)
                .listener(after(2, "ALTER TABLE HOT ALTER user_id TYPE real; ALTER TABLE ARC ALTER user_id TYPE real"))
                .build()
                .sweep());

        assertThat(fault)
                .isInstanceOf(SchemaDriftException.class)
                .hasMessageContaining("has hold 1, which cannot be honoured");
        assertThat(db.number("SELECT count(*) FROM model_usage_details_archive"))
                .isEqualTo(20);
    }

    @Test
    void rows_of_an_inheritance_child_are_left_alone_whenever_it_comes() {
        db.execute(named("CREATE TABLE child (LIKE HOT INCLUDING ALL); INSERT INTO child SELECT * FROM HOT"));

        Throwable fault = catchThrowable(() -> sweepWithChangeAfter(2, "ALTER TABLE child INHERIT HOT", 10));

        assertThat(fault).hasMessageContaining("inheritance children");
        assertThat(db.strings("TABLE original EXCEPT TABLE child")).isEmpty();
        assertThat(db.number("SELECT count(*) FROM child")).isEqualTo(100);
    }

    /** As if a collation had changed under a unique index. */
    private void secondRowBehindKey(String id, @Nullable String userName) {
        String unique = named("UPDATE pg_index SET indisunique = %s WHERE indexrelid = 'HOT_pkey'::regclass");
        db.execute(unique.formatted(false));
        db.execute(named("INSERT INTO HOT SELECT * FROM HOT WHERE id = " + id));
        if (userName != null) {
            db.execute(named("UPDATE HOT SET user_name = '" + userName
                    + "' WHERE ctid = (SELECT max(ctid) FROM HOT WHERE id = " + id + ")"));
        }
        db.execute(unique.formatted(true));
    }

    private SweepResult sweepWithChangeAfter(int batches, String change, int batchSize) {
        try {
            return usage.archiver(batchSize)
                    .listener(after(batches, change))
                    .build()
                    .sweep();
        } finally {
            assertThat(changed).as("changed").isTrue();
            if (db.number("SELECT count(*) FROM pg_class WHERE oid IN (to_regclass('public.model_usage_details'),"
                            + " to_regclass('public.model_usage_details_archive')) AND relkind = 'r'")
                    == 2) {
                assertNothingLostOrChanged();
            }
        }
    }

    private SweepListener after(int batches, String change) {
        AtomicInteger committed = new AtomicInteger();
        return new SweepListener() {
            @Override
            public void batchCommitted(SweepProgress progress) {
                if (committed.incrementAndGet() == batches) {
                    db.execute(named(change));
                    changed = true;
                }
            }
        };
    }

    /** By the columns that the tables have in common with what they had. */
    private void assertNothingLostOrChanged() {
        String columns = String.join(
                ", ",
                db.strings("SELECT quote_ident(o.attname) FROM pg_attribute o"
                        + " JOIN pg_attribute h ON h.attname = o.attname AND h.attrelid = 'public.model_usage_details'::regclass"
                        + " WHERE o.attrelid = 'original'::regclass AND o.attnum > 0 AND NOT h.attisdropped"));
        String before = "SELECT " + columns + " FROM original";
        String now = "(SELECT " + columns + " FROM ONLY public.model_usage_details UNION ALL SELECT " + columns
                + " FROM ONLY public.model_usage_details_archive)";
        assertThat(db.strings("SELECT count(*) FROM (" + before + " EXCEPT ALL " + now + ") lost"))
                .containsExactly("0");
        assertThat(db.strings("SELECT count(*) FROM (" + now + " EXCEPT ALL " + before + ") altered"))
                .containsExactly("0");
    }

    private static String named(String text) {
        return text.replace("HOT", "model_usage_details")
                .replace("ARC", "model_usage_details_archive")
                .replace("LEDGER", "usage_archive_sweep")
                .replace("HOLDS", "usage_archive_hold");
    }
}
