package io.usagearchiver.cli;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jooq.DSLContext;

/**
 * One of the files of {@code sql/}, applied statement by statement: what stands already is left alone and not even
 * tried, since {@code CREATE … IF NOT EXISTS} asks for the right to create also where there is nothing to create.
 */
final class SqlScript {
    private static final Pattern TABLE = Pattern.compile("CREATE TABLE IF NOT EXISTS (\\S+).*");
    private static final Pattern INDEX =
            Pattern.compile("CREATE (?:UNIQUE )?INDEX IF NOT EXISTS (\\S+) ON (\\w+)\\..*");
    private static final Pattern GRANT = Pattern.compile("GRANT (.+) ON (SCHEMA )?(\\S+) TO (\\S+)");
    private static final Pattern PRIVILEGE = Pattern.compile("(\\w+)(?: \\((\\w+)\\))?");

    private final String name;
    private final List<String> statements;

    private SqlScript(String name, List<String> statements) {
        this.name = name;
        this.statements = statements;
    }

    /**
     * Reads a file of the class path's {@code sql/}.
     *
     * @param parameters values of psql's variables: as {@code :'name'} a literal, as {@code :"name"} an identifier
     */
    static SqlScript read(String name, Map<String, String> parameters) {
        String sql;
        try (InputStream in = SqlScript.class.getResourceAsStream("/sql/" + name)) {
            if (in == null) {
                throw new IllegalStateException("sql/" + name + " is not in the jar");
            }
            sql = new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        for (Map.Entry<String, String> parameter : parameters.entrySet()) {
            String value = parameter.getValue();
            sql = sql.replace(":'" + parameter.getKey() + "'", "'" + value.replace("'", "''") + "'")
                    .replace(":\"" + parameter.getKey() + "\"", "\"" + value.replace("\"", "\"\"") + "\"");
        }
        String withoutComments = sql.replaceAll("(?m)--.*$", "");
        return new SqlScript(
                name,
                Arrays.stream(withoutComments.split(";\\s*(\\n|$)"))
                        .map(statement -> statement.strip().replaceAll("\\s+", " "))
                        .filter(statement -> !statement.isEmpty())
                        .toList());
    }

    /** Applies what is missing. Returns what was done and what stood already, one line each. */
    List<String> apply(DSLContext tx) {
        List<String> done = new ArrayList<>();
        int standing = 0;
        for (String statement : statements) {
            if (stands(tx, statement)) {
                standing++;
            } else if (tx.connectionResult(connection -> {
                                try (var plain = connection.createStatement()) {
                                    plain.execute(statement);
                                    return plain.getUpdateCount();
                                }
                            })
                            != 0
                    || !statement.startsWith("INSERT")) {
                done.add("  " + statement.replaceAll(" \\(.*| VALUES.*| IF NOT EXISTS", ""));
            } else {
                standing++;
            }
        }
        done.add(0, name + ": " + done.size() + " applied, " + standing + " stood already");
        return done;
    }

    private static boolean stands(DSLContext tx, String statement) {
        Matcher table = TABLE.matcher(statement);
        if (table.matches()) {
            return exists(tx, table.group(1));
        }
        Matcher index = INDEX.matcher(statement);
        if (index.matches()) {
            return exists(tx, index.group(2) + "." + index.group(1));
        }
        Matcher grant = GRANT.matcher(statement);
        return grant.matches() && granted(tx, grant);
    }

    private static boolean exists(DSLContext tx, String relation) {
        return tx.fetchSingle("select to_regclass(?) is not null", relation).get(0, Boolean.class);
    }

    private static boolean granted(DSLContext tx, Matcher grant) {
        String role = grant.group(4).substring(1, grant.group(4).length() - 1).replace("\"\"", "\"");
        String object = grant.group(3);
        return Arrays.stream(grant.group(1).split(", ")).allMatch(text -> {
            Matcher privilege = PRIVILEGE.matcher(text);
            if (!privilege.matches()) {
                throw new IllegalStateException("not a privilege: " + text);
            }
            String column = privilege.group(2);
            if (grant.group(2) != null) {
                return tx.fetchSingle("select has_schema_privilege(?, ?, ?)", role, object, privilege.group(1))
                        .get(0, Boolean.class);
            }
            return column == null
                    ? tx.fetchSingle("select has_table_privilege(?, ?, ?)", role, object, privilege.group(1))
                            .get(0, Boolean.class)
                    : tx.fetchSingle(
                                    "select has_column_privilege(?, ?, ?, ?)", role, object, column, privilege.group(1))
                            .get(0, Boolean.class);
        });
    }
}
