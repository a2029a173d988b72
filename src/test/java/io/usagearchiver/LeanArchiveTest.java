package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;

import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.UsageRows;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

/** The archive's optional small set of indexes. */
class LeanArchiveTest {
    private static final String LEAN = "lean-archive.sql";
    private static final String REVERT = "lean-archive-revert.sql";

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    @Test
    void a_lean_archive_takes_the_rows_and_answers_for_times_and_users_by_index() throws IOException {
        UsageRows usage = new UsageRows(db);
        usage.replaceWithExpired(10_000);
        apply(LEAN);

        usage.archiver().build().sweep();
        usage.assertMoved(UsageRows.EXPIRED);
        db.execute("VACUUM ANALYZE model_usage_details_archive");
        db.execute("SET enable_seqscan = off"); // so small a table is read faster as a whole
        assertThat(plan("completed_at < timestamp '2024-01-01 00:10'"))
                .contains("ix_model_usage_details_archive_completed_at_range");
        assertThat(plan("created_at > timestamp '2030-01-01'"))
                .contains("ix_model_usage_details_archive_created_at_range");
        assertThat(plan("date > date '2030-01-01'")).contains("ix_model_usage_details_archive_date_range");
        assertThat(plan("user_id = 4711")).contains("ix_model_usage_details_archive_user_id");
        assertThat(plan("id = 17")).contains("model_usage_details_archive_pkey");
        assertThat(indexes()).hasSize(5);
    }

    @Test
    void both_scripts_may_be_applied_again_and_the_revert_brings_all_indexes_back() throws IOException {
        List<String> before = indexes();
        assertThat(before).hasSize(9);

        apply(LEAN);
        List<String> lean = indexes();
        apply(LEAN);
        assertThat(indexes()).isEqualTo(lean).isNotEqualTo(before);

        apply(REVERT);
        assertThat(indexes()).isEqualTo(before);
        apply(REVERT);
        assertThat(indexes()).isEqualTo(before);
    }

    private void apply(String script) throws IOException {
        db.execute(Files.readString(Path.of("sql", script)));
    }

    private String plan(String condition) {
        return String.join("\n", db.strings("EXPLAIN SELECT * FROM model_usage_details_archive WHERE " + condition));
    }

    private List<String> indexes() {
        return db.strings("SELECT pg_get_indexdef(indexrelid) FROM pg_index"
                + " WHERE indrelid = 'model_usage_details_archive'::regclass ORDER BY 1");
    }
}
