package io.usagearchiver.quartz;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Date;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.quartz.CronScheduleBuilder;
import org.quartz.CronTrigger;
import org.quartz.TriggerBuilder;

/** Meant to run with a default time zone that has daylight saving: none of it may show. */
class CronScheduleTest {

    private static final LocalDate FIRST_DAY = LocalDate.of(2024, 12, 30);
    private static final LocalDate END_DAY = LocalDate.of(2026, 3, 15);
    private static final int FIRES = 3000;

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            0 3 * * *           | 2024-12-29T23:40 | 2024-12-30T03:00 2024-12-31T03:00 2025-01-01T03:00 2025-01-02T03:00
            */15 * * * *        | 2024-12-31T23:25 | 2024-12-31T23:30 2024-12-31T23:45 2025-01-01T00:00 2025-01-01T00:15
            30 2 * * 0          | 2024-12-22T02:30 | 2024-12-29T02:30 2025-01-05T02:30 2025-01-12T02:30 2025-01-19T02:30
            30 2 * * 7          | 2024-12-22T02:30 | 2024-12-29T02:30 2025-01-05T02:30 2025-01-12T02:30 2025-01-19T02:30
            0 0 * * 0-7         | 2024-12-29T23:40 | 2024-12-30T00:00 2024-12-31T00:00 2025-01-01T00:00 2025-01-02T00:00
            0 0 1 * *           | 2024-11-01T00:00 | 2024-12-01T00:00 2025-01-01T00:00 2025-02-01T00:00 2025-03-01T00:00
            0 0 31 * *          | 2024-11-01T00:00 | 2024-12-31T00:00 2025-01-31T00:00 2025-03-31T00:00 2025-05-31T00:00
            0 0 29 2 *          | 2024-12-29T23:40 | 2028-02-29T00:00 2032-02-29T00:00 2036-02-29T00:00
            0 0 3 ? * MON-FRI   | 2024-12-31T03:00 | 2025-01-01T03:00 2025-01-02T03:00 2025-01-03T03:00 2025-01-06T03:00
            0 0 3 1 1-2 ? 2020  | 2019-07-01T00:00 | 2020-01-01T03:00 2020-02-01T03:00
            59 59 23 L * ? 2095 | 2095-01-01T00:00 | 2095-01-31T23:59:59 2095-02-28T23:59:59 2095-03-31T23:59:59
            """)
    void accepted_expressions_fire_at_these_times(String text, String after, String expected) {
        List<Instant> times = Arrays.stream(expected.split(" "))
                .map(CronScheduleTest::instant)
                .toList();

        assertThat(fires(text, instant(after), Instant.MAX, times.size())).isEqualTo(times);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            30 2 * * *         | 2025-03-08T12:00 | 2025-03-09T02:30 2025-03-10T02:30
            30 1 * * *         | 2025-11-01T12:00 | 2025-11-02T01:30 2025-11-03T01:30
            30 6 * * *         | 2025-11-01T12:00 | 2025-11-02T06:30 2025-11-03T06:30
            0 30 2 ? * SUN     | 2025-03-08T12:00 | 2025-03-09T02:30 2025-03-16T02:30
            """)
    void daylight_saving_moves_nothing(String text, String after, String expected) {
        accepted_expressions_fire_at_these_times(text, after, expected);
    }

    /** The right-hand sides are written by hand; a space separates values, and - stands for any. */
    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            expression             | minutes     | hours     | days of month | months   | days of week
            * * * * *              | -           | -         | -             | -        | -
            */15 * * * *           | 0 15 30 45  | -         | -             | -        | -
            */40 * * * *           | 0 40        | -         | -             | -        | -
            5/20 * * * *           | 5 25 45     | -         | -             | -        | -
            10-30/10,59 */6 * * *  | 10 20 30 59 | 0 6 12 18 | -             | -        | -
            05 00 01 01 *          | 5           | 0         | 1             | 1        | -
            0 9-17/4 * * *         | 0           | 9 13 17   | -             | -        | -
            0 0 */10 * *           | 0           | 0         | 1 11 21 31    | -        | -
            0 0 30,31 * *          | 0           | 0         | 30 31         | -        | -
            0 0 1-3 JAN,jul *      | 0           | 0         | 1 2 3         | 1 7      | -
            0 0 1 */5 *            | 0           | 0         | 1             | 1 6 11   | -
            0 0 15 OCT-DEC *       | 0           | 0         | 15            | 10 11 12 | -
            0 0 15 6/3 *           | 0           | 0         | 15            | 6 9 12   | -
            0 12 * 2 1             | 0           | 12        | -             | 2        | 1
            30 2 * * 0             | 30          | 2         | -             | -        | 0
            30 2 * * 7             | 30          | 2         | -             | -        | 0
            30 2 * * SUN           | 30          | 2         | -             | -        | 0
            30 2 * * sun           | 30          | 2         | -             | -        | 0
            0 0 * * MON            | 0           | 0         | -             | -        | 1
            0 0 * * mon            | 0           | 0         | -             | -        | 1
            0 0 * * 6              | 0           | 0         | -             | -        | 6
            0 0 * * Sat            | 0           | 0         | -             | -        | 6
            0 0 * * MON-FRI        | 0           | 0         | -             | -        | 1 2 3 4 5
            0 0 * * 1-5            | 0           | 0         | -             | -        | 1 2 3 4 5
            0 0 * * 1-FRI          | 0           | 0         | -             | -        | 1 2 3 4 5
            0 0 * * fri-SUN        | 0           | 0         | -             | -        | 5 6 0
            0 0 * * SUN-TUE        | 0           | 0         | -             | -        | 0 1 2
            0 0 * * MON,WED-FRI    | 0           | 0         | -             | -        | 1 3 4 5
            0 0 * * 0,6            | 0           | 0         | -             | -        | 0 6
            0 0 * * 6,7            | 0           | 0         | -             | -        | 6 0
            0 0 * * 0,7            | 0           | 0         | -             | -        | 0
            0 0 * * 7,1,3          | 0           | 0         | -             | -        | 0 1 3
            0 0 * * 0-6            | 0           | 0         | -             | -        | -
            0 0 * * 0-7            | 0           | 0         | -             | -        | -
            0 0 * * 00-07          | 0           | 0         | -             | -        | -
            0 0 * * SUN-7          | 0           | 0         | -             | -        | -
            0 0 * * 3,0-7          | 0           | 0         | -             | -        | -
            0 0 * * 0-7,3          | 0           | 0         | -             | -        | -
            0 0 * * 1-7            | 0           | 0         | -             | -        | -
            0 0 * * 2-7            | 0           | 0         | -             | -        | 2 3 4 5 6 0
            0 0 * * 5-7            | 0           | 0         | -             | -        | 5 6 0
            0 0 * * 6-7            | 0           | 0         | -             | -        | 6 0
            0 0 * * 7-7            | 0           | 0         | -             | -        | 0
            0 0 * * 0-1            | 0           | 0         | -             | -        | 0 1
            0 0 * * */1            | 0           | 0         | -             | -        | -
            0 0 * * */2            | 0           | 0         | -             | -        | 0 2 4 6
            0 0 * * */3            | 0           | 0         | -             | -        | 0 3 6
            0 0 * * */7            | 0           | 0         | -             | -        | 0
            0 0 * * 0-6/2          | 0           | 0         | -             | -        | 0 2 4 6
            0 0 * * 0-7/2          | 0           | 0         | -             | -        | 0 2 4 6
            0 0 * * 0-7/3          | 0           | 0         | -             | -        | 0 3 6
            0 0 * * 1-5/2          | 0           | 0         | -             | -        | 1 3 5
            0 0 * * 1-7/2          | 0           | 0         | -             | -        | 1 3 5 0
            0 0 * * 1-7/3          | 0           | 0         | -             | -        | 1 4 0
            0 0 * * 2-7/2          | 0           | 0         | -             | -        | 2 4 6
            0 0 * * *,1            | 0           | 0         | -             | -        | -
            0 0 3 ? * 1            | 0           | 3         | -             | -        | 0
            0 0 3 ? * 1,7          | 0           | 3         | -             | -        | 0 6
            0 0 3 ? * 2-6          | 0           | 3         | -             | -        | 1 2 3 4 5
            0 0 3 ? * mon-fri      | 0           | 3         | -             | -        | 1 2 3 4 5
            0 0/20 4 13 * ? *      | 0 20 40     | 4         | 13            | -        | -
            """, useHeadersInDisplayName = true)
    void fires_in_exactly_the_minutes_that_a_walk_over_all_minutes_finds(
            String text, String minutes, String hours, String daysOfMonth, String months, String daysOfWeek) {
        Set<Integer> minuteSet = values(minutes);
        Set<Integer> hourSet = values(hours);
        Set<Integer> dayOfMonthSet = values(daysOfMonth);
        Set<Integer> monthSet = values(months);
        Set<Integer> dayOfWeekSet = values(daysOfWeek);
        List<Instant> walked = FIRST_DAY
                .datesUntil(END_DAY)
                .filter(day -> holds(dayOfMonthSet, day.getDayOfMonth()))
                .filter(day -> holds(monthSet, day.getMonthValue()))
                .filter(day -> holds(dayOfWeekSet, day.getDayOfWeek().getValue() % 7))
                .flatMap(day -> IntStream.range(0, 24 * 60).mapToObj(day.atStartOfDay()::plusMinutes))
                .filter(time -> holds(hourSet, time.getHour()) && holds(minuteSet, time.getMinute()))
                .map(time -> time.toInstant(ZoneOffset.UTC))
                .limit(FIRES)
                .toList();

        assertThat(walked).isNotEmpty();
        Instant start = FIRST_DAY.atStartOfDay().minusSeconds(1).toInstant(ZoneOffset.UTC);
        Instant end = END_DAY.atStartOfDay().toInstant(ZoneOffset.UTC);
        assertThat(fires(text, start, end, FIRES)).isEqualTo(walked);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '"', textBlock = """
            garbage              | number of fields is 1;
            @daily               | number of fields is 1;
            ""                   | empty;
            "  "                 | empty;
            "\t\n"               | empty;
            0 3 * *              | number of fields is 4;
            0 0 3 * * ? * *      | number of fields is 8;
            0 0 31 2 *           | never fires;
            0 0 31 4,6,9,11 *    | never fires;
            0 0 3 31 2 ? 2020    | never fires;
            0 0 13 * 5           | restricts both day-of-month and day-of-week
            0 0 13 * 0-7         | restricts both day-of-month and day-of-week
            0 0 */2 * MON        | restricts both day-of-month and day-of-week
            0 3 * * 1/2          | has a step after a single day of the week
            0 3 * * 1-5,7/2      | has a step after a single day of the week
            60 * * * *           | Value 60 not in range [0, 59]
            0 24 * * *           | Value 24 not in range [0, 23]
            0 0 0 * *            | Value 0 not in range [1, 31]
            0 0 32 * *           | Value 32 not in range [1, 31]
            0 0 1 13 *           | Value 13 not in range [1, 12]
            0 3 * * 8            | Value 8 not in range [0, 7]
            0 3 * * 0-8          | Value 8 not in range [0, 7]
            0 3 * * 5-2          | Invalid range! [5,2]
            0 3 * * XYZ          | not a crontab line
            */0 * * * *          | Period 0 not in range
            */60 * * * *         | Period 60 not in range
            0 0 3 * * *          | not a Quartz expression
            0 0 3 ? * 8          | not a Quartz expression (Day-of-Week values must be between 1 and 7);
            0 0 3 ? * 0          | not a Quartz expression (Day-of-Week values must be between 1 and 7);
            a b c d e f          | not a Quartz expression
            """)
    void refused_expressions_say_why_and_what_is_allowed(String text, String reason) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> CronSchedule.parse(text))
                .withMessageContaining(reason)
                .withMessageContaining("; allowed ");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/", "-", "1/", "/5", "+5", "-5", "1-", "1-5-", "1-2-3", "1/2/3", ",", "1,,2", "*-5", "\u0665", "?", "L"
            })
    void a_field_that_cron_utils_would_guess_at_is_refused_by_name(String field) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> CronSchedule.parse("0 " + field + " * * *"))
                .withMessageStartingWith("not a crontab line (in its hour); allowed ");
    }

    @Test
    void sunday_is_zero_and_seven() {
        String sunday = CronSchedule.parse("30 2 * * SUN").quartzExpression();

        assertThat(CronSchedule.parse("30 2 * * 0").quartzExpression()).isEqualTo(sunday);
        assertThat(CronSchedule.parse("30 2 * * 7").quartzExpression()).isEqualTo(sunday);
    }

    @Test
    void the_text_is_kept_and_the_expression_is_spelled_as_a_trigger_stores_it() {
        CronSchedule quartz = CronSchedule.parse(" 0 0  3\t? * mon-fri ");
        CronSchedule crontab = CronSchedule.parse("0 3  * * mon-fri");

        assertThat(quartz.text()).isEqualTo(" 0 0  3\t? * mon-fri ");
        assertThat(quartz.quartzExpression())
                .isEqualTo("0 0 3 ? * MON-FRI")
                .isEqualTo(trigger(quartz, Instant.EPOCH).getCronExpression());
        assertThat(crontab.text()).isEqualTo("0 3  * * mon-fri");
        assertThat(crontab.quartzExpression())
                .isEqualTo("0 0 3 ? * 2-6 *")
                .isEqualTo(trigger(crontab, Instant.EPOCH).getCronExpression());
    }

    private static List<Instant> fires(String text, Instant after, Instant end, int limit) {
        CronTrigger trigger = trigger(CronSchedule.parse(text), after);
        List<Instant> fires = new ArrayList<>();
        Date next = trigger.getFireTimeAfter(Date.from(after));
        while (next != null && next.toInstant().isBefore(end) && fires.size() < limit) {
            fires.add(next.toInstant());
            next = trigger.getFireTimeAfter(next);
        }
        return fires;
    }

    private static CronTrigger trigger(CronSchedule schedule, Instant start) {
        return TriggerBuilder.newTrigger()
                .withSchedule(CronScheduleBuilder.cronSchedule(schedule.quartzExpression())
                        .inTimeZone(CronSchedule.UTC))
                .startAt(Date.from(start))
                .build();
    }

    private static Instant instant(String text) {
        return LocalDateTime.parse(text).toInstant(ZoneOffset.UTC);
    }

    private static Set<Integer> values(String list) {
        return list.equals("-")
                ? Set.of()
                : Arrays.stream(list.split(" ")).map(Integer::valueOf).collect(Collectors.toUnmodifiableSet());
    }

    private static boolean holds(Set<Integer> values, int value) {
        return values.isEmpty() || values.contains(value);
    }
}
