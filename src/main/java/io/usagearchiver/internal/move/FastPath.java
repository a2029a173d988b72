package io.usagearchiver.internal.move;

import io.usagearchiver.ArchiveSettings;
import io.usagearchiver.internal.jdbc.TransactionLimits;
import java.time.Duration;
import org.jooq.DSLContext;

/**
 * Whether slices are to be moved by one statement. Where one after another had to be given back, since the target holds them
 * already, say, only some are tried so: each in a row leaves out four times as many as the one before it, and waits for no
 * lock for long.
 *
 * <p>{@code -Dusagearchiver.fastPath=false} moves all of them the slow way.
 */
final class FastPath {
    private static final int MOST_LEFT_OUT = 255;
    /** Where deadlocks are looked for sooner than this, there is no time to wait for a lock in. */
    private static final Duration SHORTEST_DEADLOCK_TIMEOUT = Duration.ofMillis(40);

    /**
     * That of the server and the shortest one that a role or a database has been given: others' sessions may have it. 0 where
     * one cannot be told: the server's, if this session has another one, or what somebody has written in an unusual way.
     */
    private static final String DEADLOCK_TIMEOUT = """
            select cast(min(case
              when unit in ('', 'ms') then number when unit = 'us' then number / 1000 when unit = 's' then number * 1000
              when unit = 'min' then number * 60000 when unit = 'h' then number * 3600000 else 0 end) as bigint)
            from (
              select case when source in ('default', 'configuration file', 'command line') then setting else '0' end
              from pg_catalog.pg_settings where name = 'deadlock_timeout'
              union all
              select pg_catalog.split_part(c.setting, '=', 2)
              from pg_catalog.pg_db_role_setting r cross join lateral unnest(r.setconfig) as c (setting)
              where c.setting like 'deadlock\\_timeout=%') as known (value)
            cross join lateral (select pg_catalog.regexp_match(value, '^ *([0-9]+(?:[.][0-9]+)?) *([a-z]*) *$') as parts) as p
            cross join lateral (select coalesce(cast(parts[1] as numeric), 0) as number,
              coalesce(parts[2], '') as unit) as known_value""";

    /** How long a statement waits for a row at most: longer than most transactions of an application hold one. */
    private static final Duration PATIENCE = Duration.ofMillis(50);

    /** The same where the slice before could not be moved so, since others may hold rows of many. */
    private static final Duration LITTLE_PATIENCE = Duration.ofMillis(10);

    private final ArchiveSettings settings;
    private final boolean allowed = Boolean.parseBoolean(System.getProperty("usagearchiver.fastPath", "true"));
    private Duration deadlockTimeout = SHORTEST_DEADLOCK_TIMEOUT;
    private int givenBackInARow;
    private int toLeaveOut;

    FastPath(ArchiveSettings settings) {
        this.settings = settings;
    }

    /** Looks at what a transaction that waits for a row has to heed. */
    void look(DSLContext tx) {
        deadlockTimeout = Duration.ofMillis(tx.fetchSingle(DEADLOCK_TIMEOUT).get(0, Long.class));
    }

    /** The shortest one that a session of the server may have, by the last look. */
    Duration deadlockTimeout() {
        return deadlockTimeout;
    }

    /** Those of the next slice's transaction. */
    TransactionLimits limits() {
        return TransactionLimits.slice(settings, deadlockTimeout, givenBackInARow == 0 ? PATIENCE : LITTLE_PATIENCE);
    }

    /** How many batches are to go the slow way before the next slice is tried; 0 for none. */
    int batchesToLeaveOut() {
        return !allowed || deadlockTimeout.compareTo(SHORTEST_DEADLOCK_TIMEOUT) < 0 ? Integer.MAX_VALUE : toLeaveOut;
    }

    /** So many batches have gone the slow way. */
    void leftOut(int batches) {
        toLeaveOut = Math.max(0, toLeaveOut - batches);
    }

    /** Learns from a slice that was tried. */
    void tried(boolean moved) {
        givenBackInARow = moved ? 0 : givenBackInARow + 1;
        toLeaveOut = moved ? 0 : Math.min(MOST_LEFT_OUT, (1 << Math.min(2 * (givenBackInARow - 1), 30)) - 1);
    }
}
