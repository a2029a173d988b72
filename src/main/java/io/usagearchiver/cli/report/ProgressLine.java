package io.usagearchiver.cli.report;

import io.usagearchiver.SweepListener;
import io.usagearchiver.SweepProgress;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.function.Function;

/**
 * One line on a terminal that tells how far a sweep has come, written over again at most five times a second.
 *
 * <p>The cursor waits at its beginning, so that a log line takes its place; every log line is longer. Closing clears it.
 */
public final class ProgressLine implements SweepListener, AutoCloseable {
    private static final Duration INTERVAL = Duration.ofMillis(200);

    private final PrintWriter terminal;
    private final Function<SweepProgress, String> text;
    private Duration shown = Duration.ZERO;

    public ProgressLine(PrintWriter terminal) {
        this(terminal, ProgressLine::text);
    }

    public ProgressLine(PrintWriter terminal, Function<SweepProgress, String> text) {
        this.terminal = terminal;
        this.text = text;
    }

    @Override
    public void sweepStarted(SweepProgress progress) {
        show(text.apply(progress));
    }

    @Override
    public void batchCommitted(SweepProgress progress) {
        if (progress.elapsed().minus(shown).compareTo(INTERVAL) >= 0) {
            shown = progress.elapsed();
            show(text.apply(progress));
        }
    }

    @Override
    public void close() {
        show("");
    }

    private void show(String text) {
        terminal.printf("\r%-70s\r", text);
        terminal.flush();
    }

    static String text(SweepProgress progress) {
        return progress.oldestAgeLeft() == null
                ? String.format("Looking for rows older than %.16s UTC", Text.moment(progress.cutoff()))
                : progress.text();
    }
}
