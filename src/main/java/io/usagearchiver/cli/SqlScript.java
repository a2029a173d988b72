package io.usagearchiver.cli;

import io.usagearchiver.ArchiveException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jooq.Condition;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.exception.DataAccessException;
import org.jooq.impl.DSL;

/**
 * One of the files of {@code sql/}, applied statement by statement. What stands already is not even tried: {@code IF NOT
 * EXISTS} asks for the right to create also where there is nothing to create, and a grant for the right to grant.
 */
final class SqlScript {
    // The statements of sql/, white space folded. Anything else there is executed each time.
    private static final Pattern TABLE = Pattern.compile("CREATE TABLE IF NOT EXISTS (\\S+) .*");
    private static final Pattern INDEX =
            Pattern.compile("CREATE (?:UNIQUE )?INDEX IF NOT EXISTS (\\w+) ON (\\w+)\\.\\w+ .*");
    private static final Pattern CHECK =
            Pattern.compile("ALTER TABLE (\\S+) DROP CONSTRAINT IF EXISTS (\\w+), ADD CONSTRAINT \\2 CHECK"
                    + " \\((.+)\\)(?: NOT VALID)?");
    private static final Pattern LITERAL = Pattern.compile("'[^']*'");
    private static final Pattern FUNCTION = Pattern.compile("CREATE OR REPLACE FUNCTION ([\\w.]+)\\(.*");
    /** Not within a function. */
    private static final Pattern END = Pattern.compile(";(?=(?:[^$]*\\$\\$[^$]*\\$\\$)*[^$]*$)");

    private static final Pattern VIEW = Pattern.compile("CREATE OR REPLACE VIEW (\\S+) .*");
    private static final Pattern COLUMN = Pattern.compile("ALTER TABLE (\\S+) ADD COLUMN IF NOT EXISTS (\\w+) .*");
    private static final Pattern GRANT = Pattern.compile("GRANT (.+) ON (SCHEMA )?(\\S+) TO :\"role\"");
    private static final Pattern INSERT = Pattern.compile("INSERT INTO (\\S+) .*");
    private static final Pattern PRIVILEGE = Pattern.compile("(\\w+)(?: \\((\\w+)\\))?");
    private static final Pattern PARAMETER = Pattern.compile(":(['\"])(\\w+)\\1");

    private static final String INSUFFICIENT_PRIVILEGE = "42501";

    private final String name;
    private final List<String> statements;
    private final Map<String, String> parameters;

    private SqlScript(String name, List<String> statements, Map<String, String> parameters) {
        this.name = name;
        this.statements = statements;
        this.parameters = parameters;
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
                    .filter(statement -> !statement.isEmpty())
                    .toList();
            return new SqlScript(name, statements, parameters);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Applies what is missing. Returns what was done and how much stood already, line by line. */
    List<String> apply(DSLContext tx) {
        List<String> lines = new ArrayList<>();
        for (String statement : statements) {
            if (!stands(tx, statement) && execute(tx, statement)) {
                lines.add("  " + describe(statement));
            }
        }
        int standing = statements.size() - lines.size();
        lines.add(0, name + ": " + lines.size() + " applied, " + standing + " stood already");
        return lines;
    }

    private boolean stands(DSLContext tx, String statement) {
        Matcher table = TABLE.matcher(statement);
        if (table.matches()) {
            return exists(tx, table.group(1));
        }
        Matcher function = FUNCTION.matcher(statement);
        if (function.matches()) {
            return holds(tx, DSL.condition("to_regproc({0}) is not null", DSL.val(function.group(1))));
        }
        Matcher view = VIEW.matcher(statement);
        if (view.matches()) {
            return exists(tx, view.group(1));
        }
        Matcher index = INDEX.matcher(statement);
        if (index.matches()) {
            return exists(tx, index.group(2) + "." + index.group(1));
        }
        Matcher check = CHECK.matcher(statement);
        if (check.matches()) {
            // Each definition has the empty text in it: without a value, that there is such a constraint is enough.
            return Stream.concat(
                            Stream.of(""),
                            LITERAL.matcher(check.group(3)).results().map(MatchResult::group))
                    .allMatch(literal -> checks(tx, check, literal));
        }
        Matcher column = COLUMN.matcher(statement);
        if (column.matches()) {
            return hasColumn(tx, column.group(1), column.group(2));
        }
        Matcher grant = GRANT.matcher(statement);
        return grant.matches() && granted(tx, grant.group(1).split(", "), grant.group(2) != null, grant.group(3));
    }

    private static boolean exists(DSLContext tx, String relation) {
        return holds(tx, DSL.condition("to_regclass({0}) is not null", DSL.val(relation)));
    }

    /** Whether the constraint that a statement replaces is there, and knows a value of its list. */
    private static boolean checks(DSLContext tx, Matcher check, String literal) {
        return holds(
                tx,
                DSL.condition(
                        "exists (select from pg_catalog.pg_constraint where conrelid = to_regclass({0}) and conname = {1}"
                                + " and position({2} in pg_get_constraintdef(oid)) > 0)",
                        DSL.val(check.group(1)), DSL.val(check.group(2)), DSL.val(literal)));
    }

    private static boolean hasColumn(DSLContext tx, String table, String column) {
        return holds(
                tx,
                DSL.condition(
                        "exists (select from pg_catalog.pg_attribute where attrelid = to_regclass({0})"
                                + " and attname = {1} and not attisdropped)",
                        DSL.val(table), DSL.val(column)));
    }

    private boolean granted(DSLContext tx, String[] privileges, boolean schema, String object) {
        return Arrays.stream(privileges).allMatch(text -> {
            Matcher privilege = PRIVILEGE.matcher(text);
            if (!privilege.matches()) {
                throw new IllegalStateException(name + ": not a privilege: " + text);
            }
            List<Field<?>> arguments = new ArrayList<>(List.of(DSL.val(parameters.get("role")), DSL.val(object)));
            String column = privilege.group(2);
            if (column != null) {
                arguments.add(DSL.val(column));
            }
            arguments.add(DSL.val(privilege.group(1)));
            String of = column != null ? "column" : schema ? "schema" : "table";
            return holds(tx, DSL.condition("has_" + of + "_privilege({0})", DSL.list(arguments)));
        });
    }

    private static boolean holds(DSLContext tx, Condition condition) {
        return tx.fetchExists(DSL.selectOne().where(condition));
    }

    /** Returns whether it did anything. */
    private boolean execute(DSLContext tx, String statement) {
        try {
            int rows = tx.connectionResult(connection -> {
                try (Statement plain = connection.createStatement()) {
                    return plain.executeUpdate(withParameters(statement));
                }
            });
            return rows > 0 || !INSERT.matcher(statement).matches();
        } catch (DataAccessException e) {
            String hint = INSUFFICIENT_PRIVILEGE.equals(e.sqlState())
                    ? "; --data-source names one whose role may, such as the owner's"
                    : "";
            throw new ArchiveException(describe(statement) + ": " + FaultReport.rootMessage(e) + hint, e);
        }
    }

    /** What a statement does, in a few words. */
    private String describe(String statement) {
        String text = withParameters(statement);
        if (CHECK.matcher(text).matches()) {
            return text.replaceAll(" DROP CONSTRAINT.*, ADD (CONSTRAINT \\w+) .*", " REPLACE $1");
        }
        if (text.startsWith("GRANT")) {
            return text;
        }
        Matcher function = FUNCTION.matcher(text);
        if (function.matches()) {
            return "CREATE FUNCTION " + function.group(1);
        }
        Matcher view = VIEW.matcher(text);
        if (view.matches()) {
            return "CREATE VIEW " + view.group(1);
        }
        Matcher column = COLUMN.matcher(text);
        return column.matches()
                ? "ALTER TABLE " + column.group(1) + " ADD COLUMN " + column.group(2)
                : text.replaceAll(" IF NOT EXISTS| \\(.*", "");
    }

    private String withParameters(String statement) {
        return PARAMETER.matcher(statement).replaceAll(parameter -> {
            String quote = parameter.group(1);
            String value = Objects.requireNonNull(parameters.get(parameter.group(2)), parameter.group());
            return Matcher.quoteReplacement(quote + value.replace(quote, quote + quote) + quote);
        });
    }
}
