package io.usagearchiver.bench;

import java.time.Duration;
import java.util.List;

/**
 * How much is measured.
 *
 * @param backlogs hot rows, smallest first
 * @param rounds how often each runs where the median counts
 * @param briefRows hot rows where a sweep of some seconds is enough
 * @param slowRows the most hot rows of contestants that are too slow for more
 * @param ledgerBatches batches of one sweep while an old snapshot is open
 * @param idleRows hot rows of sweeps with nothing to do
 * @param calm how long the live load runs without a sweep
 * @param limit how long one run may take before it is stopped
 */
record Scale(
        List<Integer> backlogs,
        int rounds,
        int briefRows,
        int slowRows,
        int ledgerBatches,
        List<Integer> idleRows,
        Duration calm,
        Duration limit) {
    static final Scale FULL = new Scale(
            List.of(200_000, 1_000_000, 4_000_000),
            3,
            300_000,
            200_000,
            30_000,
            List.of(10_000, 100_000, 1_000_000, 10_000_000),
            Duration.ofSeconds(10),
            Duration.ofSeconds(150));

    /** Shows that everything works; its figures are noisy. */
    static final Scale QUICK = new Scale(
            List.of(20_000, 50_000, 200_000),
            1,
            100_000,
            20_000,
            1_000,
            List.of(10_000, 100_000),
            Duration.ofSeconds(3),
            Duration.ofMinutes(1));

    Scale withLimit(Duration newLimit) {
        return new Scale(backlogs, rounds, briefRows, slowRows, ledgerBatches, idleRows, calm, newLimit);
    }

    int small() {
        return backlogs.get(0);
    }

    int medium() {
        return backlogs.get(1);
    }

    int large() {
        return backlogs.get(backlogs.size() - 1);
    }
}
