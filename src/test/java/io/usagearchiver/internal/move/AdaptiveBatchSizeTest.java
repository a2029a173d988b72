package io.usagearchiver.internal.move;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class AdaptiveBatchSizeTest {
    private static final Duration TARGET = Duration.ofMillis(200);
    private static final Duration TIMEOUT = Duration.ofSeconds(60);

    @Test
    void without_a_target_the_size_is_always_the_most() {
        AdaptiveBatchSize size = new AdaptiveBatchSize(5000, null, TIMEOUT);
        size.took(5000, Duration.ofHours(1));
        assertThat(size.size()).isEqualTo(5000);
    }

    @ParameterizedTest
    @CsvSource({"1, 1", "99, 99", "100, 100", "50000, 100"})
    void it_begins_with_a_hundred_rows_or_the_most(int max, int first) {
        assertThat(new AdaptiveBatchSize(max, TARGET, TIMEOUT).size()).isEqualTo(first);
    }

    @Test
    void on_a_steady_server_it_finds_the_size_that_takes_the_target_time_and_stays_there() {
        AdaptiveBatchSize size = new AdaptiveBatchSize(50_000, TARGET, TIMEOUT);
        // 20 rows a millisecond.
        assertThat(sizes(size, 20, 8)).containsExactly(200, 400, 800, 1600, 3200, 4000, 4000, 4000);
    }

    @Test
    void on_a_fast_server_it_stops_at_the_most() {
        AdaptiveBatchSize size = new AdaptiveBatchSize(1000, TARGET, TIMEOUT);
        assertThat(sizes(size, 100, 6)).containsExactly(200, 400, 800, 1000, 1000, 1000);
    }

    @Test
    void a_slow_patch_shrinks_it_at_once_and_it_recovers_afterwards() {
        AdaptiveBatchSize size = new AdaptiveBatchSize(1000, TARGET, TIMEOUT);
        sizes(size, 20, 6);
        size.took(1000, Duration.ofSeconds(5));
        assertThat(size.size()).isEqualTo(40);
        assertThat(sizes(size, 20, 6)).containsExactly(80, 160, 320, 640, 1000, 1000);
    }

    @ParameterizedTest
    @CsvSource({"1000, 10", "10, 10", "9, 9", "1, 1"})
    void however_slow_it_is_it_does_not_go_below_ten_rows_or_the_most(int max, int least) {
        AdaptiveBatchSize size = new AdaptiveBatchSize(max, TARGET, TIMEOUT);
        size.took(size.size(), Duration.ofHours(1));
        size.took(size.size(), Duration.ofHours(1));
        assertThat(size.size()).isEqualTo(least);
    }

    @Test
    void a_small_batch_that_was_fast_says_nothing_and_one_that_was_slow_much() {
        AdaptiveBatchSize size = new AdaptiveBatchSize(1000, TARGET, TIMEOUT);
        sizes(size, 100, 6);
        size.took(7, Duration.ofMillis(20));
        assertThat(size.size()).isEqualTo(1000);
        size.took(100, Duration.ofMillis(400));
        assertThat(size.size()).isEqualTo(50);
    }

    @Test
    void after_a_timeout_the_half_is_kept_and_grows_slowly_again() {
        AdaptiveBatchSize size = new AdaptiveBatchSize(1000, null, TIMEOUT);
        size.timedOut(1000);
        assertThat(size.size()).isEqualTo(500);
        assertThat(sizes(size, 1000, 3)).containsExactly(531, 564, 599);
        assertThat(sizes(size, 1000, 10)).endsWith(1000, 1000);
    }

    @Test
    void after_a_timeout_half_of_the_statement_timeout_is_aimed_at() {
        AdaptiveBatchSize size = new AdaptiveBatchSize(1000, null, TIMEOUT);
        size.timedOut(1000);
        size.took(500, Duration.ofSeconds(50));
        assertThat(size.size()).isEqualTo(300);
    }

    @ParameterizedTest
    @CsvSource({"1000, 9", "3, 1", "1, 0"})
    void timeouts_halve_down_to_a_single_row(int max, int halvings) {
        AdaptiveBatchSize size = new AdaptiveBatchSize(max, TARGET, TIMEOUT);
        for (int halving = 0; halving < halvings; halving++) {
            size.timedOut(size.size());
        }
        assertThat(size.size()).isEqualTo(1);
        size.timedOut(1);
        assertThat(size.size()).isEqualTo(1);
    }

    @Test
    void a_batch_without_rows_or_without_time_does_no_harm() {
        AdaptiveBatchSize size = new AdaptiveBatchSize(1000, TARGET, TIMEOUT);
        size.took(0, Duration.ofHours(1));
        assertThat(size.size()).isEqualTo(100);
        size.took(100, Duration.ZERO);
        assertThat(size.size()).isEqualTo(200);
    }

    private static List<Integer> sizes(AdaptiveBatchSize size, int rowsPerMilli, int batches) {
        List<Integer> sizes = new ArrayList<>();
        for (int batch = 0; batch < batches; batch++) {
            size.took(size.size(), Duration.ofNanos(size.size() * 1_000_000L / rowsPerMilli));
            sizes.add(size.size());
        }
        return sizes;
    }
}
