package io.usagearchiver.internal.ledger;

import static io.usagearchiver.generated.Tables.USAGE_ARCHIVE_SWEEP;

import io.usagearchiver.internal.postgres.TableName;

/** An UPDATE has not found the row although it is there: nothing may be concluded from that. */
public final class SwallowedException extends RuntimeException {
    private static final long serialVersionUID = 1;

    SwallowedException(long sweepId) {
        super("an UPDATE of row " + sweepId + " of " + TableName.name(USAGE_ARCHIVE_SWEEP)
                + ", which is RUNNING, changed no row: something swallows it that the schema check does not know");
    }
}
