package io.usagearchiver.internal.ledger;

/** A hold was set that the sweep has not read. The batch must be rolled back and the holds read again. */
public final class HoldsChangedException extends RuntimeException {
    private static final long serialVersionUID = 1;
}
