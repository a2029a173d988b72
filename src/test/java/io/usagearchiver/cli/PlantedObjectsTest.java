package io.usagearchiver.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.usagearchiver.testing.TestDatabase;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Functions, operators and types that somebody put into {@code public}, which all sessions of the database look into first:
 * a superuser that creates the archiver's tables runs none of them, and nothing that it creates is made with them.
 */
class PlantedObjectsTest {
    /** Counts in any session, and once more while {@code init} has its lock. */
    private static final String BODY =
            " LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM pg_catalog.nextval('planted.calls');"
                    + " IF EXISTS (SELECT FROM pg_catalog.pg_locks WHERE locktype OPERATOR(pg_catalog.=) 'advisory'"
                    + " AND pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()) THEN"
                    + " PERFORM pg_catalog.nextval('planted.calls_in_init'); END IF; RETURN RESULT; END $$;";

    @TempDir
    private Path directory;

    @AutoClose
    private final TestDatabase db = TestDatabase.empty();

    @BeforeEach
    void plant() {
        db.execute("CREATE SCHEMA planted; CREATE SEQUENCE planted.calls; CREATE SEQUENCE planted.calls_in_init;"
                + " GRANT USAGE ON SCHEMA planted TO PUBLIC; GRANT USAGE ON ALL SEQUENCES IN SCHEMA planted TO PUBLIC");
        for (String types : List.of(
                "varchar, varchar",
                "varchar, text",
                "text, text",
                "name, text",
                "name, varchar",
                "timestamp, timestamp",
                "bigint, bigint",
                "integer, integer",
                "\"char\", \"char\"",
                "oid, oid")) {
            for (String operator : List.of("=", "<", ">", "<=", "<>")) {
                String function = "compares_" + Math.abs((types + operator).hashCode());
                db.execute("CREATE FUNCTION public." + function + "(" + types + ") RETURNS boolean"
                        + BODY.replace("RESULT", operator.contains("<") ? "false" : "true")
                        + " CREATE OPERATOR public." + operator + " (FUNCTION = public." + function + ", LEFTARG = "
                        + types.replace(", ", ", RIGHTARG = ") + ")");
            }
        }
        plant("to_regclass(varchar) RETURNS regclass", "null");
        plant("to_regclass(text) RETURNS regclass", "null");
        plant("to_regprocedure(text) RETURNS regprocedure", "null");
        plant("hashtext(text) RETURNS integer", "1");
        plant("pg_advisory_xact_lock(bigint) RETURNS void", "");
        plant("has_table_privilege(varchar, varchar, varchar) RETURNS boolean", "true");
        plant("has_table_privilege(oid, text) RETURNS boolean", "true");
        plant("has_column_privilege(varchar, varchar, varchar, varchar) RETURNS boolean", "true");
        plant("has_schema_privilege(varchar, varchar, varchar) RETURNS boolean", "true");
        plant("has_schema_privilege(oid, text) RETURNS boolean", "true");
        plant("pg_has_role(oid, text) RETURNS boolean", "true");
        plant("octet_length(text) RETURNS integer", "1");
        plant("quote_ident(text) RETURNS text", "'x'");
        plant("quote_ident(varchar) RETURNS text", "'x'");
        plant("starts_with(text, text) RETURNS boolean", "true");
        plant("format_type(oid, integer) RETURNS text", "'text'");
        plant("pg_get_indexdef(oid) RETURNS text", "'x'");
        plant("pg_get_constraintdef(oid) RETURNS text", "'x'");
        plant("age(timestamp, timestamp) RETURNS interval", "interval '1 month'");
        plant("now() RETURNS timestamptz", "pg_catalog.now()");
        plant("timezone(varchar, timestamptz) RETURNS timestamp", "timestamp '2020-01-01'");
        plant("timezone(text, timestamptz) RETURNS timestamp", "timestamp '2020-01-01'");
        plant("round(numeric, int) RETURNS numeric", "1");
        plant("round(numeric) RETURNS numeric", "1");
        plant("isfinite(timestamp) RETURNS boolean", "true");
        plant("lower(varchar) RETURNS text", "'x'");
        for (String type : List.of("date", "text", "bytea", "bool", "json")) {
            db.execute("CREATE DOMAIN public." + type + " AS pg_catalog." + type);
        }
        // The worst that a session can be told.
        db.execute("ALTER DATABASE " + db.name() + " SET search_path = public, pg_catalog");
    }

    private void plant(String signature, String result) {
        db.execute("CREATE FUNCTION public." + signature + BODY.replace("RESULT", result));
    }

    @Test
    void init_runs_none_of_them() {
        String file = ConfigFiles.write(directory, db, ConfigFiles.dataSource("dba", db, "postgres", "postgres"));
        String[] init = {
            "init",
            "--config",
            file,
            "--data-source",
            "dba",
            "--with-usage-tables",
            "--with-quartz-tables",
            "--role",
            TestDatabase.ARCHIVER,
            "--restore-role",
            TestDatabase.RESTORER
        };
        for (String done :
                List.of("07-status.sql: 3 applied, 1 stood already", "07-status.sql: 0 applied, 4 stood already")) {
            CommandRun run = CommandRun.of(init);
            assertThat(run.err()).isEmpty();
            assertThat(run.out()).contains(done);
        }
        assertThat(calls("calls_in_init")).isZero();
        assertNothingIsMadeWithThem();
        assertTheViewRunsNone();
    }

    @Test
    void the_making_of_an_archive_runs_none_of_them() {
        db.execute("SET search_path = pg_catalog; " + TestDatabase.scripts().get(0)
                + "; DROP TABLE public.model_usage_details_archive");
        String file = ConfigFiles.write(directory, db, ConfigFiles.dataSource("dba", db, "postgres", "postgres"));

        for (String how : List.of("--print", "--lean")) {
            CommandRun run = CommandRun.of(
                    "init",
                    "--config",
                    file,
                    "--data-source",
                    "dba",
                    "--create-archive",
                    "--role",
                    TestDatabase.ARCHIVER,
                    "--restore-role",
                    TestDatabase.RESTORER,
                    how);
            assertThat(run.err()).isEmpty();
            assertThat(run.out()).contains("CREATE TABLE public.model_usage_details_archive", "CREATE VIEW");
        }
        assertThat(calls("calls_in_init")).isZero();
        assertNothingIsMadeWithThem();
    }

    @Test
    void the_files_run_none_of_them_and_leave_the_search_path_as_it_was() throws SQLException, IOException {
        try (Connection session = db.connectAsOwner()) {
            for (String sql : TestDatabase.scripts()) {
                TestDatabase.execute(session, sql);
                assertSearchPathIsAsItWas(session);
            }
            try (Stream<Path> further = Stream.concat(
                    Files.list(Path.of("sql/examples")),
                    Stream.of(Path.of("sql/lean-archive.sql"), Path.of("sql/lean-archive-revert.sql")))) {
                for (Path file : further.sorted((a, b) -> Boolean.compare(
                                a.toString().contains("grants"), b.toString().contains("grants")))
                        .toList()) {
                    TestDatabase.execute(session, Files.readString(file).replace(":\"role\"", TestDatabase.ARCHIVER));
                    assertSearchPathIsAsItWas(session);
                }
            }
        }
        assertThat(calls("calls")).isZero();
        assertNothingIsMadeWithThem();
        assertTheViewRunsNone();
    }

    @Test
    void a_view_and_constraints_that_were_made_with_them_are_made_anew() {
        db.execute("SET search_path = public, pg_catalog");
        for (int file : new int[] {1, 6}) {
            db.execute(TestDatabase.scripts()
                    .get(file)
                    .replaceAll("SELECT pg_catalog.set_config[^;]*;", "")
                    .replaceAll("(?s)DO \\$\\$.*\\$\\$;", ""));
        }
        assertThat(madeWithThem()).contains("usage_archive_status", "usage_archive_sweep_state");
        String file = ConfigFiles.write(directory, db, ConfigFiles.dataSource("dba", db, "postgres", "postgres"));
        assertThat(CommandRun.of("init", "--config", file, "--data-source", "dba")
                        .out())
                .contains(
                        "  ALTER TABLE public.usage_archive_sweep REPLACE CONSTRAINT usage_archive_sweep_state",
                        "  CREATE OR REPLACE VIEW public.usage_archive_status");
        assertThat(madeWithThem()).doesNotContain("usage_archive_status", "usage_archive_sweep_state");
    }

    private static void assertSearchPathIsAsItWas(Connection session) throws SQLException {
        try (var statement = session.createStatement();
                var path = statement.executeQuery("SHOW search_path")) {
            path.next();
            assertThat(path.getString(1)).isEqualTo("public, pg_catalog");
        }
    }

    private void assertTheViewRunsNone() {
        db.execute("INSERT INTO usage_archive_sweep (table_name, state, node, fired_by, cutoff, started_at) VALUES"
                + " ('public.model_usage_details', 'RUNNING', 'n', 'f', '2024-01-01', '2025-01-01')");
        long before = calls("calls");
        assertThat(db.strings("SELECT backlog_rows FROM public.usage_archive_status"))
                .containsExactly("0");
        assertThat(calls("calls")).isEqualTo(before);
    }

    private void assertNothingIsMadeWithThem() {
        assertThat(madeWithThem()).isEmpty();
        assertThat(db.strings("SELECT attrelid::regclass || '.' || attname FROM pg_catalog.pg_attribute"
                        + " JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) atttypid"
                        + " WHERE t.typtype OPERATOR(pg_catalog.=) 'd'::pg_catalog.\"char\" AND"
                        + " t.typnamespace OPERATOR(pg_catalog.=) 'public'::regnamespace"))
                .isEmpty();
    }

    /** Views, constraints and indexes that depend on one of them. */
    private List<String> madeWithThem() {
        return db.strings("""
                SELECT DISTINCT coalesce(r.ev_class::regclass::pg_catalog.text, k.conname::pg_catalog.text, c.relname::pg_catalog.text)
                FROM pg_catalog.pg_depend d
                LEFT JOIN pg_catalog.pg_rewrite r ON d.classid OPERATOR(pg_catalog.=) 'pg_rewrite'::regclass AND r.oid OPERATOR(pg_catalog.=) d.objid
                LEFT JOIN pg_catalog.pg_constraint k ON d.classid OPERATOR(pg_catalog.=) 'pg_constraint'::regclass AND k.oid OPERATOR(pg_catalog.=) d.objid
                LEFT JOIN pg_catalog.pg_class c ON d.classid OPERATOR(pg_catalog.=) 'pg_class'::regclass AND c.oid OPERATOR(pg_catalog.=) d.objid
                LEFT JOIN pg_catalog.pg_proc p ON d.refclassid OPERATOR(pg_catalog.=) 'pg_proc'::regclass AND p.oid OPERATOR(pg_catalog.=) d.refobjid
                WHERE d.refobjid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid AND d.classid OPERATOR(pg_catalog.=) ANY (ARRAY['pg_rewrite', 'pg_constraint', 'pg_class']::regclass[])
                  AND d.refclassid OPERATOR(pg_catalog.=) ANY (ARRAY['pg_proc', 'pg_operator']::regclass[])
                  AND (p.proname IS NULL OR p.proname OPERATOR(pg_catalog.<>)
                    ALL (ARRAY['usage_archive_backlog', 'model_usage_details_all']::pg_catalog.name[]))""");
    }

    private long calls(String sequence) {
        return db.number("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM planted." + sequence);
    }
}
