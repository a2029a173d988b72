package io.usagearchiver;

import java.util.List;

/**
 * The database is not such that rows can be moved without loss, or as the settings ask, or there is a hold that cannot be
 * honoured. Nothing was moved since; a sweep that starts after the repair works without a restart.
 */
public final class SchemaDriftException extends ArchiveException {
    private static final long serialVersionUID = 1;

    private final List<String> differences;

    SchemaDriftException(Direction direction, String table, List<String> differences) {
        this(direction, table, differences, "");
    }

    /**
     * With what stands all the same.
     *
     * @param remains behind the differences
     */
    SchemaDriftException(Direction direction, String table, List<String> differences, String remains) {
        super(
                (direction == Direction.ARCHIVE
                                ? "Archival of " + table + " is disabled, because the database does not allow it:\n  - "
                                : "No row of " + table
                                        + " can be restored, because the database does not allow it:\n  - ")
                        + String.join("\n  - ", differences)
                        + remains,
                null);
        this.differences = List.copyOf(differences);
    }

    /** What is wrong, one sentence each, sorted. */
    public List<String> differences() {
        return differences;
    }
}
