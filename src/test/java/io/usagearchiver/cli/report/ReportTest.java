package io.usagearchiver.cli.report;

import static org.assertj.core.api.Assertions.assertThat;

import io.usagearchiver.StopReason;
import io.usagearchiver.SweepProgress;
import io.usagearchiver.SweepResult;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.time.Duration;
import java.time.LocalDateTime;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ReportTest {
    private static final LocalDateTime CUTOFF = LocalDateTime.parse("2025-03-09T02:30");

    @Test
    void a_result_is_written_for_people() {
        assertThat(SweepReport.text(result(StopReason.DRAINED, List.of("a", "b")), null))
                .isEqualTo("""
                        Sweep 7 of public.t: DRAINED, no expired row is left but those kept back
                          cutoff            2025-03-09 02:30 UTC
                          moved             1,234,567 rows in 1,235 batches and 61.7 s (20,000 rows/s)
                          archived already  1 row, identical: deleted from the hot table
                          in conflict       3 rows stay hot, the archive holds other content: 11, 12, ...
                          rejected          2 rows stay hot, the archive refuses them: a, b""");
    }

    @Test
    void a_result_is_written_for_programs() {
        assertThat(SweepReport.json(result(StopReason.TIME_BUDGET, List.of("a\"b", "c\\d\n")), null))
                .isEqualTo("{\"sweepId\":7,\"table\":\"public.t\",\"cutoff\":\"2025-03-09T02:30:00Z\","
                        + "\"stopReason\":\"TIME_BUDGET\",\"rowsMoved\":1234567,\"rowsAlreadyArchived\":1,"
                        + "\"rowsInConflict\":3,\"rowsRejected\":2,\"batches\":1235,\"elapsedMillis\":61728,"
                        + "\"conflictingIds\":[\"11\",\"12\"],\"rejectedIds\":[\"a\\\"b\",\"c\\\\d\\n\"]}");
    }

    @ParameterizedTest
    @EnumSource
    void every_stop_reason_is_explained(StopReason reason) {
        assertThat(SweepReport.text(result(reason, List.of()), null))
                .containsPattern(": " + reason + ", [a-zA-Z, ]{15,}\\R");
    }

    @Test
    void the_progress_line_tells_rows_speed_and_oldest_age() {
        assertThat(ProgressLine.text(progress(1_234_567, 2500, "2024-02-29 23:59:59.123456")))
                .isEqualTo("1,234,567 rows moved, 493,826 rows/s, oldest left 2024-02-29 23:59");
        assertThat(ProgressLine.text(progress(10, 0, "-infinity")))
                .isEqualTo("10 rows moved, 10,000 rows/s, oldest left -infinity");
        assertThat(ProgressLine.text(progress(0, 0, null)))
                .isEqualTo("Looking for rows older than 2025-03-09 02:30 UTC");
    }

    @Test
    void the_progress_line_is_written_over_at_most_five_times_a_second() {
        StringWriter terminal = new StringWriter();
        try (ProgressLine line = new ProgressLine(new PrintWriter(terminal))) {
            line.sweepStarted(progress(0, 0, null));
            line.batchCommitted(progress(1, 199, "2020-01-01 00:00:00"));
            line.batchCommitted(progress(2, 200, "2020-01-01 00:00:00"));
            line.batchCommitted(progress(3, 399, "2020-01-01 00:00:00"));
            line.batchCommitted(progress(4, 450, "2020-01-01 00:00:00"));
        }
        assertThat(terminal.toString().split("\r\r"))
                .allMatch(shown -> shown.replace("\r", "").length() == 70)
                .extracting(String::strip)
                .containsExactly(
                        "Looking for rows older than 2025-03-09 02:30 UTC",
                        "2 rows moved, 10 rows/s, oldest left 2020-01-01 00:00",
                        "4 rows moved, 8 rows/s, oldest left 2020-01-01 00:00",
                        "");
    }

    private static SweepProgress progress(long rows, long millis, String oldest) {
        return new SweepProgress(7, "public.t", CUTOFF, rows, 1, Duration.ofMillis(millis), oldest, null, null);
    }

    private static SweepResult result(StopReason reason, List<String> rejected) {
        return new SweepResult(
                7,
                "public.t",
                CUTOFF,
                reason,
                1_234_567,
                1,
                3,
                rejected.size(),
                1235,
                Duration.ofMillis(61_728),
                List.of("11", "12"),
                rejected);
    }
}
