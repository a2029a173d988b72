package io.usagearchiver.quartz;

import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.Date;
import org.jooq.exception.ExceptionTools;
import org.jspecify.annotations.Nullable;
import org.quartz.Scheduler;
import org.quartz.SchedulerException;
import org.quartz.Trigger;
import org.quartz.TriggerKey;
import org.quartz.impl.jdbcjobstore.Constants;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What to look at when a trigger's firing has led to no sweep. */
record Suspect(
        Scheduler scheduler, TriggerKey key, @Nullable Trigger stored, Instant now) {
    /** A firing that is due for longer should have been taken: Quartz looks for missed ones once a minute. */
    private static final Duration DUE = Duration.ofMinutes(2);

    private static final Logger log = LoggerFactory.getLogger("io.usagearchiver.quartz.ArchivePlugin");

    /** One sentence, of the first thing that keeps it from firing. */
    String tell() throws SchedulerException {
        if (stored == null) {
            return "trigger " + key + " is not in the job store; each start of a node stores it";
        }
        switch (scheduler.getTriggerState(key)) {
            case PAUSED -> {
                return "trigger " + key + " is PAUSED: resume it, or its group, or all";
            }
            case ERROR -> {
                return "trigger " + key + " is in ERROR: a node could not load its job, and has logged why;"
                        + " a node of this version that is up lets it fire again";
            }
            default -> {}
        }
        StoreDiagnosis tables = StoreDiagnosis.of(scheduler);
        try {
            String dead = tables == null || !tables.isClustered() ? asleep() : tables.deadNodes(now);
            if (dead != null) {
                return dead;
            }
            Date next = stored.getNextFireTime();
            Date due = next != null && next.toInstant().isBefore(now.minus(DUE)) ? next : null;
            String stuck = tables == null ? null : stuck(tables, stored, due != null);
            if (stuck != null) {
                return stuck;
            } else if (due != null) {
                return waiting(due);
            }
        } catch (SQLException e) {
            log.debug("Could not look at the job store's tables", e);
        }
        return "the schedule is in order, so the firing came to nothing: the log of the node that had it says why";
    }

    /** Why a job store cannot be read. */
    static String unreadable(Scheduler scheduler, SchedulerException fault) {
        StoreDiagnosis tables = StoreDiagnosis.of(scheduler);
        String delegate = tables == null || ExceptionTools.getCause(fault, SQLException.class) == null
                ? null
                : tables.wrongDelegate();
        return "the job store cannot be read, and fires nothing then: "
                + (delegate == null ? fault.getMessage() : delegate);
    }

    private @Nullable String asleep() throws SchedulerException {
        return scheduler.isInStandbyMode() || !scheduler.isStarted()
                ? "scheduler " + scheduler.getSchedulerName() + " is not started, or in standby"
                : null;
    }

    /** A firing that a node executes has moved the trigger on, so that it need not be due. */
    private @Nullable String stuck(StoreDiagnosis tables, Trigger trigger, boolean due) throws SQLException {
        String state = tables.state(key);
        boolean blocked = Constants.STATE_BLOCKED.equals(state);
        if (!blocked && !Constants.STATE_ACQUIRED.equals(state)) {
            return null;
        }
        String holder = tables.holder(key, trigger.getJobKey());
        if (blocked && holder != null) {
            return "trigger " + key + " is BLOCKED by a firing that node " + holder
                    + " holds and that has led to no sweep:"
                    + " restart node " + holder
                    + ", or wait: it frees it within minutes if it has this version, or within"
                    + " half an hour if the firing never began";
        }
        if (!due) {
            return null;
        }
        return "trigger " + key + " is stuck, " + state + " since its firing was due, and "
                + (holder == null ? "no node holds it" : "held by node " + holder)
                + ": scheduler.resumeTrigger frees it, and so does the start of a node";
    }

    private String waiting(Date due) {
        return "trigger " + key + " is due since " + due.toInstant() + ", and no node takes it: are all threads of the"
                + " schedulers busy, or is a lock of the job store held?";
    }
}
