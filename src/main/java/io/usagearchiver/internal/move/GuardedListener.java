package io.usagearchiver.internal.move;

import io.usagearchiver.ArchiveException;
import io.usagearchiver.SweepListener;
import io.usagearchiver.SweepProgress;
import io.usagearchiver.SweepResult;
import java.util.List;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Listeners, one after the other. What they throw is logged and goes no further, errors too: a class that is missing or a
 * recursion without an end is the listener's own. Only where the JVM itself is in trouble, such as out of memory, the sweep
 * ends as well.
 */
public record GuardedListener(List<SweepListener> listeners) implements SweepListener {
    private static final Logger log = LoggerFactory.getLogger("io.usagearchiver.SweepListener");

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
            } catch (Throwable e) {
                if (e instanceof VirtualMachineError trouble && !(e instanceof StackOverflowError)) {
                    throw trouble;
                }
                log.warn("A sweep listener failed; the sweep goes on", e);
            }
        }
    }
}
