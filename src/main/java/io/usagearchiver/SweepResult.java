package io.usagearchiver;

import java.time.Duration;
import java.time.LocalDateTime;
import java.util.List;

/**
 * What a sweep did, as its ledger row says: the counts were committed together with the rows, so they are exact.
 *
 * @param sweepId the ledger row
 * @param table the hot table, as {@code schema.table}
 * @param cutoff rows whose age is before this moment (naive UTC) were expired
 * @param stopReason why it stopped
 * @param rowsMoved rows inserted into the archive and deleted from the hot table
 * @param rowsAlreadyArchived rows deleted from the hot table because the archive held an identical copy already
 * @param rowsInConflict rows that stayed hot because the archive holds their key with other content
 * @param rowsRejected rows that stayed hot because the archive, or what refers to them, refused the move
 * @param batches transactions that were committed
 * @param elapsed from the opening of the ledger row to its closing
 * @param conflictingIds the keys of the first {@value #LISTED_IDS} rows in conflict, on one line and shortened if they are
 *     longer than 200 characters
 * @param rejectedIds the keys of the first {@value #LISTED_IDS} rejected rows, likewise
 */
public record SweepResult(
        long sweepId,
        String table,
        LocalDateTime cutoff,
        StopReason stopReason,
        long rowsMoved,
        long rowsAlreadyArchived,
        long rowsInConflict,
        long rowsRejected,
        long batches,
        Duration elapsed,
        List<String> conflictingIds,
        List<String> rejectedIds) {
    /** How many keys of rows that were kept back a result lists. */
    public static final int LISTED_IDS = 20;

    /** Copies the lists. */
    public SweepResult {
        conflictingIds = List.copyOf(conflictingIds);
        rejectedIds = List.copyOf(rejectedIds);
    }

    /** Whether rows that are expired had to stay hot, and will again until somebody resolves them. */
    public boolean keptRowsBack() {
        return rowsInConflict + rowsRejected > 0;
    }
}
