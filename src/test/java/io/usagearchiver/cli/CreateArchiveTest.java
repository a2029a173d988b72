package io.usagearchiver.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.usagearchiver.TicksPair;
import io.usagearchiver.testing.TestDatabase;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code init --create-archive} and {@code maintain}, of tables that the library did not bring. */
class CreateArchiveTest {
    private static final String[] ROLES = {"--role", TestDatabase.ARCHIVER, "--restore-role", TestDatabase.RESTORER};

    @TempDir
    private Path directory;

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    private String file;

    @BeforeEach
    void a_hot_table_without_an_archive() {
        db.addExamples();
        db.execute(
                "DROP TABLE resource_events_archive; REVOKE ALL ON resource_events FROM usage_archiver, usage_restorer");
        db.execute("""
                INSERT INTO resource_events (id, occurred_at, resource_type, resource_name, event_type, created_at, updated_at)
                SELECT i, timestamp '2020-01-01' + i * interval '1 hour', 'volume', 'v', 'created', now(), now()
                FROM generate_series(1, 1500) i""");
        file = ConfigFiles.write(
                directory,
                db,
                plugin("resourceEvents", "io.usagearchiver.ResourceEvents"),
                plugin("ticks", TicksPair.class.getName()),
                ConfigFiles.dataSource("owner", db, "postgres", "postgres"),
                ConfigFiles.dataSource("restore", db, TestDatabase.RESTORER, TestDatabase.RESTORER));
    }

    @Test
    void init_makes_the_archive_with_all_around_it_and_a_sweep_runs_right_after_it() {
        CommandRun run = create("resourceEvents", ROLES);

        assertThat(run.err()).isEmpty();
        assertThat(run.exitCode()).isZero();
        assertThat(run.out())
                .contains(
                        """
                        archive public.resource_events_archive: made
                          CREATE TABLE public.resource_events_archive
                          CREATE INDEX ix_resource_events_archive_creator_id ON public.resource_events_archive USING btree
                          CREATE INDEX ix_resource_events_archive_occurred_at ON public.resource_events_archive USING btree
                          CREATE INDEX ix_resource_events_archive_owner_principal_id ON public.resource_events_archive USING btree
                          CREATE INDEX ix_resource_events_archive_resource_lookup ON public.resource_events_archive USING btree
                        """,
                        """
                        around public.resource_events_archive:
                          GRANT SELECT, DELETE ON public.resource_events TO usage_archiver
                          GRANT UPDATE (updated_at) ON public.resource_events TO usage_archiver
                          GRANT SELECT, INSERT ON public.resource_events_archive TO usage_archiver
                          GRANT UPDATE (updated_at) ON public.resource_events_archive TO usage_archiver
                          GRANT SELECT, DELETE ON public.resource_events_archive TO usage_restorer
                          GRANT UPDATE (updated_at) ON public.resource_events_archive TO usage_restorer
                          GRANT SELECT, INSERT ON public.resource_events TO usage_restorer
                          GRANT UPDATE (updated_at) ON public.resource_events TO usage_restorer
                          CREATE FUNCTION public.resource_events_all
                          CREATE VIEW public.resource_events_all
                        """,
                        "baseline of public.resource_events: 0 rows are archived\n",
                        "public.resource_events: the tables allow a sweep\n");
        assertThat(run("sweep", "resourceEvents").exitCode()).isZero();
        assertThat(db.number("SELECT count(*) FROM resource_events_archive")).isEqualTo(1500);
        assertThat(run(
                                "restore",
                                "resourceEvents",
                                "--data-source",
                                "restore",
                                "--to",
                                "2020-01-03",
                                "--hold-until",
                                "2100-01-01",
                                "--reason",
                                "audit")
                        .exitCode())
                .isZero();
        assertThat(db.number("SELECT count(*) FROM resource_events")).isEqualTo(47);
        assertThat(db.strings("SELECT count(*) || ' ' || count(DISTINCT id) FROM resource_events_all"))
                .containsExactly("1500 1500");

        assertThat(create("resourceEvents", ROLES).out())
                .contains(
                        "archive public.resource_events_archive: stood already\n",
                        "public.resource_events: the tables allow a sweep\n")
                .doesNotContain("CREATE", "GRANT SELECT, DELETE ON public.resource_events");
    }

    @Test
    void the_roles_of_another_table_need_no_usage_tables() {
        db.execute("DROP TABLE model_usage_details, model_usage_details_archive");

        assertThat(create("resourceEvents", ROLES).exitCode()).isZero();
        assertThat(run("sweep", "resourceEvents").exitCode()).isZero();
    }

    @Test
    void print_changes_nothing_and_its_sql_makes_what_init_makes() {
        List<String> before = catalog();
        CommandRun printed = create("resourceEvents", concat(ROLES, "--print"));
        assertThat(printed.err()).isEmpty();
        assertThat(printed.out())
                .startsWith("-- What 'usage-archiver init --create-archive' would execute now")
                .contains(
                        "\n-- The archive of public.resource_events.\nCREATE TABLE public.resource_events_archive (\n    id integer"
                                + " NOT NULL,\n")
                .endsWith("'search_path', pg_catalog.current_setting('usage_archiver.search_path'), false);\n");
        assertThat(catalog()).isEqualTo(before);
        assertThat(run("init", "resourceEvents", "--create-archive", "--print").out())
                .as("by a role that may create nothing")
                .isEqualTo(create("resourceEvents", "--print").out());

        db.execute(printed.out());
        List<String> migrated = catalog();
        assertThat(create("resourceEvents", concat(ROLES, "--print")).out())
                .contains("-- The archive of public.resource_events; it stands already.\n")
                .doesNotContain("CREATE", "GRANT", "COMMENT");
        db.execute(
                "DROP VIEW resource_events_all; DROP FUNCTION resource_events_all(); DROP TABLE resource_events_archive;"
                        + " REVOKE ALL ON resource_events FROM usage_archiver, usage_restorer");
        assertThat(create("resourceEvents", ROLES).exitCode()).isZero();
        assertThat(catalog()).isEqualTo(migrated).isNotEqualTo(before);
    }

    @Test
    void what_stands_and_differs_is_told_and_not_changed() {
        db.execute("CREATE TABLE resource_events_archive AS SELECT *, 1 AS more FROM resource_events WHERE false;"
                + " ALTER TABLE resource_events_archive DROP phase");
        List<String> before = catalog();

        CommandRun run = create("resourceEvents");

        assertThat(run.exitCode()).isZero();
        assertThat(run.out())
                .contains(
                        "archive public.resource_events_archive: stood already\n",
                        "public.resource_events: a sweep would be refused, since\n",
                        "  - archive public.resource_events_archive has no primary key",
                        "  - archive public.resource_events_archive lacks column phase",
                        "  - hot public.resource_events lacks column more");
        assertThat(catalog())
                .filteredOn(line -> !line.contains("resource_events_all"))
                .isEqualTo(before);
    }

    @Test
    void a_lean_archive_has_its_key_small_indexes_and_those_that_are_named() {
        assertThat(create("resourceEvents", "--lean", "--index", "ix_resource_events_creator_id")
                        .exitCode())
                .isZero();
        assertThat(db.strings("SELECT indexdef FROM pg_indexes WHERE tablename = 'resource_events_archive' ORDER BY 1"))
                .containsExactly(
                        "CREATE INDEX ix_resource_events_archive_creator_id ON public.resource_events_archive USING btree"
                                + " (creator_id)",
                        "CREATE INDEX resource_events_archive_occurred_at_idx ON public.resource_events_archive USING brin"
                                + " (occurred_at) WITH (pages_per_range='32', autosummarize='on')",
                        "CREATE UNIQUE INDEX resource_events_archive_pkey ON public.resource_events_archive USING btree (id)");
    }

    @Test
    void what_cannot_be_made_leaves_nothing_behind() {
        List<String> before = catalog();
        assertThat(create("resourceEvents", "--partition-by", "month").err())
                .startsWith(
                        "Nothing was changed: The archive of public.resource_events cannot be partitioned by month: its key,"
                                + " id, does not contain its age, occurred_at.")
                .hasLineCount(1);
        assertThat(create("resourceEvents", "--lean", "--index", "by_user").err())
                .startsWith(
                        "Nothing was changed: hot public.resource_events has no index by_user beside its key; it has ix_");
        assertThat(create("resourceEvents", "--print", "--role", "nobody_here").err())
                .startsWith("Nothing was changed: there is no role nobody_here");
        assertThat(catalog()).isEqualTo(before);
    }

    @Test
    void maintain_makes_the_coming_partitions_of_each_archive_by_month() {
        db.execute(TicksPair.table("timestamp") + "; INSERT INTO ticks VALUES (1, now() - interval '15 months')");
        assertThat(create("ticks", "--partition-by", "month").out())
                .contains("archive public.ticks_archive: made\n", "  CREATE TABLE public.ticks_archive_p2");
        db.execute("DROP TABLE "
                + db.strings("SELECT max(inhrelid::regclass::text) FROM pg_inherits WHERE inhparent ="
                                + " 'ticks_archive'::regclass")
                        .get(0));

        assertThat(run("maintain", "ticks", "--data-source", "owner").out())
                .matches("archive public\\.ticks_archive got partitions for 2\\d{3}-\\d\\d\n");
        CommandRun all = CommandRun.of("maintain", "--config", file, "--data-source", "owner");
        assertThat(all.out()).isEmpty();
        assertThat(all.err()).startsWith("archive public.resource_events_archive does not exist");
        create("resourceEvents");
        assertThat(CommandRun.of("maintain", "--config", file, "--data-source", "owner")
                        .out()
                        .lines())
                .containsExactly(
                        "archive public.resource_events_archive is not partitioned",
                        "archive public.ticks_archive has its partitions",
                        "archive public.model_usage_details_archive is not partitioned");
    }

    private CommandRun create(String plugin, String... options) {
        return run("init", plugin, concat(new String[] {"--create-archive", "--data-source", "owner"}, options));
    }

    private CommandRun run(String command, String plugin, String... options) {
        return CommandRun.of(concat(new String[] {command, "--config", file, "--plugin", plugin}, options));
    }

    private static String[] concat(String[] some, String... more) {
        return Stream.concat(Stream.of(some), Stream.of(more)).toArray(String[]::new);
    }

    private static String plugin(String name, String pair) {
        return """
                org.quartz.plugin.NAME.class = io.usagearchiver.quartz.ArchivePlugin
                org.quartz.plugin.NAME.dataSource = archive
                org.quartz.plugin.NAME.pair = PAIR""".replace("NAME", name).replace("PAIR", pair);
    }

    /** What there is of the tables, but for their ids. */
    private List<String> catalog() {
        return db.strings("""
                SELECT c.relname || ' ' || c.relkind::text || ' ' || coalesce(c.relacl::text, '') || ' ' || coalesce(obj_description(c.oid), '')
                  || coalesce(pg_get_indexdef(c.oid), '') || coalesce(pg_get_viewdef(c.oid), '')
                FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relname LIKE 'resource_events%'
                UNION ALL
                SELECT attrelid::regclass || '.' || attnum || ' ' || attname || ' ' || format_type(atttypid, atttypmod) || attnotnull
                  || attstorage::text || attcompression::text
                FROM pg_attribute WHERE attrelid::regclass::text LIKE 'resource_events%' AND attnum > 0
                UNION ALL
                SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
                WHERE conrelid::regclass::text LIKE 'resource_events%'
                UNION ALL
                SELECT proname || prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace
                ORDER BY 1""");
    }
}
