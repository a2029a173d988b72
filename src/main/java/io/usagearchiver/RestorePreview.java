package io.usagearchiver;

import java.util.List;

/**
 * What a restore would do now.
 *
 * @param matching archived rows that match
 * @param identical those of them that the hot table holds already, identical: they would only be deleted from the archive
 * @param inConflict those of them whose key the hot table holds with other content: they would stay in the archive
 * @param conflictingIds the keys of the first {@value SweepResult#LISTED_IDS} rows in conflict
 */
public record RestorePreview(long matching, long identical, long inConflict, List<String> conflictingIds) {
    /** Copies the list. */
    public RestorePreview {
        conflictingIds = List.copyOf(conflictingIds);
    }

    /** Rows that would be inserted into the hot table. */
    public long restorable() {
        return matching - identical - inConflict;
    }
}
