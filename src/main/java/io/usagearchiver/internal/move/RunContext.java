package io.usagearchiver.internal.move;

import io.usagearchiver.ArchivePair;
import io.usagearchiver.ArchiveSettings;
import java.time.Clock;
import org.jspecify.annotations.Nullable;

/**
 * What the runs of an archiver have in common.
 *
 * @param table the hot table's canonical name
 * @param clock what the cutoff is taken from; null for the database's
 * @param node the node's name in the ledger
 * @param firedBy what starts the runs, for the ledger
 */
public record RunContext(
        ArchivePair<?> pair,
        String table,
        ArchiveSettings settings,
        @Nullable Clock clock,
        String node,
        String firedBy) {}
