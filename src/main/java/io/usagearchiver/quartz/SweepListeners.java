package io.usagearchiver.quartz;

import io.usagearchiver.SweepListener;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.quartz.Scheduler;
import org.quartz.SchedulerContext;
import org.quartz.SchedulerException;

/**
 * Who hears of the sweeps that run on a node. They are kept in the context of its scheduler, so they are the node's own: the
 * job store, and with it the other nodes, know nothing of them. Thread-safe.
 */
public final class SweepListeners {
    private static final String KEY = "usage-archiver.listeners.";

    private SweepListeners() {}

    /**
     * Adds a listener to an archiver of this node, before or after the scheduler is started. {@link
     * ArchivePlugin#setListeners} does the same by a property.
     *
     * @param archiver the name of the plugin
     * @throws SchedulerException if the scheduler has no context: it is a remote one
     */
    public static void add(Scheduler scheduler, String archiver, SweepListener listener) throws SchedulerException {
        of(scheduler, archiver).add(listener);
    }

    @SuppressWarnings("unchecked") // Nobody else writes this key.
    static List<SweepListener> of(Scheduler scheduler, String archiver) throws SchedulerException {
        SchedulerContext context = scheduler.getContext();
        synchronized (context) {
            Object known = context.get(KEY + archiver);
            if (known == null) {
                known = new CopyOnWriteArrayList<SweepListener>();
                context.put(KEY + archiver, known);
            }
            return (List<SweepListener>) known;
        }
    }
}
