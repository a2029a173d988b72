package io.usagearchiver.internal.postgres;

import java.sql.SQLException;
import org.jspecify.annotations.Nullable;

/**
 * What the server said of a fault, without what it tells of a row's content. Read without the driver's classes, which are the
 * host's, and without its words, which depend on its language.
 */
public final class ServerMessage {
    private ServerMessage() {}

    /** Whether the server said it, and not the driver or the pool. */
    public static boolean isIn(SQLException fault) {
        return call(fault, "getServerErrorMessage") != null;
    }

    /** What the server said first, in one line; where it was not the server that said it, the first line. */
    public static String of(SQLException fault) {
        Object server = call(fault, "getServerErrorMessage");
        if (server != null && call(server, "getMessage") instanceof String primary) {
            String line = primary.strip().replaceAll("\\s*\\R\\s*", " ");
            return call(server, "getSeverity") instanceof String severity ? severity + ": " + line : line;
        }
        return String.valueOf(fault.getMessage())
                .strip()
                .lines()
                .findFirst()
                .orElse("")
                .strip();
    }

    private static @Nullable Object call(Object target, String method) {
        try {
            return target.getClass().getMethod(method).invoke(target);
        } catch (ReflectiveOperationException | RuntimeException e) {
            return null;
        }
    }
}
