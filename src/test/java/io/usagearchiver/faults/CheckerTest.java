package io.usagearchiver.faults;

import static org.assertj.core.api.Assertions.assertThat;

import io.usagearchiver.Archiver;
import io.usagearchiver.SweepResult;
import io.usagearchiver.faults.Checker.Kind;
import io.usagearchiver.faults.Checker.Violation;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.LocalDateTime;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The checker sees what is wrong, and nothing where nothing is. */
class CheckerTest {
    private static final Usage HOT = usage(1, 3, "2999-01-01T00:00:00");
    private static final Usage ARCHIVED = usage(2, 5, "2020-01-01T00:00:00.000001");

    @AutoClose
    private static final TestDatabase db = TestDatabase.create();

    private final History history = new History();

    @BeforeEach
    void sweep_two_rows() throws SQLException {
        db.execute("truncate model_usage_details, model_usage_details_archive, usage_archive_sweep");
        try (Connection writer = db.connectAsOwner()) {
            for (Usage row : new Usage[] {HOT, ARCHIVED}) {
                Usage.insert(writer, List.of(row));
                history.acknowledged(row.id(), Optional.of(row));
            }
        }
        SweepResult result =
                Archiver.builder(TestedPair.USAGE, db.archiver()).build().sweep();
        assertThat(result.rowsMoved()).isEqualTo(1);
        assertThat(violations()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                "LOST        | delete from model_usage_details",
                "DOUBLED     | insert into model_usage_details_archive select * from model_usage_details",
                "DOUBLED     | insert into model_usage_details select * from model_usage_details_archive",
                "STALE       | update model_usage_details_archive set created_at = created_at + interval '1 microsecond'"
                        + ", updated_at = updated_at + interval '1 microsecond'",
                "STALE       | update model_usage_details set completed_at = completed_at + interval '1 microsecond'",
                "DAMAGED     | update model_usage_details_archive set model_name = 'model 2.4'",
                "DAMAGED     | update model_usage_details set user_id = null",
                "UNEXPIRED   | with moved as (delete from model_usage_details returning *)"
                        + " insert into model_usage_details_archive select * from moved",
                "UNEXPIRED   | update usage_archive_sweep set cutoff = timestamp '2020-01-01 00:00:00.000001'",
                "MISCOUNTED  | update usage_archive_sweep set rows_moved = 2",
                "MISCOUNTED  | delete from usage_archive_sweep",
                "MISCOUNTED  | update usage_archive_sweep set direction = 'RESTORE'",
                "TWO_RUNNING | update usage_archive_sweep set state = 'RUNNING';"
                        + " insert into usage_archive_sweep (table_name, state, node, fired_by, cutoff, started_at)"
                        + " select 'other', state, node, fired_by, cutoff, finished_at from usage_archive_sweep",
                "TWO_RUNNING | insert into usage_archive_sweep (table_name, state, node, fired_by, cutoff, started_at)"
                        + " select table_name, 'RUNNING', node, fired_by, cutoff, started_at from usage_archive_sweep",
                "TWO_RUNNING | update usage_archive_sweep set last_batch_at = finished_at + interval '1 microsecond';"
                        + " insert into usage_archive_sweep (table_name, state, node, fired_by, cutoff, started_at)"
                        + " select table_name, 'RUNNING', node, fired_by, cutoff, finished_at from usage_archive_sweep",
                "KEPT_BACK   | update usage_archive_sweep set rows_in_conflict = 1",
                "KEPT_BACK   | update usage_archive_sweep set rows_rejected = 1",
                "KEPT_BACK   | update usage_archive_sweep set rows_already_archived = 1",
            })
    void what_is_wrong_in_the_tables_is_reported(Kind kind, String fault) throws SQLException {
        db.execute(fault);

        assertThat(violations()).extracting(Violation::kind).contains(kind);
    }

    @Test
    void a_row_that_nobody_wrote_is_reported() throws SQLException {
        db.execute("update model_usage_details set id = 7, model_name = 'model 7.3', model_id = 0,"
                + " user_id = 10, completion_token_count = 21");

        assertThat(violations()).extracting(Violation::kind).containsExactly(Kind.LOST, Kind.UNDEAD);
    }

    @Test
    void a_row_that_is_twice_in_one_table_is_reported() throws SQLException {
        db.execute("alter table model_usage_details drop constraint model_usage_details_pkey;"
                + " insert into model_usage_details select * from model_usage_details");
        try {
            assertThat(violations()).extracting(Violation::kind).containsExactly(Kind.DOUBLED);
        } finally {
            db.execute("truncate model_usage_details; alter table model_usage_details add primary key (id)");
        }
    }

    @Test
    void a_deleted_row_that_is_there_is_reported() throws SQLException {
        history.acknowledged(HOT.id(), Optional.empty());

        assertThat(violations()).extracting(Violation::kind).containsExactly(Kind.UNDEAD);
    }

    @Test
    void an_update_that_is_not_there_is_reported() throws SQLException {
        history.acknowledged(ARCHIVED.id(), Optional.of(usage(ARCHIVED.id(), 6, "2020-01-01T00:00:00")));

        assertThat(violations()).extracting(Violation::kind).containsExactly(Kind.STALE);
    }

    @Test
    void a_current_row_that_its_writer_did_not_find_is_reported() throws SQLException {
        history.missed(HOT);

        assertThat(violations()).extracting(Violation::kind).containsExactly(Kind.MISSED);
    }

    @Test
    void writes_whose_answer_was_lost_may_be_there_or_not() throws SQLException {
        history.unknown(HOT.id(), Optional.of(usage(HOT.id(), 4, "2999-01-01T00:00:00")));
        history.unknown(ARCHIVED.id(), Optional.empty());
        history.unknown(7, Optional.of(usage(7, 0, "2999-01-01T00:00:00")));
        assertThat(violations()).isEmpty();

        db.execute("delete from model_usage_details_archive; update usage_archive_sweep set rows_moved = 0");
        assertThat(violations()).isEmpty();

        db.execute("delete from model_usage_details");
        assertThat(violations()).extracting(Violation::kind).containsExactly(Kind.LOST);
    }

    @Test
    void an_acknowledged_write_ends_the_doubt() throws SQLException {
        history.unknown(HOT.id(), Optional.empty());
        history.acknowledged(HOT.id(), Optional.of(HOT));
        db.execute("delete from model_usage_details");

        assertThat(violations()).extracting(Violation::kind).containsExactly(Kind.LOST);
    }

    private List<Violation> violations() throws SQLException {
        try (Connection connection = db.connectAsOwner()) {
            return Checker.check(history, connection);
        }
    }

    private static Usage usage(int id, long version, String completedAt) {
        LocalDateTime age = LocalDateTime.parse(completedAt);
        return new Usage(id, version, age, age.minusSeconds(5));
    }
}
