package io.usagearchiver;

import org.jspecify.annotations.Nullable;

/**
 * What a restore did.
 *
 * @param counts what its ledger row says: the rows moved were inserted into the hot table and deleted from the archive;
 *     those archived already were in the hot table already, identical, and deleted from the archive; those in conflict
 *     stayed in the archive because the hot table holds their key with other content, and those rejected because the hot
 *     table refused them. The cutoff is the moment at which it began
 * @param hold what keeps the rows in the hot table, or null if another restore held the table ({@link StopReason#BUSY})
 *     or it was stopped before
 */
public record RestoreResult(SweepResult counts, @Nullable Hold hold) {}
