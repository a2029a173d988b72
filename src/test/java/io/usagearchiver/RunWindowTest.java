package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.time.LocalTime;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class RunWindowTest {
    @ParameterizedTest
    @CsvSource({
        "01:00-05:30, 01:00",
        "01:00-05:30, 05:29:59.999999999",
        "22:00-06:00, 22:00",
        "22:00-06:00, 23:59:59",
        "22:00-06:00, 00:00",
        "22:00-06:00, 05:59",
        "18:00-24:00, 23:59",
        "00:00-06:00, 00:00",
        "23:59-00:01, 00:00:30",
        "00:00-24:00, 00:00",
        "00:00-24:00, 23:59:59",
    })
    void a_moment_within_is_contained(RunWindow window, LocalTime time) {
        assertThat(window.contains(time)).isTrue();
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
    void a_moment_outside_is_not_contained(RunWindow window, LocalTime time) {
        assertThat(window.contains(time)).isFalse();
    }

    @ParameterizedTest
    @ValueSource(strings = {"22:00-06:00", "00:00-24:00", "00:00-00:01", "23:59-24:00", "08:00-17:30"})
    void what_is_written_is_what_is_read(String text) {
        assertThat(RunWindow.parse(text)).hasToString(text);
    }

    @Test
    void midnight_is_the_same_whether_as_0_or_24() {
        assertThat(RunWindow.parse("22:00-00:00")).isEqualTo(RunWindow.parse("22:00-24:00"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "22-6",
                "22:00",
                "22:00 - 06:00",
                "2:00-06:00",
                "22:00-6:00",
                "24:00-06:00",
                "22:00-24:01",
                "25:00-06:00",
                "22:60-06:00",
                "22:00-06:00:00",
                "06:00-06:00",
                "00:00-00:00",
                "always",
                "22:00-06:00Z",
                "-"
            })
    void anything_else_is_refused_with_what_is_allowed(String text) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> RunWindow.parse(text))
                .withMessage("must be a window of the day in UTC, such as 22:00-06:00; 00:00-24:00 is the whole day");
    }

    @ParameterizedTest
    @CsvSource({"06:00, 06:00", "06:00:01, 07:00", "06:00, 07:00:00.5"})
    void a_window_that_cannot_be_written_is_refused(LocalTime start, LocalTime end) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new RunWindow(start, end))
                .withMessageStartingWith("runWindow = ");
    }
}
