package io.usagearchiver;

import org.jspecify.annotations.Nullable;

/** A fault of the archiver: the base of all that it throws, apart from {@link IllegalArgumentException}. */
public class ArchiveException extends RuntimeException {
    private static final long serialVersionUID = 1;

    /** With a message that says what to do, and the cause if there is one. */
    public ArchiveException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
