package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;

import io.usagearchiver.internal.jdbc.TransactionLimits;
import io.usagearchiver.testing.SlowPath;
import io.usagearchiver.testing.TappedConnections;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.LocalDateTime;
import java.util.LinkedHashSet;
import java.util.Set;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a restore reads does not grow with the archive, whatever the planner knows of it. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class RestorePlanTest {
    private static final LocalDateTime UNTIL = LocalDateTime.parse("2100-01-01T00:00");

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    @BeforeAll
    void an_archive_of_23_months_in_which_every_other_row_never_completed() {
        db.insertUsage("SELECT i, CASE WHEN i % 2 <> 0 THEN timestamp '2022-01-01' + i * interval '10 min' END,"
                + " timestamp '2022-01-01' + i * interval '10 min' FROM generate_series(1, 100000) i");
        db.execute("INSERT INTO model_usage_details_archive TABLE model_usage_details;"
                + " DELETE FROM model_usage_details WHERE id <> 2000");
    }

    @ParameterizedTest
    @CsvSource({"ages, false", "ages, true", "ids, false", "ids, true"})
    void each_page_lock_and_deletion_uses_its_index(String filter, boolean analyzed) throws SQLException {
        try (SlowPath slow = new SlowPath()) {
            assertPlans(filter, analyzed, filter.equals("ids") ? 9 : 11);
        }
    }

    @ParameterizedTest
    @CsvSource({"ages, false", "ages, true", "ids, false", "ids, true"})
    void each_page_and_each_statement_that_moves_rows_uses_its_index(String filter, boolean analyzed)
            throws SQLException {
        // Pages, further pages, probes and a statement of each branch; with ids, those for the row that is there
        // already, and the further page is larger than the first.
        assertPlans(filter, analyzed, filter.equals("ids") ? 9 : 8);
    }

    private void assertPlans(String filter, boolean analyzed, int distinct) throws SQLException {
        if (analyzed) {
            db.execute("ANALYZE");
        }
        Set<String> statements = statementsOfARestore(
                filter.equals("ids")
                        ? RowFilter.ids("2000", "2150")
                        : RowFilter.ages(
                                LocalDateTime.parse("2022-06-01T00:00"), LocalDateTime.parse("2022-06-02T00:00")));
        // The slow way: pages, further pages, probes and locks; the copy, the deletion and the count; with ids, a
        // proof, and a larger page.
        assertThat(statements).hasSize(distinct);
        try (Connection connection = db.restorer().open()) {
            connection.setAutoCommit(false);
            for (String sql : statements) {
                boolean ordered = sql.startsWith("select") && sql.contains(" order by ");
                ArchiveSettings settings = ArchiveSettings.defaults();
                TestDatabase.execute(
                        connection,
                        (ordered ? TransactionLimits.page(settings) : TransactionLimits.batch(settings))
                                .sql(connection.getMetaData().getDatabaseMajorVersion()));
                String plan = PlanTest.plan(connection, sql);
                connection.rollback();

                assertThat(PlanTest.withoutPublications(plan))
                        .as(sql)
                        .doesNotContain("Seq Scan", "Bitmap")
                        .doesNotContainPattern("(?m)^[ >-]*Sort$");
                if (ordered && filter.equals("ages")) {
                    String age = sql.contains("num_nonnulls") ? "created_at" : "completed_at";
                    assertThat(PlanTest.indexes(plan))
                            .as(sql + "\n" + plan)
                            .containsExactly("ix_model_usage_details_archive_" + age);
                    assertThat(plan).containsPattern("Index Cond: .*_at >= .* AND .*_at < ");
                } else if (ordered) {
                    assertThat(PlanTest.indexes(plan))
                            .as(sql + "\n" + plan)
                            .containsExactly("model_usage_details_archive_pkey");
                    assertThat(plan).containsPattern("Index Cond: .*id >= .* AND .*id <= ");
                }
            }
        }
    }

    /** Of a restore with further pages, some of whose rows stay where they are; the rows are archived again then. */
    private Set<String> statementsOfARestore(RowFilter filter) {
        Set<String> statements = new LinkedHashSet<>();
        ConnectionSource recorded = new TappedConnections(db.restorer(), (sql, connection) -> {
            if ((sql.contains("\"model_usage_details")
                            && !sql.startsWith("explain ")
                            && !sql.contains(" left outer join \"public\".\"model_usage_details\" on false"))
                    || sql.contains("\"rows_moved\" + ")) {
                statements.add(TappedConnections.withoutLimits(sql));
            }
        });
        RestoreResult result = Archiver.builder(TestedPair.USAGE, recorded)
                .settings(ArchiveSettings.defaults().withBatchSize(1)) // so a page is 50 rows
                .build()
                .restore(filter, UNTIL, "test", new StopSignal());
        assertThat(result.counts().stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(result.counts().batches()).isGreaterThan(100);
        db.execute("INSERT INTO model_usage_details_archive SELECT * FROM model_usage_details"
                + " ON CONFLICT DO NOTHING; DELETE FROM model_usage_details WHERE id <> 2000");
        return statements;
    }
}
