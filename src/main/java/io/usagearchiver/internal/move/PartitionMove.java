package io.usagearchiver.internal.move;

import io.usagearchiver.ArchivePair;
import io.usagearchiver.internal.jdbc.StoppedException;
import io.usagearchiver.internal.ledger.BatchCount;
import io.usagearchiver.internal.ledger.BatchResult;
import io.usagearchiver.internal.postgres.SqlState;
import io.usagearchiver.internal.postgres.TableName;
import io.usagearchiver.internal.rows.CandidateQuery;
import io.usagearchiver.internal.schema.HandOverCheck;
import io.usagearchiver.internal.schema.HandOverCheck.HotPartition;
import io.usagearchiver.internal.schema.MissingIndexes;
import io.usagearchiver.internal.schema.PairSchema;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.jooq.Condition;
import org.jooq.DSLContext;
import org.jooq.QueryPart;
import org.jooq.Record;
import org.jooq.SQL;
import org.jooq.exception.DataAccessException;
import org.jooq.impl.DSL;

/**
 * The transaction that makes a partition of the hot table one of the archive:
 *
 * <ol>
 *   <li>the partition is <b>locked</b> in SHARE mode: readers go on, who would write to it waits;
 *   <li>every row is <b>seen</b> to be one that the sweep wants, and counted, in short pieces: as soon as anybody waits for the
 *       partition, the transaction gives up, so that nobody ever waits for long, and is tried again later;
 *   <li>it is <b>counted</b> in the ledger row, under the same fence as a batch;
 *   <li>it is <b>moved</b>: detached and attached under a short lock of the whole table. Where that is not to be had at once,
 *       the table is let go, and tried again after a pause.
 * </ol>
 *
 * A key of it that the archive holds would be there within the same bounds, since a unique index of a partitioned table has the
 * column that this is partitioned by: there, PostgreSQL suffers no other partition when it attaches this one, and no such row in
 * the default one.
 */
record PartitionMove(RunSession run, ArchivePair<?> pair, List<CandidateQuery> wanted, PairSchema schema, long oid) {
    private static final int FIRST_BLOCKS = 256;
    private static final Duration PIECE = Duration.ofMillis(25);
    private static final int MOST_BLOCKS = 1 << 16;
    private static final int LOCK_ATTEMPTS = 10;
    private static final Duration PAUSE = Duration.ofMillis(25);

    /** Nothing of what is done under the lock of the whole table reads a row, or builds an index. */
    private static final String SHORTLY = "set local statement_timeout = 1000; ";

    /** Who has rights on it besides its owner. */
    private static final String GRANTEES = """
            select string_agg(distinct case g.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(g.grantee)) end, ', ')
            from pg_catalog.pg_class p
            cross join lateral (
              select x.grantee from aclexplode(p.relacl) x
              union all
              select x.grantee from pg_catalog.pg_attribute c cross join lateral aclexplode(c.attacl) x
              where c.attrelid = p.oid and c.attacl is not null) g
            where p.oid = {0} and g.grantee <> p.relowner""";

    /** SQL that is none of jOOQ's templates: as PostgreSQL writes it, or of names that it has quoted. */
    static SQL raw(String sql) {
        return DSL.sql("{0}", DSL.raw(sql));
    }

    /** Whether there is anything in the partition that is to be moved. */
    boolean anyWanted(DSLContext tx, HotPartition partition) {
        return tx.fetchExists(DSL.selectOne()
                .from(pair.hot())
                .where(DSL.condition(raw(partition.condition())))
                .and(isWanted()));
    }

    /**
     * Whether there is anything in the partition.
     *
     * @throws InTheWayException if not all of it is to be moved, or there is something of the archive within its bounds
     */
    boolean isWorthwhile(DSLContext tx, HotPartition partition) {
        QueryPart bounds = DSL.raw(partition.condition());
        Record row = tx.fetchSingle(
                "select exists (select from {0} where {1}), exists (select from {0} where ({1}) and not coalesce({2}, false)),"
                        + " exists (select from {3} where {1})",
                pair.hot(), bounds, isWanted(), pair.archive());
        if (!row.get(0, Boolean.class)) {
            return false;
        }
        if (row.get(1, Boolean.class)) {
            throw new InTheWayException(
                    "it has rows that stay hot: by their age, a hold, or the pair's condition", false);
        }
        if (row.get(2, Boolean.class)) {
            throw new InTheWayException(TableName.name(pair.archive()) + " has rows within its bounds", false);
        }
        return true;
    }

    private Condition isWanted() {
        return DSL.or(wanted.stream().map(CandidateQuery::wanted).toList());
    }

    /**
     * Moves it.
     *
     * @param tx the transaction; to be rolled back when this throws
     * @throws InTheWayException if it cannot be moved
     * @throws RuntimeException as {@link Batch#move} does
     */
    BatchResult move(DSLContext tx) {
        tx.execute(raw("lock table only " + TableName.quoted(pair.hot()) + ", only " + TableName.quoted(pair.archive())
                + " in row exclusive mode"));
        lock(tx, partition(tx).name(), "share");
        HotPartition partition = partition(tx);
        if (!partition.prepared() || !MissingIndexes.of(tx, pair, partition).isEmpty()) {
            throw new InTheWayException("it was altered meanwhile", true);
        }
        BatchResult moved = new BatchResult(countAll(tx, partition), 0, List.of(), Map.of());
        new BatchCount(run.ledger(), schema).add(tx, moved);
        for (int attempt = 1; ; attempt++) {
            try {
                // Nested: behind a savepoint, so that only the lock of the whole table is let go.
                tx.transaction(nested -> move(nested.dsl(), partition));
                return moved;
            } catch (DataAccessException e) {
                if (!SqlState.isOfLocks(e) || attempt == LOCK_ATTEMPTS) {
                    throw e;
                }
            }
            run.session().await(PAUSE);
            requireNobodyWaits(isAwaited(tx));
        }
    }

    private HotPartition partition(DSLContext tx) {
        HotPartition partition = HandOverCheck.partitions(tx, pair, run.ledger().cutoff()).stream()
                .filter(each -> each.oid() == oid)
                .findFirst()
                .orElseThrow(() -> new InTheWayException("it is none of the table any more", false));
        if (partition.obstacle() != null) {
            throw new InTheWayException(partition.obstacle(), false);
        }
        return partition;
    }

    private static void lock(DSLContext tx, String table, String mode) {
        tx.execute(raw("lock table only " + table + " in " + mode + " mode"));
    }

    /** Looks at every row under the lock, in the order in which they are stored. */
    private int countAll(DSLContext tx, HotPartition partition) {
        long end = tx.fetchSingle(raw("select pg_relation_size(cast(" + oid + " as oid))"
                        + " / cast(current_setting('block_size') as integer)"))
                .get(0, Long.class);
        long rows = 0;
        long blocks = FIRST_BLOCKS;
        for (long from = 0; from < end; ) {
            long startNanos = System.nanoTime();
            Record piece = tx.fetchSingle(
                    "select count(*), count(*) filter (where not coalesce({0}, false)), {1} from {2} where {3} and {4}",
                    isWanted(),
                    awaited(),
                    pair.hot(),
                    DSL.raw(partition.condition()),
                    DSL.raw("ctid >= '(" + from + ",0)' and ctid < '(" + (from + blocks) + ",0)'"));
            rows += piece.get(0, Long.class);
            if (piece.get(1, Long.class) > 0) {
                throw new InTheWayException(
                        "a row of it was changed meanwhile, and stays hot by its age, a hold, or the pair's condition",
                        false);
            }
            requireNobodyWaits(piece.get(2, Boolean.class));
            Duration took = Duration.ofNanos(System.nanoTime() - startNanos);
            from += blocks;
            blocks = took.compareTo(PIECE) < 0 ? Math.min(MOST_BLOCKS, blocks * 2) : Math.max(1, blocks / 2);
        }
        if (rows > Integer.MAX_VALUE) {
            throw new InTheWayException("it has more rows than a batch can count", false);
        }
        return (int) rows;
    }

    private boolean isAwaited(DSLContext tx) {
        return tx.fetchSingle("select {0}", awaited()).get(0, Boolean.class);
    }

    /** That somebody waits for the partition, or for the table. */
    private QueryPart awaited() {
        return DSL.sql(
                "exists (select from pg_catalog.pg_locks l where l.locktype = 'relation' and not l.granted"
                        + " and l.relation in ({0}, to_regclass({1})))",
                DSL.inline(oid), TableName.regclass(pair.hot()));
    }

    private void requireNobodyWaits(boolean somebody) {
        if (run.session().isToStop()) {
            throw new StoppedException();
        }
        if (somebody) {
            throw new InTheWayException("others want to write to it all the time", true);
        }
    }

    private void move(DSLContext tx, HotPartition partition) {
        String name = partition.name();
        String hot = TableName.quoted(pair.hot());
        String archive = TableName.quoted(pair.archive());
        StringBuilder ddl = new StringBuilder(SHORTLY);
        if (partition.standIn() != null) {
            lock(tx, partition.standIn(), "access exclusive");
            if (tx.fetchExists(DSL.selectOne().from(raw("only " + partition.standIn())))) {
                throw new InTheWayException(partition.standIn() + ", of the same bounds, has rows", false);
            }
        }
        ddl.append("lock table only ").append(hot).append(" in access exclusive mode; ");
        ddl.append("alter table ")
                .append(hot)
                .append(" detach partition ")
                .append(name)
                .append("; ");
        if (partition.standIn() != null) {
            ddl.append("drop table ").append(partition.standIn()).append("; ");
        }
        ddl.append("alter table ").append(archive).append(" attach partition ").append(name);
        ddl.append(' ').append(partition.bound()).append("; alter table ").append(name);
        ddl.append(" drop constraint ").append(HandOverCheck.CONSTRAINT);
        if (partition.defaults() != null) {
            ddl.append(", ").append(partition.defaults());
        }
        tx.execute(raw(ddl.toString()));
        // Who may write to the hot table may not do so to the archive's. Nobody is granted anything meanwhile any more.
        String grantees = tx.fetchSingle(GRANTEES, DSL.inline(oid)).get(0, String.class);
        if (grantees != null) {
            tx.execute(raw("revoke all on " + name + " from " + grantees + " cascade"));
        }
    }
}
