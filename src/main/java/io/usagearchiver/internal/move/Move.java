package io.usagearchiver.internal.move;

import io.usagearchiver.ArchivePair;
import io.usagearchiver.ArchiveSettings;
import io.usagearchiver.Hold;
import io.usagearchiver.internal.jdbc.Session;
import io.usagearchiver.internal.ledger.LedgerRow;
import io.usagearchiver.internal.rows.CandidateQuery;
import io.usagearchiver.internal.schema.Direction;
import io.usagearchiver.internal.schema.PairSchema;
import java.time.LocalDateTime;
import java.util.List;
import org.jooq.DSLContext;
import org.jspecify.annotations.Nullable;

/** What a run of {@link BatchLoop} is to move, and which way. */
public interface Move {
    /** Between which tables, as the settings have them. */
    ArchivePair<?> pair();

    /** Which way. */
    Direction direction();

    /** Which of the settings count. */
    ArchiveSettings settings(ArchiveSettings all);

    /** The cutoff for the ledger. */
    LocalDateTime cutoff(ArchiveSettings settings, LocalDateTime now);

    /**
     * Sees that it makes sense, before anything is changed.
     *
     * @param shape of the tables as they were checked
     * @throws IllegalArgumentException if it does not
     */
    void check(DSLContext tx, PairSchema shape);

    /** What has to be done once the ledger row is open, before the first row moves. */
    void prepare(Session session);

    /** The hold that it has set, which stays whatever becomes of it; or null. */
    @Nullable
    Hold hold();

    /** The rows to move, read anew when the holds have changed. */
    List<CandidateQuery> rows(DSLContext tx, LedgerRow ledger, PairSchema shape);
}
