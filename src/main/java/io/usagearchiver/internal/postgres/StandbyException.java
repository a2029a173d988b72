package io.usagearchiver.internal.postgres;

import org.jooq.exception.DataAccessException;

/** A standby was asked to write. */
public final class StandbyException extends DataAccessException {
    private static final long serialVersionUID = 1;

    public StandbyException(RuntimeException cause) {
        super(String.valueOf(cause.getMessage()), cause);
    }
}
