package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.usagearchiver.testing.TestDatabase;
import java.sql.Connection;
import java.sql.SQLException;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the roles of {@code sql/} may not change of the archiver's own tables. That they may do their work, all other tests show. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class GrantsTest {
    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    @ParameterizedTest
    @ValueSource(strings = {"sweep_id", "table_name", "direction", "node", "fired_by", "cutoff", "started_at"})
    void what_a_run_was_opened_with_stays(String column) throws SQLException {
        for (ConnectionSource role : new ConnectionSource[] {db.archiver(), db.restorer()}) {
            assertDenied(role, "UPDATE usage_archive_sweep SET " + column + " = " + column);
        }
    }

    @Test
    void a_run_begins_without_counts() throws SQLException {
        for (ConnectionSource role : new ConnectionSource[] {db.archiver(), db.restorer()}) {
            for (String column : new String[] {"sweep_id", "rows_moved", "holds_version"}) {
                assertDenied(
                        role,
                        "INSERT INTO usage_archive_sweep (table_name, state, node, fired_by, cutoff, started_at, "
                                + column + ") VALUES ('t', 'DRAINED', 'n', 'f', '2020-01-01', '2020-01-01', 1)");
            }
            assertDenied(role, "DELETE FROM usage_archive_sweep");
        }
    }

    @Test
    void the_archiver_does_not_touch_holds() throws SQLException {
        assertDenied(db.archiver(), "UPDATE usage_archive_sweep SET holds_version = 0");
        assertDenied(db.archiver(), "UPDATE usage_archive_hold SET released_at = created_at");
        assertDenied(db.archiver(), "INSERT INTO usage_archive_hold DEFAULT VALUES");
        assertDenied(db.archiver(), "UPDATE usage_archive_baseline SET archived_rows = 0");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "hold_id",
                "table_name",
                "age_from",
                "age_to",
                "id_min",
                "id_max",
                "user_id",
                "model_id",
                "column_values",
                "reason",
                "created_by",
                "node",
                "created_at",
                "hold_until"
            })
    void a_hold_that_was_set_stays_as_it_was(String column) throws SQLException {
        assertDenied(db.restorer(), "UPDATE usage_archive_hold SET " + column + " = " + column);
    }

    @Test
    void a_hold_is_not_set_as_released_and_not_taken_away() throws SQLException {
        assertDenied(
                db.restorer(),
                "INSERT INTO usage_archive_hold (table_name, user_id, reason, created_by, node,"
                        + " created_at, released_at) VALUES ('t', 1, 'r', 'c', 'n', '2020-01-01', '2020-01-01')");
        assertDenied(db.restorer(), "DELETE FROM usage_archive_hold");
    }

    private static void assertDenied(ConnectionSource role, String sql) throws SQLException {
        try (Connection session = role.open()) {
            assertThatThrownBy(() -> TestDatabase.execute(session, sql))
                    .as(sql)
                    .hasMessageContaining("permission denied for table");
        }
    }
}
