package io.usagearchiver.internal.postgres;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Names as people write them in SQL: in quotes as they are, else in lower case. A name that is told to people is written
 * without quotes where it can be.
 */
public final class WrittenName {
    /** What PostgreSQL, as it is built everywhere, cuts longer names to: bytes in UTF-8. */
    public static final int MOST_BYTES = 63;

    private static final String PART = "\\s*(?:\"([^\"\\x00]*(?:\"\"[^\"\\x00]*)*)\"|([\\p{L}_][\\p{L}\\p{N}_$]*))\\s*";
    private static final Pattern NAME = Pattern.compile(PART);
    private static final Pattern PARTS = Pattern.compile(PART + "(?:[.]" + PART + ")*");
    private static final Pattern LIST = Pattern.compile(PART + "(?:," + PART + ")*");

    private WrittenName() {}

    /**
     * The parts of a name that has dots, such as that of a table with its schema.
     *
     * @throws IllegalArgumentException that says what it must be, if it is none
     */
    public static List<String> parts(String text) {
        return read(text, PARTS, "a name");
    }

    /**
     * Names with commas between them.
     *
     * @throws IllegalArgumentException that says what they must be, if they are none
     */
    public static List<String> list(String text) {
        return read(text, LIST, "names, separated by commas,");
    }

    private static List<String> read(String text, Pattern form, String what) {
        if (!form.matcher(text).matches()) {
            throw new IllegalArgumentException(
                    "must be " + what + " as in SQL: of letters, digits and _, or else in double quotes");
        }
        return NAME.matcher(text)
                .results()
                .map(part -> name(part.group(1), part.group(2)))
                .toList();
    }

    private static String name(@Nullable String quoted, String plain) {
        String name = quoted != null ? quoted.replace("\"\"", "\"") : lowerCase(plain);
        if (name.isEmpty()) {
            throw new IllegalArgumentException("must not be empty");
        }
        if (name.getBytes(StandardCharsets.UTF_8).length > MOST_BYTES) {
            throw new IllegalArgumentException(
                    "must not be longer than " + MOST_BYTES + " bytes, which is the most that PostgreSQL takes");
        }
        return name;
    }

    /** As PostgreSQL does in a database of UTF-8. */
    static String lowerCase(String plain) {
        StringBuilder lower = new StringBuilder(plain);
        for (int i = 0; i < lower.length(); i++) {
            char letter = lower.charAt(i);
            if (letter >= 'A' && letter <= 'Z') {
                lower.setCharAt(i, (char) (letter + 'a' - 'A'));
            }
        }
        return lower.toString();
    }
}
