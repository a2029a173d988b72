package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;

import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import io.usagearchiver.testing.UsageRows;
import java.time.Instant;
import java.time.InstantSource;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.TimeZone;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class CutoffTest {
    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    private final UsageRows rows = new UsageRows(db);

    @ParameterizedTest
    @CsvSource({
        // month ends
        "2026-06-15T12:00, 13, 2025-05-15T12:00",
        "2026-03-31T00:00, 1, 2026-02-28T00:00",
        "2026-05-31T23:59:59.999999, 1, 2026-04-30T23:59:59.999999",
        "2026-07-31T08:00, 13, 2025-06-30T08:00",
        "2026-02-28T08:00, 1, 2026-01-28T08:00",
        // leap years, and the centuries that are none
        "2024-03-31T01:02:03, 1, 2024-02-29T01:02:03",
        "2024-02-29T12:00, 12, 2023-02-28T12:00",
        "2024-02-29T12:00, 48, 2020-02-29T12:00",
        "2025-03-29T12:00, 13, 2024-02-29T12:00",
        "2000-03-31T12:00, 1, 2000-02-29T12:00",
        "2104-02-29T12:00, 48, 2100-02-28T12:00",
        // year wraps
        "2026-01-01T00:00, 1, 2025-12-01T00:00",
        "2026-01-31T00:00, 13, 2024-12-31T00:00",
        "2026-01-31T05:00, 35, 2023-02-28T05:00",
        "2026-12-31T00:00, 61, 2021-11-30T00:00",
        "2026-06-15T12:00, 1200, 1926-06-15T12:00",
        // microseconds are kept, what is finer is cut off
        "2026-06-15T12:34:56.789012, 13, 2025-05-15T12:34:56.789012",
        "2026-06-15T00:00:00.000001999, 13, 2025-05-15T00:00:00.000001",
        // inside the gap (02:00 to 03:00) and the overlap (01:00 to 02:00) of the JVM's zone; the last one is a now
        // inside the gap
        "2026-04-09T02:30, 13, 2025-03-09T02:30",
        "2026-04-09T02:00, 13, 2025-03-09T02:00",
        "2026-04-09T02:59:59.999999, 13, 2025-03-09T02:59:59.999999",
        "2026-12-02T01:30, 13, 2025-11-02T01:30",
        "2026-03-08T02:30, 1, 2026-02-08T02:30",
    })
    void a_row_exactly_at_the_cutoff_stays_and_one_a_microsecond_older_goes(
            LocalDateTime now, int months, LocalDateTime cutoff) {
        rows.replace("""
                SELECT row_number() OVER ()::integer, CASE WHEN completed THEN age END,
                  CASE WHEN completed THEN age + wrong ELSE age END
                FROM (VALUES (true), (false)) AS branch (completed),
                  (VALUES (interval '100 years'), (interval '-100 years')) AS other (wrong),
                  (VALUES ('0'), ('-1 us'), ('1 us'), ('-1 hour'), ('1 hour'), ('-1 day'), ('1 day')) AS near (by),
                  LATERAL (SELECT timestamp ':cutoff' + by::interval) AS row (age)""".replace(":cutoff", cutoff.toString()));

        SweepResult result = sweep(now, months);

        assertThat(result.cutoff()).isEqualTo(cutoff);
        assertThat(rows.ledger("cutoff = timestamp '" + cutoff + "'")).isEqualTo("t");
        rows.assertMoved(UsageRows.expiredAt(cutoff));
        assertThat(result.rowsMoved()).isEqualTo(12);
    }

    @ParameterizedTest
    @CsvSource({"2025-03-09T01:59", "2025-11-02T00:59", "-infinity", "4713-01-01 BC", "0044-03-15 01:02:03.000004 BC"})
    void pages_that_end_at_any_age_are_followed_by_the_rest(String age) {
        // A page of batch size 1 ends after 50 rows: within the gap or overlap of the JVM's zone.
        rows.replace("SELECT i, CASE WHEN i % 2 = 0 THEN age END, age FROM generate_series(1, 240) i,"
                + " LATERAL (SELECT timestamp ':age' + (i / 2) * interval '37.000001 s') AS row (age)"
                        .replace(":age", age));

        SweepResult result = sweep(LocalDateTime.parse("2030-01-01T00:00"), 13);

        assertThat(result.stopReason()).isEqualTo(StopReason.DRAINED);
        rows.assertMoved("true");
        assertThat(result.rowsMoved()).isEqualTo(240);
    }

    @Test
    void an_infinite_age_is_older_or_younger_than_every_cutoff() {
        rows.replace("""
                VALUES (1, timestamp '-infinity', timestamp 'infinity'), (2, 'infinity', '-infinity'),
                  (3, null, '-infinity'), (4, null, 'infinity'), (5, '-infinity', '2026-06-01'),
                  (6, 'infinity', '2020-01-01')""");

        sweep(LocalDateTime.parse("2026-06-15T12:00"), 13);

        rows.assertMoved("id IN (1, 3, 5)");
    }

    @Test
    void without_a_clock_the_cutoff_is_taken_from_the_clock_of_the_database() {
        assertThat(TimeZone.getDefault().getID()).isEqualTo("America/New_York");
        String cutoff = "SELECT timezone('UTC', clock_timestamp()) - interval '13 months'";
        String earliest = db.strings(cutoff).get(0);

        Archiver.builder(TestedPair.USAGE, db.archiver()).build().sweep();

        String latest = db.strings(cutoff).get(0);
        assertThat(rows.ledger("cutoff BETWEEN timestamp '" + earliest + "' AND timestamp '" + latest + "'"))
                .isEqualTo("t");
    }

    @Test
    void the_cutoff_stays_the_same_during_a_sweep() {
        rows.replace("SELECT i, timestamp '2025-05-15 12:00' - interval '5 minutes' + i * interval '1 minute',"
                + " timestamp '2020-01-01' FROM generate_series(1, 100) i");

        Instant start = Instant.parse("2026-06-15T12:00:00Z");
        AtomicInteger looks = new AtomicInteger();
        InstantSource aMinuteLaterAtEachLook = () -> start.plusSeconds(60L * looks.getAndIncrement());

        SweepResult result = rows.archiver(1)
                .clock(aMinuteLaterAtEachLook.withZone(ZoneOffset.UTC))
                .build()
                .sweep();

        assertThat(result.cutoff()).isEqualTo(UsageRows.CUTOFF);
        rows.assertMoved(UsageRows.EXPIRED);
        assertThat(result.rowsMoved()).isEqualTo(4);
    }

    private SweepResult sweep(LocalDateTime now, int months) {
        return Archiver.builder(TestedPair.USAGE, db.archiver())
                .clock(UsageRows.clockAt(now))
                .settings(ArchiveSettings.defaults().withRetentionMonths(months).withBatchSize(1))
                .build()
                .sweep();
    }
}
