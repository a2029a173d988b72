package io.usagearchiver.cli;

/** Something in the configuration file or on the command line is wrong. The message says what, where and what is allowed. */
final class BadSettingsException extends RuntimeException {
    private static final long serialVersionUID = 1;

    BadSettingsException(String message) {
        super(message);
    }
}
