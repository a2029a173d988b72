package io.usagearchiver;

import java.time.Duration;
import java.time.LocalDateTime;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a sweep that began now would find and do, of one moment, as {@link Planner} foresees it. Immutable.
 *
 * @param table the hot table, as {@code schema.table}
 * @param archive the archive, as {@code schema.table}
 * @param cutoff rows whose age is before this moment (naive UTC) are expired
 * @param retentionMonths how many calendar months the cutoff is before now
 * @param batchSize the most rows of a batch
 * @param countLimit how many expired rows were counted, and compared with the archive, at most
 * @param schemaDifferences why the tables do not allow a sweep, as {@link SchemaDriftException#differences}; empty if they
 *     do
 * @param missingGrants the GRANT statements, for the tables' owner, of what the role needs and does not have
 * @param waits why a sweep that began now would move nothing though the tables and the rights allow it: the run window, or a
 *     restore; one sentence each
 * @param backlog the expired rows; null where the tables cannot be read as they are
 * @param overlap those of them that the archive holds already; null where they were not counted
 * @param pace how fast the last sweeps were; null if none has moved a row
 * @param warnings what does not forbid a sweep but may slow it down, or keep rows back, one sentence each
 * @param role the database role that looked, and that a sweep through this data source has
 * @param seesOtherSessions whether that role may see what other roles' sessions and replicas do; if not, warnings about
 *     them may be missing
 */
public record Plan(
        String table,
        String archive,
        LocalDateTime cutoff,
        int retentionMonths,
        int batchSize,
        long countLimit,
        List<String> schemaDifferences,
        List<String> missingGrants,
        List<String> waits,
        @Nullable Backlog backlog,
        @Nullable Overlap overlap,
        @Nullable Pace pace,
        List<String> warnings,
        String role,
        boolean seesOtherSessions) {

    /** Copies the lists. */
    public Plan {
        schemaDifferences = List.copyOf(schemaDifferences);
        missingGrants = List.copyOf(missingGrants);
        waits = List.copyOf(waits);
        warnings = List.copyOf(warnings);
    }

    /** What a plan comes to. */
    public enum Verdict {
        /** A sweep would be let through. */
        LET_THROUGH,
        /** So it would, as far as is known: which rows are expired, or which of them are archived already, is not. */
        NOT_ALL_KNOWN,
        /** It would be let through, but not now: see {@link Plan#waits}. */
        NOT_NOW,
        /** It would fail, and change nothing. */
        REFUSED
    }

    /** What it comes to. */
    public Verdict verdict() {
        if (!allowsSweep()) {
            return Verdict.REFUSED;
        }
        if (!waits.isEmpty()) {
            return Verdict.NOT_NOW;
        }
        return backlog == null || overlap == null ? Verdict.NOT_ALL_KNOWN : Verdict.LET_THROUGH;
    }

    /** Whether the tables and the session allow a sweep, and the role may do what it does; {@link #verdict} knows more. */
    public boolean allowsSweep() {
        return schemaDifferences.isEmpty() && missingGrants.isEmpty();
    }

    /** How many batches a sweep would take, if no row has to be kept back; null where the backlog is not known. */
    public @Nullable Long batches() {
        return backlog == null
                ? null
                : backlog.branches().stream()
                        .mapToLong(branch -> (branch.rows() + batchSize - 1) / batchSize)
                        .sum();
    }

    /** How long a sweep would take at the pace of the last ones; null where that or the backlog is not known. */
    public @Nullable Duration duration() {
        return backlog == null || pace == null
                ? null
                : Duration.ofMillis(Math.round(backlog.rows() * 1000.0 / pace.rowsPerSecond()));
    }

    /**
     * The expired rows.
     *
     * @param rows how many
     * @param exact whether they were counted; else these figures are the estimates of PostgreSQL's planner
     * @param oldestAge the age of the oldest (naive UTC, as PostgreSQL writes it); null if there is none, or no index to
     *     find it by
     * @param bytes what they take up in the hot table, an estimate: their share of its size without its indexes
     * @param tableBytes the size of the hot table without its indexes
     * @param months how many there are of each month, oldest first
     * @param branches the age columns that the rows are found by
     */
    public record Backlog(
            long rows,
            boolean exact,
            @Nullable String oldestAge,
            long bytes,
            long tableBytes,
            List<Month> months,
            List<AgeBranch> branches) {
        /** Copies the lists. */
        public Backlog {
            months = List.copyOf(months);
            branches = List.copyOf(branches);
        }
    }

    /**
     * The expired rows of a month.
     *
     * @param month as {@code 2025-01}; {@code -infinity} for rows of that age, and {@code before 2025-01} for all that are
     *     older than the months that were looked at one by one
     */
    public record Month(String month, long rows) {}

    /**
     * The expired rows whose age is one certain column.
     *
     * @param column the age column
     * @param index the index that a sweep reads them by, or null where there is none: each page of candidates then reads the
     *     whole table
     * @param rows how many
     */
    public record AgeBranch(String column, @Nullable String index, long rows) {}

    /**
     * Expired rows whose key the archive holds already.
     *
     * @param looked at so many of the oldest expired rows
     * @param identical rows of which a sweep would delete the hot copy
     * @param different rows in conflict, which a sweep would leave hot
     * @param differentIds the keys of the first {@value SweepResult#LISTED_IDS} in conflict
     */
    public record Overlap(long looked, long identical, long different, List<String> differentIds) {
        /** Copies the list. */
        public Overlap {
            differentIds = List.copyOf(differentIds);
        }
    }

    /**
     * The pace of the last sweeps that moved rows, from their opening to their last batch.
     *
     * @param sweeps how many
     * @param rowsPerSecond on average
     */
    public record Pace(int sweeps, double rowsPerSecond) {}
}
