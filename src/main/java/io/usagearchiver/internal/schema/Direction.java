package io.usagearchiver.internal.schema;

import io.usagearchiver.ArchivePair;
import io.usagearchiver.SchemaDriftException;
import java.util.List;
import org.jooq.Table;

/** Which way rows go between the tables of a pair. The names are those in the ledger. */
public enum Direction {
    /** Expired rows from the hot table into the archive. */
    ARCHIVE("sweep", "Sweep", "archive"),
    /** Rows from the archive back into the hot table. */
    RESTORE("restore", "Restore", "hot table");

    private final String word;
    private final String title;
    private final String targetSide;

    Direction(String word, String title, String targetSide) {
        this.word = word;
        this.title = title;
        this.targetSide = targetSide;
    }

    /** The table that rows leave. */
    public Table<?> source(ArchivePair<?> pair) {
        return this == ARCHIVE ? pair.hot() : pair.archive();
    }

    /** The table that rows go into. */
    public Table<?> target(ArchivePair<?> pair) {
        return this == ARCHIVE ? pair.archive() : pair.hot();
    }

    /** What differences of the table that rows leave are told of. */
    String from() {
        return this == ARCHIVE ? "hot" : "archive";
    }

    /** What differences of the table that rows go into are told of. */
    String into() {
        return this == ARCHIVE ? "archive" : "hot";
    }

    /** What the table that rows go into is called. */
    public String targetSide() {
        return targetSide;
    }

    /** What a run in this direction is called within a sentence. */
    public String word() {
        return word;
    }

    /**
     * What is thrown when rows must not go this way.
     *
     * @param remains what stands all the same, behind the differences
     */
    public SchemaDriftException drift(String table, List<String> differences, String remains) {
        String head = this == ARCHIVE
                ? "Archival of " + table + " is disabled, because the database does not allow it:"
                : "No row of " + table + " can be restored, because the database does not allow it:";
        return new SchemaDriftException(head + "\n  - " + String.join("\n  - ", differences) + remains, differences);
    }

    /** What it is called at the beginning of one. */
    @Override
    public String toString() {
        return title;
    }
}
