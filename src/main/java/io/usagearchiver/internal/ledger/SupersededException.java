package io.usagearchiver.internal.ledger;

/** A newer sweep has taken over. The batch must be rolled back and the sweep ends. */
public final class SupersededException extends RuntimeException {
    private static final long serialVersionUID = 1;
}
