package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;

import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import java.util.regex.Matcher;
import java.util.stream.Collectors;
import org.jooq.SQLDialect;
import org.jooq.Table;
import org.jooq.impl.DSL;

/**
 * A pair of tables with rows of which 40 are to be archived.
 *
 * @param declared as code that was generated for it has it
 * @param pair the same, or told by names alone
 * @param columns as for CREATE TABLE; in braces what only the hot table's columns are GENERATED as
 * @param rows the rest of an INSERT; those to be archived are older than 2022 and meet the pair's condition
 * @param hotPartitions what follows the hot table's columns, and statements that make its partitions, where TABLE_ is its name
 *     and PART(1) and so on are theirs; empty for an ordinary table
 * @param archivePartitions the same of the archive
 */
record AnyPair(
        String what,
        ArchivePair<?> declared,
        ArchivePair<?> pair,
        String columns,
        String rows,
        String hotPartitions,
        String archivePartitions) {
    AnyPair(String what, ArchivePair<?> declared, ArchivePair<?> pair, String columns, String rows) {
        this(what, declared, pair, columns, rows, "", "");
    }

    AnyPair partitioned(String hot, String archive) {
        return new AnyPair(what + ", in partitions", declared, pair, columns, rows, hot, archive);
    }

    private static final String CUTOFF = "2022-01-01";

    /** A schema, of types whose operators no search path finds. */
    static final String EXTENSIONS = "\"Ext. 1\"";

    /** Two of extensions, and a composite type whose own order does not see upper and lower case. */
    private static final String TYPES_OF_OTHERS = """
            CREATE SCHEMA IF NOT EXISTS "Ext. 1";
            GRANT USAGE ON SCHEMA "Ext. 1" TO PUBLIC;
            CREATE EXTENSION IF NOT EXISTS citext SCHEMA "Ext. 1";
            CREATE EXTENSION IF NOT EXISTS ltree SCHEMA "Ext. 1";
            DO $$
            BEGIN
              IF to_regtype('"Ext. 1".code') IS NOT NULL THEN
                RETURN;
              END IF;
              CREATE TYPE "Ext. 1".code AS (letters text, number int);
              CREATE FUNCTION "Ext. 1".cmp("Ext. 1".code, "Ext. 1".code) RETURNS int IMMUTABLE LANGUAGE sql AS
                'SELECT btrecordcmp(ROW(lower($1.letters), $1.number), ROW(lower($2.letters), $2.number))';
              FOR i IN 1..5 LOOP
                EXECUTE format('CREATE FUNCTION "Ext. 1".%1$s("Ext. 1".code, "Ext. 1".code) RETURNS boolean IMMUTABLE'
                  ' LANGUAGE sql AS ''SELECT "Ext. 1".cmp($1, $2) %2$s 0'';'
                  ' CREATE OPERATOR "Ext. 1".%2$s (LEFTARG = "Ext. 1".code, RIGHTARG = "Ext. 1".code, FUNCTION = "Ext. 1".%1$s)',
                  (ARRAY['lt', 'le', 'eq', 'ge', 'gt'])[i], (ARRAY['<', '<=', '=', '>=', '>'])[i]);
              END LOOP;
              CREATE OPERATOR CLASS "Ext. 1".code_ops DEFAULT FOR TYPE "Ext. 1".code USING btree AS
                OPERATOR 1 "Ext. 1".<, OPERATOR 2 "Ext. 1".<=, OPERATOR 3 "Ext. 1".=, OPERATOR 4 "Ext. 1".>=,
                OPERATOR 5 "Ext. 1".>, FUNCTION 1 "Ext. 1".cmp("Ext. 1".code, "Ext. 1".code);
              CREATE DOMAIN "Ext. 1".nickname AS "Ext. 1".citext;
              CREATE DOMAIN "Ext. 1"."Login" AS "Ext. 1".nickname CHECK (VALUE OPERATOR("Ext. 1".<>) '');
              CREATE COLLATION "Ext. 1".folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
            END $$""";

    AnyPair(String what, ArchivePair<?> pair, String columns, String rows) {
        this(what, pair, pair, columns, rows);
    }

    /** The same by the names of the tables, the ages and the condition, and by those of the key or none. */
    AnyPair named(String... key) {
        return new AnyPair(
                what + ", by names" + (key.length == 0 ? "" : ", those of the key too"),
                declared,
                ArchivePair.of(TestedPair.names(declared).withKeyColumns(key)),
                columns,
                rows,
                hotPartitions,
                archivePartitions);
    }

    /** Makes the tables anew with the grants that a sweep and a restore need, and forgets what the ledger knows of them. */
    void create(TestDatabase db) {
        db.execute("DROP TYPE IF EXISTS mood CASCADE; CREATE TYPE mood AS ENUM ('good', 'so so')");
        if (columns.contains(EXTENSIONS)) {
            db.execute(TYPES_OF_OTHERS);
        }
        for (Table<?> table : new Table<?>[] {declared.hot(), declared.archive()}) {
            String schema = quoted(table.getSchema().getName());
            db.execute("CREATE SCHEMA IF NOT EXISTS " + schema + "; GRANT USAGE ON SCHEMA " + schema + " TO "
                    + TestDatabase.ARCHIVER + ", " + TestDatabase.RESTORER + "; DROP TABLE IF EXISTS " + name(table));
        }
        db.execute("CREATE TABLE " + hot() + " (" + columns.replaceAll("\\{([^}]*)}", "GENERATED $1") + ")"
                + named(hotPartitions, pair.hot()));
        db.execute("CREATE TABLE " + archive() + " (" + columns.replaceAll("\\{[^}]*}", "") + ")"
                + named(archivePartitions, pair.archive()));
        for (String table : new String[] {hot(), archive()}) {
            declared.ages().forEach(age -> db.execute("CREATE INDEX ON " + table + " (" + quoted(age.getName()) + ")"));
        }
        String update = "UPDATE (" + quoted(declared.ages().get(0).getName()) + ")";
        db.execute("GRANT SELECT, DELETE, " + update + " ON " + hot() + " TO " + TestDatabase.ARCHIVER
                + "; GRANT SELECT, INSERT, " + update + " ON " + archive() + " TO " + TestDatabase.ARCHIVER
                + "; GRANT SELECT, INSERT, " + update + " ON " + hot() + " TO " + TestDatabase.RESTORER
                + "; GRANT SELECT, DELETE, " + update + " ON " + archive() + " TO " + TestDatabase.RESTORER);
        db.execute("INSERT INTO " + hot() + " " + rows + "; DROP TABLE IF EXISTS original;"
                + " CREATE TABLE original AS TABLE " + hot());
        db.execute("TRUNCATE usage_archive_sweep, usage_archive_hold, usage_archive_baseline");
    }

    /** Archives identical copies of the rows to be archived, but for one that differs where a column may. */
    void archiveTwins(TestDatabase db) {
        db.execute("INSERT INTO " + archive() + " SELECT * FROM original WHERE " + expired());
        if (changeable()) {
            db.execute("UPDATE " + archive() + " SET " + lastColumn(db) + " = NULL WHERE (tableoid, ctid) ="
                    + " (SELECT tableoid, ctid FROM " + archive() + " WHERE ctid = '(0,1)' ORDER BY tableoid LIMIT 1)");
        }
    }

    private static String named(String sql, Table<?> table) {
        String schema = quoted(table.getSchema().getName());
        return sql.replaceAll("PART\\((\\d+)\\)", Matcher.quoteReplacement(schema) + ".\"" + table.getName() + "_$1\"")
                .replace("TABLE_", name(table));
    }

    /** Whether there is a column that may differ between a row and its twin, and be null. */
    boolean changeable() {
        return !columns.endsWith("NOT NULL");
    }

    boolean generated() {
        return columns.contains("{always");
    }

    String hot() {
        return name(declared.hot());
    }

    String archive() {
        return name(declared.archive());
    }

    /** Asserts that the archive has exactly the rows to be archived, and the hot table the others, byte for byte. */
    void assertMoved(TestDatabase db) {
        assertHolds(db, archive(), expired());
        assertHolds(db, hot(), "(" + expired() + ") IS NOT TRUE");
        assertThat(db.number("SELECT count(*) FROM " + archive())).isEqualTo(40);
    }

    /** Asserts that all rows are hot, byte for byte, and none is archived. */
    void assertAllHot(TestDatabase db) {
        assertHolds(db, archive(), "false");
        assertHolds(db, hot(), "true");
    }

    private static void assertHolds(TestDatabase db, String table, String condition) {
        assertThat(db.strings("SELECT this_row::text FROM " + table + " this_row ORDER BY 1"))
                .as(table)
                .isEqualTo(db.strings("SELECT original::text FROM original WHERE " + condition + " ORDER BY 1"));
    }

    private String expired() {
        String age =
                declared.ages().stream().map(column -> quoted(column.getName())).collect(Collectors.joining(", "));
        return "coalesce(" + age + ") < '" + CUTOFF + "' AND "
                + DSL.using(SQLDialect.POSTGRES)
                        .renderInlined(declared.condition())
                        .replace(hot(), "original");
    }

    private static String lastColumn(TestDatabase db) {
        return db.strings("SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = 'original'::regclass"
                        + " AND attnum > 0 ORDER BY attnum DESC LIMIT 1")
                .get(0);
    }

    private static String name(Table<?> table) {
        return quoted(table.getSchema().getName()) + "." + quoted(table.getName());
    }

    private static String quoted(String name) {
        return '"' + name.replace("\"", "\"\"") + '"';
    }

    @Override
    public String toString() {
        return what;
    }
}
