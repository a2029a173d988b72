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

    /** Of tables whose partitions are to be handed over. */
    private final OldPartitions old;

    private final Tables tables;

    /** What the pair is like. */
    enum Tables {
        /** Two ordinary tables. */
        WHOLE,
        /** Both are partitioned, by whatever. */
        IN_PARTITIONS,
        /** Both are partitioned so that partitions can be handed over, and the archiver does so. */
        HANDED_OVER
    }

    /**
     * Empties the server's database, loads expired rows and starts the nodes and the writers.
     *
     * @param seed of what the writers do
     * @param settings of the archiver, by the names of the plugin's properties
     */
    Bench(FaultServer server, long seed, int rows, int nodes, Map<String, String> settings) throws SQLException {
        this(server, seed, rows, nodes, settings, Tables.WHOLE);
    }

    /** The same, of tables that may be partitioned, and are told by names then. */
    Bench(FaultServer server, long seed, int rows, int nodes, Map<String, String> settings, Tables tables)
            throws SQLException {
        this.server = server;
        this.tables = tables;
        this.old = new OldPartitions(server);
        server.recreateDatabase();
        switch (tables) {
            case WHOLE -> {}
            case IN_PARTITIONS ->
                server.execute(partitioned(
                                Usage.HOT,
                                "id",
                                "RANGE (id)",
                                "FOR VALUES FROM (MINVALUE) TO (500)",
                                "FOR VALUES FROM (500) TO (1500)",
                                "DEFAULT")
                        + partitioned(
                                Usage.ARCHIVE,
                                "id",
                                "HASH (id)",
                                "FOR VALUES WITH (MODULUS 2, REMAINDER 0)",
                                "FOR VALUES WITH (MODULUS 2, REMAINDER 1)"));
            case HANDED_OVER -> server.execute(OldPartitions.tables());
        }
        writers = new Writers(
                server::connect,
                history,
                seed,
                WRITERS,
                tables == Tables.HANDED_OVER ? OldPartitions::keepsItsPartition : row -> false);
        load(rows);
        Map<String, String> all = new HashMap<>(
                switch (tables) {
                    case WHOLE -> Map.<String, String>of();
                    case IN_PARTITIONS -> TestedPair.settingsOfNames();
                    case HANDED_OVER -> OldPartitions.SETTINGS;
                });
        all.putAll(settings);
        cluster = new Cluster(server, nodes, all);
        writers.start();
    }

    /** Both have the same columns, defaults, indexes and rights, and no row. */
    static String partitioned(String table, String key, String by, String... bounds) {
        StringBuilder sql = new StringBuilder("ALTER TABLE T$ RENAME TO T$_whole; CREATE TABLE T$"
                + " (LIKE T$_whole INCLUDING DEFAULTS, PRIMARY KEY (" + key + ")) PARTITION BY " + by
                + "; CREATE INDEX ON T$ (completed_at); CREATE INDEX ON T$ (created_at); GRANT ALL ON T$ TO PUBLIC;");
        for (int i = 0; i < bounds.length; i++) {
            sql.append(" CREATE TABLE T$_" + (i + 1) + " PARTITION OF T$ " + bounds[i] + ";");
        }
        return sql.toString().replace("T$", table);
    }

    /** Inserts expired rows: where they are to be handed over, into new partitions. */
    void load(int rows) throws SQLException {
        if (tables == Tables.HANDED_OVER) {
            old.load(writers, rows);
        } else {
            writers.load(rows);
        }
    }

    /** The partitions that are to be handed over. */
    OldPartitions old() {
        return old;
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
        assertNoViolation();
        assertThat(server.strings(
                        "select tableoid::regclass || ': ' || hot from model_usage_details hot, (select max(cutoff)"
                                + " as cutoff from usage_archive_sweep where state = 'DRAINED') as last"
                                + " where coalesce(completed_at, created_at) < cutoff and not " + OldPartitions.HELD))
                .as("expired rows left")
                .isEmpty();
        if (tables == Tables.HANDED_OVER) {
            old.assertNoneIsLost();
            old.assertTidy();
        }
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
