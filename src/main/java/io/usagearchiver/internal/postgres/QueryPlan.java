package io.usagearchiver.internal.postgres;

import java.util.List;
import org.jooq.DSLContext;
import org.jooq.Record;
import org.jooq.ResultQuery;
import org.jooq.impl.DSL;
import org.jspecify.annotations.Nullable;

/**
 * What PostgreSQL's planner says of a query, which is not run.
 *
 * @param rows how many rows it would give
 * @param index the index that it would be read by, in its order; null where the whole table would be read or sorted. That of a partition is told as its table's, if it is a part of one
 */
public record QueryPlan(long rows, @Nullable String index) {
    public static QueryPlan of(DSLContext tx, ResultQuery<?> query) {
        String plan =
                tx.resultQuery("explain (format json) {0}", query).fetchSingle().get(0, String.class);
        // PostgreSQL reads its own JSON: the root of the plan first, then what is below it.
        List<Record> nodes = List.copyOf(tx.fetch(
                "select n ->> 'Node Type' as node, coalesce((select r.relname::text from pg_catalog.pg_class i"
                        + " join pg_catalog.pg_class r on r.oid = pg_partition_root(i.oid)"
                        + " where i.relname = cast(n ->> 'Index Name' as name) and i.relispartition limit 1), n ->> 'Index Name') as index,"
                        + " cast(n ->> 'Plan Rows' as bigint) as rows"
                        + " from jsonb_path_query(cast({0} as jsonb), cast({1} as jsonpath)) as n",
                DSL.val(plan), DSL.val("strict $.** ? (exists (@.\"Node Type\"))")));
        boolean ordered = nodes.stream()
                .map(node -> node.get("node", String.class))
                .noneMatch(node -> node.equals("Sort") || node.equals("Seq Scan"));
        String index = nodes.stream()
                .map(node -> node.get("index", String.class))
                .filter(name -> ordered && name != null)
                .findFirst()
                .orElse(null);
        return new QueryPlan(nodes.get(0).get("rows", Long.class), index);
    }
}
