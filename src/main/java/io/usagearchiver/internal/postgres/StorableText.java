package io.usagearchiver.internal.postgres;

import java.nio.charset.StandardCharsets;

/** What text PostgreSQL can store. */
public final class StorableText {
    private StorableText() {}

    /**
     * Sees that a text arrives at the database as it is.
     *
     * @throws IllegalArgumentException if not
     */
    public static void require(String name, String text) {
        if (text.indexOf('\0') >= 0 || !StandardCharsets.UTF_8.newEncoder().canEncode(text)) {
            throw new IllegalArgumentException(name + " " + text.replace('\0', '?')
                    + ": must not have a NUL character or half of a surrogate pair, which the database cannot store");
        }
    }
}
