package io.usagearchiver.cli;

import io.usagearchiver.SweepResult;

/** How commands end; each tells in its help what that means for it. */
final class ExitCode {
    static final int DONE = 0;
    /** A fault: the database is down, or a statement failed. */
    static final int FAULT = 1;
    /** Bad usage or settings. Nothing was done. */
    static final int BAD_USAGE = 2;
    /** Not all of it was done: a sweep was stopped, or sums could not be compared. */
    static final int INCOMPLETE = 3;
    /** All of it was done, and there is something to look at: rows that were kept back, or findings. */
    static final int FINDINGS = 4;

    private ExitCode() {}

    /** What a sweep or a restore comes to. */
    static int of(SweepResult result) {
        return switch (result.stopReason()) {
            case DRAINED -> result.keptRowsBack() ? FINDINGS : DONE;
            case FAILED -> FAULT;
            default -> INCOMPLETE;
        };
    }
}
