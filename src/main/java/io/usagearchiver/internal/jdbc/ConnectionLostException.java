package io.usagearchiver.internal.jdbc;

import io.usagearchiver.ArchiveException;
import io.usagearchiver.internal.postgres.ServerMessage;
import java.sql.SQLException;

/** A session's connection is gone, and there is no other to be had yet. */
public final class ConnectionLostException extends ArchiveException {
    private static final long serialVersionUID = 1;

    ConnectionLostException(Exception cause) {
        super(message(cause), cause);
    }

    /** Says what the database said; a pool keeps that to its causes, and where it says nothing it may be the pool. */
    static String message(Exception fault) {
        for (Throwable cause = fault; cause != null; cause = cause.getCause()) {
            if (cause instanceof SQLException told && told.getSQLState() != null) {
                return "No connection to the database: " + ServerMessage.of(told);
            }
        }
        return "No connection to the database (is it down, or are all of the data source's connections in use?): "
                + fault.getMessage();
    }
}
