package io.usagearchiver.cli;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jooq.Condition;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.impl.DSL;

/** What the statements of {@code sql/} would make, and is there already, for a role. */
record StandingObjects(String role) {
    // The statements of sql/, white space folded. Anything else there is executed each time.
    static final Pattern CHECK =
            Pattern.compile("ALTER TABLE (\\S+) DROP CONSTRAINT IF EXISTS (\\w+), ADD CONSTRAINT \\2 CHECK"
                    + " \\((.+)\\)(?: NOT VALID)?");
    static final Pattern COLUMN = Pattern.compile("ALTER TABLE (\\S+) ADD COLUMN IF NOT EXISTS (\\w+) .*");
    private static final Pattern TABLE = Pattern.compile("CREATE TABLE IF NOT EXISTS (\\S+) .*");
    private static final Pattern INDEX =
            Pattern.compile("CREATE (?:UNIQUE )?INDEX IF NOT EXISTS (\\w+) ON (\\w+)\\.\\w+ .*");
    private static final Pattern LITERAL = Pattern.compile("'[^']*'");
    private static final Pattern GRANT = Pattern.compile("GRANT (.+) ON (SCHEMA )?(\\S+) TO :\"role\"");
    private static final Pattern REVOKE = Pattern.compile("REVOKE (.+) ON (\\S+) FROM :\"role\"");
    private static final Pattern PRIVILEGE = Pattern.compile("(\\w+)(?: \\(([\\w, ]+)\\))?");
    /** Of a list of privileges, not of the columns of one. */
    private static final Pattern COMMA = Pattern.compile(", (?![^(]*\\))");

    /** Whether what a statement, white space folded, would make is there. */
    boolean includes(DSLContext tx, String statement) {
        Matcher table = TABLE.matcher(statement);
        if (table.matches()) {
            return exists(tx, table.group(1));
        }
        Replacement replacement = Replacement.of(statement);
        if (replacement != null) {
            return replacement.stands(tx);
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
        if (grant.matches()) {
            return granted(tx, COMMA.split(grant.group(1)), grant.group(2) != null, grant.group(3));
        }
        Matcher revoke = REVOKE.matcher(statement);
        return revoke.matches() && revoked(tx, revoke.group(1).split(", "), revoke.group(2));
    }

    private static boolean exists(DSLContext tx, String relation) {
        return holds(tx, DSL.condition("to_regclass({0}) is not null", DSL.val(relation)));
    }

    /**
     * Whether the constraint that a statement replaces is there, knows a value of its list, and compares by no operator of
     * others.
     */
    private static boolean checks(DSLContext tx, Matcher check, String literal) {
        return holds(
                tx,
                DSL.condition(
                        "exists (select from pg_catalog.pg_constraint where conrelid = to_regclass({0}) and conname = {1}"
                                + " and position({2} in pg_get_constraintdef(oid)) > 0"
                                + " and position('OPERATOR(' in pg_get_constraintdef(oid)) = 0)",
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
                throw new IllegalStateException("not a privilege: " + text);
            }
            String columns = privilege.group(2);
            return Stream.of(columns == null ? new String[] {""} : columns.split(", "))
                    .allMatch(column -> granted(tx, privilege.group(1), schema, object, column));
        });
    }

    private boolean granted(DSLContext tx, String privilege, boolean schema, String object, String column) {
        List<Field<?>> arguments = new ArrayList<>(List.of(DSL.val(role), DSL.val(object)));
        if (!column.isEmpty()) {
            arguments.add(DSL.val(column));
        }
        arguments.add(DSL.val(privilege));
        String of = !column.isEmpty() ? "column" : schema ? "schema" : "table";
        return holds(tx, DSL.condition("has_" + of + "_privilege({0})", DSL.list(arguments)));
    }

    /** Whether the role was not granted any of these privileges on the whole table; its owner has them anyhow. */
    private boolean revoked(DSLContext tx, String[] privileges, String table) {
        return holds(
                tx,
                DSL.condition(
                        "not exists (select from pg_catalog.pg_class c cross join aclexplode(c.relacl) acl"
                                + " join pg_catalog.pg_roles r on r.oid = acl.grantee"
                                + " where c.oid = to_regclass({0}) and r.rolname = {1} and r.oid <> c.relowner"
                                + " and acl.privilege_type = any ({2}))",
                        DSL.val(table), DSL.val(role), DSL.val(privileges)));
    }

    private static boolean holds(DSLContext tx, Condition condition) {
        return tx.fetchExists(DSL.selectOne().where(condition));
    }
}
