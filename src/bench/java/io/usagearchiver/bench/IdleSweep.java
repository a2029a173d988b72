package io.usagearchiver.bench;

import java.sql.Connection;
import java.sql.SQLException;

/** Sweeps that find nothing to do, as nearly all of those at a node's start do. */
final class IdleSweep implements Scenario {
    static final String NAME = "idle-sweep";
    static final String TABLE_BLOCKS = "blocks of the tables and the ledger";
    static final String CATALOG_BLOCKS = "blocks of the catalog";
    static final String NEW_CONNECTION = "new connection";
    static final String KEPT_CONNECTION = "connection of a pool";

    private static final int SWEEPS = 10;

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public String description() {
        return "A sweep with nothing to do: blocks that it asks for, on a new connection, and on one that has swept before.";
    }

    @Override
    public boolean compares() {
        return false;
    }

    @Override
    public void run(Bench bench) throws Exception {
        bench.server().dropTemplates();
        for (int rows : bench.scale().idleRows()) {
            String setting = Backlog.setting(rows);
            Usage usage = Usage.of(rows).withExpired(0);
            try (Database database = bench.server().create()) {
                database.load(usage);
                database.vacuum("usage_archive_sweep");
                long[] one = blocks(database, 1);
                long[] more = blocks(database, 1 + SWEEPS);
                tell(bench, setting, NEW_CONNECTION, one[0], one[1]);
                tell(
                        bench,
                        setting,
                        KEPT_CONNECTION,
                        (more[0] - one[0]) / (double) SWEEPS,
                        (more[1] - one[1]) / (double) SWEEPS);
            }
        }
    }

    private static void tell(Bench bench, String setting, String connection, double tables, double catalog) {
        bench.results().add(new Measurement(NAME, setting, connection, TABLE_BLOCKS, 1, tables));
        bench.results().add(new Measurement(NAME, setting, connection, CATALOG_BLOCKS, 1, catalog));
        bench.results()
                .progress("%s, %s, %s: %.1f blocks, and %.1f of the catalog"
                        .formatted(NAME, setting, connection, tables, catalog));
    }

    /** Blocks of the tables and of the catalog that sweeps on one connection ask for. */
    private static long[] blocks(Database database, int sweeps) throws SQLException, InterruptedException {
        long tablesBefore = Counters.read(database).blocks();
        long catalogBefore = catalog(database);
        try (Connection connection = database.connect()) {
            for (int sweep = 0; sweep < sweeps; sweep++) {
                Ours.DEFAULT.sweep(() -> new KeptConnection(connection).proxy());
            }
        }
        database.awaitSessionsEnd();
        return new long[] {Counters.read(database).blocks() - tablesBefore, catalog(database) - catalogBefore};
    }

    private static long catalog(Database database) throws SQLException {
        return Long.parseLong(database.row("""
                SELECT sum(heap_blks_read + heap_blks_hit + coalesce(idx_blks_read + idx_blks_hit, 0))
                FROM pg_statio_sys_tables""").get(0));
    }
}
