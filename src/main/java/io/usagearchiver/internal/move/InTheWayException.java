package io.usagearchiver.internal.move;

/** Why a partition is not handed over: its rows are to move one by one. */
final class InTheWayException extends RuntimeException {
    private static final long serialVersionUID = 1;

    private final boolean ofLocks;

    /**
     * A reason.
     *
     * @param ofLocks whether it may well be none a little later
     */
    InTheWayException(String reason, boolean ofLocks) {
        super(reason);
        this.ofLocks = ofLocks;
    }

    boolean isOfLocks() {
        return ofLocks;
    }
}
