package io.usagearchiver;

/** Why a sweep stopped: the state in which its ledger row ends. */
public enum StopReason {
    /** No expired row is left, but for those counted as in conflict or rejected. */
    DRAINED,
    /** All that is left was locked by other sessions; the next sweep takes it. */
    ROWS_LOCKED,
    /** The sweep's time budget was used up. */
    TIME_BUDGET,
    /** The run window was over, or had not begun: then the sweep moved nothing, and let one that was RUNNING go on. */
    OUTSIDE_WINDOW,
    /** Someone asked it to stop. */
    INTERRUPTED,
    /** A newer sweep of the same table took over; this one moved nothing after that. */
    SUPERSEDED,
    /** A restore holds the table. */
    BUSY,
    /** A fault; the ledger row has its message. */
    FAILED
}
