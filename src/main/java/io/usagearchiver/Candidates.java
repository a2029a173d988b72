package io.usagearchiver;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.function.Function;
import org.jooq.DSLContext;
import org.jspecify.annotations.Nullable;

/**
 * One pass over the expired rows: slices of at most a batch, branch after branch, oldest rows first, read in pages.
 *
 * <p>The cursor moves with the page, never with what a batch could lock: a row can come back from its lock with another
 * age, and a cursor taken from it would jump over rows. No page reads again the dead index entries that earlier ones
 * left, and pages keep rows of one age from being read again for each batch.
 */
final class Candidates<K> {
    private static final int BATCHES_PER_PAGE = 50;

    private final PageReader<K> reader;
    private final List<Branch<K>> branches;
    private final int batchSize;
    private final int pageSize;
    private final Set<K> without;

    private int branch;
    private Branch.@Nullable Page<K> cursor;
    private final Queue<Slice<K>> slices = new ArrayDeque<>();
    private boolean empty = true;

    /**
     * A pass.
     *
     * @param reader runs a query in a transaction of its own
     * @param without keys to leave out
     */
    Candidates(PageReader<K> reader, List<Branch<K>> branches, int batchSize, Set<K> without) {
        this.reader = reader;
        this.branches = branches;
        this.batchSize = batchSize;
        this.pageSize = Math.max(batchSize, Math.min(BATCHES_PER_PAGE * batchSize, ArchiveSettings.MAX_BATCH_SIZE));
        this.without = without;
    }

    /** The next candidates, or null at the end of the pass. */
    @Nullable
    Slice<K> next() {
        while (slices.isEmpty() && branch < branches.size()) {
            readPage();
        }
        empty &= slices.isEmpty();
        return slices.poll();
    }

    /** Whether the pass has found no candidate so far. */
    boolean isEmpty() {
        return empty;
    }

    private void readPage() {
        Branch<K> from = branches.get(branch);
        Branch.Page<K> behind = cursor;
        Branch.Page<K> page = reader.read(dsl -> from.page(dsl, behind, pageSize));
        cursor = page;
        if (page.keys().size() < pageSize) {
            branch++;
            cursor = null;
        }
        List<K> keys = new ArrayList<>(page.keys());
        keys.removeAll(without);
        for (int start = 0; start < keys.size(); start += batchSize) {
            int end = Math.min(start + batchSize, keys.size());
            slices.add(new Slice<>(from, keys.subList(start, end), page.lastAge()));
        }
    }

    /** Runs the query of a page. */
    interface PageReader<K> {
        Branch.Page<K> read(Function<DSLContext, Branch.Page<K>> query);
    }

    /**
     * Candidates of one batch.
     *
     * @param age of the youngest row of the page that they are from
     */
    record Slice<K>(Branch<K> branch, List<K> keys, String age) {}
}
