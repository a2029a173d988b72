package io.usagearchiver.faults;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.usagearchiver.testing.FaultServer;
import io.usagearchiver.testing.TestedPair;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A cluster over a server with an empty database, with writers that write, and what is to be true in the end. */
final class Bench implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(Bench.class);
    private static final Duration PATIENCE = Duration.ofSeconds(90);
    private static final int WRITERS = 3;

    final FaultServer server;
    final History history = new History();
    final Writers writers;
    final Cluster cluster;

    /**
     * Empties the server's database, loads expired rows and starts the nodes and the writers.
     *
     * @param seed of what the writers do
     * @param settings of the archiver, by the names of the plugin's properties
     */
    Bench(FaultServer server, long seed, int rows, int nodes, Map<String, String> settings) throws SQLException {
        this(server, seed, rows, nodes, settings, false);
    }

    /** The same, of tables that may be partitioned, and are told by names then. */
    Bench(FaultServer server, long seed, int rows, int nodes, Map<String, String> settings, boolean inPartitions)
            throws SQLException {
        this.server = server;
        server.recreateDatabase();
        if (inPartitions) {
            server.execute(partitioned(Usage.HOT, "RANGE (id)", "FROM (MINVALUE) TO (500)", "FROM (500) TO (1500)")
                    + partitioned(
                            Usage.ARCHIVE,
                            "HASH (id)",
                            "WITH (MODULUS 2, REMAINDER 0)",
                            "WITH (MODULUS 2, REMAINDER 1)")
                    + " CREATE TABLE hot_rest PARTITION OF " + Usage.HOT + " DEFAULT");
        }
        writers = new Writers(server::connect, history, seed, WRITERS);
        writers.load(rows);
        Map<String, String> all = new HashMap<>(inPartitions ? TestedPair.settingsOfNames() : Map.of());
        all.putAll(settings);
        cluster = new Cluster(server, nodes, all);
        writers.start();
    }

    /** Both have the same columns, defaults, indexes and rights, and no row. */
    private static String partitioned(String table, String by, String first, String second) {
        return "ALTER TABLE T$ RENAME TO T$_whole; CREATE TABLE T$ (LIKE T$_whole INCLUDING DEFAULTS, PRIMARY KEY (id))"
                        .replace("T$", table)
                + " PARTITION BY " + by
                + "; CREATE INDEX ON T$ (completed_at); CREATE INDEX ON T$ (created_at); GRANT ALL ON T$ TO PUBLIC;"
                        .replace("T$", table)
                + " CREATE TABLE T$_1 PARTITION OF T$ FOR VALUES ".replace("T$", table) + first + ";"
                + " CREATE TABLE T$_2 PARTITION OF T$ FOR VALUES ".replace("T$", table) + second + ";";
    }

    /** Stops the writers, waits until no expired row is left, and asserts that nothing was lost, doubled or changed. */
    void assertDrainedWithoutViolation() throws SQLException {
        writers.stop();
        // One that runs already may have looked for rows for the last time.
        long begun = server.number("select coalesce(max(sweep_id), 0) from usage_archive_sweep");
        await("a sweep has drained")
                .atMost(PATIENCE)
                .until(() -> server.number("select count(*) from usage_archive_sweep where state = 'DRAINED'"
                                + " and sweep_id > " + begun)
                        > 0);
        assertThat(server.number("select count(*) from model_usage_details, (select max(cutoff) as cutoff"
                        + " from usage_archive_sweep where state = 'DRAINED') as last"
                        + " where coalesce(completed_at, created_at) < cutoff"))
                .as("expired rows left")
                .isZero();
        assertNoViolation();
    }

    /** Stops the writers and asserts that nothing was lost, doubled or changed so far. */
    void assertNoViolation() throws SQLException {
        writers.stop();
        try (Connection connection = server.connect()) {
            assertThat(Checker.check(history, connection)).as("%s", history).isEmpty();
        }
        log.info("{}; {}", history, summary());
    }

    /** What the sweeps did, for the log. */
    String summary() {
        return server.strings(
                        "select count(*) || ' sweeps, ' || sum(batches) || ' batches, ' || sum(rows_moved) || ' rows moved; '"
                                + " || (select string_agg(n || ' ' || state, ', ') from (select state, count(*) as n"
                                + " from usage_archive_sweep group by 1 order by 1) as states) from usage_archive_sweep")
                .get(0);
    }

    @Override
    public void close() throws InterruptedException {
        try (cluster) {
            writers.close();
        }
    }
}
