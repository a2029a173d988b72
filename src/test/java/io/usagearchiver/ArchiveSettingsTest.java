package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.time.Duration;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ArchiveSettingsTest {
    private static final ArchiveSettings DEFAULTS = ArchiveSettings.defaults();

    @ParameterizedTest
    @ValueSource(ints = {0, -1, 1201, Integer.MIN_VALUE, Integer.MAX_VALUE})
    void a_retention_period_out_of_range_is_refused_by_name(int months) {
        assertRefused(
                s -> s.withRetentionMonths(months),
                "retentionMonths = " + months + ": must be a whole number from 1 to 1200");
    }

    @ParameterizedTest
    @ValueSource(ints = {0, -1, 50_001, Integer.MIN_VALUE, Integer.MAX_VALUE})
    void a_batch_size_out_of_range_is_refused_by_name(int rows) {
        assertRefused(s -> s.withBatchSize(rows), "batchSize = " + rows + ": must be a whole number from 1 to 50000");
    }

    @ParameterizedTest
    @ValueSource(strings = {"PT0S", "PT-1S", "PT0.000999999S", "PT48H0.001S", "PT2562047788015215H30M7S"})
    void a_duration_out_of_range_is_refused_by_name(Duration duration) {
        Duration good = Duration.ofSeconds(1);
        assertDurationRefused(s -> s.withTimeBudget(duration), "timeBudget", duration);
        assertDurationRefused(s -> s.withTimeouts(duration, good, good), "lockTimeout", duration);
        assertDurationRefused(s -> s.withTimeouts(good, duration, good), "statementTimeout", duration);
        assertDurationRefused(s -> s.withTimeouts(good, good, duration), "idleTransactionTimeout", duration);
        assertDurationRefused(s -> s.withRetryTimeout(duration), "retryTimeout", duration);
    }

    @ParameterizedTest
    @ValueSource(strings = {"PT0.002S", "PT48H"})
    void the_ends_of_every_range_are_accepted(Duration duration) {
        Duration lock = duration.minusMillis(1);
        ArchiveSettings shortest =
                new ArchiveSettings(1, 1, 1, duration, lock, duration, duration, duration, Pace.full(), false);
        assertThat(shortest.withRetentionMonths(1200).withBatchSize(50_000).withWorkers(16))
                .isEqualTo(new ArchiveSettings(
                        1200, 50_000, 16, duration, lock, duration, duration, duration, Pace.full(), false));
        Duration least = ArchiveSettings.MIN_DURATION;
        assertThat(shortest.withTimeouts(least, duration, least)
                        .withTimeBudget(least)
                        .withRetryTimeout(least))
                .isEqualTo(new ArchiveSettings(1, 1, 1, least, least, duration, least, least, Pace.full(), false));
    }

    @ParameterizedTest
    @ValueSource(strings = {"PT4S", "PT5S"})
    void a_lock_timeout_that_is_not_shorter_than_the_statement_timeout_is_refused(Duration statement) {
        assertRefused(
                s -> s.withTimeouts(Duration.ofSeconds(5), statement, Duration.ofSeconds(1)),
                "lockTimeout = PT5S, statementTimeout = " + statement
                        + ": lockTimeout must be the shorter one, or a statement that waits for a lock is taken for one"
                        + " that is too slow");
    }

    @Test
    void the_defaults_are_those_that_are_documented() {
        assertThat(DEFAULTS)
                .isEqualTo(new ArchiveSettings(
                        13,
                        1000,
                        1,
                        null,
                        Duration.ofSeconds(5),
                        Duration.ofSeconds(60),
                        Duration.ofSeconds(10),
                        Duration.ofMinutes(5),
                        Pace.full(),
                        false));
    }

    @Test
    void one_setting_changes_without_the_others() {
        Duration one = Duration.ofSeconds(1);
        ArchiveSettings changed = DEFAULTS.withTimeBudget(one)
                .withTimeouts(one, one.plusMillis(1), one.plusMillis(2))
                .withRetryTimeout(one.plusMillis(3))
                .withBatchSize(7)
                .withWorkers(6)
                .withRetentionMonths(8)
                .withHandOver(true);
        assertThat(changed)
                .isEqualTo(new ArchiveSettings(
                        8, 7, 6, one, one, one.plusMillis(1), one.plusMillis(2), one.plusMillis(3), Pace.full(), true));
        assertThat(changed.withTimeBudget(null).timeBudget()).isNull();
    }

    private static void assertDurationRefused(UnaryOperator<ArchiveSettings> change, String name, Duration duration) {
        assertRefused(change, name + " = " + duration + ": must be from 1 ms to 48 h");
    }

    private static void assertRefused(UnaryOperator<ArchiveSettings> change, String message) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> change.apply(DEFAULTS))
                .withMessage(message);
    }
}
