package io.usagearchiver.quartz;

import io.usagearchiver.ArchivePair;
import java.sql.SQLException;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jooq.exception.ExceptionTools;
import org.jspecify.annotations.Nullable;
import org.quartz.CronScheduleBuilder;
import org.quartz.CronTrigger;
import org.quartz.JobBuilder;
import org.quartz.JobDataMap;
import org.quartz.JobDetail;
import org.quartz.JobKey;
import org.quartz.JobPersistenceException;
import org.quartz.ObjectAlreadyExistsException;
import org.quartz.Scheduler;
import org.quartz.SchedulerException;
import org.quartz.SimpleScheduleBuilder;
import org.quartz.Trigger;
import org.quartz.TriggerBuilder;
import org.quartz.TriggerKey;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The job and its two triggers in the job store. Every node stores the same, at once and in any order: a trigger that is
 * as it should be is left alone, since replacing it would drop a run that it missed, and losing a race to another node
 * is fine.
 */
final class ArchiveSchedule {
    private static final int READINGS = 10;
    private static final String UNIQUE_VIOLATION = "23505";
    private static final int MOST_OF_DESCRIPTION = 250;
    private static final Logger log = LoggerFactory.getLogger("io.usagearchiver.quartz.ArchivePlugin");

    private final Scheduler scheduler;
    private final PluginSettings settings;
    private final JobKey job;
    private final TriggerKey cron;
    private final TriggerKey startup;

    ArchiveSchedule(Scheduler scheduler, String pluginName, PluginSettings settings) {
        this.scheduler = scheduler;
        this.settings = settings;
        ArchiverKeys keys = ArchiverKeys.of(pluginName);
        this.job = keys.job();
        this.cron = keys.cron();
        this.startup = keys.startup();
    }

    /** Stores the job with this node's settings, and its triggers where they are missing, different or broken. */
    void store() throws SchedulerException {
        addJob();
        Trigger scheduled = TriggerBuilder.newTrigger()
                .withIdentity(cron)
                .forJob(job)
                .withDescription(
                        "Archives on the schedule " + settings.schedule().text() + " (UTC)")
                .withSchedule(
                        CronScheduleBuilder.cronSchedule(settings.schedule().quartzExpression())
                                .inTimeZone(CronSchedule.UTC)
                                .withMisfireHandlingInstructionFireAndProceed())
                .build();
        if (settings.schedule().isOver()) {
            removeUnlessSame(scheduled);
        } else {
            ensure(scheduled);
        }
        ensure(TriggerBuilder.newTrigger()
                .withIdentity(startup)
                .forJob(job)
                .withDescription("Archives once at the start of a node")
                .startNow()
                .withSchedule(SimpleScheduleBuilder.simpleSchedule().withMisfireHandlingInstructionFireNow())
                .build());
        repair();
    }

    private void addJob() throws SchedulerException {
        try {
            scheduler.addJob(jobDetail(), true);
        } catch (SchedulerException e) {
            if (!isStoredByAnother(e)) {
                throw e;
            }
            scheduler.addJob(jobDetail(), true);
        }
    }

    private JobDetail jobDetail() {
        return JobBuilder.newJob(ArchiveJob.class)
                .withIdentity(job)
                .withDescription(description(settings.pair()))
                .usingJobData(new JobDataMap(settings.toProperties()))
                .storeDurably()
                .requestRecovery()
                .build();
    }

    /** Names may be longer than what Quartz's tables take. */
    private static String description(ArchivePair<?> pair) {
        String description = "Moves expired rows: " + pair;
        return description.length() <= MOST_OF_DESCRIPTION
                ? description
                : description.substring(0, MOST_OF_DESCRIPTION - 1) + "…";
    }

    private void ensure(Trigger wanted) throws SchedulerException {
        Trigger stored = stored(wanted.getKey());
        try {
            if (stored == null) {
                scheduler.scheduleJob(wanted);
            } else if (!sameKind(stored, wanted)) {
                // Rescheduling would keep the stored trigger's job.
                scheduler.unscheduleJob(wanted.getKey());
                scheduler.scheduleJob(wanted);
            } else if (!same(stored, wanted)) {
                boolean paused = state(wanted.getKey()) == Trigger.TriggerState.PAUSED;
                scheduler.rescheduleJob(wanted.getKey(), wanted);
                if (paused) {
                    scheduler.pauseTrigger(wanted.getKey());
                }
            }
        } catch (SchedulerException e) {
            if (!isStoredByAnother(e)) {
                throw e;
            }
        }
    }

    /** Quartz takes no trigger that will not fire. One that is stored still has a last firing that is due. */
    private void removeUnlessSame(Trigger over) throws SchedulerException {
        Trigger stored = stored(over.getKey());
        if (stored != null && !(sameKind(stored, over) && same(stored, over))) {
            scheduler.unscheduleJob(over.getKey());
        }
    }

    /** In a job store without a lock, another node may be just between the two inserts of a trigger. */
    private @Nullable Trigger stored(TriggerKey key) throws SchedulerException {
        for (int reading = 1; ; reading++) {
            try {
                return scheduler.getTrigger(key);
            } catch (JobPersistenceException e) {
                if (reading == READINGS || ExceptionTools.getCause(e, IllegalStateException.class) == null) {
                    throw e;
                }
                pause();
            }
        }
    }

    private static void pause() {
        try {
            TimeUnit.MILLISECONDS.sleep(50);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /**
     * Whether another node stored the same at the same moment. A job store without a lock learns it from the primary key
     * only: Spring's takes none outside of a transaction.
     */
    private static boolean isStoredByAnother(SchedulerException e) {
        SQLException fault = ExceptionTools.getCause(e, SQLException.class);
        return e instanceof ObjectAlreadyExistsException
                || (fault != null && UNIQUE_VIOLATION.equals(fault.getSQLState()));
    }

    /**
     * Lets triggers fire again that Quartz has set to ERROR, which it does when a node cannot load the job: it does not
     * have the class, or is shut down at that moment. Their fire times stay: a firing that is due runs once.
     */
    void repair() throws SchedulerException {
        for (TriggerKey key : List.of(cron, startup)) {
            if (state(key) == Trigger.TriggerState.ERROR) {
                scheduler.resetTriggerFromErrorState(key);
                log.warn("Trigger {} was in state ERROR and fires again; the node that set it so has logged why", key);
            }
        }
    }

    /**
     * Frees triggers that a node left behind ACQUIRED or BLOCKED without a node that holds them: has Quartz treat a firing
     * that is due as missed, which runs it once. Quartz does so in one transaction, but only when the firing is late by its
     * {@code misfireThreshold}. A trigger that an operator paused is left alone; for one that a node does hold, nothing
     * changes but that it is acquired anew.
     *
     * @return false if a firing is due, so that this is to be called again
     */
    boolean free() throws SchedulerException {
        boolean free = true;
        for (TriggerKey key : List.of(cron, startup)) {
            Trigger stored = scheduler.getTrigger(key);
            if (stored != null
                    && stored.getNextFireTime() != null
                    && stored.getNextFireTime().toInstant().isBefore(Instant.now())
                    && state(key) != Trigger.TriggerState.PAUSED) {
                scheduler.resumeTrigger(key);
                free = false;
            }
        }
        return free;
    }

    private Trigger.TriggerState state(TriggerKey key) throws SchedulerException {
        return scheduler.getTriggerState(key);
    }

    private static boolean sameKind(Trigger stored, Trigger wanted) {
        return stored.getClass().equals(wanted.getClass()) && stored.getJobKey().equals(wanted.getJobKey());
    }

    private static boolean same(Trigger stored, Trigger wanted) {
        if (stored.getMisfireInstruction() != wanted.getMisfireInstruction()) {
            return false;
        }
        return !(stored instanceof CronTrigger old && wanted instanceof CronTrigger now)
                || (old.getCronExpression().equals(now.getCronExpression())
                        && old.getTimeZone().equals(now.getTimeZone()));
    }
}
