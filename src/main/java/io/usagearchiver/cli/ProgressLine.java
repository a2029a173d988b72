package io.usagearchiver.cli;

import io.usagearchiver.SweepListener;
import io.usagearchiver.SweepProgress;
import io.usagearchiver.SweepResult;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.Locale;

/** One line on a terminal that tells how far a sweep has come, written over again at most five times a second. */
final class ProgressLine implements SweepListener {
    private static final Duration INTERVAL = Duration.ofMillis(200);
    private static final String CLEAR = "\r\033[K";

    private final PrintWriter terminal;
    private Duration last = Duration.ZERO;

    ProgressLine(PrintWriter terminal) {
        this.terminal = terminal;
    }

    @Override
    public void batchCommitted(SweepProgress progress) {
        if (progress.elapsed().minus(last).compareTo(INTERVAL) >= 0) {
            last = progress.elapsed();
            terminal.print(CLEAR + text(progress));
            terminal.flush();
        }
    }

    @Override
    public void sweepEnded(SweepResult result) {
        terminal.print(CLEAR);
        terminal.flush();
    }

    static String text(SweepProgress progress) {
        return String.format(
                Locale.ROOT,
                "%,d rows moved, %,d rows/s, now at rows of %.10s (cutoff %.10s)",
                progress.rowsMoved(),
                Report.perSecond(progress.rowsMoved(), progress.elapsed()),
                progress.oldestAgeLeft(),
                progress.cutoff());
    }
}
