package io.usagearchiver.internal.move;

import io.usagearchiver.ArchivePair;
import io.usagearchiver.ArchiveSettings;
import io.usagearchiver.Hold;
import io.usagearchiver.internal.jdbc.Session;
import io.usagearchiver.internal.ledger.ActiveHolds;
import io.usagearchiver.internal.ledger.LedgerRow;
import io.usagearchiver.internal.postgres.OwnRows;
import io.usagearchiver.internal.postgres.SqlState;
import io.usagearchiver.internal.postgres.TableName;
import io.usagearchiver.internal.rows.CandidateQueries;
import io.usagearchiver.internal.rows.CandidateQuery;
import io.usagearchiver.internal.rows.PartitionsNeeded;
import io.usagearchiver.internal.schema.Direction;
import io.usagearchiver.internal.schema.KeySequence;
import io.usagearchiver.internal.schema.PairSchema;
import java.time.LocalDateTime;
import java.util.List;
import org.jooq.DSLContext;
import org.jooq.exception.DataAccessException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Moves expired rows into the archive, but for those under a hold.
 *
 * @param handsOver whether whole partitions are handed over: the archive needs no others for their rows then
 */
public record Sweep(ArchivePair<?> pair, boolean handsOver) implements Move {
    private static final Logger log = LoggerFactory.getLogger("io.usagearchiver.Archiving");

    @Override
    public Direction direction() {
        return Direction.ARCHIVE;
    }

    @Override
    public ArchiveSettings settings(ArchiveSettings all) {
        return all;
    }

    @Override
    public LocalDateTime cutoff(ArchiveSettings settings, LocalDateTime now) {
        return settings.cutoff(now);
    }

    /** Says what will keep rows back from this sweep on, as far as that can be seen without reading more than a page of keys. */
    @Override
    public void check(DSLContext tx, PairSchema shape) {
        KeySequence.behindArchive(tx, shape.pair(), true)
                .forEach(warning -> log.warn("{}: {}", TableName.name(pair.hot()), warning));
    }

    @Override
    public void prepare(Session session) {}

    @Override
    public @Nullable Hold hold() {
        return null;
    }

    @Override
    public List<CandidateQuery> rows(DSLContext tx, LedgerRow ledger, PairSchema shape) {
        ArchivePair<?> live = shape.pair();
        if (!handsOver && OwnRows.areInPartitions(tx.configuration(), live.archive())) {
            warnOfPartitions(tx, live, ledger);
        }
        return CandidateQueries.expired(
                        live, ledger.cutoff(), ActiveHolds.toHonour(tx, live, () -> ledger.readHolds(tx, shape)))
                .stream()
                .map(query -> query.inStretches(tx))
                .toList();
    }

    /** What is told of the archive's partitions is no reason not to sweep. */
    private static void warnOfPartitions(DSLContext tx, ArchivePair<?> pair, LedgerRow ledger) {
        String table = TableName.name(pair.hot());
        try {
            tx.transaction(nested -> PartitionsNeeded.warnings(nested.dsl(), pair, ledger.cutoff(), List.of())
                    .forEach(warning -> log.warn("{}: {}", table, warning)));
        } catch (DataAccessException e) {
            log.warn("{}: which partitions its archive lacks could not be read: {}", table, SqlState.told(e));
        }
    }
}
