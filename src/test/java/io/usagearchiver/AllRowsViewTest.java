package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.UsageRows;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The view of {@code sql/08-all-rows.sql}: all rows, hot or archived. */
class AllRowsViewTest {
    private static final String VIEW = "model_usage_details_all";

    private final TestDatabase db = TestDatabase.create();
    private final UsageRows usage = new UsageRows(db);
    private final List<String> roles = new ArrayList<>();

    @AfterEach
    void drop_database_and_roles() {
        for (String role : roles) {
            db.execute("DROP OWNED BY " + role + " CASCADE; DROP ROLE " + role);
        }
        db.close();
    }

    @Test
    void each_row_is_there_once_while_a_sweep_moves_them() throws SQLException {
        usage.replaceWithExpired(3_000);
        CompletableFuture<SweepResult> sweep =
                CompletableFuture.supplyAsync(() -> usage.archiver(20).build().sweep());
        List<String> seen = new ArrayList<>();
        while (!sweep.isDone()) {
            seen.addAll(db.strings("SELECT DISTINCT count(*) || ' ' || count(DISTINCT id) FROM " + VIEW));
        }

        assertThat(sweep.join().rowsMoved()).isEqualTo(3_000);
        assertThat(seen).isNotEmpty().containsOnly("3000 3000");
    }

    @Test
    void it_has_the_columns_of_the_hot_table_in_their_order() {
        assertThat(columns(VIEW)).isEqualTo(columns("model_usage_details"));
        usage.replaceWithExpired(30);
        List<String> hot = db.strings("SELECT r::text FROM model_usage_details r ORDER BY 1");
        usage.archiver(20).build().sweep();
        assertThat(db.strings("SELECT r::text FROM " + VIEW + " r ORDER BY 1")).isEqualTo(hot);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "user_id = 7",
                "completed_at >= timestamp '2024-01-01' AND completed_at < timestamp '2024-01-01 00:05'",
                "created_at < timestamp '2000-01-01'",
                "date = date '2020-02-01'",
                "id = 4711"
            })
    void a_query_uses_the_indexes_of_both_tables(String condition) {
        db.insertUsage(
                "SELECT i, timestamp '2024-01-01' + i * interval '1 minute', timestamp '2024-01-01' + i * interval"
                        + " '1 minute' FROM generate_series(1, 20000) i");
        for (String sql : List.of(
                "UPDATE model_usage_details SET user_id = id % 500",
                "INSERT INTO model_usage_details_archive SELECT * FROM model_usage_details WHERE id % 2 = 0",
                "DELETE FROM model_usage_details WHERE id % 2 = 0",
                "VACUUM ANALYZE model_usage_details",
                "VACUUM ANALYZE model_usage_details_archive")) {
            db.execute(sql);
        }

        List<String> plan = db.strings("EXPLAIN SELECT * FROM " + VIEW + " WHERE " + condition);

        assertThat(plan).noneMatch(line -> line.contains("Seq Scan") || line.contains("Function Scan"));
        assertThat(plan.stream().filter(line -> line.contains("Index Scan")))
                .as(String.join("\n", plan))
                .hasSizeGreaterThanOrEqualTo(2);
    }

    @Test
    void a_query_by_a_column_of_a_collation_of_its_own_uses_the_indexes_too() {
        for (String table : List.of("model_usage_details", "model_usage_details_archive")) {
            db.execute("ALTER TABLE " + table + " ALTER access_key TYPE varchar(255) COLLATE \"C\"; CREATE INDEX ON "
                    + table + " (access_key)");
        }
        db.execute("DROP VIEW " + VIEW);
        apply();
        db.execute("SET enable_seqscan = off");

        assertThat(db.strings("EXPLAIN SELECT * FROM " + VIEW + " WHERE access_key > 'k'"))
                .filteredOn(line -> line.contains("Index Cond: ((access_key"))
                .hasSize(2);
    }

    @Test
    void it_is_in_nobodys_way() {
        for (String alteration : List.of(
                "ALTER TABLE model_usage_details ALTER user_id TYPE bigint",
                "ALTER TABLE model_usage_details_archive ALTER user_id TYPE bigint",
                "ALTER TABLE model_usage_details DROP api_key_name",
                "ALTER TABLE model_usage_details_archive DROP api_key_name",
                "ALTER TABLE model_usage_details RENAME operation TO what",
                "ALTER TABLE model_usage_details_archive RENAME operation TO what",
                "DROP TABLE model_usage_details, model_usage_details_archive")) {
            db.execute(alteration);
        }
    }

    @Test
    void it_follows_the_tables_when_the_file_is_applied_again_and_whoever_read_it_still_may() {
        String auditor = role("auditor");
        db.execute("GRANT SELECT ON " + VIEW + " TO " + auditor + " WITH GRANT OPTION; GRANT SELECT ON " + VIEW
                + " TO PUBLIC; ALTER TABLE model_usage_details ADD \"Note, of\" text[], ALTER user_id TYPE bigint,"
                + " DROP api_key_name");
        List<String> before = columns(VIEW);
        apply();
        assertThat(columns(VIEW)).as("in the middle of a migration").isEqualTo(before);

        db.execute("ALTER TABLE model_usage_details_archive ADD \"Note, of\" text[], ALTER user_id TYPE bigint,"
                + " DROP api_key_name");
        apply();

        assertThat(columns(VIEW))
                .isEqualTo(columns("model_usage_details"))
                .contains("Note, of text[]", "user_id bigint");
        assertThat(db.strings("SELECT relacl::text FROM pg_class WHERE relname = '" + VIEW + "'"))
                .singleElement()
                .asString()
                .contains(auditor + "=r*/", "=r/");
        String object = db.strings("SELECT '" + VIEW + "'::regclass::oid").get(0);
        apply();
        assertThat(db.strings("SELECT '" + VIEW + "'::regclass::oid")).containsExactly(object);
    }

    @Test
    void it_is_not_made_anew_while_another_view_reads_it() {
        db.execute(
                "CREATE VIEW report AS SELECT id, user_name FROM " + VIEW
                        + "; ALTER TABLE model_usage_details ADD note text; ALTER TABLE model_usage_details_archive ADD note text");
        apply();
        assertThat(columns(VIEW)).doesNotContain("note text");
        db.execute("TABLE report; DROP VIEW report");
        apply();
        assertThat(columns(VIEW)).contains("note text");
    }

    @Test
    void what_is_anothers_of_its_name_stays() {
        db.execute("DROP VIEW " + VIEW + "; DROP FUNCTION " + VIEW + "(); CREATE TABLE " + VIEW + " (mine int)");
        apply();
        assertThat(columns(VIEW)).containsExactly("mine integer");
    }

    @Test
    void whoever_reads_it_needs_the_rights_of_the_tables() throws SQLException {
        usage.replaceWithExpired(10);
        String auditor = role("auditor");
        db.execute("GRANT USAGE ON SCHEMA public TO " + auditor + "; GRANT SELECT ON " + VIEW + " TO " + auditor);
        try (Connection connection = DriverManager.getConnection(db.url(), auditor, auditor);
                Statement statement = connection.createStatement()) {
            assertThatThrownBy(() -> statement.executeQuery("SELECT count(*) FROM " + VIEW))
                    .hasMessageContaining("permission denied for table model_usage_details");
            db.execute("GRANT SELECT ON model_usage_details, model_usage_details_archive TO " + auditor);
            try (ResultSet count = statement.executeQuery("SELECT count(*) FROM " + VIEW)) {
                count.next();
                assertThat(count.getInt(1)).isEqualTo(10);
            }
        }
    }

    private List<String> columns(String relation) {
        return db.strings("SELECT attname || ' ' || format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = '"
                + relation + "'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum");
    }

    private void apply() {
        db.execute(TestDatabase.scripts().get(7));
    }

    private String role(String what) {
        String role = what + "_of_" + db.name();
        db.execute("CREATE ROLE " + role + " LOGIN PASSWORD '" + role + "'");
        roles.add(role);
        return role;
    }
}
