package io.usagearchiver.internal.move;

import java.time.Duration;
import java.util.List;
import org.jooq.DSLContext;
import org.jspecify.annotations.Nullable;

/**
 * How far the streaming replicas of this server are behind with the replay.
 *
 * <p>{@code pg_stat_replication.replay_lag} alone does not do (measured, PostgreSQL 17). Of a replica whose replay stands
 * still it says a fraction of a millisecond until that replica reports by itself, after {@code
 * wal_receiver_status_interval} (10 s), and nothing at all if it has replayed nothing since it connected; of one that has
 * caught up it repeats the last lag. So a mark is set in the WAL: until all replicas have replayed it, those that have not
 * are behind by its age at least. The column counts too, but only for a replica that has not replayed everything.
 */
final class ReplicaLag {
    private long mark;
    private @Nullable Long markNanos;

    /** The replica that is furthest behind now, or null if there is none. */
    @Nullable
    Lag read(DSLContext tx) {
        List<Replica> replicas = tx.fetch("""
                        select coalesce(nullif(r.application_name, ''), r.pid::text) as name,
                          pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint as written,
                          pg_wal_lsn_diff(r.replay_lsn, '0/0')::bigint as replayed,
                          (extract(epoch from r.replay_lag) * 1000)::bigint as told
                        from pg_catalog.pg_stat_replication r
                        where r.state in ('streaming', 'catchup') and r.replay_lsn is not null
                          and not exists (select from pg_catalog.pg_replication_slots s
                            where s.active_pid = r.pid and s.slot_type = 'logical')""")
                .map(row -> new Replica(
                        row.get("name", String.class),
                        row.get("written", Long.class),
                        row.get("replayed", Long.class),
                        row.get("told", Long.class)));
        return furthest(replicas, System.nanoTime());
    }

    @Nullable
    Lag furthest(List<Replica> replicas, long nanos) {
        Lag furthest = null;
        for (Replica replica : replicas) {
            Duration lag = lag(replica, nanos);
            if (furthest == null || lag.compareTo(furthest.time()) > 0) {
                furthest = new Lag(replica.name(), lag);
            }
        }
        if (replicas.stream().allMatch(replica -> markNanos == null || replica.replayed() >= mark)) {
            mark = replicas.stream().mapToLong(Replica::written).max().orElse(0);
            markNanos = nanos;
        }
        return furthest;
    }

    private Duration lag(Replica replica, long nanos) {
        if (replica.replayed() >= replica.written()) {
            return Duration.ZERO;
        }
        Long told = replica.told();
        Duration column = told == null ? Duration.ZERO : Duration.ofMillis(told);
        Duration sinceMark =
                markNanos == null || replica.replayed() >= mark ? Duration.ZERO : Duration.ofNanos(nanos - markNanos);
        return column.compareTo(sinceMark) > 0 ? column : sinceMark;
    }

    /**
     * A replica as PostgreSQL shows it.
     *
     * @param written the position up to which this server has written, in bytes
     * @param replayed the position up to which the replica has replayed, in bytes
     * @param told the lag that PostgreSQL tells, in milliseconds, or null
     */
    record Replica(
            String name,
            long written,
            long replayed,
            @Nullable Long told) {}

    /** A replica and how far it is behind. */
    record Lag(String replica, Duration time) {}
}
