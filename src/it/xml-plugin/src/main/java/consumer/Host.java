package consumer;

import org.quartz.SchedulerException;
import org.quartz.impl.StdSchedulerFactory;

/** A host whose jobs are all in quartz_data.xml, its own and the archiver's. */
public final class Host {
    private Host() {}

    /** Runs a node until SIGTERM. */
    public static void main(String[] args) throws SchedulerException {
        new StdSchedulerFactory().getScheduler().start();
    }
}
