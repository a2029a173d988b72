package io.usagearchiver.quartz;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.quartz.JobKey;
import org.quartz.Scheduler;
import org.quartz.SchedulerException;
import org.quartz.impl.jdbcjobstore.FiredTriggerRecord;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Frees triggers of one job that a lost moment has left in a state that nobody will end: a connection that broke at a
 * COMMIT, a listener of the host that threw, a thread that was interrupted. Quartz frees them at the start of a node only.
 *
 * <p>What looks stuck at one look after the other, for a minute at least, or for half an hour if it may merely wait, is freed
 * under Quartz's own lock, after another look there, and only out of the state that was seen: whichever of several nodes comes
 * first does it. {@link StuckLook} has what counts as stuck. Not thread-safe.
 */
final class StuckTriggers {
    /** A good pause between two looks. */
    static final Duration EVERY = Duration.ofSeconds(30);

    /** The fewest: a freeze of this JVM, of whatever length, is over at the next look, but not before it. */
    static final int LOOKS = 3;

    /**
     * More looks, half an hour of them, at a firing of this node that has not begun: a host may have it wait for a thread,
     * or for a listener, and one that was given up in vain unblocks the job while its sweep runs.
     */
    static final int LOOKS_AT_WAITING = 60;

    private static final Logger log = LoggerFactory.getLogger("io.usagearchiver.quartz.ArchivePlugin");

    private final JobKey job;
    private final Firings firings;
    private final Duration every;
    private final int looksAtWaiting;
    private final @Nullable QuartzTables tables;
    private Map<String, Integer> seen = Map.of();
    private final Set<String> inDoubt = new HashSet<>();

    StuckTriggers(Scheduler scheduler, JobKey job, Firings firings, Duration every, int looksAtWaiting) {
        this.job = job;
        this.firings = firings;
        this.every = every;
        this.looksAtWaiting = looksAtWaiting;
        this.tables = QuartzTables.of(scheduler);
    }

    /** Looks once, and frees what has been seen often enough. To be called again after the pause. */
    void look() throws SchedulerException {
        if (tables == null) {
            return;
        }
        // Quartz repeats what failed, and a live node stores its sign of life anew, after no longer than these.
        long patience =
                Math.max(tables.store().getDbRetryInterval(), tables.store().getClusterCheckinInterval());
        long more = patience / every.toMillis();
        settle(tables);
        Map<String, Integer> before = seen;
        seen = Map.of();
        Map<String, Integer> now = new HashMap<>();
        boolean any = false;
        for (Stuck stuck : tables.read(rows -> new StuckLook(rows, job, firings).find())) {
            int looks = before.getOrDefault(stuck.id(), 0) + 1;
            now.put(stuck.id(), looks);
            any = any || looks >= enough(stuck, more);
        }
        seen = now;
        if (any) {
            free(tables, more);
        }
    }

    private long enough(Stuck stuck, long more) {
        return (stuck.waits() ? looksAtWaiting : LOOKS) + more;
    }

    private void free(QuartzTables tables, long more) throws SchedulerException {
        List<String> givenUp = new ArrayList<>();
        try {
            List<String> freed = tables.change(rows -> {
                List<String> done = new ArrayList<>();
                for (Stuck stuck : new StuckLook(rows, job, firings).find()) {
                    if (seen.getOrDefault(stuck.id(), 0) >= enough(stuck, more)
                            && stuck.remedy().isApplied(givenUp)) {
                        done.add(stuck.what());
                    }
                }
                return done;
            });
            freed.forEach(log::warn);
        } catch (SchedulerException | RuntimeException e) {
            inDoubt.addAll(givenUp);
            try {
                settle(tables);
            } catch (SchedulerException | RuntimeException unread) {
                // They stay given up until the next look can tell.
                e.addSuppressed(unread);
            }
            throw e;
        }
    }

    /**
     * After a fault at the COMMIT it may have happened all the same: only a firing whose record is still there may begin.
     * Under the lock, which the transaction in question holds until it has ended.
     */
    private void settle(QuartzTables tables) throws SchedulerException {
        if (inDoubt.isEmpty()) {
            return;
        }
        List<FiredTriggerRecord> there = tables.change(rows ->
                rows.delegate().selectFiredTriggerRecordsByJob(rows.connection(), job.getName(), job.getGroup()));
        for (FiredTriggerRecord record : there) {
            if (inDoubt.contains(record.getFireInstanceId())) {
                firings.takeBack(record.getFireInstanceId());
            }
        }
        inDoubt.clear();
    }
}
