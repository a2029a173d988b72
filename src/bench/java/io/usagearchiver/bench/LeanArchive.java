package io.usagearchiver.bench;

import io.usagearchiver.bench.Run.Metric;
import java.sql.SQLException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The archive's optional small set of indexes: what it gains, and what audit queries pay for it. */
final class LeanArchive implements Scenario {
    static final String NAME = "lean-archive";
    static final String EIGHT = "all eight indexes";
    static final String LEAN = "lean-archive.sql";
    static final String QUERY_BLOCKS = "blocks of a query";
    static final String QUERY_TIME = "ms of a query";
    static final String INDEX_SIZE = "archive's indexes, MB";

    private static final Pattern BUFFERS = Pattern.compile("Buffers: shared(?: hit=(\\d+))?(?: read=(\\d+))?");
    private static final Pattern TIME = Pattern.compile("Execution Time: ([0-9.]+) ms");

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public String description() {
        return "Sweeps into an archive with all of its indexes and with those of `sql/lean-archive.sql`, and typical audit"
                + " queries on what they leave.";
    }

    @Override
    public boolean compares() {
        return false;
    }

    @Override
    public void run(Bench bench) throws Exception {
        Usage usage = Usage.of(bench.scale().briefRows());
        for (String setting : List.of(EIGHT, LEAN)) {
            String script = setting.equals(LEAN) ? Database.script(LEAN) : "";
            bench.race()
                    .run(
                            new Race.Course(NAME, setting, usage).preparedBy(script),
                            List.of(Ours.DEFAULT, new OneShot()),
                            1,
                            Metric.ROWS_PER_SECOND,
                            Metric.BLOCKS_PER_ROW,
                            Metric.WAL_BYTES_PER_ROW);
            try (Database database = bench.server().copy(usage)) {
                database.execute(script);
                Ours.DEFAULT.move(database);
                database.vacuum("model_usage_details_archive");
                String bytes = database.row("SELECT pg_indexes_size('model_usage_details_archive')")
                        .get(0);
                add(bench, setting, "the archive", INDEX_SIZE, Double.parseDouble(bytes) / 1e6);
                for (Map.Entry<String, String> query : auditQueries().entrySet()) {
                    ask(bench, setting, database, query.getKey(), query.getValue());
                }
            }
        }
    }

    private static Map<String, String> auditQueries() {
        String day = "timestamp '" + Usage.CUTOFF.minusDays(10) + "'";
        String select = "SELECT count(*), sum(prompt_token_count) FROM model_usage_details_archive WHERE ";
        Map<String, String> queries = new LinkedHashMap<>();
        queries.put("one row by id", "SELECT * FROM model_usage_details_archive WHERE id = 12345");
        queries.put("a user, ever", select + "user_id = 7");
        queries.put(
                "a user, one day",
                select + "user_id = 7 AND completed_at >= " + day + " AND completed_at < " + day
                        + " + interval '1 day'");
        queries.put(
                "one hour", select + "completed_at >= " + day + " AND completed_at < " + day + " + interval '1 hour'");
        queries.put("one date", select + "date = " + day + "::date");
        queries.put("an API key, one date", select + "api_key_id = 34 AND date = " + day + "::date");
        queries.put("an API key, ever", select + "api_key_id = 34");
        return queries;
    }

    private static void ask(Bench bench, String setting, Database database, String what, String sql)
            throws SQLException {
        for (int round = 1; round <= 3; round++) {
            String plan = database.column("EXPLAIN (ANALYZE, BUFFERS) " + sql);
            Matcher buffers = BUFFERS.matcher(plan);
            Matcher time = TIME.matcher(plan);
            if (!buffers.find() || !time.find()) {
                throw new IllegalStateException("EXPLAIN of another form:\n" + plan);
            }
            double blocks = number(buffers.group(1)) + number(buffers.group(2));
            bench.results().add(new Measurement(NAME, setting, what, QUERY_BLOCKS, round, blocks));
            bench.results()
                    .add(new Measurement(NAME, setting, what, QUERY_TIME, round, Double.parseDouble(time.group(1))));
        }
    }

    private static double number(String group) {
        return group == null ? 0 : Double.parseDouble(group);
    }

    private static void add(Bench bench, String setting, String what, String metric, double value) {
        bench.results().add(new Measurement(NAME, setting, what, metric, 1, value));
    }
}
