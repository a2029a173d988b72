package io.usagearchiver.bench;

import java.util.List;

/** Where the time of a sweep goes, statement by statement. */
final class Profile implements Scenario {
    static final String NAME = "profile";

    private static final String EXTENSION = "pg_stat_statements";

    /** What a statement does in a batch, told by its text. */
    private static final String STEP = """
            CASE WHEN query ILIKE 'with "moved" as (delete%' THEN 'move a slice'
              WHEN query ILIKE '%for update%skip locked%' THEN 'lock'
              WHEN query ILIKE '%for share%' THEN 'prove'
              WHEN query ILIKE 'insert into%model_usage_details_archive%' THEN 'copy'
              WHEN query ILIKE 'delete%' THEN 'delete'
              WHEN query ILIKE 'update%usage_archive_sweep%' THEN 'count in the ledger'
              WHEN query ILIKE 'select%order by%' THEN 'find candidates'
              WHEN query ILIKE 'commit%' THEN 'commit'
              WHEN query ILIKE 'set %' OR query ILIKE 'select pg_catalog.set_config%' THEN 'set limits'
              ELSE 'other statements' END""";

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public String description() {
        return "The time of a sweep by its statements, as pg_stat_statements has it; the rest of the time is the client's,"
                + " the network's and the server's between statements.";
    }

    @Override
    public boolean compares() {
        return false;
    }

    @Override
    public void run(Bench bench) throws Exception {
        Usage usage = Usage.of(bench.scale().briefRows());
        for (Contestant contestant : List.of(Ours.DEFAULT, Ours.SEPARATE, new OneShot(), new OriginalAlgorithm())) {
            try (Database database = bench.server().copy(usage)) {
                if (!isAvailable(database)) {
                    bench.results().note(NAME, "not measured: the server does not preload " + EXTENSION);
                    return;
                }
                database.execute("CREATE EXTENSION IF NOT EXISTS " + EXTENSION + "; CHECKPOINT;"
                        + " SELECT pg_stat_statements_reset()");
                long start = System.nanoTime();
                contestant.move(database);
                double millis = (System.nanoTime() - start) / 1e6;
                tell(bench, database, contestant, usage, millis);
            }
        }
    }

    private static boolean isAvailable(Database database) throws Exception {
        return database.row("SELECT current_setting('shared_preload_libraries')")
                .get(0)
                .contains(EXTENSION);
    }

    private static void tell(Bench bench, Database database, Contestant contestant, Usage usage, double millis)
            throws Exception {
        String[] lines = database.column("SELECT concat_ws('|', " + STEP
                        + ", sum(total_exec_time), sum(calls), sum(shared_blks_hit + shared_blks_read), sum(wal_bytes))"
                        + " FROM pg_stat_statements WHERE userid = '" + database.role() + "'::regrole"
                        + " GROUP BY " + STEP + " ORDER BY sum(total_exec_time) DESC")
                .split("\n");
        double rest = millis;
        for (String line : lines) {
            String[] figures = line.split("\\|");
            double statementMillis = Double.parseDouble(figures[1]);
            rest -= statementMillis;
            add(bench, contestant, figures[0], "ms per 1,000 rows", statementMillis * 1000 / usage.expired());
            add(bench, contestant, figures[0], "% of the time", statementMillis * 100 / millis);
            add(bench, contestant, figures[0], "calls", Double.parseDouble(figures[2]));
            add(bench, contestant, figures[0], "blocks per row", Double.parseDouble(figures[3]) / usage.expired());
            add(bench, contestant, figures[0], "WAL bytes per row", Double.parseDouble(figures[4]) / usage.expired());
        }
        add(bench, contestant, "the rest", "ms per 1,000 rows", rest * 1000 / usage.expired());
        add(bench, contestant, "the rest", "% of the time", rest * 100 / millis);
        bench.results().progress("%s, %s: %.1f s".formatted(NAME, contestant.name(), millis / 1000));
    }

    private static void add(Bench bench, Contestant contestant, String step, String column, double value) {
        bench.results().add(new Measurement(NAME, column, step, contestant.name(), 1, value));
    }
}
