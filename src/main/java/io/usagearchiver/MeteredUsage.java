package io.usagearchiver;

import static io.usagearchiver.generated.Tables.METERED_USAGE;
import static io.usagearchiver.generated.Tables.METERED_USAGE_ARCHIVE;

import io.usagearchiver.internal.postgres.Jooq;
import java.util.function.Supplier;

/**
 * A further pair: {@code public.metered_usage}, one row a resource, meter and hour, and {@code
 * public.metered_usage_archive}, as {@code sql/examples/metered-usage.sql} and GPUStack 2.2.2 and later create them. The
 * age of a row is {@code bucket_start}, so that all rows of an hour are of one age. What later versions of GPUStack add or
 * widen is moved as it is.
 */
public final class MeteredUsage implements Supplier<ArchivePair<?>> {
    static {
        Jooq.requireStart();
    }

    /** The pair. */
    public static final ArchivePair<Integer> PAIR =
            ArchivePair.of(METERED_USAGE, METERED_USAGE_ARCHIVE, METERED_USAGE.ID, METERED_USAGE.BUCKET_START);

    @Override
    public ArchivePair<Integer> get() {
        return PAIR;
    }
}
