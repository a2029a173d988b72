package io.usagearchiver.internal.schema;

import io.usagearchiver.internal.postgres.TableName;
import io.usagearchiver.internal.schema.TableMetadata.Partition;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.jooq.DSLContext;
import org.jooq.Record;
import org.jooq.Table;
import org.jooq.impl.DSL;

/**
 * Compares the partitions of one side of a pair with what moving rows safely asks for. A row reaches them through their table:
 * their own rules, row security, statement triggers and defaults do not count then, nor do rights on them. What a partition has
 * of CHECKs, NOT NULLs and indexes beyond its table's refuses single rows, which stay where they are.
 */
final class PartitionCheck {
    private static final String EACH = "; each must be a permanent table, ordinary or partitioned itself";

    /** Before 16, one could be attached whose column was generated, and computed what was inserted into the plain one anew. */
    private static final String GENERATED = """
            select p.oid::regclass::text as name, a.attname::text as column_name
            from unnest(cast({1} as oid[])) as p (oid)
            join pg_catalog.pg_attribute a on a.attrelid = p.oid and a.attnum > 0 and a.attgenerated <> ''
            join pg_catalog.pg_attribute h on h.attrelid = to_regclass({0}) and h.attname = a.attname and h.attgenerated = ''
            order by 1, 2""";

    private final TableMetadata table;
    private final List<String> differences = new ArrayList<>();

    PartitionCheck(TableMetadata table) {
        this.table = table;
    }

    /** What must not be, whichever way rows go; one sentence each without the table's name. */
    List<String> ofKind() {
        for (Partition partition : table.partitions()) {
            if (partition.kind() != null) {
                differ("has partition " + partition.name() + ", which is " + partition.kind() + EACH);
            }
        }
        return differences;
    }

    /** What acts on rows that leave a partition. What acts on the whole table's is told as such. */
    List<String> ofSource() {
        for (Partition partition : table.partitions()) {
            partition.triggers().stream()
                    .filter(trigger -> trigger.eachRow()
                            && trigger.onDelete()
                            && !table.triggers().contains(trigger))
                    .forEach(trigger -> differ("has partition " + partition.name() + " with " + trigger.title()
                            + ", which acts on DELETE; " + trigger.wayOut(partition.name())));
            partition.references().stream()
                    .filter(reference -> !isToldOfTable(reference))
                    .forEach(reference -> harmOf(reference)
                            .ifPresent(harm -> differ("has partition " + partition.name() + ", which " + harm)));
        }
        return differences;
    }

    /** What a foreign key that refers to a row would do when this is moved, or not do. */
    static Optional<String> harmOf(TableMetadata.Reference reference) {
        String key = "is referenced by " + reference.name() + " of " + reference.table();
        if (reference.action() != null) {
            return Optional.of(key + " on delete " + reference.action()
                    + ": moving a row would change other rows; it must be ON DELETE NO ACTION or RESTRICT");
        }
        return reference.enforced()
                ? Optional.empty()
                : Optional.of(key
                        + ", which is not enforced in this session: a row that is moved would be missed there; enable"
                        + " its triggers, or see session_replication_role");
    }

    /** The copies that PostgreSQL makes for partitions have other names. */
    private boolean isToldOfTable(TableMetadata.Reference ofPartition) {
        return table.references().stream()
                .anyMatch(reference -> reference.table().equals(ofPartition.table())
                        && Objects.equals(reference.action(), ofPartition.action())
                        && reference.enforced() == ofPartition.enforced());
    }

    /** What acts on rows that come into a partition. */
    List<String> ofTarget(DSLContext tx, Table<?> side) {
        for (Partition partition : table.partitions()) {
            partition.triggers().stream()
                    .filter(trigger -> trigger.eachRow()
                            && trigger.onInsert()
                            && !table.triggers().contains(trigger))
                    .forEach(trigger -> differ("has partition " + partition.name() + " with " + trigger.title()
                            + ", which acts on each INSERT; " + trigger.wayOut(partition.name())));
        }
        if (table.isPartitioned()) {
            Long[] oids = table.partitions().stream().map(Partition::oid).toArray(Long[]::new);
            for (Record column : tx.fetch(GENERATED, TableName.regclass(side), DSL.val(oids))) {
                differ("has partition " + column.get("name", String.class) + ", whose column "
                        + column.get("column_name", String.class) + " is generated: it takes no copy; DROP EXPRESSION");
            }
        }
        return differences;
    }

    private void differ(String difference) {
        differences.add(difference);
    }
}
