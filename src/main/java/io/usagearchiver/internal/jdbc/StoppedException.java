package io.usagearchiver.internal.jdbc;

/** Thrown in place of a statement that would start when the time for it is over. */
public final class StoppedException extends RuntimeException {
    private static final long serialVersionUID = 1;

    public StoppedException() {
        super("asked to stop");
    }
}
