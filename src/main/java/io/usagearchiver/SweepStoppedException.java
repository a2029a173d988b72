package io.usagearchiver;

import org.jspecify.annotations.Nullable;

/** A sweep was asked to stop before its ledger row was open. It moved nothing and left no trace. */
public final class SweepStoppedException extends ArchiveException {
    private static final long serialVersionUID = 1;

    SweepStoppedException(Direction direction, String table, @Nullable Throwable cause) {
        super("A " + direction.word() + " of " + table + " was asked to stop before it began", cause);
    }
}
