package io.usagearchiver.quartz;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.quartz.JobKey;
import org.quartz.Scheduler;
import org.quartz.SchedulerException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Frees triggers of one job that a lost moment has left in a state that nobody will end: a connection that broke at a
 * COMMIT, a listener of the host that threw, a thread that was interrupted. Quartz frees them at the start of a node only.
 *
 * <p>What looks stuck at one look after the other, for a minute at least, is freed under Quartz's own lock, after another
 * look there, and only out of the state that was seen: whichever of several nodes comes first does it. {@link StuckLook}
 * has what counts as stuck. Not thread-safe.
 */
final class StuckTriggers {
    /** A good pause between two looks. */
    static final Duration EVERY = Duration.ofSeconds(30);

    /** The fewest: a freeze of this JVM, of whatever length, is over at the next look, but not before it. */
    static final int LOOKS = 3;

    private static final Logger log = LoggerFactory.getLogger(ArchivePlugin.class);

    private final JobKey job;
    private final Firings firings;
    private final Duration every;
    private final @Nullable QuartzTables tables;
    private Map<String, Integer> seen = Map.of();

    StuckTriggers(Scheduler scheduler, JobKey job, Firings firings, Duration every) {
        this.job = job;
        this.firings = firings;
        this.every = every;
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
        long enough = LOOKS + patience / every.toMillis();
        Map<String, Integer> before = seen;
        seen = Map.of();
        Map<String, Integer> now = new HashMap<>();
        for (StuckLook.Stuck stuck : tables.read(rows -> new StuckLook(rows, job, firings).find())) {
            now.put(stuck.id(), before.getOrDefault(stuck.id(), 0) + 1);
        }
        seen = now;
        if (now.values().stream().anyMatch(looks -> looks >= enough)) {
            free(tables, enough);
        }
    }

    private void free(QuartzTables tables, long enough) throws SchedulerException {
        List<String> givenUp = new ArrayList<>();
        try {
            List<String> freed = tables.change(rows -> {
                List<String> done = new ArrayList<>();
                for (StuckLook.Stuck stuck : new StuckLook(rows, job, firings).find()) {
                    if (seen.getOrDefault(stuck.id(), 0) >= enough
                            && stuck.remedy().isApplied(givenUp)) {
                        done.add(stuck.what());
                    }
                }
                return done;
            });
            freed.forEach(log::warn);
        } catch (SchedulerException | RuntimeException e) {
            givenUp.forEach(firings::takeBack);
            throw e;
        }
    }
}
