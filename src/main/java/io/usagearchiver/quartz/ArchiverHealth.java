package io.usagearchiver.quartz;

import io.usagearchiver.Health;
import java.time.Clock;
import org.quartz.Scheduler;
import org.quartz.SchedulerException;

/**
 * The health of an archiver that a scheduler fires, for a host's own health checks: what {@link
 * io.usagearchiver.Archiver#health} says, and {@link io.usagearchiver.Health.Status#LATE} where sweeps do not come as the
 * schedule in the job store has them.
 *
 * <p>A sweep is late when a firing within the run window has passed since the last sweep of any node ended, by more than a
 * grace: a quarter of the time to the next firing, 5 minutes at least and 2 hours at most. The ledger is the witness, so it
 * does not matter which node swept, or who started it. A sweep counts whatever its end was, also while it runs, and so does
 * one that a restore kept from beginning; a firing that the run window refused does not. What is not in the ledger did not
 * come: a sweep that the database did not allow, or did not answer to: after a
 * repair the archiver may be late until the next firing, or a sweep by hand. The ledger knows only the table, so that two
 * archivers of one table witness for each other.
 *
 * <p>It is counted from the moment at which the schedule was stored, or changed, and no node says it in its first 5 minutes. A
 * cron that is over makes nothing late. The message says what to look at: a trigger that is paused, in error, stuck or not
 * there, a cluster without a live node, or else the log.
 */
public final class ArchiverHealth {
    private ArchiverHealth() {}

    /**
     * Asks the database and the job store. Waits no longer than they let it, which is a few seconds in the sample's
     * configuration.
     *
     * @param archiver the name of the plugin
     * @throws IllegalArgumentException if this scheduler has no plugin of that name
     * @throws SchedulerException if the scheduler has no context: it is a remote one
     */
    public static Health read(Scheduler scheduler, String archiver) throws SchedulerException {
        return SchedulerNode.of(scheduler).health(archiver).read(scheduler, Clock.systemUTC());
    }
}
