package io.usagearchiver.cli;

import io.usagearchiver.ArchiveException;
import io.usagearchiver.cli.config.RootCause;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.sql.ResultSet;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jooq.DSLContext;
import org.jooq.exception.DataAccessException;
import org.jspecify.annotations.Nullable;

/**
 * One of the files of {@code sql/}, applied statement by statement. What stands already is not even tried: {@code IF NOT
 * EXISTS} asks for the right to create also where there is nothing to create, and a grant for the right to grant.
 *
 * <p>The transaction and its search path are the caller's, who has to keep objects of others off it.
 */
final class SqlScript {
    /** What is missing is told by a query, as statements. */
    private static final Pattern MISSING = Pattern.compile(
            "DO \\$\\$ DECLARE missing text; BEGIN FOR missing IN (.+) LOOP EXECUTE missing; END LOOP; END \\$\\$");

    private static final String WITHOUT_QUOTES = "[^$]*+(?:\\$(?!\\$)[^$]*+)*+";
    /** Not within a function. */
    private static final Pattern END = Pattern.compile(
            ";(?=(?:" + WITHOUT_QUOTES + "\\$\\$" + WITHOUT_QUOTES + "\\$\\$)*+" + WITHOUT_QUOTES + "\\z)");

    private static final Pattern INSERT = Pattern.compile("INSERT INTO (\\S+) .*");
    /** What a file does about the transaction and the search path. */
    private static final Pattern CALLERS_PART = Pattern.compile("BEGIN|COMMIT|SELECT pg_catalog\\.set_config\\(.*");

    private static final Pattern PARAMETER = Pattern.compile(":(['\"])(\\w+)\\1");

    private static final String INSUFFICIENT_PRIVILEGE = "42501";

    private final String name;
    private final List<String> statements;
    private final Map<String, String> parameters;
    private final StandingObjects standing;

    private SqlScript(String name, List<String> statements, Map<String, String> parameters) {
        this.name = name;
        this.statements = statements;
        this.parameters = parameters;
        this.standing = new StandingObjects(parameters.getOrDefault("role", ""));
    }

    /**
     * Reads a file of the class path's {@code sql/}.
     *
     * @param parameters values of psql's variables: as {@code :'name'} a literal, as {@code :"name"} an identifier
     */
    static SqlScript read(String name, Map<String, String> parameters) {
        try (InputStream in = SqlScript.class.getResourceAsStream("/sql/" + name)) {
            if (in == null) {
                throw new IllegalStateException("sql/" + name + " is not in the jar");
            }
            String sql = new String(in.readAllBytes(), StandardCharsets.UTF_8).replaceAll("(?m)--.*$", "");
            List<String> statements = END.splitAsStream(sql)
                    .map(statement -> statement.strip().replaceAll("\\s+", " "))
                    .filter(statement -> !statement.isEmpty()
                            && !CALLERS_PART.matcher(statement).matches())
                    .toList();
            return new SqlScript(name, statements, parameters);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** This one without the statements that name an object. */
    SqlScript without(String object) {
        return new SqlScript(
                name, statements.stream().filter(sql -> !sql.contains(object)).toList(), parameters);
    }

    /** This one with another text in the place of one that is in it. */
    SqlScript replacing(String text, String by) {
        return new SqlScript(
                name, statements.stream().map(sql -> sql.replace(text, by)).toList(), parameters);
    }

    /** The statements that the queries of this one tell as missing. */
    List<String> missing(DSLContext tx) {
        return statements.stream()
                .map(MISSING::matcher)
                .filter(Matcher::matches)
                .flatMap(missing -> query(tx, missing.group(1)).stream())
                .toList();
    }

    /**
     * Applies what is missing. A function or view that is there and that this role may not replace stays as it is: it goes
     * to the hot table's owner, and the rest does not depend on it. Returns what was done and how much stood already, line
     * by line.
     */
    List<String> apply(DSLContext tx) {
        List<String> lines = new ArrayList<>();
        int standing = 0;
        int left = 0;
        for (String statement : statements) {
            try {
                // Nested: behind a savepoint, so that the transaction survives.
                List<String> applied = tx.transactionResult(nested -> apply(nested.dsl(), statement));
                applied.forEach(done -> lines.add("  " + done));
                standing += applied.isEmpty() ? 1 : 0;
            } catch (ArchiveException e) {
                Replacement replacement = Replacement.of(statement);
                if (replacement == null || !isForbidden(e.getCause())) {
                    throw e;
                }
                String owner = replacement.owner(tx);
                if (owner == null) {
                    throw e;
                }
                left++;
                lines.add("  not replaced: " + replacement.object() + " belongs to " + owner + "; apply sql/" + name
                        + " as that role or as a superuser (" + RootCause.message(e) + ")");
            }
        }
        lines.add(
                0,
                name + ": " + (statements.size() - standing - left) + " applied, " + standing + " stood already"
                        + (left > 0 ? ", " + left + " not replaced" : ""));
        return lines;
    }

    /** Returns what was done, in a few words. */
    private List<String> apply(DSLContext tx, String statement) {
        Matcher missing = MISSING.matcher(statement);
        if (missing.matches()) {
            List<String> parts = query(tx, missing.group(1));
            parts.forEach(part -> execute(tx, part));
            return described(parts);
        }
        String sql = withParameters(statement);
        boolean effect = !standing.includes(tx, statement)
                && (execute(tx, sql) > 0 || !INSERT.matcher(statement).matches());
        return effect ? List.of(describe(sql)) : List.of();
    }

    private static List<String> query(DSLContext tx, String sql) {
        return tx.connectionResult(connection -> {
            List<String> values = new ArrayList<>();
            try (Statement plain = connection.createStatement();
                    ResultSet rows = plain.executeQuery(sql)) {
                while (rows.next()) {
                    values.add(rows.getString(1));
                }
            }
            return values;
        });
    }

    /** What statements do, each in a few words. */
    static List<String> described(List<String> statements) {
        return statements.stream()
                .filter(sql -> !sql.startsWith("COMMENT"))
                .map(SqlScript::describe)
                .toList();
    }

    /** Returns the number of rows. */
    static int execute(DSLContext tx, String sql) {
        try {
            return tx.connectionResult(connection -> {
                try (Statement plain = connection.createStatement()) {
                    return plain.executeUpdate(sql);
                }
            });
        } catch (DataAccessException e) {
            String hint = isForbidden(e) ? "; --data-source names one whose role may, such as the owner's" : "";
            throw new ArchiveException(describe(sql) + ": " + RootCause.message(e) + hint, e);
        }
    }

    private static boolean isForbidden(@Nullable Throwable fault) {
        return fault instanceof DataAccessException refused && INSUFFICIENT_PRIVILEGE.equals(refused.sqlState());
    }

    /** What a statement does, in a few words. */
    private static String describe(String statement) {
        String sql = statement.replaceAll("\\s+", " ");
        if (StandingObjects.CHECK.matcher(sql).matches()) {
            return sql.replaceAll(" DROP CONSTRAINT.*, ADD (CONSTRAINT \\w+) .*", " REPLACE $1");
        }
        if (sql.startsWith("GRANT") || sql.startsWith("REVOKE") || sql.startsWith("ALTER FUNCTION")) {
            return sql;
        }
        Replacement replacement = Replacement.of(sql);
        if (replacement != null) {
            return replacement.toString();
        }
        Matcher column = StandingObjects.COLUMN.matcher(sql);
        return column.matches()
                ? "ALTER TABLE " + column.group(1) + " ADD COLUMN " + column.group(2)
                : sql.replaceAll(" IF NOT EXISTS| FOR VALUES FROM \\(.*| \\(.*", "");
    }

    private String withParameters(String statement) {
        return PARAMETER.matcher(statement).replaceAll(parameter -> {
            String quote = parameter.group(1);
            String value = Objects.requireNonNull(parameters.get(parameter.group(2)), parameter.group());
            return Matcher.quoteReplacement(quote + value.replace(quote, quote + quote) + quote);
        });
    }
}
