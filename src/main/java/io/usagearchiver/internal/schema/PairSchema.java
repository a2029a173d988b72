package io.usagearchiver.internal.schema;

import static io.usagearchiver.generated.Tables.USAGE_ARCHIVE_BASELINE;
import static io.usagearchiver.generated.Tables.USAGE_ARCHIVE_HOLD;
import static io.usagearchiver.generated.Tables.USAGE_ARCHIVE_SWEEP;

import io.usagearchiver.ArchivePair;
import io.usagearchiver.internal.postgres.TableName;
import java.util.List;
import org.jooq.Condition;
import org.jooq.Field;
import org.jooq.Table;
import org.jooq.impl.DSL;

/**
 * What the live tables were like when the schema check passed them. All their columns are moved, also those that the
 * generated code does not know.
 *
 * @param pair the tables, the types of whose columns are known: not by names alone
 * @param table the hot table's canonical name, {@code schema.table}
 * @param columnNames the columns, which both tables have
 * @param fingerprint of the tables; another one means that one was altered
 */
public record PairSchema(ArchivePair<?> pair, String table, List<String> columnNames, String fingerprint) {
    /** The columns as fields of one of the two tables, always in the same order. */
    public List<Field<Object>> columns(Table<?> side) {
        return columnNames.stream()
                .map(name -> DSL.field(TableName.qualified(side).append(name)))
                .toList();
    }

    /**
     * That two tables' rows are the same. Compares row images, not values: {@code =} knows rows as equal that are not the
     * same (1.0 and 1.00, or text under a collation that ignores case), and some types have no {@code =}.
     */
    public Condition identical(Table<?> side, Table<?> other) {
        return DSL.condition(
                "cast(row({0}) as record) *= cast(row({1}) as record)",
                DSL.list(columns(side)), DSL.list(columns(other)));
    }

    /**
     * The fingerprint of all tables that a move of a pair's rows depends on, as a subquery.
     *
     * @see TableMetadata
     */
    public static Field<String> liveFingerprint(ArchivePair<?> pair) {
        return TableFacts.fingerprint(tables(pair));
    }

    /** The hot table, its archive, and the archiver's own tables. */
    static List<Table<?>> tables(ArchivePair<?> pair) {
        return List.of(pair.hot(), pair.archive(), USAGE_ARCHIVE_SWEEP, USAGE_ARCHIVE_HOLD, USAGE_ARCHIVE_BASELINE);
    }

    /**
     * Sees that the tables are as they were when they were checked.
     *
     * @throws ChangedException if not
     */
    public void requireUnchanged(String live) {
        if (!live.equals(fingerprint)) {
            throw new ChangedException();
        }
    }

    /** The tables are not those that the schema check saw. The batch must be rolled back and the check repeated. */
    public static final class ChangedException extends RuntimeException {
        private static final long serialVersionUID = 1;
    }
}
