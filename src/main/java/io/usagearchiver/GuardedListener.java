package io.usagearchiver;

import java.util.List;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Listeners, one after the other, whose exceptions are logged and go no further. */
record GuardedListener(List<SweepListener> listeners) implements SweepListener {
    private static final Logger log = LoggerFactory.getLogger(SweepListener.class);

    @Override
    public void sweepStarted(SweepProgress progress) {
        tell(l -> l.sweepStarted(progress));
    }

    @Override
    public void batchCommitted(SweepProgress progress) {
        tell(l -> l.batchCommitted(progress));
    }

    @Override
    public void sweepEnded(SweepResult result) {
        tell(l -> l.sweepEnded(result));
    }

    @Override
    public void sweepFailed(String table, ArchiveException fault) {
        tell(l -> l.sweepFailed(table, fault));
    }

    private void tell(Consumer<SweepListener> event) {
        for (SweepListener listener : listeners) {
            try {
                event.accept(listener);
            } catch (RuntimeException e) {
                log.warn("A sweep listener failed; the sweep goes on", e);
            }
        }
    }
}
