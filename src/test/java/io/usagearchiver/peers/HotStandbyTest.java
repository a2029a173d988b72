package io.usagearchiver.peers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Level;
import io.usagearchiver.ArchiveException;
import io.usagearchiver.ArchiveSettings;
import io.usagearchiver.Archiver;
import io.usagearchiver.ConnectionSource;
import io.usagearchiver.Plan;
import io.usagearchiver.Planner;
import io.usagearchiver.RowFilter;
import io.usagearchiver.StopReason;
import io.usagearchiver.StopSignal;
import io.usagearchiver.SweepHistory;
import io.usagearchiver.SweepResult;
import io.usagearchiver.Verifier;
import io.usagearchiver.cli.CommandRun;
import io.usagearchiver.testing.CapturedLog;
import io.usagearchiver.testing.ReplicatedServer;
import io.usagearchiver.testing.SampleConfig;
import io.usagearchiver.testing.TappedConnections;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import java.io.IOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.postgresql.PGConnection;

/** What can be read from a hot standby, also while its replay ends what is in its way, and that nothing moves there. */
class HotStandbyTest {
    private static final ArchiveSettings SETTINGS = ArchiveSettings.defaults();
    private static final String EXPIRED =
            "INSERT INTO model_usage_details (user_id, model_name, date, prompt_token_count,"
                    + " completion_token_count, created_at, updated_at) SELECT i %% 10, 'm', '2020-01-01', 1, 1,"
                    + " timestamp '2020-01-01' + i * interval '1 second', '2020-01-01' FROM generate_series(1, %d) i";

    @AutoClose
    private static final ReplicatedServer SERVER = new ReplicatedServer();

    @TempDir
    private Path directory;

    @AutoClose
    private final CapturedLog log = new CapturedLog();

    @BeforeEach
    void starts_with_published_tables_and_some_rows_that_are_archived() {
        SERVER.execute("CREATE TABLE IF NOT EXISTS churn (id integer PRIMARY KEY);"
                + " DROP PUBLICATION IF EXISTS p; CREATE PUBLICATION p FOR ALL TABLES;"
                + " TRUNCATE model_usage_details, model_usage_details_archive, usage_archive_sweep,"
                + " usage_archive_baseline, usage_archive_hold;"
                + " INSERT INTO usage_archive_baseline VALUES ('public.model_usage_details', 0, '2026-01-01')");
        SERVER.execute(EXPIRED.formatted(1000));
        assertThat(sweep(500).rowsMoved()).isEqualTo(1000);
        SERVER.execute(EXPIRED.formatted(100));
        SERVER.execute("INSERT INTO usage_archive_hold (table_name, user_id, reason, created_by, node, created_at)"
                + " VALUES ('public.model_usage_details', 7, 'lawsuit', 'dba', 'psql', '2026-01-01')");
        SERVER.awaitReplay();
    }

    @AfterEach
    void has_the_replay_wait_again() {
        set("max_standby_streaming_delay = '30s'");
        set("hot_standby_feedback = off");
    }

    @Test
    void all_that_only_reads_can_be_done_there() throws IOException {
        String standby = SERVER.replicaUrl();
        CommandRun plan = run(standby, "plan");
        assertThat(plan.exitCode()).isEqualTo(1);
        assertThat(plan.err()).isEmpty();
        assertThat(plan.out())
                .contains("expired       90 rows")
                .contains("this server is a standby")
                .doesNotContain("publishes");
        assertThat(run(standby, "history").out()).contains("DRAINED");
        assertThat(run(standby, "verify").exitCode()).isZero();
        assertThat(run(standby, "holds").out()).contains("lawsuit");
        assertThat(run(standby, "jobs").exitCode()).isZero();
        CommandRun preview = run(standby, "restore", "--data-source", "restorer", "--user", "3", "--dry-run");
        assertThat(preview.out()).contains("to be restored    100 rows");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "init --data-source owner --role usage_archiver",
                "sweep",
                "restore --data-source restorer --user 3 --hold-until 2099-01-01",
                "hold --data-source restorer --user 3 --reason no",
                "release --data-source restorer 1",
                "jobs --remove other",
                "node"
            })
    void what_writes_is_refused_there_with_a_word_on_where_to_do_it(String command) throws IOException {
        CommandRun run = run(SERVER.replicaUrl(), command.split(" "));
        assertThat(run.exitCode()).isEqualTo(1);
        assertThat(run.out()).isEmpty();
        assertThat(run.err())
                .contains("this server is a standby")
                .contains("must be of the primary, which targetServerType=primary in its URL finds");
        assertThat(run.err().lines().count())
                .as("a head that says which table, and the reason")
                .isLessThanOrEqualTo(2);
    }

    @Test
    void a_node_whose_tables_alone_are_on_a_standby_is_refused_too() throws IOException {
        Properties properties = properties(SERVER.url());
        SampleConfig.setUrl(properties, SampleConfig.ARCHIVE_DATA_SOURCE, SERVER.url(), SERVER.replicaUrl());
        CommandRun run = CommandRun.of("node", "--config", file(properties));
        assertThat(run.exitCode()).isEqualTo(1);
        assertThat(run.err()).startsWith("data source archive: this server is a standby");
    }

    @ParameterizedTest
    @EnumSource
    void a_read_that_the_replay_ends_is_done_again(Reading reading) throws Exception {
        set("max_standby_streaming_delay = 0");
        AtomicInteger conflicts = new AtomicInteger();
        reading.of(conflicting(reading, 2, conflicts), SETTINGS);
        assertThat(conflicts).hasValue(2);
        assertThat(retries()).singleElement().asString().contains("conflict with recovery");
    }

    @ParameterizedTest
    @EnumSource
    void a_read_that_the_replay_ends_each_time_says_what_helps(Reading reading) {
        set("max_standby_streaming_delay = 0");
        ConnectionSource conflicting = conflicting(reading, Integer.MAX_VALUE, new AtomicInteger());
        assertThatExceptionOfType(ArchiveException.class)
                .isThrownBy(() -> reading.of(conflicting, SETTINGS.withRetryTimeout(Duration.ofMillis(200))))
                .withMessageStartingWith("Could not ")
                .withMessageContaining(
                        "conflict with recovery (on a standby, hot_standby_feedback = on there, or a longer"
                                + " max_standby_streaming_delay, lets it finish)");
    }

    @Test
    void with_hot_standby_feedback_no_deleted_row_is_in_the_way_of_the_replay() throws Exception {
        set("max_standby_streaming_delay = 0");
        set("hot_standby_feedback = on");
        await().until(() -> SERVER.string("SELECT backend_xmin FROM pg_stat_replication") != null);
        AtomicInteger conflicts = new AtomicInteger();
        ConnectionSource churning = new TappedConnections(HotStandbyTest::connectToStandby, (sql, connection) -> {
            if (sql.contains(Reading.VERIFY.statement)) {
                conflicts.incrementAndGet();
                Reading.VERIFY.conflict.run();
            }
        });
        Reading.VERIFY.of(churning, SETTINGS);
        assertThat(conflicts).hasPositiveValue();
        assertThat(retries()).isEmpty();
    }

    @Test
    void reads_come_to_their_end_beside_a_sweep_on_the_primary_though_the_replay_waits_for_nobody() throws Exception {
        set("max_standby_streaming_delay = 0");
        SERVER.execute(EXPIRED.formatted(30_000));
        CompletableFuture<SweepResult> sweep = CompletableFuture.supplyAsync(() -> sweep(200));
        String standby = SERVER.replicaUrl();
        do {
            CommandRun plan = run(standby, "plan");
            assertThat(plan.out()).as(plan.toString()).startsWith("What a sweep of");
            for (String command : List.of("verify", "history", "holds", "jobs")) {
                CommandRun run = run(standby, command);
                assertThat(run.exitCode()).as(run.toString()).isZero();
            }
        } while (!sweep.isDone());
        assertThat(sweep.get().stopReason()).isEqualTo(StopReason.DRAINED);
        SERVER.awaitReplay();
        assertThat(run(standby, "verify").exitCode()).isZero();
    }

    /** What reads, and a statement of it that has others before it. */
    private enum Reading {
        PLAN("usage_archive_hold", HotStandbyTest::vacuum) {
            @Override
            void of(ConnectionSource connections, ArchiveSettings settings) {
                Plan plan = new Planner(TestedPair.USAGE, connections, settings).plan(1000, new StopSignal());
                assertThat(plan.backlog().rows()).isEqualTo(90);
            }
        },
        HISTORY("usage_archive_sweep", HotStandbyTest::vacuum) {
            @Override
            void of(ConnectionSource connections, ArchiveSettings settings) {
                assertThat(new SweepHistory(TestedPair.USAGE, connections, settings).newest(9))
                        .hasSize(1);
            }
        },
        VERIFY("usage_archive_sweep", HotStandbyTest::vacuum) {
            @Override
            void of(ConnectionSource connections, ArchiveSettings settings) {
                AtomicInteger costs = new AtomicInteger();
                assertThat(new Verifier(TestedPair.USAGE, connections, settings)
                                .verify(Duration.ofMinutes(1), cost -> costs.incrementAndGet(), new StopSignal())
                                .clean())
                        .isTrue();
                assertThat(costs).as("how often the cost was told").hasValue(1);
            }
        },
        /** Each of its statements has a snapshot of its own; locks it keeps. */
        PREVIEW("count(*) filter", HotStandbyTest::lockTheCatalog) {
            @Override
            void of(ConnectionSource connections, ArchiveSettings settings) {
                assertThat(Archiver.builder(TestedPair.USAGE, connections)
                                .settings(settings)
                                .build()
                                .previewRestore(RowFilter.user(3))
                                .matching())
                        .isEqualTo(100);
            }
        };

        private final String statement;
        private final Runnable conflict;

        Reading(String statement, Runnable conflict) {
            this.statement = statement;
            this.conflict = conflict;
        }

        abstract void of(ConnectionSource connections, ArchiveSettings settings) throws Exception;
    }

    /** Connections to the standby, on which the replay ends the transaction that is about to read. */
    private static ConnectionSource conflicting(Reading reading, int most, AtomicInteger conflicts) {
        return new TappedConnections(HotStandbyTest::connectToStandby, (sql, connection) -> {
            if (sql.contains(reading.statement) && conflicts.get() < most) {
                conflicts.incrementAndGet();
                int pid = connection.unwrap(PGConnection.class).getBackendPID();
                await("the end of the session").until(() -> {
                    reading.conflict.run();
                    return SERVER.replicaString("SELECT count(*) FROM pg_stat_activity WHERE pid = " + pid)
                            .equals("0");
                });
            }
        });
    }

    private static Connection connectToStandby() throws SQLException {
        return DriverManager.getConnection(SERVER.replicaUrl(), "postgres", "");
    }

    /** Has the replay remove rows that older snapshots see. */
    private static void vacuum() {
        SERVER.execute("DELETE FROM churn; INSERT INTO churn VALUES (1)");
        SERVER.execute("VACUUM churn");
        SERVER.awaitReplay();
    }

    /** Has the replay lock what every query has looked at. */
    private static void lockTheCatalog() {
        SERVER.execute("BEGIN; LOCK TABLE pg_catalog.pg_class IN ACCESS EXCLUSIVE MODE; COMMIT");
        SERVER.awaitReplay();
    }

    private List<String> retries() {
        return log.messages(Level.WARN).stream()
                .filter(message -> message.startsWith("io.usagearchiver.Retry: "))
                .toList();
    }

    private static SweepResult sweep(int batchSize) {
        return Archiver.builder(TestedPair.USAGE, SERVER::connectAsArchiver)
                .settings(SETTINGS.withBatchSize(batchSize))
                .build()
                .sweep();
    }

    private static void set(String setting) {
        SERVER.executeOnReplica("ALTER SYSTEM SET " + setting);
        SERVER.executeOnReplica("SELECT pg_reload_conf()");
    }

    private CommandRun run(String url, String... command) throws IOException {
        String[] arguments = new String[command.length + 2];
        System.arraycopy(command, 0, arguments, 0, command.length);
        arguments[command.length] = "--config";
        arguments[command.length + 1] = file(properties(url));
        return CommandRun.of(arguments);
    }

    private static Properties properties(String url) {
        Properties properties = SampleConfig.of(url, TestDatabase.ARCHIVER, TestDatabase.ARCHIVER);
        addDataSource(properties, "owner", "postgres");
        addDataSource(properties, "restorer", TestDatabase.RESTORER);
        return properties;
    }

    private static void addDataSource(Properties properties, String name, String user) {
        String prefix = "org.quartz.dataSource.";
        for (String property : properties.stringPropertyNames()) {
            if (property.startsWith(prefix + "archive.")) {
                properties.setProperty(
                        property.replace(".archive.", "." + name + "."), properties.getProperty(property));
            }
        }
        properties.setProperty(prefix + name + ".user", user);
        properties.setProperty(prefix + name + ".password", user);
    }

    private String file(Properties properties) throws IOException {
        Path file = Files.createTempFile(directory, "quartz", ".properties");
        try (Writer out = Files.newBufferedWriter(file)) {
            properties.store(out, null);
        }
        return file.toString();
    }
}
