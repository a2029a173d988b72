package io.usagearchiver.internal.ledger;

import static io.usagearchiver.generated.Tables.USAGE_ARCHIVE_SWEEP;

import io.usagearchiver.generated.tables.UsageArchiveSweep;
import java.util.List;
import org.jooq.Field;
import org.jooq.Record;

/** What a run has committed, as its ledger row says. */
public record LedgerCounts(
        long batches, long rowsMoved, long rowsAlreadyThere, long rowsInConflict, long rowsRejected) {
    private static final UsageArchiveSweep L = USAGE_ARCHIVE_SWEEP;

    /** To be read of the row. */
    static final List<Field<Long>> FIELDS =
            List.of(L.BATCHES, L.ROWS_MOVED, L.ROWS_ALREADY_ARCHIVED, L.ROWS_IN_CONFLICT, L.ROWS_REJECTED);

    /** Of a record that has them. */
    static LedgerCounts of(Record row) {
        return new LedgerCounts(
                row.get(L.BATCHES),
                row.get(L.ROWS_MOVED),
                row.get(L.ROWS_ALREADY_ARCHIVED),
                row.get(L.ROWS_IN_CONFLICT),
                row.get(L.ROWS_REJECTED));
    }
}
