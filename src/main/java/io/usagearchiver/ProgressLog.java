package io.usagearchiver;

import java.time.Duration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Logs how far a sweep has come, at most once a minute, so that one which takes less says nothing but its end. */
final class ProgressLog implements SweepListener {
    private static final Duration INTERVAL = Duration.ofMinutes(1);
    private static final Logger log = LoggerFactory.getLogger(ProgressLog.class);

    private final Direction direction;
    private Duration told = Duration.ZERO;

    ProgressLog(Direction direction) {
        this.direction = direction;
    }

    @Override
    public void batchCommitted(SweepProgress progress) {
        if (progress.elapsed().minus(told).compareTo(INTERVAL) >= 0) {
            told = progress.elapsed();
            log.info("{} {} of {}: {}", direction, progress.sweepId(), progress.table(), progress.text());
        }
    }
}
