package io.usagearchiver.internal.move;

import static org.assertj.core.api.Assertions.assertThat;

import io.usagearchiver.RunWindow;
import java.time.Duration;
import java.time.LocalTime;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ThrottlerTest {
    @ParameterizedTest
    @CsvSource({
        "01:00-05:30, 01:00, PT4H30M",
        "01:00-05:30, 05:29:59.999999999, PT0.000000001S",
        "22:00-06:00, 22:00, PT8H",
        "22:00-06:00, 23:59:59, PT6H1S",
        "22:00-06:00, 00:00, PT6H",
        "22:00-06:00, 05:59, PT1M",
        "18:00-24:00, 23:59, PT1M",
        "00:00-06:00, 00:00, PT6H",
        "23:59-00:01, 00:00:30, PT30S",
        "00:00-24:00, 00:00, PT24H",
        "00:00-24:00, 23:59:59, PT24H",
    })
    void a_moment_within_the_window_has_so_much_time_left(RunWindow window, LocalTime time, Duration left) {
        assertThat(Throttler.left(window, time)).isEqualTo(left);
    }

    @ParameterizedTest
    @CsvSource({
        "01:00-05:30, 00:59:59.999999999",
        "01:00-05:30, 05:30",
        "22:00-06:00, 06:00",
        "22:00-06:00, 21:59:59",
        "18:00-24:00, 00:00",
        "23:59-00:01, 00:01",
        "23:59-00:01, 12:00",
    })
    void a_moment_outside_the_window_has_none(RunWindow window, LocalTime time) {
        assertThat(Throttler.left(window, time)).isZero();
    }
}
