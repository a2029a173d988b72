package io.usagearchiver.internal.move;

import io.usagearchiver.StopReason;
import io.usagearchiver.internal.jdbc.StoppedException;
import io.usagearchiver.internal.ledger.BatchResult;
import io.usagearchiver.internal.ledger.HoldsChangedException;
import io.usagearchiver.internal.ledger.LedgerRow;
import io.usagearchiver.internal.ledger.SupersededException;
import io.usagearchiver.internal.ledger.SwallowedException;
import io.usagearchiver.internal.postgres.SqlState;
import io.usagearchiver.internal.rows.CandidateQuery;
import io.usagearchiver.internal.schema.Direction;
import io.usagearchiver.internal.schema.PairSchema;
import io.usagearchiver.internal.schema.SchemaCheck;
import java.util.List;
import org.jooq.DSLContext;
import org.jooq.exception.DataAccessException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Batches until no row that the move wants is left, or a reason to stop. Whole partitions that can be handed over go first.
 *
 * <p>A pass over the candidates is followed by another if it moved a row and an expired row is left: one that was locked,
 * or that expired behind the cursor. Rows that had to be kept back are not tried again. A hold that is set meanwhile begins
 * a new pass, too, as do altered tables, once they are checked, and another connection: batches may have been undone behind
 * the cursor. Where more rows were kept back than {@link KeptBackRows} remembers, there is one pass: rows that it could not
 * take then wait for the next sweep. If it has to begin again all the same, those that are not remembered are tried, and
 * counted, anew. Each batch waits for its turn.
 */
public final class BatchLoop {
    private static final Logger log = LoggerFactory.getLogger("io.usagearchiver.Sweep");

    private final Move move;
    private final RunSession run;
    private final RunProgress progress;
    private final LedgerRow ledger;
    private final Throttler throttler;
    private final Refusals refusals;
    private final FastPath fast;
    private final Workers workers;
    private final @Nullable HandOver handOver;
    /** Whether there may be batches that were committed and that the progress does not know. */
    private boolean unheard;

    private List<CandidateQuery> queries = List.of();
    private PairSchema schema;

    /**
     * The loop of a run.
     *
     * @param schema the tables as they were checked
     */
    BatchLoop(Move move, RunSession run, Throttler throttler, PairSchema schema) {
        this.move = move;
        this.run = run;
        this.progress = run.progress();
        this.ledger = run.ledger();
        this.throttler = throttler;
        this.schema = schema;
        this.refusals = new Refusals(ledger.sweepId());
        this.fast = new FastPath(run.settings());
        this.workers = new Workers(run);
        this.handOver = run.settings().handOver() && move.direction() == Direction.ARCHIVE
                ? new HandOver(run, schema.pair(), throttler, fast)
                : null;
    }

    /** Moves rows, and leaves the ledger row open. */
    StopReason run() {
        try (workers) {
            move.prepare(run.session());
            progress.started();
            StopReason reason = null;
            while (reason == null) {
                reason = passOrBeginAgain();
            }
            return reason;
        } catch (SupersededException e) {
            return StopReason.SUPERSEDED;
        } catch (StoppedException e) {
            return StopReason.INTERRUPTED;
        } catch (DataAccessException e) {
            if (run.session().isToStop() && SqlState.isCancelled(e)) {
                return StopReason.INTERRUPTED;
            }
            throw e;
        }
    }

    private @Nullable StopReason passOrBeginAgain() {
        try {
            return pass();
        } catch (RunSession.RestartException e) {
            return null;
        }
    }

    /** Goes over the candidates once. Returns why the run is to stop, or null if another pass is needed. */
    private @Nullable StopReason pass() {
        try {
            readQueries();
            recount();
            if (handOver != null) {
                StopReason reason = handOver.next(queries, schema);
                if (reason != null || handOver.hasMoved()) {
                    schema = handOver.hasMoved() ? checked() : schema;
                    return reason;
                }
            }
            refusals.beginPass();
            try {
                SliceMover mover = new SliceMover(run, schema.pair(), schema, throttler, refusals, fast, workers);
                return pass(new Pass(run, queries, mover, throttler, refusals, fast));
            } finally {
                settle();
            }
        } catch (HoldsChangedException e) {
            log.info("{}: a hold was set; reading the holds again", ledger);
            queries = List.of();
            return null;
        } catch (PairSchema.ChangedException e) {
            checkAgain();
            return null;
        } catch (DataAccessException | SwallowedException e) {
            if (!isAltered()) {
                throw e;
            }
            checkAgain();
            return null;
        }
    }

    private @Nullable StopReason pass(Pass pass) {
        KeptBackRows keptBack = progress.keptBack();
        StopReason reason = pass.run();
        if (reason != null) {
            return reason;
        }
        SliceMover mover = pass.mover();
        if (!anyLeft(mover, pass.isEmpty() && progress.batches() == 0)) {
            return StopReason.DRAINED;
        }
        if (mover.hasMoved() && keptBack.isComplete()) {
            refusals.moved();
            return null;
        }
        if (refusals.untried() > 0) {
            throw mover.refused();
        }
        return StopReason.ROWS_LOCKED;
    }

    /** Waits for what workers have in hand when a pass has ended before its end. The ledger row says what becomes of it. */
    private void settle() {
        for (var outcome = workers.outcome(true); outcome != null; outcome = workers.outcome(true)) {
            BatchResult result = outcome.result();
            if (result != null) {
                progress.committed(result, outcome.time());
            }
            unheard = true;
        }
    }

    private void readQueries() {
        if (queries.isEmpty()) {
            queries = run.look(tx -> move.rows(tx, ledger, schema));
        }
        run.look(tx -> {
            queries.forEach(query -> query.learnKey(tx));
            return true;
        });
    }

    /** Where not all rows that were kept back are known by their keys, the others will be met, and counted, anew. */
    private void recount() {
        if (unheard) {
            run.recount();
            unheard = false;
        }
        KeptBackRows keptBack = progress.keptBack();
        if (!keptBack.isComplete()) {
            int conflicts = keptBack.rememberedConflicts();
            int rejected = keptBack.rememberedRejected();
            run.write(tx -> ledger.recount(tx, conflicts, rejected));
            keptBack.truncate(conflicts, rejected);
        }
    }

    /** Whether a fault may be due to tables that are not those that were checked. */
    private boolean isAltered() {
        return !run.session().isToStop() && !schema.fingerprint().equals(run.look(this::liveFingerprint));
    }

    private String liveFingerprint(DSLContext tx) {
        return tx.select(PairSchema.liveFingerprint(move.pair())).fetchSingle().value1();
    }

    /** Goes on with the tables as they are now, if the schema check lets them pass: what a hold keeps depends on them, too. */
    private void checkAgain() {
        log.info(
                "{} {}: {}, its archive or the ledger was altered; checking the schema again",
                ledger.direction(),
                ledger.sweepId(),
                ledger.table());
        queries = List.of();
        run.session().forgetTables();
        schema = checked();
    }

    private PairSchema checked() {
        return run.look(tx -> SchemaCheck.run(tx, move.pair(), ledger.direction()));
    }

    /**
     * Whether a row is left that was not kept back, in the tables that were checked: the look at them comes after the others,
     * whose locks keep the tables as they are.
     *
     * @param noneSeen whether no row was seen at all, so that there is none
     */
    private boolean anyLeft(SliceMover mover, boolean noneSeen) {
        KeptBackRows keptBack = progress.keptBack();
        return run.read(tx -> {
            List<String> without = List.copyOf(keptBack.keys());
            boolean left = !noneSeen
                    && (keptBack.isComplete()
                            ? queries.stream().anyMatch(query -> query.anyLeft(tx, without))
                            : mover.hasPassedOver() || refusals.untried() > 0 || anyLeftByNumber(tx));
            schema.requireUnchanged(liveFingerprint(tx));
            return left;
        });
    }

    /** Whether more rows are wanted than were kept back, where not all of these are known. */
    private boolean anyLeftByNumber(DSLContext dsl) {
        long keptBack = progress.keptBack().count();
        long wanted = 0;
        for (CandidateQuery query : queries) {
            wanted += query.count(dsl, keptBack + 1 - wanted);
        }
        return wanted > keptBack;
    }
}
