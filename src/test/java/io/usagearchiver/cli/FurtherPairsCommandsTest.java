package io.usagearchiver.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.usagearchiver.testing.TestDatabase;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The command line on one of several archivers of a file: that of resource events. */
class FurtherPairsCommandsTest {
    @TempDir
    Path directory;

    @AutoClose
    final TestDatabase db = TestDatabase.create();

    String file;

    @BeforeEach
    void two_archivers_and_expired_events() {
        file = ConfigFiles.write(
                directory,
                db,
                "org.quartz.plugin.resourceEvents.class = io.usagearchiver.quartz.ArchivePlugin",
                "org.quartz.plugin.resourceEvents.dataSource = archive",
                pair(),
                ConfigFiles.dataSource("restore", db, TestDatabase.RESTORER, TestDatabase.RESTORER));
        db.addExamples();
        db.execute("""
                INSERT INTO resource_events (id, occurred_at, resource_type, resource_name, event_type, created_at, updated_at)
                SELECT i, timestamp '2020-01-01' + i * interval '1 hour', 'volume', 'v', 'created', now(), now()
                FROM generate_series(1, 1500) i;
                INSERT INTO resource_events_archive SELECT * FROM resource_events WHERE id = 7;
                UPDATE resource_events_archive SET phase = 'other'""");
    }

    /** The lines that tell which tables. */
    String pair() {
        return "org.quartz.plugin.resourceEvents.pair = io.usagearchiver.ResourceEvents";
    }

    @Test
    void what_a_further_pair_lacks_is_pointed_at_the_files_of_that_pair() {
        db.execute("REVOKE ALL ON resource_events_archive FROM usage_archiver");
        CommandRun withoutGrants = run("sweep");
        assertThat(withoutGrants.exitCode()).isEqualTo(1);
        assertThat(withoutGrants.err())
                .contains("rights are missing: GRANT INSERT ON public.resource_events_archive TO usage_archiver"
                        + " (sql/examples/grants.sql)")
                .doesNotContain("04-grants", "init");

        db.execute("DROP TABLE resource_events_archive");
        assertThat(run("sweep").err()).contains("archive public.resource_events_archive does not exist; " + toMake());
    }

    String toMake() {
        return "apply sql/examples/resource-events.sql";
    }

    @Test
    void plan_sweep_history_verify_restore_and_hold_work_on_the_named_one_alone() {
        assertThat(run("plan").out())
                .startsWith("What a sweep of public.resource_events would do now; nothing is changed\n")
                .contains(
                        "  expired       1,500 rows, counted, the oldest of 2020-01-01 01:00:00\n",
                        "  indexes       occurred_at   ix_resource_events_occurred_at  (1,500 rows)\n",
                        "  grants        complete for usage_archiver\n",
                        "  in conflict   1 row would stay hot, the archive holds other content: 7\n");
        assertThat(run("sweep").out())
                .startsWith("Sweep 1 of public.resource_events: DRAINED, no expired row is left but those kept back\n")
                .contains("  moved             1,499 rows in 2 batches");
        assertThat(run("history").out()).contains("DRAINED").contains("1,499");
        assertThat(CommandRun.of("history", "--config", file, "--plugin", "usageArchiver")
                        .out())
                .doesNotContain("DRAINED");
        assertThat(run("verify").out())
                .contains("public.resource_events and public.resource_events_archive\n")
                .contains("  ids in both     1 row, DIFFERENT: 7\n");
        assertThat(run("restore", "--data-source", "restore", "--to", "2020-01-03", "--dry-run")
                        .out())
                .contains("  to be restored    46 rows\n");
        assertThat(run(
                                "restore",
                                "--data-source",
                                "restore",
                                "--to",
                                "2020-01-03",
                                "--hold-until",
                                "2100-01-01",
                                "--reason",
                                "audit")
                        .out())
                .contains("  restored          46 rows in 1 batches");
        assertThat(run("holds", "--data-source", "restore").out()).contains("before 2020-01-03 00:00");
        assertThat(CommandRun.of("holds", "--config", file, "--plugin", "usageArchiver", "--data-source", "restore")
                        .out())
                .doesNotContain("2020-01-03");
        assertThat(run("sweep").out()).contains("  moved             0 rows");
        assertThat(db.number("SELECT count(*) FROM resource_events")).isEqualTo(47);
    }

    @Test
    void a_filter_by_a_column_that_the_pair_has_not_is_refused() {
        CommandRun run = run(
                "restore",
                "--data-source",
                "restore",
                "--user",
                "7",
                "--hold-until",
                "2100-01-01",
                "--reason",
                "audit");

        assertThat(run.exitCode()).isEqualTo(2);
        assertThat(run.err()).contains("user_id 7: public.resource_events has no such column");
    }

    CommandRun run(String command, String... further) {
        return CommandRun.of(
                Stream.concat(Stream.of(command, "--config", file, "--plugin", "resourceEvents"), Stream.of(further))
                        .toArray(String[]::new));
    }
}
