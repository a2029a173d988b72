package io.usagearchiver.internal.move;

import io.usagearchiver.ArchivePair;
import io.usagearchiver.ArchiveSettings;
import io.usagearchiver.Hold;
import io.usagearchiver.RowFilter;
import io.usagearchiver.internal.jdbc.Session;
import io.usagearchiver.internal.ledger.HoldTable;
import io.usagearchiver.internal.ledger.LedgerRow;
import io.usagearchiver.internal.rows.CandidateQueries;
import io.usagearchiver.internal.rows.CandidateQuery;
import io.usagearchiver.internal.schema.Direction;
import io.usagearchiver.internal.schema.PairSchema;
import java.time.LocalDateTime;
import java.util.List;
import org.jooq.DSLContext;
import org.jspecify.annotations.Nullable;

/** Moves rows back into the hot table, under a hold: they are expired still, and the next sweep would take them again. */
public final class Restore implements Move {
    private final ArchivePair<?> pair;
    /** From the check on as the hold has it, so that what is restored is what is held, at midnight, too. */
    private RowFilter filter;

    private final @Nullable LocalDateTime holdUntil;
    private final String reason;
    private final HoldTable holds;
    private @Nullable Hold hold;

    public Restore(
            ArchivePair<?> pair, RowFilter filter, @Nullable LocalDateTime holdUntil, String reason, HoldTable holds) {
        this.pair = pair;
        this.filter = filter;
        this.holdUntil = holdUntil;
        this.reason = reason;
        this.holds = holds;
    }

    @Override
    public ArchivePair<?> pair() {
        return pair;
    }

    @Override
    public Direction direction() {
        return Direction.RESTORE;
    }

    /** When sweeps may run and for how long says nothing of what somebody does by hand. */
    @Override
    public ArchiveSettings settings(ArchiveSettings all) {
        return all.withTimeBudget(null).withPace(all.pace().withRunWindow(null));
    }

    @Override
    public LocalDateTime cutoff(ArchiveSettings settings, LocalDateTime now) {
        return now;
    }

    @Override
    public void check(DSLContext tx, PairSchema shape) {
        filter = holds.check(tx, filter, holdUntil, reason);
    }

    @Override
    public void prepare(Session session) {
        Hold set = holds.store(session, filter, holdUntil, reason);
        hold = set;
        holds.tellSweep(session, set);
    }

    @Override
    public @Nullable Hold hold() {
        return hold;
    }

    @Override
    public List<CandidateQuery> rows(DSLContext tx, LedgerRow ledger, PairSchema shape) {
        return CandidateQueries.matching(shape.pair(), filter);
    }
}
