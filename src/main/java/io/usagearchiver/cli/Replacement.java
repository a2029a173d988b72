package io.usagearchiver.cli;

import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Statement;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jooq.DSLContext;
import org.jspecify.annotations.Nullable;

/** A {@code CREATE OR REPLACE} of a function or a view in {@code public}. */
record Replacement(String kind, String name, String definition) {
    private static final Pattern STATEMENT = Pattern.compile("CREATE OR REPLACE (FUNCTION|VIEW) public\\.(\\w+)(.*)");

    /** That a function and its twin are the same, whatever comments and white space they have. */
    private static final String SAME_FUNCTION = """
            select from pg_catalog.pg_proc p join pg_catalog.pg_proc twin using (proname, proargtypes, prosecdef, provolatile,
              prolang, proretset, prorettype)
            where proname = '%s' and p.pronamespace = 'public'::regnamespace and twin.pronamespace = pg_my_temp_schema()
              and p.proargnames is not distinct from twin.proargnames
              and p.proallargtypes is not distinct from twin.proallargtypes
              and p.proconfig is not distinct from twin.proconfig
              and regexp_replace(regexp_replace(p.prosrc, '--[^\\n]*', '', 'g'), '\\s+', ' ', 'g')
                = regexp_replace(regexp_replace(twin.prosrc, '--[^\\n]*', '', 'g'), '\\s+', ' ', 'g')""";

    private static final String SAME_VIEW = """
            select from pg_catalog.pg_class v join pg_catalog.pg_class twin using (relname, relkind)
            where relname = '%s' and v.relnamespace = 'public'::regnamespace and twin.relnamespace = pg_my_temp_schema()
              and relkind = 'v' and pg_get_viewdef(v.oid) = pg_get_viewdef(twin.oid)""";

    private static final String FUNCTION_OWNER = "select pg_get_userbyid(proowner) from pg_catalog.pg_proc"
            + " where pronamespace = 'public'::regnamespace and proname = ?";

    private static final String VIEW_OWNER = "select pg_get_userbyid(relowner) from pg_catalog.pg_class"
            + " where relnamespace = 'public'::regnamespace and relname = ?";

    /** What a statement, white space folded, replaces; null if it is another one. */
    static @Nullable Replacement of(String statement) {
        Matcher parts = STATEMENT.matcher(statement);
        return parts.matches() ? new Replacement(parts.group(1), parts.group(2), parts.group(3)) : null;
    }

    /**
     * Whether what the statement would make is what is there. It makes a twin for a moment, where nobody else sees it: so an
     * older version is told from this one, and a view that was made under another search path, too. Where no twin can be
     * made, it has to be replaced.
     */
    boolean stands(DSLContext tx) {
        String same = kind.equals("VIEW") ? SAME_VIEW : SAME_FUNCTION;
        return tx.connectionResult(connection -> {
            Savepoint before = connection.setSavepoint();
            try (Statement plain = connection.createStatement()) {
                plain.execute("CREATE " + kind + " pg_temp." + name + definition);
                try (ResultSet found = plain.executeQuery(same.formatted(name))) {
                    return found.next();
                }
            } catch (SQLException e) {
                return false;
            } finally {
                connection.rollback(before);
            }
        });
    }

    /** Whose the one that is there is; null if there is none. */
    @Nullable
    String owner(DSLContext tx) {
        return tx.resultQuery(kind.equals("VIEW") ? VIEW_OWNER : FUNCTION_OWNER, name)
                .fetchAny(0, String.class);
    }

    String object() {
        return kind.toLowerCase(Locale.ROOT) + " public." + name;
    }

    @Override
    public String toString() {
        return "CREATE OR REPLACE " + kind + " public." + name;
    }
}
