package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;

import io.usagearchiver.generated.Public;
import io.usagearchiver.testing.TestDatabase;
import java.util.List;
import java.util.stream.Stream;
import org.jooq.DSLContext;
import org.jooq.Index;
import org.jooq.Named;
import org.jooq.SQLDialect;
import org.jooq.SortField;
import org.jooq.Table;
import org.jooq.conf.MappedSchema;
import org.jooq.conf.RenderMapping;
import org.jooq.conf.Settings;
import org.jooq.impl.DSL;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The code that is generated from {@code sql/} without a server, against a PostgreSQL that ran the same files. */
class GeneratedTablesTest {
    /** What a second run of the files could change: everything of the schema but its object ids. */
    private static final String CATALOG = """
            SELECT concat_ws(' ', relname, relkind, relpersistence, relacl) FROM pg_class WHERE relnamespace = 'public'::regnamespace
            UNION ALL SELECT concat_ws(' ', attrelid::regclass, attnum, attname, format_type(atttypid, atttypmod), attnotnull,
              attidentity, attacl, pg_get_expr(adbin, adrelid))
            FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
            WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r')
            UNION ALL SELECT concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint
            WHERE connamespace = 'public'::regnamespace
            UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
            ORDER BY 1""";

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    GeneratedTablesTest() {
        db.addExamples();
    }

    @Test
    void each_live_table_but_those_of_quartz_is_generated() {
        assertThat(Public.PUBLIC.getTables())
                .extracting(Table::getName)
                .containsExactlyInAnyOrderElementsOf(db.strings(
                        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE 'qrtz%'"));
    }

    /** PostgreSQL itself compares the types: it makes a twin of the table from the generated columns. */
    @ParameterizedTest
    @MethodSource("tables")
    void columns_are_the_live_ones(Table<?> table) {
        Settings intoOtherSchema = new Settings()
                .withRenderMapping(new RenderMapping()
                        .withSchemata(new MappedSchema().withInput("public").withOutput("generated")));
        DSLContext dsl = DSL.using(SQLDialect.POSTGRES, intoOtherSchema);
        db.execute("CREATE SCHEMA generated");
        db.execute(dsl.createTable(table).columns(table.fields()).getSQL());

        String columns = """
                SELECT concat_ws(', ', ordinal_position, column_name, data_type, character_maximum_length,
                  numeric_precision, numeric_scale, datetime_precision, is_nullable,
                  CASE WHEN is_identity = 'YES' OR column_default LIKE 'nextval%%' THEN 'identity' ELSE column_default END)
                FROM information_schema.columns WHERE table_schema = '%s' AND table_name = '%s' ORDER BY ordinal_position""";
        assertThat(db.strings(columns.formatted("generated", table.getName())))
                .isNotEmpty()
                .isEqualTo(db.strings(columns.formatted("public", table.getName())));
    }

    @ParameterizedTest
    @MethodSource("tables")
    void keys_are_the_live_ones(Table<?> table) {
        Stream<String> generated = table.getKeys().stream()
                .map(key -> (key.isPrimary() ? "PRIMARY KEY (" : "UNIQUE (") + names(key.getFields()) + ")");
        assertThat(generated)
                .containsExactlyInAnyOrderElementsOf(db.strings("SELECT pg_get_constraintdef(oid) FROM pg_constraint"
                        + " WHERE contype IN ('p', 'u') AND conrelid = 'public." + table.getName() + "'::regclass"));
    }

    @ParameterizedTest
    @MethodSource("tables")
    void indexes_are_the_live_ones(Table<?> table) {
        Stream<String> generated = table.getIndexes().stream().map(GeneratedTablesTest::describe);
        assertThat(generated).containsExactlyInAnyOrderElementsOf(db.strings("""
                        SELECT format('%s (%s) %s', c.relname, (SELECT string_agg(attname, ', ' ORDER BY attnum)
                          FROM pg_attribute WHERE attrelid = c.oid), indisunique)
                        FROM pg_index JOIN pg_class c ON c.oid = indexrelid
                        WHERE indexrelid NOT IN (SELECT conindid FROM pg_constraint) AND indrelid = 'public.""" + table.getName() + "'::regclass"));
    }

    static List<Table<?>> tables() {
        return Public.PUBLIC.getTables();
    }

    private static String describe(Index index) {
        return "%s (%s) %s"
                .formatted(
                        index.getName(),
                        names(index.getFields().stream().map(SortField::$field).toList()),
                        index.getUnique() ? "t" : "f");
    }

    private static String names(List<? extends Named> parts) {
        return String.join(", ", parts.stream().map(Named::getName).toList());
    }

    @Test
    void the_sql_files_may_be_applied_again_to_tables_in_use() {
        try (TestDatabase fresh = TestDatabase.empty()) {
            TestDatabase.scripts().forEach(fresh::execute);
            fresh.addExamples();
            List<String> once = fresh.strings(CATALOG);
            fresh.insertUsage("SELECT i, now(), now() FROM generate_series(1, 10) i");
            fresh.execute("INSERT INTO model_usage_details_archive TABLE model_usage_details");

            TestDatabase.scripts().forEach(fresh::execute);
            fresh.addExamples();

            assertThat(once).hasSizeGreaterThan(200).isEqualTo(db.strings(CATALOG));
            assertThat(fresh.strings(CATALOG)).isEqualTo(once);
            assertThat(
                            fresh.strings(
                                    "SELECT count(*) FROM model_usage_details UNION ALL"
                                            + " SELECT count(*) FROM model_usage_details_archive UNION ALL SELECT count(*) FROM qrtz_locks"))
                    .containsExactly("10", "10", "2");
        }
    }
}
