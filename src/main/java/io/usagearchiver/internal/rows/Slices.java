package io.usagearchiver.internal.rows;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import java.util.function.IntSupplier;
import java.util.stream.IntStream;
import org.jooq.DSLContext;
import org.jspecify.annotations.Nullable;

/**
 * One pass over the wanted rows in slices of at most a batch, query after query, oldest rows first.
 *
 * <p>Where an index is in the order of the ages, a slice is a stretch of time. A page, read without locks, has the ages of a
 * few candidates of each batch, and only those cross the wire. The cursor is the end of the last slice, so that no statement
 * passes again the dead index entries that earlier ones left. The first slice has no beginning: an age can be {@code
 * -infinity}. Where more rows share one age than a batch holds, they are cut by their keys, and so is all that is not
 * wanted by its age, or has no such index: see {@link Candidates}. A slice takes what lies in it by then: rows with old ages
 * may come at any time.
 */
public final class Slices {
    /** How many marks a page has for one batch, or a few more: a size that changes meanwhile is kept to so closely. */
    private static final int MARKS_PER_BATCH = 8;

    private final PageReader reader;
    private final int maxBatchSize;
    private final IntSupplier batchSize;
    private final Set<String> without;
    private final Deque<CandidateQuery> queries;
    /** What is being cut by its keys, and as which query. */
    private @Nullable Candidates crowd;

    private @Nullable CandidateQuery ofCrowd;
    /** Where the next slice begins; null at the beginning of a query. */
    private @Nullable Cut from;

    private @Nullable Marks marks;
    /** How many rows of the page lie before that, at least: those up to a mark. */
    private int position;

    private boolean empty = true;

    /**
     * A pass.
     *
     * @param reader runs a query in a transaction of its own
     * @param maxBatchSize the size of the largest batch
     * @param batchSize the size of the next one
     * @param without keys to leave out where rows are cut by their keys
     */
    public Slices(
            PageReader reader,
            List<CandidateQuery> queries,
            int maxBatchSize,
            IntSupplier batchSize,
            Set<String> without) {
        this.reader = reader;
        this.queries = new ArrayDeque<>(queries);
        this.maxBatchSize = maxBatchSize;
        this.batchSize = batchSize;
        this.without = without;
    }

    /**
     * The next slice, or null at the end of the pass.
     *
     * @param batches how many batches it is for, at most, if it is a stretch of time: its rows will be cut by their keys then;
     *     0 for one that is moved at once
     */
    public @Nullable Slice next(int batches) {
        Slice slice = null;
        while (slice == null && (crowd != null || !queries.isEmpty())) {
            slice = crowd == null ? cut(queries.element(), batches) : ofCrowd(crowd);
        }
        empty &= slice == null;
        return slice;
    }

    /** Whether the pass has found no candidate so far. */
    public boolean isEmpty() {
        return empty;
    }

    /** The rows of a slice, cut by their keys. */
    public Candidates candidates(Slice slice) {
        List<String> keys = slice.keys();
        if (keys == null) {
            return candidates(slice.narrowed());
        }
        Candidates candidates = candidates();
        candidates.giveBack(new Candidates.Slice(slice.query(), keys, slice.age()));
        return candidates;
    }

    /** Ends the pass here: the candidates go on with what is left of it. */
    public void leaveTo(Candidates candidates) {
        if (ofCrowd != null) {
            candidates.append(ofCrowd);
        }
        if (!queries.isEmpty()) {
            candidates.append(queries.remove().between(from, null));
        }
        queries.forEach(candidates::append);
        queries.clear();
        crowd = null;
        ofCrowd = null;
    }

    private Candidates candidates(CandidateQuery... of) {
        return new Candidates(reader::read, List.of(of), maxBatchSize, batchSize, without);
    }

    private @Nullable Slice ofCrowd(Candidates candidates) {
        Candidates.Slice slice = candidates.next();
        if (slice == null) {
            crowd = null;
            ofCrowd = null;
            return null;
        }
        return new Slice(slice.branch(), null, null, slice.keys(), slice.keys().size(), slice.age());
    }

    private void cutByKeys(CandidateQuery query) {
        ofCrowd = query;
        crowd = candidates(query);
    }

    /** The next stretch of a query; null if something else has to be looked at first. */
    private @Nullable Slice cut(CandidateQuery query, int batches) {
        int batch = batchSize.getAsInt();
        int size = (int) Math.min((long) batch * Math.max(1, batches), Integer.MAX_VALUE / 2);
        if (!query.inStretches() || batches == Integer.MAX_VALUE) {
            CandidateQuery rest = query.between(from, null);
            nextQuery();
            cutByKeys(rest);
            return null;
        }
        Marks page = marks;
        if (page == null) {
            readPage(query, batch);
            return null;
        }
        if (page.isLast() && page.rows() - position <= size) {
            return rest(query, page);
        }
        int first = position / page.interval() + 1;
        int last = Math.min(page.count(), (position + size) / page.interval());
        if (last < first) {
            // The page has ended, or its marks are too far apart by now.
            readPage(query, batch);
            return null;
        }
        for (int mark = last; mark >= first; mark--) {
            if (!page.isAmongOneAge(mark)) {
                return upTo(query, page.interval(), new Cut(page.age(mark), true), mark, mark);
            }
        }
        // Each cut would divide rows of one age. So it is before those of the last mark, or, where nothing is before
        // them, they
        // are cut by their keys.
        String age = page.age(last);
        int begin = last;
        while (begin > first && page.age(begin - 1).equals(age)) {
            begin--;
        }
        if (begin > first) {
            return upTo(query, page.interval(), new Cut(age, false), last, begin - 1);
        }
        int end = last;
        while (end < page.count() && page.age(end + 1).equals(age)) {
            end++;
        }
        Cut behind = new Cut(age, true);
        cutByKeys(query.between(from, behind));
        from = behind;
        position = end * page.interval();
        if (end == page.count() && !page.isLast()) {
            marks = null;
        }
        return null;
    }

    /** A slice up to a cut, which lies at the first of two marks at most and at the other one at least. */
    private Slice upTo(CandidateQuery query, int interval, Cut to, int most, int least) {
        Slice slice = new Slice(query, from, to, null, most * interval - position, to.age());
        from = to;
        position = least * interval;
        return slice;
    }

    /** What is left of a query, if anything. */
    private @Nullable Slice rest(CandidateQuery query, Marks page) {
        int rows = page.rows() - position;
        Slice rest = rows == 0 ? null : new Slice(query, from, null, null, rows, page.lastAge());
        nextQuery();
        return rest;
    }

    private void nextQuery() {
        queries.remove();
        from = null;
        marks = null;
    }

    private void readPage(CandidateQuery query, int size) {
        int interval = interval(size);
        int count = Candidates.pageSize(size) / interval;
        Cut behind = from;
        marks = reader.read(dsl -> Marks.read(dsl, query, behind, interval, count));
        position = 0;
    }

    /** From mark to mark, so that a batch ends at one if it can. */
    private static int interval(int size) {
        return IntStream.range(MARKS_PER_BATCH, 2 * MARKS_PER_BATCH)
                .filter(marks -> size % marks == 0)
                .map(marks -> size / marks)
                .findFirst()
                .orElse(Math.max(1, size / MARKS_PER_BATCH));
    }

    /** Runs the query of a page. */
    public interface PageReader {
        <T> T read(Function<DSLContext, T> query);
    }
}
