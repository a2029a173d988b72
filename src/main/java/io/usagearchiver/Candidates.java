package io.usagearchiver;

import java.util.ArrayList;
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
 * left, and pages keep rows of one age from being read again for each batch.
 */
final class Candidates {
    private static final int BATCHES_PER_PAGE = 50;

    private final PageReader reader;
    private final List<Branch> branches;
    private final IntSupplier batchSize;
    private final int pageSize;
    private final Set<String> without;

    private int branch;
    private Branch.@Nullable Page cursor;
    private @Nullable Slice page;
    private boolean empty = true;

    /**
     * A pass.
     *
     * @param reader runs a query in a transaction of its own
     * @param maxBatchSize the size of the largest batch
     * @param batchSize the size of the next one
     * @param without keys to leave out
     */
    Candidates(PageReader reader, List<Branch> branches, int maxBatchSize, IntSupplier batchSize, Set<String> without) {
        this.reader = reader;
        this.branches = branches;
        this.batchSize = batchSize;
        this.pageSize =
                Math.max(maxBatchSize, Math.min(BATCHES_PER_PAGE * maxBatchSize, ArchiveSettings.MAX_BATCH_SIZE));
        this.without = without;
    }

    /** The next candidates, or null at the end of the pass. */
    @Nullable
    Slice next() {
        while (page == null && branch < branches.size()) {
            readPage();
        }
        if (page == null) {
            return null;
        }
        empty = false;
        Slice left = page;
        int size = Math.min(batchSize.getAsInt(), left.keys().size());
        page = size == left.keys().size() ? null : left.from(size);
        return left.upTo(size);
    }

    /** Whether the pass has found no candidate so far. */
    boolean isEmpty() {
        return empty;
    }

    private void readPage() {
        Branch from = branches.get(branch);
        Branch.Page behind = cursor;
        Branch.Page read = reader.read(dsl -> from.page(dsl, behind, pageSize));
        cursor = read;
        if (read.keys().size() < pageSize) {
            branch++;
            cursor = null;
        }
        List<String> keys = new ArrayList<>(read.keys());
        keys.removeAll(without);
        page = keys.isEmpty() ? null : new Slice(from, keys, read.lastAge());
    }

    /** Runs the query of a page. */
    interface PageReader {
        Branch.Page read(Function<DSLContext, Branch.Page> query);
    }

    /**
     * Candidates of one batch.
     *
     * @param age of the youngest row of the page that they are from
     */
    record Slice(Branch branch, List<String> keys, String age) {
        Slice upTo(int size) {
            return new Slice(branch, keys.subList(0, size), age);
        }

        Slice from(int size) {
            return new Slice(branch, keys.subList(size, keys.size()), age);
        }
    }
}
