package io.usagearchiver;

/** A session's connection is gone, and there is no other to be had yet. */
final class ConnectionLostException extends ArchiveException {
    private static final long serialVersionUID = 1;

    ConnectionLostException(String message, Exception cause) {
        super(message, cause);
    }
}
