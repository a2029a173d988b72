package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.usagearchiver.testing.TappedConnections;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import io.usagearchiver.testing.WholeRun;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Who may create functions and operators where sessions look for them, has none of them called by the archiver. */
class PlantedObjectsTest {
    /** Twins of PostgreSQL's own functions and operators, and better ones for some arguments. Each call counts. */
    private static final String PLANT = """
            CREATE SCHEMA evil;
            GRANT USAGE ON SCHEMA evil TO PUBLIC;
            CREATE SEQUENCE evil.calls;
            GRANT USAGE ON evil.calls TO PUBLIC;
            DO $$
            DECLARE
              o record;
              n integer := 0;
              body text := 'LANGUAGE plpgsql AS $f$ BEGIN PERFORM nextval(''evil.calls''); RETURN NULL; END $f$';
            BEGIN
              FOR o IN SELECT oprname, format_type(l, null) AS l, format_type(r, null) AS r, format_type(oprresult, null) AS result
                  FROM (SELECT oprname, oprleft AS l, oprright AS r, oprresult FROM pg_operator
                    WHERE oprcode::oid IN (SELECT oid FROM pg_proc WHERE prolang = 12) UNION
                    SELECT oprname, l, r, oprresult FROM pg_operator, unnest(ARRAY['varchar', 'text']::regtype[]) l,
                      unnest(ARRAY['varchar', 'text']::regtype[]) r WHERE oprleft = 'text'::regtype AND oprright = 'text'::regtype) s
                  WHERE l::regtype::text = ANY (ARRAY['smallint', 'integer', 'bigint', 'text', 'name', 'oid', 'boolean', '"char"',
                    'timestamp without time zone', 'timestamp with time zone', 'interval', 'tid', 'numeric', 'character varying'])
                  AND r::regtype::text = ANY (ARRAY['smallint', 'integer', 'bigint', 'text', 'name', 'oid', 'boolean', '"char"',
                    'timestamp without time zone', 'timestamp with time zone', 'interval', 'tid', 'numeric', 'character varying'])
              LOOP
                n := n + 1;
                EXECUTE format('CREATE FUNCTION evil.planted_%s(%s, %s) RETURNS %s %s', n, o.l, o.r, o.result, body);
                EXECUTE format('CREATE OPERATOR evil.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = evil.planted_%s)',
                  o.oprname, o.l, o.r, n);
              END LOOP;
              FOR o IN SELECT DISTINCT proname, replace(arguments, 'text', t) AS arguments, prorettype::regtype AS result
                  FROM (SELECT *, pg_get_function_identity_arguments(oid) AS arguments FROM pg_proc) p, unnest(ARRAY['text', 'varchar']) t
                  WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind = 'f' AND NOT proretset AND prorettype <> 'trigger'::regtype
                    AND proname = ANY (ARRAY['to_regclass', 'to_regtype', 'format_type', 'md5', 'clock_timestamp', 'now', 'timezone',
                      'set_config', 'current_setting', 'has_table_privilege', 'has_schema_privilege', 'has_any_column_privilege',
                      'row_security_active', 'pg_get_indexdef', 'pg_get_expr', 'pg_get_constraintdef', 'quote_ident', 'quote_literal',
                      'pg_table_size', 'pg_relation_size', 'date_trunc', 'to_char', 'isfinite', 'pg_backend_pid', 'pg_has_role',
                      'current_database', 'pg_is_in_recovery', 'lower', 'upper', 'int4eq', 'texteq'])
              LOOP
                EXECUTE format('CREATE FUNCTION evil.%I(%s) RETURNS %s %s', o.proname, o.arguments, o.result, body);
              END LOOP;
            END $$""";

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    @BeforeEach
    void plants_them() {
        WholeRun.insertRows(db);
        db.execute(PLANT);
    }

    @ParameterizedTest
    @ValueSource(strings = {"evil, pg_catalog, public", "public, evil", "evil, public"})
    void none_is_called(String path) {
        for (String role : List.of(TestDatabase.ARCHIVER, TestDatabase.RESTORER)) {
            db.execute("ALTER ROLE " + role + " IN DATABASE " + db.name() + " SET search_path = " + path);
        }

        new WholeRun(db.archiver(), db.restorer()).run();

        assertThat(db.number("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM evil.calls"))
                .as("calls of planted functions")
                .isZero();
        WholeRun.assertDone(db);
    }

    @Test
    void a_temporary_table_stands_in_for_none() throws SQLException {
        try (Connection connection = db.connectAsArchiver()) {
            TestDatabase.execute(
                    connection,
                    "CREATE TEMPORARY TABLE pg_class AS SELECT * FROM pg_catalog.pg_class LIMIT 0;"
                            + " CREATE TEMPORARY TABLE model_usage_details (LIKE public.model_usage_details);"
                            + " SET search_path = pg_temp, public");

            assertThat(Archiver.builder(TestedPair.USAGE, TappedConnections.keptOpen(connection))
                            .build()
                            .sweep()
                            .rowsMoved())
                    .isEqualTo(40);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"SELECT allowed($1)", "SELECT EXISTS (SELECT FROM allowance WHERE a = $1)"})
    void a_function_that_trusts_the_search_path_is_told_to_set_its_own(String body) {
        db.execute("CREATE TABLE allowance AS SELECT i AS a FROM generate_series(1, 100) i;"
                + " GRANT SELECT ON allowance TO PUBLIC;"
                + " CREATE FUNCTION allowed(integer) RETURNS boolean LANGUAGE sql AS 'SELECT true';"
                + " CREATE FUNCTION checked(integer) RETURNS boolean LANGUAGE sql AS '" + body + "';"
                + " ALTER TABLE model_usage_details_archive ADD CHECK (checked(id))");
        Archiver archiver = Archiver.builder(TestedPair.USAGE, db.archiver()).build();

        assertThatExceptionOfType(SweepFailedException.class)
                .isThrownBy(archiver::sweep)
                .withMessageContaining("search_path = pg_catalog, pg_temp")
                .withMessageContaining("or SET search_path itself");

        db.execute("ALTER FUNCTION checked(integer) SET search_path = public");
        assertThat(archiver.sweep().rowsMoved()).isEqualTo(40);
    }
}
