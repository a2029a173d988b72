package io.usagearchiver.quartz;

import io.usagearchiver.Archiver;
import io.usagearchiver.SchemaDriftException;
import java.time.Duration;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.quartz.Scheduler;
import org.quartz.SchedulerException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a node does beside the scheduler's own: at its start it stores the schedule, tells of jobs that nobody of this
 * node stands behind, checks the tables and looks after triggers that another node left behind, in the background where the
 * database does not answer at once; as long as it is up, it sees to it that no trigger rests in error, or is stuck.
 */
final class ScheduleKeeper {
    private static final Duration FIRST_RETRY = Duration.ofSeconds(1);
    private static final Duration STEP_AT_SHUTDOWN = Duration.ofSeconds(1);
    private static final Logger log = LoggerFactory.getLogger("io.usagearchiver.quartz.ArchivePlugin");

    private final String name;
    private final Scheduler scheduler;
    private final PluginSettings settings;
    private final SchedulerNode node;
    private final Duration every;
    private final ArchiveSchedule schedule;
    private final StuckTriggers stuck;
    private final Thread thread;
    private final CountDownLatch shutdown = new CountDownLatch(1);
    private boolean stored;
    private final Set<String> loggedFaults = new HashSet<>();

    /**
     * Makes one that has not started.
     *
     * @param every the pause between two looks at the triggers, and the longest one between two attempts
     */
    ScheduleKeeper(String name, Scheduler scheduler, PluginSettings settings, SchedulerNode node, Duration every) {
        this.name = name;
        this.scheduler = scheduler;
        this.settings = settings;
        this.node = node;
        this.every = every;
        this.schedule = new ArchiveSchedule(scheduler, name, settings);
        this.stuck = new StuckTriggers(
                scheduler, ArchiverKeys.of(name).job(), node.firings(), every, StuckTriggers.LOOKS_AT_WAITING);
        this.thread = new Thread(this::keep, "usage-archiver-" + name);
    }

    void start() {
        log.info("Archiver {} starts: {}", name, settings.toProperties());
        if (settings.schedule().isOver()) {
            log.warn(
                    "Archiver {}: its cron '{}' has no firing to come: only the start of a node archives; set one that fires"
                            + " again",
                    name,
                    settings.schedule().text());
        }
        try {
            node.connections(settings.dataSource());
        } catch (IllegalArgumentException e) {
            log.error("Archiver {} cannot run: {}", name, e.getMessage(), e);
        }
        store();
        thread.setDaemon(true);
        thread.start();
    }

    /** Lets a step in the background end before the job store's pool is closed under it. */
    void shutdown() {
        shutdown.countDown();
        try {
            thread.join(STEP_AT_SHUTDOWN.toMillis());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /**
     * Stores the schedule and checks the tables, until the database has answered to both. Where the check had to wait,
     * so had the startup sweep, which failed: the schedule is stored once more, to run it now. Then looks after the
     * triggers, until the node is shut down.
     */
    private void keep() {
        try {
            if (attempt(this::store) == 0) {
                return;
            }
            tellOfOtherJobs();
            int checks = attempt(this::check);
            if (checks > 0) {
                stored = checks == 1;
                if (attempt(this::store) > 0) {
                    lookAfterTriggers();
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** After those that a node left behind, until none is due; after those in error, and those that are stuck, without end. */
    private void lookAfterTriggers() throws InterruptedException {
        Duration pause = FIRST_RETRY;
        boolean free = false;
        do {
            free = free || free();
            pause = free ? every : longer(pause);
            repair();
            if (pause.equals(every)) {
                look();
            }
        } while (!shutdown.await(pause.toMillis(), TimeUnit.MILLISECONDS));
    }

    /** Takes a step until it succeeds. Returns the number of attempts, or 0 if the node was shut down before. */
    private int attempt(BooleanSupplier step) throws InterruptedException {
        Duration pause = FIRST_RETRY;
        for (int attempt = 1; ; attempt++) {
            if (step.getAsBoolean()) {
                return attempt;
            }
            if (shutdown.await(pause.toMillis(), TimeUnit.MILLISECONDS)) {
                return 0;
            }
            pause = longer(pause);
        }
    }

    private Duration longer(Duration pause) {
        return pause.multipliedBy(2).compareTo(every) < 0 ? pause.multipliedBy(2) : every;
    }

    private boolean store() {
        if (stored) {
            return true;
        }
        try {
            schedule.store();
            stored = true;
        } catch (SchedulerException | RuntimeException e) {
            fault("store its schedule; check the job store's data source", e);
        }
        return stored;
    }

    /** The first of a node's archivers does it for all, once. */
    private void tellOfOtherJobs() {
        Map<String, PluginSettings> archivers = node.archivers();
        if (!archivers.keySet().iterator().next().equals(name)) {
            return;
        }
        try {
            OtherJobs.tell(StoredJob.all(scheduler), archivers);
        } catch (SchedulerException | RuntimeException e) {
            if (shutdown.getCount() > 0) {
                log.warn("Archiver {} could not look for jobs without a plugin; its next start does", name, e);
            }
        }
    }

    private boolean check() {
        try {
            Archiver.builder(settings.pair(), node.connections(settings.dataSource()))
                    .settings(settings.archive())
                    .build()
                    .checkSchema();
            log.info("Archiver {}: the tables are fit to be archived", name);
            return true;
        } catch (SchemaDriftException e) {
            log.error("{}\nThe scheduler goes on; each firing checks the tables again.", e.getMessage());
            return true;
        } catch (RuntimeException e) {
            fault("check its tables; check data source " + settings.dataSource(), e);
            return false;
        }
    }

    private boolean free() {
        try {
            return schedule.free();
        } catch (SchedulerException | RuntimeException e) {
            fault("free its triggers; check the job store's data source", e);
            return false;
        }
    }

    /** A database that is away is in the log already: the job store signs in each few seconds. */
    private void repair() {
        try {
            schedule.repair();
        } catch (SchedulerException | RuntimeException e) {
            log.debug("Archiver {} could not look after its triggers in error", name, e);
        }
    }

    private void look() {
        try {
            stuck.look();
        } catch (SchedulerException | RuntimeException e) {
            String message = "Archiver " + name + " keeps trying, but could not look for triggers that are stuck";
            // Once, whatever the fault: it does so as long as the node is up.
            if (loggedFaults.add(message) && shutdown.getCount() > 0) {
                log.warn(message, e);
            } else {
                log.debug(message, e);
            }
        }
    }

    /** Logs each fault once, not at each attempt: a pool without connections has several to tell in turn. */
    private void fault(String task, Exception e) {
        String message = "Archiver " + name + " keeps trying, but could not " + task + ": " + e.getMessage();
        if (loggedFaults.add(message) && shutdown.getCount() > 0) {
            log.error(message, e);
        } else {
            log.debug(message, e);
        }
    }
}
