package io.usagearchiver.cli.config;

import java.sql.SQLException;

/** What a fault comes from. */
public final class RootCause {
    private RootCause() {}

    /** The first line of what the innermost SQL exception says, or else the innermost cause: pools around it know less. */
    public static String message(Throwable fault) {
        Throwable root = fault;
        SQLException database = null;
        for (Throwable cause = fault; cause != null; cause = cause.getCause()) {
            root = cause;
            database = cause instanceof SQLException e ? e : database;
        }
        String message = database == null ? root.toString() : String.valueOf(database.getMessage());
        return message.lines().findFirst().orElse(root.toString());
    }
}
