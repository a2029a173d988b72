package io.usagearchiver.internal.schema;

import io.usagearchiver.ArchivePair;
import org.jooq.DSLContext;

/** A pair whose key and ages are known with their types, also while its archive is not there yet. */
final class KnownPair {
    private KnownPair() {}

    /** What a transaction has to do with a pair before it looks at its columns. */
    static ArchivePair<?> of(DSLContext tx, ArchivePair<?> pair) {
        SqlNames.unambiguous(tx);
        return LivePair.read(tx, pair);
    }
}
