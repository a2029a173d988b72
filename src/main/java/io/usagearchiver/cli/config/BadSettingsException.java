package io.usagearchiver.cli.config;

/** Something in the configuration file or on the command line is wrong. The message says what, where and what is allowed. */
public final class BadSettingsException extends RuntimeException {
    private static final long serialVersionUID = 1;

    public BadSettingsException(String message) {
        super(message);
    }
}
