package io.usagearchiver.quartz;

import io.usagearchiver.ArchiveException;
import io.usagearchiver.Archiver;
import io.usagearchiver.ConnectionSource;
import io.usagearchiver.Health;
import io.usagearchiver.RunWindow;
import io.usagearchiver.SchemaDriftException;
import io.usagearchiver.SweepFailedException;
import io.usagearchiver.SweepListener;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Date;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.quartz.CronScheduleBuilder;
import org.quartz.JobDetail;
import org.quartz.JobKey;
import org.quartz.Scheduler;
import org.quartz.SchedulerException;
import org.quartz.Trigger;
import org.quartz.TriggerBuilder;
import org.quartz.TriggerKey;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The health of one archiver: what its database says, whether sweeps come when the stored schedule has them, and a sweep that
 * failed on this node before it could write that down, until a later one of any node has begun. Thread-safe.
 */
final class NodeHealth implements SweepListener {
    /** In which the sweep of a node's start has its turn, before the node says that one is late. */
    static final Duration AFTER_START = Duration.ofMinutes(5);

    private static final DateTimeFormatter SECONDS =
            DateTimeFormatter.ofPattern("uuuu-MM-dd HH:mm:ss 'UTC'").withZone(ZoneOffset.UTC);

    private static final Logger log = LoggerFactory.getLogger("io.usagearchiver.quartz.ArchivePlugin");

    private final PluginSettings settings;
    private final Supplier<ConnectionSource> connections;
    private final JobKey job;
    private final TriggerKey cron;
    private volatile @Nullable Fault fault;

    NodeHealth(String name, PluginSettings settings, Supplier<ConnectionSource> connections) {
        this.settings = settings;
        this.connections = connections;
        ArchiverKeys keys = ArchiverKeys.of(name);
        this.job = keys.job();
        this.cron = keys.cron();
    }

    /** The hot table, as sweeps name it. */
    String table() {
        return settings.table();
    }

    /** A sweep that could not write down that it failed. */
    private record Fault(String message, long nanos) {}

    @Override
    public void sweepFailed(String table, ArchiveException failure) {
        boolean written = failure instanceof SweepFailedException known && known.result() != null;
        if (!written && !(failure instanceof SchemaDriftException)) {
            fault = new Fault(String.valueOf(failure.getMessage()), System.nanoTime());
        }
    }

    /** Asks the database and the job store, one caller after the other. */
    synchronized Health read(Scheduler scheduler, Clock clock) {
        Health health;
        try {
            health = Archiver.builder(settings.pair(), connections.get())
                    .settings(settings.archive())
                    .build()
                    .health();
        } catch (IllegalArgumentException e) {
            return Health.of(Health.Status.NO_ANSWER, String.valueOf(e.getMessage()));
        }
        try {
            return health.status() == Health.Status.NO_ANSWER || scheduler.isShutdown()
                    ? health
                    : withSchedule(withFault(health), scheduler, clock.instant());
        } catch (SchedulerException e) {
            return told(health, Health.Status.NO_ANSWER, Suspect.unreadable(scheduler, e));
        }
    }

    private Health withFault(Health health) {
        Fault known = fault;
        if (known != null && health.ok()) {
            Duration sinceSweep = health.sinceLastSweep();
            if (sinceSweep == null || sinceSweep.compareTo(Duration.ofNanos(System.nanoTime() - known.nanos)) > 0) {
                return health.with(Health.Status.LAST_SWEEP_FAILED, known.message);
            }
            fault = null;
        }
        return health;
    }

    private Health withSchedule(Health health, Scheduler scheduler, Instant now) throws SchedulerException {
        // First, also for its fault: without the job, a job store that cannot be read has no trigger either.
        JobDetail storedJob = scheduler.getJobDetail(job);
        Trigger stored = scheduler.getTrigger(cron);
        Date next = stored == null ? null : stored.getNextFireTime();
        Health known = health.withNextFiring(next == null ? null : next.toInstant());
        Date started = scheduler.getMetaData().getRunningSince();
        Trigger trigger = stored != null ? stored : wanted(started);
        boolean justStarted =
                started != null && now.isBefore(started.toInstant().plus(AFTER_START));
        if (trigger == null || justStarted || health.status() == Health.Status.DISABLED) {
            return known;
        }
        ScheduledFirings firings = new ScheduledFirings(
                trigger,
                trigger.getCalendarName() == null ? null : scheduler.getCalendar(trigger.getCalendarName()),
                window(storedJob));
        Duration idle = health.idle();
        if (firings.areAllOutsideWindow(now)) {
            return told(known, Health.Status.LATE, "no firing of its schedule is in runWindow " + firings.window());
        }
        Instant overdue = firings.overdue(idle == null ? null : now.minus(idle), now);
        return overdue == null
                ? known
                : told(
                        known,
                        Health.Status.LATE,
                        "no sweep has come of the firing at " + SECONDS.format(overdue) + ": "
                                + new Suspect(scheduler, cron, stored, now).tell());
    }

    /** The window that a firing of any node has, which may not be the one of this node. */
    private @Nullable RunWindow window(@Nullable JobDetail stored) {
        PluginSettings known = settings;
        if (stored != null) {
            try {
                known = PluginSettings.ofJob(JobData.strings(stored.getJobDataMap()), name -> "job data " + name);
            } catch (IllegalArgumentException e) {
                log.debug("Could not read the settings of job {}", job, e);
            }
        }
        return known.archive().pace().runWindow();
    }

    /** What a node would store at its start; null if it has no firing to come, or nobody knows since when it should be there. */
    private @Nullable Trigger wanted(@Nullable Date since) {
        return since == null || settings.schedule().isOver()
                ? null
                : TriggerBuilder.newTrigger()
                        .startAt(since)
                        .withSchedule(CronScheduleBuilder.cronSchedule(
                                        settings.schedule().quartzExpression())
                                .inTimeZone(CronSchedule.UTC))
                        .build();
    }

    /** What is known to be wrong already goes before. */
    private static Health told(Health health, Health.Status status, String message) {
        return health.ok()
                ? health.with(status, message + "; " + health.message())
                : health.with(health.status(), health.message() + "\n  - " + message);
    }
}
