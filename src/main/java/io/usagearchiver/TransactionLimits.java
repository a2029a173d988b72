package io.usagearchiver;

import java.time.Duration;

/**
 * The settings that a transaction carries.
 *
 * @param sql the statements that set them for it alone
 * @param answer how long this side waits for an answer of the server: a little longer than the server lets a statement run,
 *     so that a connection which is dead without a word does not hold up the sweep for longer
 */
record TransactionLimits(String sql, Duration answer) {
    /** For the way of an answer that comes at the last moment, and a retransmission or three. */
    private static final Duration NETWORK_MARGIN = Duration.ofSeconds(2);

    /** Closing must fit into the five seconds that a node has to stop. */
    private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(2);

    /** How much longer opening waits for a lock than PostgreSQL lets a frozen node hold it. */
    private static final Duration TAKEOVER_MARGIN = Duration.ofSeconds(5);

    /**
     * Plans must not depend on statistics: into an archive that was never analyzed, or with the NULL set of an age
     * column, the planner's guess costs seconds a batch. Index scans and generic plans are right in every case here, and a
     * page comes in the order of an index: PostgreSQL 15 would rather sort what few rows it expects. No parallel workers: for
     * a page of a large table, or for none, their start alone reads hundreds of blocks.
     */
    private static final String PLANS = "set local plan_cache_mode = force_generic_plan; "
            + "set local enable_seqscan = off; set local enable_bitmapscan = off; "
            + "set local enable_sort = off; set local jit = off; set local max_parallel_workers_per_gather = 0; ";

    /**
     * Moves rows. The commit is asynchronous: a crash of the server un-moves whole batches, rows and ledger together.
     */
    static TransactionLimits batch(ArchiveSettings settings) {
        return of(
                settings,
                settings.lockTimeout(),
                settings.statementTimeout(),
                PLANS + "set local synchronous_commit = off");
    }

    /** Reads candidates. It may have to pass the dead index entries of a whole sweep once. */
    static TransactionLimits page(ArchiveSettings settings) {
        return of(settings, settings.lockTimeout(), settings.statementTimeout().multipliedBy(10), PLANS);
    }

    /** Counts rows, however the planner finds best, and cannot change any. */
    static TransactionLimits count(ArchiveSettings settings) {
        return of(
                settings,
                settings.lockTimeout(),
                settings.statementTimeout().multipliedBy(10),
                "set transaction read only");
    }

    /**
     * How long a restore counts as alive after a sign of life. It gives one before each page and with each batch; in between
     * there is one statement, or attempts until it gives up, or a pause.
     */
    static Duration life(ArchiveSettings settings) {
        Duration pause = settings.pace().pauseAfter(settings.statementTimeout());
        return page(settings).answer().plus(settings.retryTimeout()).plus(pause);
    }

    /** Opens a ledger row, waiting for a batch in flight of the sweep that it supersedes. */
    static TransactionLimits open(ArchiveSettings settings) {
        Duration wait = settings.idleTransactionTimeout().plus(TAKEOVER_MARGIN);
        return of(settings, wait, wait.plus(settings.statementTimeout()), "set local synchronous_commit = on");
    }

    /** Closes a ledger row. */
    static TransactionLimits close(ArchiveSettings settings) {
        return of(settings, CLOSE_TIMEOUT, CLOSE_TIMEOUT, "set local synchronous_commit = on");
    }

    /** Counts a whole archive once, however long that takes, as the planner finds best. */
    static TransactionLimits baseline(ArchiveSettings settings) {
        return of(settings, settings.lockTimeout(), ArchiveSettings.MAX_DURATION, "set local synchronous_commit = on");
    }

    /** Reads one snapshot, also where nothing may be written; by the sweep's own plans. */
    static TransactionLimits snapshot(ArchiveSettings settings, Duration statement) {
        TransactionLimits page = of(settings, settings.lockTimeout(), statement, PLANS);
        // The isolation that is set last counts.
        return new TransactionLimits(
                page.sql() + "set transaction isolation level repeatable read, read only", page.answer());
    }

    private static TransactionLimits of(ArchiveSettings settings, Duration lock, Duration statement, String more) {
        String sql = "set transaction isolation level read committed; "
                + "set local lock_timeout = " + lock.toMillis() + "; "
                + "set local statement_timeout = " + statement.toMillis() + "; "
                + "set local idle_in_transaction_session_timeout = "
                + settings.idleTransactionTimeout().toMillis() + "; "
                + more;
        return new TransactionLimits(sql, statement.plus(NETWORK_MARGIN));
    }
}
