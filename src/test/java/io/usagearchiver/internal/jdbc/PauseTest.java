package io.usagearchiver.internal.jdbc;

import static org.assertj.core.api.Assertions.assertThat;

import io.usagearchiver.Pace;
import java.time.Duration;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PauseTest {
    @ParameterizedTest
    @CsvSource({
        ", 0, PT1S, PT0S",
        "PT0.2S, 0, PT1S, PT0.2S",
        ", 0.5, PT1S, PT0.5S",
        ", 2, PT1S, PT2S",
        "PT0.2S, 0.5, PT1S, PT0.5S",
        "PT0.2S, 0.5, PT0.1S, PT0.2S",
        ", 100, PT48H, PT4800H",
    })
    void of_the_fixed_pause_and_the_share_of_the_batch_the_longer_counts(
            Duration fixed, double share, Duration batch, Duration pause) {
        assertThat(Pause.after(batch, Pace.full().withPause(fixed, share))).isEqualTo(pause);
    }
}
