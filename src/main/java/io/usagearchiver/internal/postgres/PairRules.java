package io.usagearchiver.internal.postgres;

import java.util.List;
import org.jooq.Table;
import org.jooq.TableField;

/** What a pair must be, as far as its generated code tells. */
public final class PairRules {
    private PairRules() {}

    /**
     * Sees that it is so.
     *
     * @throws IllegalArgumentException if not
     */
    public static void require(
            Table<?> hot,
            Table<?> archive,
            List<? extends TableField<?, ?>> key,
            List<? extends TableField<?, ?>> ages) {
        for (Table<?> table : List.of(hot, archive)) {
            if (table.getSchema() == null || table.getSchema().getName().isEmpty()) {
                throw new IllegalArgumentException(
                        "table " + table.getName() + " has no schema: generate it with its schema's name");
            }
        }
        if (TableName.qualified(hot).equals(TableName.qualified(archive))) {
            throw new IllegalArgumentException(
                    "table " + TableName.name(hot) + " is both hot table and archive: they must be two");
        }
        if (key.stream().map(TableField::getName).distinct().count() < key.size()) {
            throw new IllegalArgumentException("key of table " + hot.getName() + " has a column twice: "
                    + key.stream().map(TableField::getName).toList());
        }
        if (key.isEmpty()) {
            throw new IllegalArgumentException(
                    "key of table " + hot.getName() + " has no column: it must have one at least");
        }
        for (TableField<?, ?> age : ages) {
            if (NaiveUtc.kind(age.getDataType()) == NaiveUtc.Kind.OTHER) {
                throw new IllegalArgumentException("age column " + age.getName() + " of table " + hot.getName() + " is "
                        + PgType.name(age.getDataType()) + ": it must be timestamp, timestamptz or date");
            }
        }
        if (NaiveUtc.kinds(ages).size() > 1) {
            throw new IllegalArgumentException("age columns " + ages.get(0).getName() + " and "
                    + ages.get(1).getName() + " of table " + hot.getName()
                    + " are of different types: they must be of one");
        }
    }
}
