package io.usagearchiver;

import static io.usagearchiver.generated.Tables.RESOURCE_EVENTS;
import static io.usagearchiver.generated.Tables.RESOURCE_EVENTS_ARCHIVE;

import java.util.function.Supplier;

/**
 * A further pair: {@code public.resource_events}, one row for each thing that happened to a resource, and {@code
 * public.resource_events_archive}, as {@code sql/examples/resource-events.sql} and GPUStack 2.2 create them. The age of a
 * row is {@code occurred_at}.
 */
public final class ResourceEvents implements Supplier<ArchivePair<?>> {
    static {
        Jooq.requireStart();
    }

    /** The pair. */
    public static final ArchivePair<Integer> PAIR =
            ArchivePair.of(RESOURCE_EVENTS, RESOURCE_EVENTS_ARCHIVE, RESOURCE_EVENTS.ID, RESOURCE_EVENTS.OCCURRED_AT);

    @Override
    public ArchivePair<Integer> get() {
        return PAIR;
    }
}
