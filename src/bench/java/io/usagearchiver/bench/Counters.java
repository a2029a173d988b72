package io.usagearchiver.bench;

import java.sql.SQLException;
import java.util.List;

/**
 * What PostgreSQL counted.
 *
 * @param blocks of the pair and of the ledger, of heap and indexes, from the cache or not
 * @param walBytes of the whole server
 * @param walImages full pages in the WAL, of the whole server: each page's first change after a checkpoint
 */
record Counters(long blocks, long walBytes, long walImages) {
    static Counters read(Database database) throws SQLException {
        List<String> row = database.row("""
                SELECT (SELECT coalesce(sum(heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit), 0)
                  FROM pg_statio_user_tables WHERE relname LIKE 'model_usage_details%' OR relname LIKE 'usage_archive%'),
                wal_bytes, wal_fpi FROM pg_stat_wal""");
        return new Counters(Long.parseLong(row.get(0)), Long.parseLong(row.get(1)), Long.parseLong(row.get(2)));
    }

    Counters since(Counters before) {
        return new Counters(blocks - before.blocks, walBytes - before.walBytes, walImages - before.walImages);
    }
}
