package io.usagearchiver;

import java.time.LocalDateTime;
import java.util.List;
import org.jooq.DSLContext;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Moves expired rows into the archive, but for those under a hold. */
record Archiving(ArchivePair<?> pair, int retentionMonths) implements Errand {
    private static final Logger log = LoggerFactory.getLogger(Archiving.class);

    @Override
    public Direction direction() {
        return Direction.ARCHIVE;
    }

    @Override
    public ArchiveSettings settings(ArchiveSettings all) {
        return all;
    }

    @Override
    public LocalDateTime cutoff(LocalDateTime now) {
        return NaiveUtc.monthsBefore(now, retentionMonths);
    }

    /** Says what will keep rows back from this sweep on, as far as that can be seen without reading more than a page of keys. */
    @Override
    public void check(DSLContext tx) {
        Surroundings.sequenceBehind(tx, pair, true)
                .forEach(warning -> log.warn("{}: {}", TableName.name(pair.hot()), warning));
    }

    @Override
    public void prepare(Session session) {}

    @Override
    public @Nullable Hold hold() {
        return null;
    }

    @Override
    public List<Branch> rows(DSLContext tx, Ledger ledger, Shape shape) {
        return Branch.expired(pair, ledger.cutoff(), ActiveHolds.toHonour(tx, pair, () -> ledger.readHolds(tx, shape)));
    }
}
