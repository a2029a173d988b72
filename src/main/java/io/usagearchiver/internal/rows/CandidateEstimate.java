package io.usagearchiver.internal.rows;

import io.usagearchiver.internal.postgres.OwnRows;
import io.usagearchiver.internal.postgres.TableName;
import java.util.List;
import org.jooq.DSLContext;
import org.jooq.Name;
import org.jooq.impl.DSL;
import org.jspecify.annotations.Nullable;

/** How many candidates there are, as far as the planner can tell. */
public final class CandidateEstimate {
    private CandidateEstimate() {}

    /**
     * The planner's estimate of how many rows are wanted, not counting what holds keep of them, or null where it has no
     * statistics: it would guess then. Reads no row. All branches have to know theirs.
     */
    public static @Nullable Long read(DSLContext dsl, List<CandidateQuery> branches) {
        if (!branches.stream().allMatch(branch -> isKnown(dsl, branch))) {
            return null;
        }
        return branches.stream()
                .mapToLong(branch -> Math.round(dsl.explain(
                                dsl.selectOne().from(OwnRows.of(branch.table())).where(branch.estimable()))
                        .rows()))
                .sum();
    }

    private static boolean isKnown(DSLContext dsl, CandidateQuery branch) {
        if (OwnRows.areInPartitions(dsl.configuration(), branch.table())) {
            // The statistics of partitions are hidden from a role that has rights on the table alone. The planner has
            // them.
            return dsl.fetchSingle(
                            "select not exists (select from ({0}) as stored (oid) join pg_catalog.pg_class c using (oid)"
                                    + " where c.reltuples < 0 and pg_relation_size(c.oid) > 0)",
                            OwnRows.stored(dsl.configuration(), branch.table()))
                    .get(0, Boolean.class);
        }
        Name table = TableName.qualified(branch.table());
        return dsl.fetchSingle(
                        "select exists (select from pg_catalog.pg_stats where schemaname = {0} and tablename = {1}"
                                + " and attname = {2})",
                        DSL.val(table.first()),
                        DSL.val(table.last()),
                        DSL.val(branch.first().getName()))
                .get(0, Boolean.class);
    }
}
