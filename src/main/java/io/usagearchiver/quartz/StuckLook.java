package io.usagearchiver.quartz;

import static org.quartz.impl.jdbcjobstore.Constants.STATE_ACQUIRED;
import static org.quartz.impl.jdbcjobstore.Constants.STATE_BLOCKED;
import static org.quartz.impl.jdbcjobstore.Constants.STATE_COMPLETE;
import static org.quartz.impl.jdbcjobstore.Constants.STATE_ERROR;
import static org.quartz.impl.jdbcjobstore.Constants.STATE_PAUSED;
import static org.quartz.impl.jdbcjobstore.Constants.STATE_PAUSED_BLOCKED;
import static org.quartz.impl.jdbcjobstore.Constants.STATE_WAITING;

import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.quartz.JobBuilder;
import org.quartz.JobKey;
import org.quartz.TriggerKey;
import org.quartz.impl.jdbcjobstore.FiredTriggerRecord;
import org.quartz.impl.jdbcjobstore.SchedulerStateRecord;
import org.quartz.impl.jdbcjobstore.TriggerStatus;
import org.quartz.spi.OperableTrigger;

/**
 * What is stuck of one job's triggers at one moment, and how it is freed. A record is a row of {@code QRTZ_FIRED_TRIGGERS}:
 * of a trigger that a node has ACQUIRED, or of a firing that it EXECUTES, for which all triggers of the job are BLOCKED.
 * These are stuck:
 * <ol>
 *   <li>a record of this node by which it is to fire a trigger whose time has passed, or executes a firing that does not
 *       run here. No other node can tell, so that each one decides about its own;
 *   <li>a record of a node that is not in the cluster. Those of one that is, but has died, are Quartz's;
 *   <li>a trigger that is in its state without a record: ACQUIRED; BLOCKED, with a firing that is late; PAUSED_BLOCKED;
 *       COMPLETE.
 * </ol>
 *
 * <p>A firing that does not run here has ended without Quartz having stored so, or has not begun: then it may wait for a
 * thread of the host's, or for a listener.
 *
 * <p>A trigger that is freed keeps its fire time, so that its policy for missed firings applies. A firing that never began
 * gets its time back, so that it is not lost; one that has ended is not run again. What is paused stays paused.
 */
final class StuckLook {
    private final QuartzTables.Rows rows;
    private final JobKey job;
    private final Firings firings;
    private final List<Stuck> found = new ArrayList<>();

    StuckLook(QuartzTables.Rows rows, JobKey job, Firings firings) {
        this.rows = rows;
        this.job = job;
        this.firings = firings;
    }

    List<Stuck> find() throws SQLException {
        Set<String> cluster = new TreeSet<>();
        for (SchedulerStateRecord node : rows.delegate().selectSchedulerStateRecords(rows.connection(), null)) {
            cluster.add(node.getSchedulerInstanceId());
        }
        List<FiredTriggerRecord> executing =
                rows.delegate().selectFiredTriggerRecordsByJob(rows.connection(), job.getName(), job.getGroup());
        List<FiredTriggerRecord> lost = executing.stream()
                .filter(record ->
                        isOurs(record) ? !firings.isRunning(record.getFireInstanceId()) : isOfNobody(record, cluster))
                .toList();
        for (FiredTriggerRecord record : lost) {
            boolean blocks = lost.size() == executing.size();
            boolean ended = firings.hasEnded(record.getFireInstanceId());
            found.add(new Stuck(
                    record.getFireInstanceId() + (ended ? " ended" : ""),
                    isOurs(record) && !ended,
                    toldOf(record),
                    givenUp -> end(record, blocks, givenUp)));
        }
        for (TriggerKey key : rows.delegate().selectTriggerKeysForJob(rows.connection(), job)) {
            TriggerStatus trigger = rows.delegate().selectTriggerStatus(rows.connection(), key);
            if (trigger != null) {
                find(trigger, executing.isEmpty(), cluster);
            }
        }
        return found;
    }

    private void find(TriggerStatus trigger, boolean idle, Set<String> cluster) throws SQLException {
        TriggerKey key = trigger.getKey();
        List<FiredTriggerRecord> records =
                rows.delegate().selectFiredTriggerRecords(rows.connection(), key.getName(), key.getGroup());
        List<FiredTriggerRecord> holders = records.stream()
                .filter(record -> record.getFireInstanceState().equals(STATE_ACQUIRED))
                .toList();
        for (FiredTriggerRecord record : holders) {
            if (isOurs(record) ? isPast(due(record)) : isOfNobody(record, cluster)) {
                boolean alone = holders.size() == 1;
                found.add(new Stuck(
                        record.getFireInstanceId(), false, toldOf(record), givenUp -> release(record, alone)));
            }
        }
        Date next = trigger.getNextFireTime();
        switch (trigger.getStatus()) {
            case STATE_ACQUIRED -> addIf(holders.isEmpty(), trigger, STATE_WAITING);
            case STATE_BLOCKED -> addIf(idle && next != null && isPast(next.toInstant()), trigger, STATE_WAITING);
            case STATE_PAUSED_BLOCKED -> addIf(idle, trigger, STATE_PAUSED);
            case STATE_COMPLETE -> {
                if (records.isEmpty() && next == null) {
                    found.add(new Stuck(
                            idOf(trigger),
                            false,
                            "Trigger " + key + " was over without a record of its last firing, and is removed",
                            givenUp -> rows.delegate().deleteTrigger(rows.connection(), key) > 0));
                }
            }
            default -> {}
        }
    }

    private void addIf(boolean stuck, TriggerStatus trigger, String state) {
        if (stuck) {
            found.add(new Stuck(
                    idOf(trigger),
                    false,
                    "Trigger " + trigger.getKey() + " was " + trigger.getStatus()
                            + " without a node that has it so, and is " + state + " again",
                    givenUp -> change(trigger.getKey(), trigger.getStatus(), state)));
        }
    }

    /** At another fire time it has moved meanwhile. */
    private static String idOf(TriggerStatus trigger) {
        return trigger.getKey() + " " + trigger.getStatus() + " " + trigger.getNextFireTime();
    }

    private boolean isOurs(FiredTriggerRecord record) {
        return rows.store().getInstanceId().equals(record.getSchedulerInstanceId());
    }

    private boolean isOfNobody(FiredTriggerRecord record, Set<String> cluster) {
        return rows.store().isClustered() && !cluster.contains(record.getSchedulerInstanceId());
    }

    private static Instant due(FiredTriggerRecord record) {
        return Instant.ofEpochMilli(record.getScheduleTimestamp());
    }

    /** By the clock of this node, by which Quartz fires here. */
    private static boolean isPast(Instant time) {
        return time.isBefore(Instant.now());
    }

    private String toldOf(FiredTriggerRecord record) {
        String told = "Trigger " + record.getTriggerKey() + " of " + due(record) + " was "
                + record.getFireInstanceState() + " on node " + record.getSchedulerInstanceId();
        if (!isOurs(record)) {
            return told + ", which is not in the cluster: it fires again";
        } else if (record.getFireInstanceState().equals(STATE_ACQUIRED)) {
            return told + ", which does not fire it: it fires again";
        }
        return told
                + (firings.hasEnded(record.getFireInstanceId())
                        ? ", where it has ended: its job fires again"
                        : ", where it never began: it fires again");
    }

    private boolean change(TriggerKey key, String from, String to) throws SQLException {
        return rows.delegate().updateTriggerStateFromOtherState(rows.connection(), key, to, from) > 0;
    }

    private boolean delete(FiredTriggerRecord record) throws SQLException {
        return rows.delegate().deleteFiredTrigger(rows.connection(), record.getFireInstanceId()) > 0;
    }

    /** If another node has the trigger as well, it stays with that one. */
    private boolean release(FiredTriggerRecord record, boolean alone) throws SQLException {
        if (!delete(record)) {
            return false;
        }
        if (alone) {
            change(record.getTriggerKey(), STATE_ACQUIRED, STATE_WAITING);
        }
        return true;
    }

    private boolean end(FiredTriggerRecord record, boolean blocks, List<String> givenUp) throws Exception {
        String id = record.getFireInstanceId();
        TriggerKey key = record.getTriggerKey();
        boolean ended = isOurs(record) && firings.hasEnded(id);
        String state = rows.delegate().selectTriggerState(rows.connection(), key);
        if (!ended) {
            if (state.equals(STATE_ACQUIRED) || state.equals(STATE_ERROR)) {
                // Its fire time is another's by now, or will be.
                return false;
            }
            if (isOurs(record)) {
                if (!firings.giveUp(id)) {
                    return false;
                }
                givenUp.add(id);
            }
        }
        if (!delete(record)) {
            return false;
        }
        if (blocks) {
            rows.delegate()
                    .updateTriggerStatesForJobFromOtherState(rows.connection(), job, STATE_WAITING, STATE_BLOCKED);
            rows.delegate()
                    .updateTriggerStatesForJobFromOtherState(
                            rows.connection(), job, STATE_PAUSED, STATE_PAUSED_BLOCKED);
        }
        if (!ended) {
            fireAgain(key, due(record));
        } else if (state.equals(STATE_COMPLETE)) {
            rows.delegate().deleteTrigger(rows.connection(), key);
        }
        return true;
    }

    /** Unless somebody has removed the trigger: then its firing is not wanted, either. */
    private void fireAgain(TriggerKey key, Instant due) throws Exception {
        OperableTrigger trigger = rows.delegate().selectTrigger(rows.connection(), key);
        if (trigger == null || !trigger.getJobKey().equals(job)) {
            return;
        }
        String state = rows.delegate().selectTriggerState(rows.connection(), key);
        if (state.equals(STATE_COMPLETE)) {
            state = rows.delegate().isTriggerGroupPaused(rows.connection(), key.getGroup())
                    ? STATE_PAUSED
                    : STATE_WAITING;
        }
        if (trigger.getNextFireTime() == null
                || trigger.getNextFireTime().toInstant().isAfter(due)) {
            trigger.setNextFireTime(Date.from(due));
        }
        rows.delegate()
                .updateTrigger(
                        rows.connection(),
                        trigger,
                        state,
                        JobBuilder.newJob(ArchiveJob.class).withIdentity(job).build());
    }
}
