package io.usagearchiver;

import java.time.LocalDateTime;
import java.util.List;
import org.jooq.DSLContext;
import org.jspecify.annotations.Nullable;

/** Moves expired rows into the archive, but for those under a hold. */
record Archiving(ArchivePair<?> pair, int retentionMonths) implements Errand {
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

    @Override
    public void check(DSLContext tx) {}

    @Override
    public void prepare(Session session) {}

    @Override
    public @Nullable Hold hold() {
        return null;
    }

    @Override
    public List<Branch> rows(DSLContext tx, Ledger ledger, Shape shape) {
        return Branch.expired(pair, ledger.cutoff(), StoredHolds.toHonour(tx, pair, () -> ledger.readHolds(tx, shape)));
    }
}
