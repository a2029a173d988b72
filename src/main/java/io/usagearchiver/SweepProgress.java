package io.usagearchiver;

import java.time.Duration;
import java.time.LocalDateTime;
import org.jspecify.annotations.Nullable;

/**
 * How far a running sweep has come, by its own count; the exact figures are in the {@link SweepResult}.
 *
 * @param sweepId the ledger row
 * @param table the hot table, as {@code schema.table}
 * @param cutoff rows whose age is before this moment (naive UTC) are expired
 * @param rowsMoved rows inserted into the archive and deleted from the hot table so far
 * @param batches transactions committed so far
 * @param elapsed since the opening of the sweep
 * @param oldestAgeLeft the age (naive UTC, as PostgreSQL writes it) up to which the sweep has come, or null before its
 *     first page
 */
public record SweepProgress(
        long sweepId,
        String table,
        LocalDateTime cutoff,
        long rowsMoved,
        long batches,
        Duration elapsed,
        @Nullable String oldestAgeLeft) {}
