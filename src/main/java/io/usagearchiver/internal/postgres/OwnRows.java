package io.usagearchiver.internal.postgres;

import java.util.Map;
import org.jooq.Configuration;
import org.jooq.QueryPart;
import org.jooq.Record;
import org.jooq.Table;
import org.jooq.impl.CustomCondition;
import org.jooq.impl.DSL;

/**
 * The rows that are a table's own, for a FROM clause: of an ordinary table {@code ONLY} its own, since inheritance children
 * may come at any time, and their rows are not; of a partitioned one those of its partitions, since it has no others.
 *
 * <p>Which of both a table is, a session learns from the schema check, in one snapshot with the fingerprint that each batch
 * compares: so a table that is replaced by one of the other kind is never read as what it was. Where nothing was checked, it is
 * read once a session.
 */
public final class OwnRows {
    private OwnRows() {}

    /** The table to read from, or to delete from. */
    public static Table<?> of(Table<?> table) {
        // A condition is the one part that jOOQ lets render itself wherever a template has it.
        return DSL.table(
                "{0}{1}",
                CustomCondition.of(
                        context -> context.sql(areInPartitions(context.configuration(), table) ? "" : "only ")),
                table);
    }

    /** Notes whether a table is partitioned. */
    public static void learn(Configuration transaction, Table<?> table, boolean partitioned) {
        Map<Object, Object> known = Jooq.memory(transaction);
        if (known != null) {
            known.put(name(table), partitioned);
        }
    }

    /** Whether a table is partitioned, by what is known in the session; asked in the transaction that a statement is for. */
    public static boolean areInPartitions(Configuration transaction, Table<?> table) {
        Map<Object, Object> known = Jooq.memory(transaction);
        if (known == null) {
            return false;
        }
        if (known.get(name(table)) instanceof Boolean partitioned) {
            return partitioned;
        }
        Record kind = transaction
                .dsl()
                .fetchOne(
                        "select relkind = 'p' from pg_catalog.pg_class where oid = pg_catalog.to_regclass({0})",
                        TableName.regclass(table));
        boolean read = kind != null && kind.get(0, Boolean.class);
        known.put(name(table), read);
        return read;
    }

    /** A query that gives the {@code oid} of each table that has rows of it: itself, or its partitions. */
    public static QueryPart stored(Configuration transaction, Table<?> table) {
        return DSL.sql(
                areInPartitions(transaction, table)
                        ? "select relid from pg_catalog.pg_partition_tree(pg_catalog.to_regclass({0})) where isleaf"
                        : "select pg_catalog.to_regclass({0})",
                TableName.regclass(table));
    }

    private static String name(Table<?> table) {
        return "kind of " + TableName.name(table);
    }
}
