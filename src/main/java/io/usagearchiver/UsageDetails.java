package io.usagearchiver;

import static io.usagearchiver.generated.Tables.MODEL_USAGE_DETAILS;
import static io.usagearchiver.generated.Tables.MODEL_USAGE_DETAILS_ARCHIVE;

import io.usagearchiver.internal.postgres.Jooq;
import java.util.function.Supplier;

/**
 * The pair that this library ships: {@code public.model_usage_details}, one row a metered request, and {@code
 * public.model_usage_details_archive}, as {@code sql/01-usage-tables.sql} and GPUStack 2.2 create them.
 *
 * <p>The age of a row is {@code COALESCE(completed_at, created_at)}: a request that never completed is as old as its
 * creation.
 */
public final class UsageDetails implements Supplier<ArchivePair<?>> {
    static {
        Jooq.requireStart();
    }

    /** The pair. */
    public static final ArchivePair<Integer> PAIR = ArchivePair.of(
            MODEL_USAGE_DETAILS,
            MODEL_USAGE_DETAILS_ARCHIVE,
            MODEL_USAGE_DETAILS.ID,
            MODEL_USAGE_DETAILS.COMPLETED_AT,
            MODEL_USAGE_DETAILS.CREATED_AT);

    @Override
    public ArchivePair<Integer> get() {
        return PAIR;
    }
}
