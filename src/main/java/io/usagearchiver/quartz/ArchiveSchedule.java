package io.usagearchiver.quartz;

import java.time.Instant;
import org.quartz.CronScheduleBuilder;
import org.quartz.CronTrigger;
import org.quartz.JobBuilder;
import org.quartz.JobDataMap;
import org.quartz.JobDetail;
import org.quartz.JobKey;
import org.quartz.ObjectAlreadyExistsException;
import org.quartz.Scheduler;
import org.quartz.SchedulerException;
import org.quartz.SimpleScheduleBuilder;
import org.quartz.Trigger;
import org.quartz.TriggerBuilder;
import org.quartz.TriggerKey;

/**
 * The job and its two triggers in the job store. Every node stores the same, at once and in any order: a trigger that is
 * as it should be is left alone, since replacing it would drop a run that it missed, and losing a race to another node
 * is fine.
 */
final class ArchiveSchedule {
    /** The group of the jobs and triggers of all archivers. */
    static final String GROUP = "usage-archiver";

    private final Scheduler scheduler;
    private final PluginSettings settings;
    private final JobKey job;
    private final TriggerKey cron;
    private final TriggerKey startup;

    ArchiveSchedule(Scheduler scheduler, String pluginName, PluginSettings settings) {
        this.scheduler = scheduler;
        this.settings = settings;
        this.job = new JobKey(pluginName, GROUP);
        this.cron = new TriggerKey(pluginName + ".cron", GROUP);
        this.startup = new TriggerKey(pluginName + ".startup", GROUP);
    }

    /** Stores the job with this node's settings, and its triggers where they are missing, different or broken. */
    void store() throws SchedulerException {
        scheduler.addJob(jobDetail(), true);
        ensure(TriggerBuilder.newTrigger()
                .withIdentity(cron)
                .forJob(job)
                .withDescription(
                        "Archives on the schedule " + settings.schedule().text() + " (UTC)")
                .withSchedule(
                        CronScheduleBuilder.cronSchedule(settings.schedule().quartzExpression())
                                .inTimeZone(CronSchedule.UTC)
                                .withMisfireHandlingInstructionFireAndProceed())
                .build());
        ensure(TriggerBuilder.newTrigger()
                .withIdentity(startup)
                .forJob(job)
                .withDescription("Archives once at the start of a node")
                .startNow()
                .withSchedule(SimpleScheduleBuilder.simpleSchedule().withMisfireHandlingInstructionFireNow())
                .build());
    }

    private JobDetail jobDetail() {
        return JobBuilder.newJob(ArchiveJob.class)
                .withIdentity(job)
                .withDescription("Moves expired rows: " + settings.pair())
                .usingJobData(new JobDataMap(settings.toProperties()))
                .storeDurably()
                .requestRecovery()
                .build();
    }

    private void ensure(Trigger wanted) throws SchedulerException {
        Trigger stored = scheduler.getTrigger(wanted.getKey());
        try {
            if (stored == null) {
                scheduler.scheduleJob(wanted);
            } else if (!stored.getClass().equals(wanted.getClass())
                    || !stored.getJobKey().equals(wanted.getJobKey())) {
                // Rescheduling would keep the stored trigger's job.
                scheduler.unscheduleJob(wanted.getKey());
                scheduler.scheduleJob(wanted);
            } else if (!same(stored, wanted)) {
                scheduler.rescheduleJob(wanted.getKey(), wanted);
            } else {
                repair(stored);
            }
        } catch (ObjectAlreadyExistsException e) {
            // Another node stored the same trigger at the same moment.
        }
    }

    /**
     * Frees a trigger that a node left behind: in ERROR, where it had no job class, or ACQUIRED or BLOCKED without a node
     * that holds it. Its fire time stays, so that a run that is due is not dropped. Where a node does hold it, pausing and
     * resuming changes nothing but that the trigger is acquired anew; one that an operator paused is left alone.
     */
    private void repair(Trigger stored) throws SchedulerException {
        Trigger.TriggerState state = scheduler.getTriggerState(stored.getKey());
        if (state == Trigger.TriggerState.ERROR) {
            scheduler.resetTriggerFromErrorState(stored.getKey());
        } else if ((state == Trigger.TriggerState.NORMAL || state == Trigger.TriggerState.BLOCKED)
                && stored.getNextFireTime() != null
                && stored.getNextFireTime().toInstant().isBefore(Instant.now())) {
            scheduler.pauseTrigger(stored.getKey());
            scheduler.resumeTrigger(stored.getKey());
        }
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
