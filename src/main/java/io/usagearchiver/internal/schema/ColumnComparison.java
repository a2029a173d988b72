package io.usagearchiver.internal.schema;

import java.util.ArrayList;
import java.util.List;

/** Compares the columns of the table that gives rows away with those of the table that takes them. */
final class ColumnComparison {
    private final List<String> key;
    private final TableMetadata source;
    private final TableMetadata target;
    private final String sourceSide;
    private final String targetSide;
    private final List<String> differences = new ArrayList<>();

    /**
     * The comparison of two tables.
     *
     * @param key the columns of their key
     */
    ColumnComparison(List<String> key, Direction direction, TableMetadata source, TableMetadata target) {
        this.key = key;
        this.source = source;
        this.target = target;
        this.sourceSide = direction.from();
        this.targetSide = direction.into();
    }

    /** One sentence each. */
    List<String> differences() {
        String from = " (" + sourceSide + ": ";
        for (TableMetadata.Column column : source.columns().values()) {
            TableMetadata.Column twin = target.columns().get(column.name());
            if (twin == null) {
                differ(targetSide, target, "lacks column " + column.name() + from + column.type() + ")");
            } else if (!twin.type().equals(column.type())) {
                differ(
                        targetSide,
                        target,
                        "column " + column.name() + " is " + twin.type() + from + column.type() + ")");
            } else if (isKey(column) && !twin.collation().equals(column.collation())) {
                differ(
                        targetSide,
                        target,
                        "column " + column.name() + " has the collation " + twin.collation() + from + column.collation()
                                + "), and keys cannot be compared");
            } else if (twin.notNull() && !column.notNull()) {
                differ(targetSide, target, "column " + column.name() + " is NOT NULL" + from + "null allowed)");
            }
        }
        for (TableMetadata.Column column : target.columns().values()) {
            if (!source.columns().containsKey(column.name())) {
                differ(
                        sourceSide,
                        source,
                        "lacks column " + column.name() + " (" + targetSide + ": " + column.type() + ")");
            }
        }
        return differences;
    }

    private boolean isKey(TableMetadata.Column column) {
        return key.contains(column.name());
    }

    private void differ(String side, TableMetadata table, String difference) {
        differences.add(side + " " + table.name() + " " + difference);
    }
}
