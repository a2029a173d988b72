package io.usagearchiver;

import org.jspecify.annotations.Nullable;

/** A sweep was asked to stop before its ledger row was open. It moved nothing and left no trace. */
public final class SweepStoppedException extends ArchiveException {
    private static final long serialVersionUID = 1;

    /** For the archiver. */
    public SweepStoppedException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
