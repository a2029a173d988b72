package io.usagearchiver;

import io.usagearchiver.internal.postgres.DurationRange;
import java.time.Duration;
import java.time.LocalDateTime;
import java.time.temporal.ChronoUnit;
import org.jspecify.annotations.Nullable;

/**
 * What a sweep may be told. Immutable; a bad value is refused with its name, never corrected.
 *
 * @param retentionMonths the retention period in whole calendar months, {@value #MIN_RETENTION_MONTHS} to {@value
 *     #MAX_RETENTION_MONTHS}; default {@value #DEFAULT_RETENTION_MONTHS}
 * @param batchSize the most rows that a batch is cut for, {@value #MIN_BATCH_SIZE} to {@value #MAX_BATCH_SIZE};
 *     default {@value #DEFAULT_BATCH_SIZE}. A batch is a stretch of time: rows with ages in it that come meanwhile move with it
 * @param workers how many connections move rows at the same time, {@value #MIN_WORKERS} to {@value #MAX_WORKERS}; default
 *     {@value #DEFAULT_WORKERS}. With more than one, a sweep has one connection more than that, and as many threads of its own.
 *     They share one ledger row, one time budget and one pace
 * @param timeBudget how long a sweep may go on before it stops between two batches, after one at least, or null for as long as it takes
 *     (the default)
 * @param lockTimeout how long a statement of a batch waits for a lock, less than {@code statementTimeout}; default 5 s
 * @param statementTimeout how long a statement of a batch may run; default 60 s. A page of candidates may take ten
 *     times as long, since it may have to pass many dead index entries once. Two seconds after that limit without an
 *     answer, the network is taken for dead and the connection is replaced
 * @param idleTransactionTimeout how long PostgreSQL lets a transaction of the archiver sit idle before it ends it, so
 *     that a frozen node holds nobody up for longer; default 10 s
 * @param retryTimeout how long a sweep keeps trying after a transient fault, such as a restart of the server, without a
 *     batch that succeeds; default 5 min
 * @param pace how the sweep spares what else uses the database; default {@link Pace#full()}
 * @param handOver whether a partition of the hot table whose rows are all expired becomes one of the archive, instead of its
 *     rows moving one by one; default false. The role must own both tables and the partition. Whatever is in the way of that,
 *     the rows of the partition move as any others
 */
public record ArchiveSettings(
        int retentionMonths,
        int batchSize,
        int workers,
        @Nullable Duration timeBudget,
        Duration lockTimeout,
        Duration statementTimeout,
        Duration idleTransactionTimeout,
        Duration retryTimeout,
        Pace pace,
        boolean handOver) {

    /** The default retention period, in calendar months. */
    public static final int DEFAULT_RETENTION_MONTHS = 13;
    /** The default batch size, in rows. */
    public static final int DEFAULT_BATCH_SIZE = 1000;
    /** The shortest retention period, in calendar months. */
    public static final int MIN_RETENTION_MONTHS = 1;
    /** The longest retention period, in calendar months: a hundred years. */
    public static final int MAX_RETENTION_MONTHS = 1200;
    /** The smallest batch, in rows. */
    public static final int MIN_BATCH_SIZE = 1;
    /** The largest batch, in rows: also the most candidates that a sweep holds in memory. */
    public static final int MAX_BATCH_SIZE = 50_000;
    /** The default number of workers. */
    public static final int DEFAULT_WORKERS = 1;
    /** The smallest number of workers. */
    public static final int MIN_WORKERS = 1;
    /** The largest number of workers. */
    public static final int MAX_WORKERS = 16;
    /** The shortest duration that any setting takes. */
    public static final Duration MIN_DURATION = DurationRange.MIN;
    /** The longest duration that any setting takes: PostgreSQL's timeouts end a little above it. */
    public static final Duration MAX_DURATION = DurationRange.MAX;

    /** Rejects values out of range. */
    public ArchiveSettings {
        requireRange("retentionMonths", retentionMonths, MIN_RETENTION_MONTHS, MAX_RETENTION_MONTHS);
        requireRange("batchSize", batchSize, MIN_BATCH_SIZE, MAX_BATCH_SIZE);
        requireRange("workers", workers, MIN_WORKERS, MAX_WORKERS);
        DurationRange.require("timeBudget", timeBudget);
        DurationRange.require("lockTimeout", lockTimeout);
        DurationRange.require("statementTimeout", statementTimeout);
        DurationRange.require("idleTransactionTimeout", idleTransactionTimeout);
        DurationRange.require("retryTimeout", retryTimeout);
        if (lockTimeout.compareTo(statementTimeout) >= 0) {
            throw new IllegalArgumentException(
                    "lockTimeout = " + lockTimeout + ", statementTimeout = " + statementTimeout
                            + ": lockTimeout must be the shorter one, or a statement that waits for a lock is taken for one that is"
                            + " too slow");
        }
    }

    /** The defaults. */
    public static ArchiveSettings defaults() {
        return new ArchiveSettings(
                DEFAULT_RETENTION_MONTHS,
                DEFAULT_BATCH_SIZE,
                DEFAULT_WORKERS,
                null,
                Duration.ofSeconds(5),
                Duration.ofSeconds(60),
                Duration.ofSeconds(10),
                Duration.ofMinutes(5),
                Pace.full(),
                false);
    }

    /** These settings with another retention period, in calendar months. */
    public ArchiveSettings withRetentionMonths(int months) {
        return new ArchiveSettings(
                months,
                batchSize,
                workers,
                timeBudget,
                lockTimeout,
                statementTimeout,
                idleTransactionTimeout,
                retryTimeout,
                pace,
                handOver);
    }

    /** These settings with another batch size, in rows. */
    public ArchiveSettings withBatchSize(int rows) {
        return new ArchiveSettings(
                retentionMonths,
                rows,
                workers,
                timeBudget,
                lockTimeout,
                statementTimeout,
                idleTransactionTimeout,
                retryTimeout,
                pace,
                handOver);
    }

    /** These settings with so many workers. */
    public ArchiveSettings withWorkers(int count) {
        return new ArchiveSettings(
                retentionMonths,
                batchSize,
                count,
                timeBudget,
                lockTimeout,
                statementTimeout,
                idleTransactionTimeout,
                retryTimeout,
                pace,
                handOver);
    }

    /** These settings with another time budget, or with none. */
    public ArchiveSettings withTimeBudget(@Nullable Duration budget) {
        return new ArchiveSettings(
                retentionMonths,
                batchSize,
                workers,
                budget,
                lockTimeout,
                statementTimeout,
                idleTransactionTimeout,
                retryTimeout,
                pace,
                handOver);
    }

    /** These settings with other timeouts. */
    public ArchiveSettings withTimeouts(Duration lock, Duration statement, Duration idleTransaction) {
        return new ArchiveSettings(
                retentionMonths,
                batchSize,
                workers,
                timeBudget,
                lock,
                statement,
                idleTransaction,
                retryTimeout,
                pace,
                handOver);
    }

    /** These settings with another limit for trying again after transient faults. */
    public ArchiveSettings withRetryTimeout(Duration limit) {
        return new ArchiveSettings(
                retentionMonths,
                batchSize,
                workers,
                timeBudget,
                lockTimeout,
                statementTimeout,
                idleTransactionTimeout,
                limit,
                pace,
                handOver);
    }

    /** These settings with another pace. */
    public ArchiveSettings withPace(Pace newPace) {
        return new ArchiveSettings(
                retentionMonths,
                batchSize,
                workers,
                timeBudget,
                lockTimeout,
                statementTimeout,
                idleTransactionTimeout,
                retryTimeout,
                newPace,
                handOver);
    }

    /** These settings, with whole partitions handed over or not. */
    public ArchiveSettings withHandOver(boolean wholePartitions) {
        return new ArchiveSettings(
                retentionMonths,
                batchSize,
                workers,
                timeBudget,
                lockTimeout,
                statementTimeout,
                idleTransactionTimeout,
                retryTimeout,
                pace,
                wholePartitions);
    }

    /**
     * The cutoff of a sweep or plan that begins {@code now}: the moment that lies the retention period before it, its day
     * clamped to the month's end. Rows whose age is before it are expired.
     *
     * @param now naive UTC, as is the cutoff
     */
    public LocalDateTime cutoff(LocalDateTime now) {
        return now.truncatedTo(ChronoUnit.MICROS).minusMonths(retentionMonths);
    }

    private static void requireRange(String name, int value, int min, int max) {
        if (value < min || value > max) {
            throw new IllegalArgumentException(
                    name + " = " + value + ": must be a whole number from " + min + " to " + max);
        }
    }
}
