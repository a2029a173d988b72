package io.usagearchiver;

/** A newer sweep has taken over. The batch must be rolled back and the sweep ends. */
final class SupersededException extends RuntimeException {
    private static final long serialVersionUID = 1;
}
