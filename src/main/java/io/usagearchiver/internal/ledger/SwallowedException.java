package io.usagearchiver.internal.ledger;

/** An UPDATE has not found the row although it is there: nothing may be concluded from that. */
public final class SwallowedException extends RuntimeException {
    private static final long serialVersionUID = 1;

    SwallowedException(String message) {
        super(message);
    }
}
