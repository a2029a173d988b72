package io.usagearchiver.internal.jdbc;

import io.usagearchiver.ArchiveSettings;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The settings that a transaction carries. It sets for itself all that could give its statements another meaning or result,
 * or end them, whatever the role, the database, a pool or the URL has set: see {@link #MEANING}. What is not set:
 *
 * <ul>
 *   <li>{@code default_transaction_read_only}: whoever sets it wants no writing, such as a provider whose disk is full;
 *   <li>{@code idle_session_timeout}: it ends a session between two transactions, and the next one opens another;
 *   <li>{@code session_replication_role} and what else only a superuser may set.
 * </ul>
 *
 * @param mode the transaction's isolation, and whether it may write
 * @param statement how long a statement may run
 * @param settings the other settings, each as arguments of {@code set_config}
 * @param answer how long this side waits for an answer of the server: a little longer than the server lets a statement run,
 *     so that a connection which is dead without a word does not hold up the sweep for longer
 */
public record TransactionLimits(String mode, Duration statement, List<String> settings, Duration answer) {
    /** For the way of an answer that comes at the last moment, and a retransmission or three. */
    private static final Duration NETWORK_MARGIN = Duration.ofSeconds(2);

    /** Closing must fit into the five seconds that a node has to stop. */
    private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(2);

    /** How much longer opening waits for a lock than PostgreSQL lets a frozen node hold it. */
    private static final Duration TAKEOVER_MARGIN = Duration.ofSeconds(5);

    /** Whoever comes later queues up behind a lock of a table that is waited for. */
    private static final Duration TABLE_LOCK_TIMEOUT = Duration.ofMillis(100);

    /** How long what hands over a partition waits for a lock at most: all who come for the table meanwhile wait with it. */
    private static final Duration HAND_OVER_LOCK_TIMEOUT = Duration.ofMillis(40);

    /** How long a frozen node may hold such a lock. */
    private static final Duration HAND_OVER_IDLE_TIMEOUT = Duration.ofSeconds(1);

    /**
     * Plans must not depend on statistics: into an archive that was never analyzed, or with the NULL set of an age
     * column, the planner's guess costs seconds a batch. Index scans and generic plans are right in every case here, and a
     * page comes in the order of an index: PostgreSQL 15 would rather sort what few rows it expects. Of a partitioned table, only
     * the partitions are read that can have what is sought. No parallel workers: for
     * a page of a large table, or for none, their start alone reads hundreds of blocks.
     */
    private static final List<String> PLANS = List.of(
            "'plan_cache_mode', 'force_generic_plan'",
            "'enable_seqscan', 'off'",
            "'enable_bitmapscan', 'off'",
            "'enable_sort', 'off'",
            "'enable_indexscan', 'on'",
            "'enable_indexonlyscan', 'on'",
            "'enable_tidscan', 'on'",
            "'enable_nestloop', 'on'",
            "'enable_mergejoin', 'on'",
            "'enable_incremental_sort', 'on'",
            "'enable_partition_pruning', 'on'",
            "'jit', 'off'",
            "'max_parallel_workers_per_gather', '0'");

    /**
     * What a statement means, and how values look as text: keys and ages cross JDBC so. Functions, operators and types without
     * a schema are PostgreSQL's own, also in what indexes, CHECKs and triggers call. Row security hides no row: a statement
     * that it applies to is an error.
     */
    private static final List<String> MEANING = List.of(
            "'search_path', 'pg_catalog, pg_temp'",
            "'row_security', 'off'",
            "'DateStyle', 'ISO, MDY'",
            "'IntervalStyle', 'postgres'",
            "'TimeZone', 'UTC'",
            "'bytea_output', 'hex'",
            "'extra_float_digits', '1'",
            "'xmlbinary', 'base64'",
            "'xmloption', 'content'",
            "'lc_monetary', 'C'",
            "'array_nulls', 'on'",
            "'quote_all_identifiers', 'off'",
            "'standard_conforming_strings', 'on'",
            "'backslash_quote', 'safe_encoding'",
            "'transform_null_equals', 'off'",
            "'gin_fuzzy_search_limit', '0'",
            "'exit_on_error', 'off'");

    private static final String READ_COMMITTED = "isolation level read committed";
    private static final List<String> SYNCHRONOUS = List.of("'synchronous_commit', 'on'");
    private static final int FIRST_WITH_TRANSACTION_TIMEOUT = 17;

    /**
     * The statements that set all this for one transaction. The statement's timeout comes first: the one that the session has
     * may be too short for the others. The mode must come before any query.
     *
     * @param serverVersion the major one: an older server refuses settings that it does not know
     */
    public String sql(int serverVersion) {
        List<String> all = new ArrayList<>(MEANING);
        if (serverVersion >= FIRST_WITH_TRANSACTION_TIMEOUT) {
            all.add("'transaction_timeout', '0'");
        }
        all.addAll(settings);
        // One SELECT: all of them cost no more than ten SETs, each of which is a statement of its own.
        return "set local statement_timeout = " + statement.toMillis() + "; set transaction " + mode + "; "
                + all.stream()
                        .map(setting -> "pg_catalog.set_config(" + setting + ", true)")
                        .collect(Collectors.joining(", ", "select ", ", pg_catalog.pg_backend_pid() as "))
                + ServerSession.PID;
    }

    /**
     * Moves rows. The commit is asynchronous: a crash of the server un-moves whole batches, rows and ledger together.
     */
    public static TransactionLimits batch(ArchiveSettings settings) {
        return of(
                READ_COMMITTED,
                settings,
                settings.lockTimeout(),
                settings.statementTimeout(),
                with(PLANS, "'synchronous_commit', 'off'"));
    }

    /**
     * Moves a slice in one statement, which waits for the rows that others hold, and holds those that it has. So that none of
     * the others ever finds itself in a deadlock with it, which could end the other one's transaction, it gives up before
     * anybody's {@code deadlock_timeout} is over that has begun to wait for it: it waits for an eighth of that at most, and
     * runs for three quarters. What waits for one of its rows has begun to do so after its beginning.
     *
     * @param deadlockTimeout the shortest that a session has
     * @param patience how long it waits for a row if that is no longer
     */
    public static TransactionLimits slice(ArchiveSettings settings, Duration deadlockTimeout, Duration patience) {
        Duration lock = least(deadlockTimeout.dividedBy(8), patience, settings.lockTimeout());
        Duration statement = least(deadlockTimeout.multipliedBy(3).dividedBy(4), settings.statementTimeout());
        return of(READ_COMMITTED, settings, lock, statement, with(PLANS, "'synchronous_commit', 'off'"));
    }

    /** Hands over a partition: whatever it holds or waits for keeps others waiting, and never for long. */
    public static TransactionLimits handOver(ArchiveSettings settings) {
        return of(
                READ_COMMITTED,
                least(HAND_OVER_LOCK_TIMEOUT, settings.lockTimeout()),
                least(HAND_OVER_IDLE_TIMEOUT, settings.idleTransactionTimeout()),
                settings.statementTimeout(),
                with(PLANS, "'synchronous_commit', 'off'"));
    }

    private static Duration least(Duration... durations) {
        return Stream.of(durations).min(Comparator.naturalOrder()).orElseThrow();
    }

    /** Reads candidates. It may have to pass the dead index entries of a whole sweep once. */
    public static TransactionLimits page(ArchiveSettings settings) {
        return of(
                READ_COMMITTED,
                settings,
                settings.lockTimeout(),
                settings.statementTimeout().multipliedBy(10),
                PLANS);
    }

    /** Counts rows, however the planner finds best, and cannot change any. */
    public static TransactionLimits count(ArchiveSettings settings) {
        return of(
                READ_COMMITTED + ", read only",
                settings,
                settings.lockTimeout(),
                settings.statementTimeout().multipliedBy(10),
                List.of());
    }

    /**
     * How long a run counts as alive after a sign of life. A restore gives one before each page and with each batch, a sweep
     * with each batch and ten times in so long; in between there is one statement, or attempts until it gives up, or a pause.
     */
    public static Duration life(ArchiveSettings settings) {
        Duration pause = Pause.after(settings.statementTimeout(), settings.pace());
        return page(settings).answer().plus(settings.retryTimeout()).plus(pause);
    }

    /** Opens a ledger row, waiting for a batch in flight of the sweep that it supersedes. */
    public static TransactionLimits open(ArchiveSettings settings) {
        Duration wait = settings.idleTransactionTimeout().plus(TAKEOVER_MARGIN);
        return of(READ_COMMITTED, settings, wait, wait.plus(settings.statementTimeout()), SYNCHRONOUS);
    }

    /** Closes a ledger row. */
    public static TransactionLimits close(ArchiveSettings settings) {
        return of(READ_COMMITTED, settings, CLOSE_TIMEOUT.dividedBy(2), CLOSE_TIMEOUT, SYNCHRONOUS);
    }

    /** Makes a table, or attaches it to another one: it gives way at once to whoever holds a lock that it needs. */
    public static TransactionLimits tables(ArchiveSettings settings) {
        return of(
                READ_COMMITTED,
                settings,
                least(settings.lockTimeout(), TABLE_LOCK_TIMEOUT),
                settings.statementTimeout(),
                SYNCHRONOUS);
    }

    /** Counts a whole archive once, however long that takes, as the planner finds best. */
    public static TransactionLimits baseline(ArchiveSettings settings) {
        return of(READ_COMMITTED, settings, settings.lockTimeout(), ArchiveSettings.MAX_DURATION, SYNCHRONOUS);
    }

    /** Reads one snapshot, also where nothing may be written; by the sweep's own plans. */
    public static TransactionLimits snapshot(ArchiveSettings settings, Duration statement) {
        return of("isolation level repeatable read, read only", settings, settings.lockTimeout(), statement, PLANS);
    }

    private static TransactionLimits of(
            String mode, ArchiveSettings settings, Duration lock, Duration statement, List<String> more) {
        return of(mode, lock, settings.idleTransactionTimeout(), statement, more);
    }

    private static TransactionLimits of(
            String mode, Duration lock, Duration idle, Duration statement, List<String> more) {
        return new TransactionLimits(
                mode,
                statement,
                with(
                        more,
                        "'lock_timeout', '" + lock.toMillis() + "'",
                        "'idle_in_transaction_session_timeout', '" + idle.toMillis() + "'"),
                statement.plus(NETWORK_MARGIN));
    }

    private static List<String> with(List<String> settings, String... more) {
        return Stream.concat(settings.stream(), Stream.of(more)).toList();
    }
}
