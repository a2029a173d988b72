package io.usagearchiver.internal.rows;

import io.usagearchiver.ArchiveSettings;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import java.util.function.IntSupplier;
import org.jooq.DSLContext;
import org.jspecify.annotations.Nullable;

/**
 * One pass over the expired rows: slices of at most a batch, branch after branch, oldest rows first, read in pages.
 *
 * <p>The cursor moves with the page, never with what a batch could lock: a row can come back from its lock with another
 * age, and a cursor taken from it would jump over rows. No page reads again the dead index entries that earlier ones
 * left, and pages keep rows of one age from being read again for each batch. A page is bounded in rows and in bytes, and
 * with it the batches: keys can be long.
 */
public final class Candidates {
    private static final int BATCHES_PER_PAGE = 50;

    /** The most rows that are read at once after others. */
    private static final int LARGEST_PAGE = 200_000;

    private final PageReader reader;
    private final List<CandidateQuery> branches;
    private final IntSupplier batchSize;
    private final Set<String> without;
    /** What was read, or given back, and not yet taken: the first is the next. */
    private final Deque<Slice> pieces = new ArrayDeque<>();

    private @Nullable Mark mark;
    private int branch;
    private CandidateQuery.@Nullable Page cursor;
    private int rowsToRead;
    private boolean empty = true;

    /**
     * A pass.
     *
     * @param reader runs a query in a transaction of its own
     * @param maxBatchSize the size of the largest batch
     * @param batchSize the size of the next one
     * @param without keys to leave out
     */
    public Candidates(
            PageReader reader,
            List<CandidateQuery> branches,
            int maxBatchSize,
            IntSupplier batchSize,
            Set<String> without) {
        this.reader = reader;
        this.branches = new ArrayList<>(branches);
        this.batchSize = batchSize;
        this.rowsToRead = pageSize(maxBatchSize);
        this.without = without;
    }

    /** How many candidates are read at once for batches of a size. */
    static int pageSize(int batchSize) {
        return Math.max(batchSize, Math.min(BATCHES_PER_PAGE * batchSize, ArchiveSettings.MAX_BATCH_SIZE));
    }

    /** Has the rows of another branch follow at the end. */
    void append(CandidateQuery other) {
        branches.add(other);
    }

    /** The next candidates, or null at the end of the pass. */
    @Nullable
    public Slice next() {
        while (pieces.isEmpty() && branch < branches.size()) {
            readPage();
        }
        Slice piece = pieces.poll();
        if (piece == null) {
            return null;
        }
        empty = false;
        int size = Math.min(batchSize.getAsInt(), piece.keys().size());
        if (size == piece.keys().size()) {
            return piece;
        }
        pieces.push(piece.from(size));
        return piece.upTo(size);
    }

    /** Has the rows of a slice be the next candidates again, cut anew. */
    public void giveBack(Slice slice) {
        pieces.push(slice);
    }

    /** Has the rows of a slice be the next candidates again, in two halves. */
    public void giveBackInHalves(Slice slice) {
        int half = slice.keys().size() / 2;
        giveBack(slice.from(half));
        giveBack(slice.upTo(half));
    }

    /** Remembers where a slice that was just taken begins, of which one row was dealt with. */
    public void mark(Slice slice, int row) {
        List<Slice> next = new ArrayList<>(pieces);
        if (slice.keys().size() > 1) {
            next.add(0, slice.without(row));
        }
        mark = new Mark(branch, cursor, next);
    }

    /** Goes back to the mark, if there is one, and forgets it; else gives back what was taken last. */
    public void returnToMark(Slice last) {
        if (mark == null) {
            giveBack(last);
            return;
        }
        branch = mark.branch();
        cursor = mark.cursor();
        pieces.clear();
        pieces.addAll(mark.pieces());
        mark = null;
    }

    /** Whether the pass has found no candidate so far. */
    public boolean isEmpty() {
        return empty;
    }

    private void readPage() {
        CandidateQuery from = branches.get(branch);
        CandidateQuery.Page behind = cursor;
        int limit = rowsToRead;
        CandidateQuery.Page read = reader.read(dsl -> from.page(dsl, behind, limit));
        cursor = read;
        if (!read.isCut() && read.rows() < limit) {
            branch++;
            cursor = null;
        }
        // Each page passes all rows that have no order but that of their keys, as those of one age have none: the fewer
        // pages, the better. But where keys are long, most of a large one would be read in vain, and again by the next.
        rowsToRead =
                (int) Math.min(LARGEST_PAGE, 2L * (read.isCut() ? read.keys().size() : limit));
        List<String> keys = new ArrayList<>(read.keys());
        keys.removeAll(without);
        if (!keys.isEmpty()) {
            // By their keys alone: the planner would rather read all rows between two cuts, and compare each with all
            // keys.
            pieces.push(new Slice(from.whole(), keys, read.lastAge()));
        }
    }

    /** A place in the pass. */
    private record Mark(int branch, CandidateQuery.@Nullable Page cursor, List<Slice> pieces) {}

    /** Runs the query of a page. */
    public interface PageReader {
        CandidateQuery.Page read(Function<DSLContext, CandidateQuery.Page> query);
    }

    /**
     * Candidates of one batch.
     *
     * @param age of the youngest row of the page that they are from
     */
    public record Slice(CandidateQuery branch, List<String> keys, String age) {
        Slice upTo(int size) {
            return new Slice(branch, keys.subList(0, size), age);
        }

        Slice from(int size) {
            return new Slice(branch, keys.subList(size, keys.size()), age);
        }

        public Slice only(int row) {
            return new Slice(branch, keys.subList(row, row + 1), age);
        }

        Slice without(int row) {
            List<String> others = new ArrayList<>(keys);
            others.remove(row);
            return new Slice(branch, others, age);
        }
    }
}
