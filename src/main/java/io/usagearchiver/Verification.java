package io.usagearchiver;

import java.time.LocalDateTime;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What {@link Verifier} found in one snapshot of the pair and the ledger. Immutable.
 *
 * @param table the hot table, as {@code schema.table}
 * @param archive the archive, as {@code schema.table}
 * @param identical keys in both tables whose rows are the same in every column
 * @param identicalIds the first {@value SweepResult#LISTED_IDS} of them
 * @param different keys in both tables whose rows are not the same
 * @param differentIds the first {@value SweepResult#LISTED_IDS} of them
 * @param newestCutoff the latest cutoff of all sweeps (naive UTC); null before the first sweep
 * @param younger rows of the archive that were never expired: not older than that cutoff, or without an age
 * @param youngerIds the keys of {@value SweepResult#LISTED_IDS} of them at most
 * @param archivedRows the rows of the archive
 * @param moved rows that the sweeps of the ledger put there
 * @param restored rows that its restores took out
 * @param baseline what the ledger does not know of; null if that was never counted
 */
public record Verification(
        String table,
        String archive,
        long identical,
        List<String> identicalIds,
        long different,
        List<String> differentIds,
        @Nullable LocalDateTime newestCutoff,
        long younger,
        List<String> youngerIds,
        long archivedRows,
        long moved,
        long restored,
        @Nullable Baseline baseline) {

    /** Copies the lists. */
    public Verification {
        identicalIds = List.copyOf(identicalIds);
        differentIds = List.copyOf(differentIds);
        youngerIds = List.copyOf(youngerIds);
    }

    /** Whether no key is in both tables. */
    public boolean apart() {
        return identical + different == 0;
    }

    /** How many rows more than it should the archive has, or, below zero, fewer; null without a baseline. */
    public @Nullable Long surplus() {
        return baseline == null ? null : archivedRows - (baseline.archivedRows() + moved - restored);
    }

    /** Whether nothing was found that should not be. Without a baseline the sums were not compared. */
    public boolean clean() {
        Long surplus = surplus();
        return apart() && younger == 0 && (surplus == null || surplus == 0);
    }

    /** Whether all was compared that is to be. */
    public boolean complete() {
        return baseline != null;
    }

    /**
     * What the archive held that the ledger does not know of: rows from before it.
     *
     * @param table the hot table, as {@code schema.table}
     * @param archivedRows the rows of the archive less those that sweeps put there, and with those that restores took out
     * @param takenAt when they were counted (naive UTC)
     */
    public record Baseline(String table, long archivedRows, LocalDateTime takenAt) {}

    /**
     * What a verification has to read, from the statistics of the catalog; they may be old.
     *
     * @param hotRows rows of the hot table, of which the index of the key is read; -1 if not known
     * @param archivedRows rows of the archive, of which the same and the index of each age column is read; -1 if not known
     * @param indexBytes the size of the indexes of the keys
     * @param archiveBytes the size of the archive without its indexes, read once where the indexes alone do not do
     */
    public record Cost(long hotRows, long archivedRows, long indexBytes, long archiveBytes) {}
}
