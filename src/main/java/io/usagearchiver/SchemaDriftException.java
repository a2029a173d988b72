package io.usagearchiver;

import java.util.List;

/**
 * The database is not such that rows can be moved without loss, or as the settings ask, or there is a hold that cannot be
 * honoured. Nothing was moved since; a sweep that starts after the repair works without a restart.
 */
public final class SchemaDriftException extends ArchiveException {
    private static final long serialVersionUID = 1;

    private final List<String> differences;

    /** For the archiver. */
    public SchemaDriftException(String message, List<String> differences) {
        super(message, null);
        this.differences = List.copyOf(differences);
    }

    /** What is wrong, one sentence each, sorted. */
    public List<String> differences() {
        return differences;
    }
}
