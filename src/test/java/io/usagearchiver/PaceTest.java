package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PaceTest {
    @ParameterizedTest
    @ValueSource(doubles = {-0.001, 100.001, Double.NaN, Double.POSITIVE_INFINITY})
    void a_share_out_of_range_is_refused_by_name(double share) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Pace.full().withPause(null, share))
                .withMessage("pauseShare = " + share + ": must be a number from 0 to 100");
    }

    @ParameterizedTest
    @ValueSource(strings = {"PT0S", "PT-1S", "PT48H0.001S"})
    void a_duration_out_of_range_is_refused_by_name(Duration duration) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Pace.full().withPause(duration, 0))
                .withMessageStartingWith("pause = ");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Pace.full().withTargetBatchTime(duration))
                .withMessageStartingWith("targetBatchTime = ");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Pace.full().withMaxReplicaLag(duration))
                .withMessageStartingWith("maxReplicaLag = ");
    }

    @Test
    void one_setting_changes_without_the_others() {
        Duration one = Duration.ofSeconds(1);
        RunWindow window = RunWindow.parse("22:00-06:00");
        assertThat(Pace.full()
                        .withMaxReplicaLag(one)
                        .withTargetBatchTime(one.plusMillis(1))
                        .withRunWindow(window)
                        .withPause(one.plusMillis(2), 0.5))
                .isEqualTo(new Pace(one.plusMillis(2), 0.5, window, one.plusMillis(1), one));
    }
}
