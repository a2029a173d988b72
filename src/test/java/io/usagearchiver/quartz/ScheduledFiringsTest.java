package io.usagearchiver.quartz;

import static org.assertj.core.api.Assertions.assertThat;

import io.usagearchiver.RunWindow;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.Date;
import java.util.TimeZone;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.quartz.CronScheduleBuilder;
import org.quartz.Trigger;
import org.quartz.TriggerBuilder;
import org.quartz.impl.calendar.WeeklyCalendar;

/** When a sweep is late. 2026-11-22 is a Sunday. */
class ScheduledFiringsTest {
    private static final Instant LONG_AGO = Instant.parse("2020-01-01T00:00:00Z");

    @ParameterizedTest(name = "{0}: the last sweep ended {1}, late after {3}")
    @CsvSource(
            delimiter = '|',
            value = {
                // A quarter of the time to the next firing, but 5 minutes at least and 2 hours at most.
                "0 3 * * *    | 2026-11-22T03:00:05 | 2026-11-23T03:00 | 2026-11-23T05:00",
                "0 * * * *    | 2026-11-22T03:00:05 | 2026-11-22T04:00 | 2026-11-22T04:15",
                "* * * * *    | 2026-11-22T03:00:05 | 2026-11-22T03:02 | 2026-11-22T03:07",
                "0 0 1 1 *    | 2026-01-01T00:00:05 | 2027-01-01T00:00 | 2027-01-01T02:00",
                "*/15 * * * 1 | 2026-11-22T03:00:05 | 2026-11-23T00:00 | 2026-11-23T00:05",
                // Of a long sweep, the end counts.
                "0 3 * * *    | 2026-11-22T23:00:00 | 2026-11-23T03:00 | 2026-11-23T05:00",
                // A node's clock may be ahead.
                "0 3 * * *    | 2026-11-22T01:30:00 | 2026-11-23T03:00 | 2026-11-23T05:00",
                "0 * * * *    | 2026-11-22T02:50:00 | 2026-11-22T04:00 | 2026-11-22T04:15",
                // The last firing of all.
                "0 0 3 23 11 ? 2026 | 2026-11-01T00:00:00 | 2026-11-23T03:00 | 2026-11-23T05:00",
            })
    void a_sweep_is_late_when_a_grace_has_passed_since_a_firing(
            String cron, LocalDateTime last, LocalDateTime firing, LocalDateTime late) {
        ScheduledFirings firings = new ScheduledFirings(trigger(cron, CronSchedule.UTC, LONG_AGO), null, null);
        assertThat(firings.overdue(utc(last), utc(late))).isNull();
        assertThat(firings.overdue(utc(last), utc(late).plusSeconds(1))).isEqualTo(utc(firing));
        assertThat(firings.overdue(utc(last), utc(late).plusSeconds(3_000_000))).isEqualTo(utc(firing));
    }

    @Test
    void without_a_sweep_it_is_counted_from_the_start_of_the_trigger() {
        Instant start = Instant.parse("2026-11-22T02:59:00Z");
        ScheduledFirings firings = new ScheduledFirings(trigger("0 3 * * *", CronSchedule.UTC, start), null, null);
        assertThat(firings.overdue(null, Instant.parse("2026-11-22T05:00:00Z"))).isNull();
        assertThat(firings.overdue(null, Instant.parse("2026-11-22T05:00:01Z"))).isEqualTo("2026-11-22T03:00:00Z");
        assertThat(firings.overdue(LONG_AGO, Instant.parse("2026-11-22T02:59:30Z")))
                .isNull();
    }

    @Test
    void a_schedule_that_is_over_makes_nothing_late() {
        ScheduledFirings firings = new ScheduledFirings(
                trigger("0 0 3 1 1 ? 2021", CronSchedule.UTC, LONG_AGO), null, RunWindow.parse("10:00-11:00"));
        Instant now = Instant.parse("2026-11-22T05:00:00Z");
        assertThat(firings.overdue(Instant.parse("2021-01-01T03:00:01Z"), now)).isNull();
        assertThat(firings.areAllOutsideWindow(now)).isFalse();
    }

    @Test
    void firings_outside_of_the_run_window_make_nothing_late() {
        ScheduledFirings firings = new ScheduledFirings(
                trigger("*/10 * * * *", CronSchedule.UTC, LONG_AGO), null, RunWindow.parse("22:00-06:00"));
        Instant last = Instant.parse("2026-11-22T05:51:00Z");
        assertThat(firings.overdue(last, Instant.parse("2026-11-22T22:05:00Z"))).isNull();
        assertThat(firings.overdue(last, Instant.parse("2026-11-22T22:05:01Z"))).isEqualTo("2026-11-22T22:00:00Z");
        assertThat(firings.areAllOutsideWindow(last)).isFalse();
    }

    @ParameterizedTest
    @CsvSource({
        "0 3 * * *, 22:00-02:00, true",
        "0 3 * * *, 22:00-03:00, true",
        "0 3 * * *, 03:00-03:01, false",
        "0 3 29 2 *, 22:00-02:00, true",
        "* * * * *, 22:00-02:00, false",
        "0 0 1 1 *, 23:59-24:00, true"
    })
    void a_schedule_of_which_no_firing_is_in_the_run_window_is_told(String cron, String window, boolean all) {
        ScheduledFirings firings =
                new ScheduledFirings(trigger(cron, CronSchedule.UTC, LONG_AGO), null, RunWindow.parse(window));
        assertThat(firings.areAllOutsideWindow(Instant.parse("2026-11-22T05:00:00Z")))
                .isEqualTo(all);
    }

    @Test
    void the_zone_and_the_calendar_of_the_stored_trigger_count() {
        WeeklyCalendar noSunday = new WeeklyCalendar(CronSchedule.UTC);
        noSunday.setDaysExcluded(new boolean[] {false, true, false, false, false, false, false, false});
        ScheduledFirings firings = new ScheduledFirings(
                trigger("0 3 * * *", TimeZone.getTimeZone("Asia/Kolkata"), LONG_AGO), noSunday, null);
        Instant last = Instant.parse("2026-11-21T21:30:05Z");
        assertThat(firings.overdue(last, Instant.parse("2026-11-23T21:29:00Z"))).isNull();
        assertThat(firings.overdue(last, Instant.parse("2026-11-30T00:00:00Z"))).isEqualTo("2026-11-23T21:30:00Z");
    }

    private static Trigger trigger(String cron, TimeZone zone, Instant start) {
        return TriggerBuilder.newTrigger()
                .startAt(Date.from(start))
                .withSchedule(CronScheduleBuilder.cronSchedule(
                                CronSchedule.parse(cron).quartzExpression())
                        .inTimeZone(zone))
                .build();
    }

    private static Instant utc(LocalDateTime time) {
        return time.toInstant(ZoneOffset.UTC);
    }
}
