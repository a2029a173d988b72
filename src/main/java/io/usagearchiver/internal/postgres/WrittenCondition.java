package io.usagearchiver.internal.postgres;

import java.util.HashSet;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jooq.Condition;
import org.jooq.impl.CustomCondition;
import org.jspecify.annotations.Nullable;

/**
 * A condition that people write in SQL. It goes into statements as it stands, in parentheses of its own: so nothing in it may
 * end these, or hide what follows, and jOOQ, the driver and PostgreSQL must all see the same ends of its texts. Whether it is
 * an expression that gives a boolean, PostgreSQL tells.
 */
public final class WrittenCondition {
    /** A text or a name in quotes, one in no quotes, or a single character. Within quotes, two of them stand for one. */
    private static final Pattern TOKEN = Pattern.compile(
            "'[^']*'|\"((?:[^\"]|\"\")*)\"|([\\p{L}_][\\p{L}\\p{N}_$]*)|[\\d.]+|--|/\\*|::|.", Pattern.DOTALL);

    private WrittenCondition() {}

    /**
     * Sees that it can stand within a statement.
     *
     * @return the same
     * @throws IllegalArgumentException that says what it must be, if not
     */
    public static String require(String sql) {
        if (sql.isBlank() || sql.indexOf('\0') >= 0) {
            throw new IllegalArgumentException("must be an SQL condition on the hot table's columns");
        }
        int open = 0;
        Matcher token = TOKEN.matcher(sql);
        while (token.find()) {
            String found = token.group();
            open += found.equals("(") ? 1 : found.equals(")") ? -1 : 0;
            if (open < 0) {
                throw new IllegalArgumentException("has a ) that nothing has opened");
            }
            String refused = refused(found, token.end() < sql.length() ? sql.charAt(token.end()) : ' ');
            if (refused != null) {
                throw new IllegalArgumentException("must be one SQL condition without " + refused);
            }
        }
        if (open > 0) {
            throw new IllegalArgumentException("has a ( that nothing closes");
        }
        return sql;
    }

    private static @Nullable String refused(String token, char next) {
        return switch (token) {
            case ";" -> "; outside of a text";
            case "--", "/*" -> "comments";
            case "'", "\"" -> "a " + token + " that nothing closes";
            case "$" -> "$: write texts in single quotes";
            case "{", "}" -> token + " outside of a text";
            case "?" -> "? outside of a text: write the function of the operator, such as jsonb_exists(column, 'key')";
            case ":" ->
                Character.isJavaIdentifierPart(next)
                        ? "a : before a name or a number: leave a space between them"
                        : null;
            default -> next == '\'' && token.equalsIgnoreCase("e") ? "texts like E'': write '' alone" : null;
        };
    }

    /** As a condition, which has passed {@link #require}. */
    public static Condition of(String sql) {
        // On lines of their own, and as they are: jOOQ would indent the lines of a text.
        return CustomCondition.of(context -> context.sql("(\n" + sql + "\n)", true));
    }

    /** The names in it, as a column may have them. */
    public static Set<String> names(String sql) {
        Set<String> names = new HashSet<>();
        Matcher token = TOKEN.matcher(sql);
        while (token.find()) {
            if (token.group(1) != null) {
                names.add(token.group(1).replace("\"\"", "\""));
            } else if (token.group(2) != null) {
                names.add(WrittenName.lowerCase(token.group(2)));
            }
        }
        return names;
    }
}
