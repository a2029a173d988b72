package io.usagearchiver.quartz;

import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.quartz.JobDetail;
import org.quartz.JobKey;
import org.quartz.JobPersistenceException;
import org.quartz.Scheduler;
import org.quartz.SchedulerException;
import org.quartz.Trigger;
import org.quartz.impl.matchers.GroupMatcher;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An {@link ArchiveJob} in a job store, as it will be fired by any node.
 *
 * @param key a plugin's job has the plugin's name, and the group {@link #GROUP}
 * @param settings what it will sweep by, or null if its data does not say
 * @param fault why not, or null
 * @param nextFiring the next one of its triggers, or null if there is none
 */
public record StoredJob(
        JobKey key,
        @Nullable PluginSettings settings,
        @Nullable String fault,
        @Nullable Instant nextFiring) {

    /** The group of the plugins' jobs. */
    public static final String GROUP = ArchiverKeys.GROUP;

    private static final Logger log = LoggerFactory.getLogger(StoredJob.class);

    /**
     * All of a job store, those of plugins and a host's own.
     *
     * @throws SchedulerException if the job store does not answer
     */
    public static List<StoredJob> all(Scheduler scheduler) throws SchedulerException {
        List<StoredJob> jobs = new ArrayList<>();
        for (JobKey key : scheduler.getJobKeys(GroupMatcher.anyJobGroup())) {
            JobDetail job = read(scheduler, key);
            if (job != null && job.getJobClass().equals(ArchiveJob.class)) {
                jobs.add(of(scheduler, job));
            }
        }
        jobs.sort((a, b) -> a.key().compareTo(b.key()));
        return jobs;
    }

    /** Whether it is a plugin's, not one that the host stored itself. */
    public boolean isOfPlugin() {
        return key.getGroup().equals(GROUP);
    }

    /** Null if the job is gone, or cannot be read without the host's classes, as an {@link ArchiveJob} can. */
    private static @Nullable JobDetail read(Scheduler scheduler, JobKey key) throws SchedulerException {
        try {
            return scheduler.getJobDetail(key);
        } catch (JobPersistenceException e) {
            if (e.getCause() instanceof SQLException) {
                throw e;
            }
            log.debug("Could not read job {}", key, e);
        } catch (LinkageError e) {
            log.debug("Could not read job {}", key, e);
        }
        return null;
    }

    private static StoredJob of(Scheduler scheduler, JobDetail job) throws SchedulerException {
        Instant next = scheduler.getTriggersOfJob(job.getKey()).stream()
                .map(Trigger::getNextFireTime)
                .filter(Objects::nonNull)
                .min(Date::compareTo)
                .map(Date::toInstant)
                .orElse(null);
        try {
            Map<String, String> data = JobData.strings(job.getJobDataMap());
            return new StoredJob(job.getKey(), PluginSettings.ofJob(data, name -> "job data " + name), null, next);
        } catch (IllegalArgumentException e) {
            return new StoredJob(job.getKey(), null, e.getMessage(), next);
        }
    }
}
