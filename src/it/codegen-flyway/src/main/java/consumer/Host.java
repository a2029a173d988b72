package consumer;

import org.quartz.Scheduler;
import org.quartz.SchedulerException;
import org.quartz.impl.StdSchedulerFactory;

/** A host with a scheduler and a job of its own. Of the archiver it has the jar and the lines in quartz.properties. */
public final class Host {
    private Host() {}

    /** Runs a node until SIGTERM. */
    public static void main(String[] args) throws SchedulerException {
        Scheduler scheduler = new StdSchedulerFactory().getScheduler();
        HostJob.schedule(scheduler, "quartz");
        scheduler.start();
    }
}
