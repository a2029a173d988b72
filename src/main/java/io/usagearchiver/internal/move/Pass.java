package io.usagearchiver.internal.move;

import io.usagearchiver.StopReason;
import io.usagearchiver.internal.rows.CandidateEstimate;
import io.usagearchiver.internal.rows.CandidateQuery;
import io.usagearchiver.internal.rows.Candidates;
import io.usagearchiver.internal.rows.Slices;
import java.util.List;
import java.util.function.Function;
import org.jooq.DSLContext;
import org.jspecify.annotations.Nullable;

/**
 * One pass of a run over the candidates: each slice at once, by one statement, or, where that is given back or not worth
 * trying, the slow way. Each batch waits for its turn.
 */
final class Pass {
    private final RunSession run;
    private final RunProgress progress;
    private final List<CandidateQuery> queries;
    private final SliceMover mover;
    private final Throttler throttler;
    private final Refusals refusals;
    private final FastPath fast;
    private final Slices slices;

    Pass(
            RunSession run,
            List<CandidateQuery> queries,
            SliceMover mover,
            Throttler throttler,
            Refusals refusals,
            FastPath fast) {
        this.run = run;
        this.progress = run.progress();
        this.queries = queries;
        this.mover = mover;
        this.throttler = throttler;
        this.refusals = refusals;
        this.fast = fast;
        this.slices = new Slices(
                this::readPage,
                queries,
                run.settings().batchSize(),
                throttler::batchSize,
                progress.keptBack().keys());
    }

    /** What it moves them by, and knows what became of them. */
    SliceMover mover() {
        return mover;
    }

    /** Whether it has found no candidate. */
    boolean isEmpty() {
        return slices.isEmpty();
    }

    /** Goes over all candidates. Returns why the run is to stop, or null at the end. */
    @Nullable
    StopReason run() {
        int slow = mover.batchesToLeaveOut();
        for (var slice = slices.next(slow); slice != null; slice = slices.next(slow)) {
            StopReason reason = slow > 0 ? null : awaitTurn(slice.age());
            if (reason == null && (slow > 0 || !mover.moveAtOnce(slice))) {
                reason = slowly(slices.candidates(slice));
            }
            if (slow > 0) {
                fast.leftOut(Math.max(1, slice.rows() / throttler.batchSize()));
            }
            if (reason == null) {
                reason = givenBack(false);
            }
            if (reason != null) {
                return reason;
            }
            slow = mover.batchesToLeaveOut();
        }
        return givenBack(true);
    }

    /** Goes over what workers have given back, once one of them is free for more, or all are done. */
    private @Nullable StopReason givenBack(boolean all) {
        for (var slice = mover.givenBack(all); slice != null; slice = mover.givenBack(all)) {
            StopReason reason = slowly(slices.candidates(slice));
            if (reason != null) {
                return reason;
            }
        }
        return null;
    }

    /** Goes over candidates the slow way, up to the end of the pass if so many are refused that not all can be tried. */
    private @Nullable StopReason slowly(Candidates candidates) {
        for (var slice = candidates.next(); slice != null; slice = candidates.next()) {
            StopReason reason = awaitTurn(slice.age());
            if (reason != null) {
                return reason;
            }
            mover.tryOut(candidates, slice);
            if (refusals.areMany()) {
                slices.leaveTo(candidates);
            }
        }
        return null;
    }

    private @Nullable StopReason awaitTurn(String age) {
        StopReason reason = throttler.awaitTurn(progress.batches() > 0, run::replicas);
        if (reason == null) {
            if (progress.isNew()) {
                progress.estimated(run.read(dsl -> CandidateEstimate.read(dsl, queries)));
            }
            progress.reached(age);
        }
        return reason;
    }

    private <T> T readPage(Function<DSLContext, T> query) {
        return run.read(dsl -> {
            fast.look(dsl);
            return query.apply(dsl);
        });
    }
}
