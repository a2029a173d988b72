package consumer;

import static org.assertj.core.api.Assertions.assertThat;

import java.sql.Connection;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.awaitility.Awaitility;
import org.awaitility.core.ConditionFactory;
import org.junit.jupiter.api.Test;

/** What is checked of every consumer that runs a scheduler: two nodes over one PostgreSQL. */
public abstract class TwoNodes {
    /** A schedule that does not fire while the test runs: each New Year, 00:00 UTC, in crontab's form. */
    protected static final String NOT_NOW = "0 0 1 1 *";

    private static final int SIGTERM = 128 + 15;
    private static final int ROWS = 2000;

    private final String scheduler;
    private final String job;
    private final String trigger;

    /** A host that registers the archiver as the plugin {@code usageArchiver}. */
    protected TwoNodes(String scheduler) {
        this(scheduler, "usageArchiver", "usageArchiver.cron");
    }

    /** A host whose archiver has this job and this trigger for its schedule: NAME and NAME.cron are those of a plugin. */
    protected TwoNodes(String scheduler, String job, String trigger) {
        this.scheduler = scheduler;
        this.job = job;
        this.trigger = trigger;
    }

    /** Arguments of the {@code java} that runs a node: {@code consumer.Host}, with the data sources of its properties here. */
    protected List<String> node(String url) {
        List<String> arguments = new ArrayList<>(List.of(
                "-Dorg.quartz.dataSource.quartz.URL=" + url,
                "-Dorg.quartz.dataSource.archive.URL=" + url,
                "-cp",
                System.getProperty("java.class.path"),
                "consumer.Host"));
        if (hasPlugin()) {
            arguments.add(0, "-Dorg.quartz.plugin." + trigger + "=" + NOT_NOW);
        }
        return arguments;
    }

    /** A database with the hot table {@link #hot()}, its archive, the ledger and Quartz's tables. */
    protected Database database() throws Exception {
        return Database.withSql(scheduler);
    }

    /** The hot table. Its archive is called so, too, with {@code _archive} behind it. */
    protected String hot() {
        return "model_usage_details";
    }

    /** Inserts rows of an age into the hot table, with ids from the first on. */
    protected void insert(Database db, int first, int count, String age) {
        db.insertUsage(first, count, age);
    }

    /** Looks at two nodes, and at what they have logged, after they have swept. */
    protected void lookAt(Database db, String logOne, String logTwo) throws Exception {}

    private boolean hasPlugin() {
        return trigger.equals(job + ".cron");
    }

    @Test
    void a_sweep_runs_once_on_one_node_beside_the_hosts_job_and_both_nodes_stop_in_order() throws Exception {
        try (Database db = database()) {
            db.execute("CREATE TABLE host_job_run (fired_for bigint NOT NULL, node varchar(200) NOT NULL)");
            db.execute("GRANT SELECT, INSERT ON host_job_run TO " + Database.ROLE);
            insert(db, 1, ROWS, "2 years");
            insert(db, ROWS + 1, 10, "1 month");
            try (Node one = new Node("node-1", node(db.url()));
                    Node two = new Node("node-2", node(db.url()))) {
                awaitStarted(db, one, two);
                long expired = db.number("SELECT count(*) FROM " + hot()) - 10;
                assertThat(expired).isEqualTo(hasPlugin() ? 0 : ROWS);
                insert(db, 2 * ROWS, ROWS, "14 months");

                sweepWhileTheHostsJobGoesOn(db, one, two);

                assertThat(db.strings("SELECT concat_ws(' ', state, rows_moved) FROM usage_archive_sweep"
                                + " WHERE fired_by = '" + trigger + "'"))
                        .as("sweeps of one firing")
                        .containsExactly("DRAINED " + (expired + ROWS));
                assertThat(db.strings("SELECT instance_name FROM qrtz_scheduler_state"))
                        .hasSize(2)
                        .containsAll(db.strings("SELECT node FROM usage_archive_sweep"));
                lookAt(db, one.log(), two.log());

                one.terminate();
                two.terminate();
                assertStopped(one);
                assertStopped(two);
            }
            assertThat(db.number("SELECT count(*) FROM " + hot())).isEqualTo(10);
            assertThat(db.number("SELECT count(*) FROM " + hot() + "_archive")).isEqualTo(2 * ROWS);
            assertThat(db.strings("SELECT DISTINCT state FROM usage_archive_sweep"))
                    .containsExactly("DRAINED");
            // Quartz leaves a firing that a node had only ACQUIRED to the others.
            assertThat(db.strings("SELECT trigger_name FROM qrtz_fired_triggers WHERE state = 'EXECUTING'"))
                    .as("firings that a node left behind")
                    .isEmpty();
            assertThat(db.strings("SELECT trigger_state FROM qrtz_triggers WHERE job_name = '" + job + "'"))
                    .containsExactly("WAITING");
            assertThat(db.strings(
                            "SELECT fired_for - lag(fired_for) OVER (ORDER BY fired_for) FROM host_job_run OFFSET 1"))
                    .as("milliseconds between runs of the host's job: none was left out, none ran twice")
                    .hasSizeGreaterThan(10)
                    .containsOnly("200");
        }
    }

    /** Both nodes are up, and with the plugin, their sweeps at the start are over. */
    private void awaitStarted(Database db, Node one, Node two) {
        await("both nodes have checked in", one, two)
                .until(() -> db.number("SELECT count(*) FROM qrtz_scheduler_state") == 2);
        if (hasPlugin()) {
            await("both nodes have stored the schedule and checked the tables", one, two)
                    .until(() -> one.log().contains("fit to be archived")
                            && two.log().contains("fit to be archived"));
        }
        await("the schedule is stored, and nothing of the archiver runs", one, two)
                .until(() -> db.strings("SELECT trigger_name FROM qrtz_triggers WHERE job_name = '" + job + "'")
                                .equals(List.of(trigger))
                        && db.number("SELECT count(*) FROM qrtz_fired_triggers WHERE job_name = '" + job + "'") == 0);
        await("the host's job runs", one, two).until(() -> hostRuns(db) > 0);
    }

    /** Makes the schedule due, and holds the sweep up until the host's job has run five times more. */
    private void sweepWhileTheHostsJobGoesOn(Database db, Node one, Node two) throws Exception {
        try (Connection application = db.connectAsOwner()) {
            application.setAutoCommit(false);
            Database.execute(application, "LOCK TABLE " + hot() + "_archive IN SHARE MODE");
            db.execute("UPDATE qrtz_triggers SET next_fire_time = extract(epoch FROM clock_timestamp()) * 1000"
                    + " WHERE trigger_name = '" + trigger + "' AND trigger_state = 'WAITING'");
            await("a sweep runs", one, two)
                    .until(() -> db.number("SELECT count(*) FROM usage_archive_sweep WHERE state = 'RUNNING'") == 1);
            awaitHostRuns(db, one, two);
            assertThat(db.number("SELECT count(*) FROM usage_archive_sweep WHERE state = 'RUNNING'"))
                    .as("sweeps that were held up meanwhile")
                    .isEqualTo(1);
        }
        await("the sweep has ended", one, two)
                .until(() -> db.number("SELECT count(*) FROM usage_archive_sweep WHERE state = 'RUNNING'") == 0);
        // Time enough for another node to run what it should not.
        awaitHostRuns(db, one, two);
    }

    private static void awaitHostRuns(Database db, Node one, Node two) {
        long before = hostRuns(db);
        await("the host's job goes on", one, two).until(() -> hostRuns(db) >= before + 5);
    }

    private static long hostRuns(Database db) {
        return db.number("SELECT count(*) FROM host_job_run");
    }

    private static void assertStopped(Node node) throws InterruptedException {
        assertThat(node.exitCode(Duration.ofSeconds(30))).isEqualTo(SIGTERM);
        assertThat(node.log()).contains("shutdown complete").doesNotContain("ERROR", "Exception");
    }

    private static ConditionFactory await(String what, Node one, Node two) {
        return Awaitility.await(what).atMost(Duration.ofSeconds(90)).failFast(() -> {
            for (Node node : List.of(one, two)) {
                if (!node.isAlive()) {
                    throw new IllegalStateException("a node has ended; it wrote\n" + node.log());
                }
            }
        });
    }
}
