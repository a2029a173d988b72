package io.usagearchiver;

import static io.usagearchiver.generated.Tables.RESOURCE_EVENTS;
import static io.usagearchiver.generated.Tables.RESOURCE_EVENTS_ARCHIVE;

import io.usagearchiver.internal.postgres.Jooq;
import java.util.function.Supplier;
import org.jooq.Condition;
import org.jooq.impl.DSL;

/**
 * A further pair: {@code public.resource_events}, one row for each thing that happened to a resource, and {@code
 * public.resource_events_archive}, as {@code sql/examples/resource-events.sql} and GPUStack 2.2.2 and later create them. The
 * age of a row is {@code occurred_at}.
 *
 * <p>At its start GPUStack meters each resource by the newest of its events in the hot table: by the greatest id, or the
 * latest time, among those of some types. So an event expires only once the table has a newer one of the same resource, by
 * both, that takes its place: one of the same type, one that tells of its deletion, or, of an instance, one that begins or
 * ends its metering ({@code phase_to_metered}, {@code phase_left_metered}). GPUStack's choices of types have all of these.
 * The newest of a choice has none that takes its place, so it stays hot, however old it is; and whatever is restored is not
 * newer. Events without a {@code resource_id} are no resource's, and expire like all rows.
 */
public final class ResourceEvents implements Supplier<ArchivePair<?>> {
    static {
        Jooq.requireStart();
    }

    /** The pair. */
    public static final ArchivePair<Integer> PAIR = ArchivePair.of(
                    RESOURCE_EVENTS, RESOURCE_EVENTS_ARCHIVE, RESOURCE_EVENTS.ID, RESOURCE_EVENTS.OCCURRED_AT)
            .where(RESOURCE_EVENTS.RESOURCE_ID.isNull().or(isReplaced()));

    /**
     * That there is an event which takes the row's place. This may be a row of the same batch, but then there is one that takes
     * its place, too, and the last of them stays. An event that is committed meanwhile is a newer one, and replaces more rows.
     *
     * <p>By the index on type, id and time: it goes on from the row itself, past those that a sweep has left dead before it.
     */
    private static Condition isReplaced() {
        var newer = RESOURCE_EVENTS.as("newer");
        // Not by DSL.exists, whose signature is another one in later versions of jOOQ.
        return DSL.condition(
                "exists ({0})",
                DSL.selectOne()
                        .from(newer)
                        .where(newer.RESOURCE_TYPE.eq(RESOURCE_EVENTS.RESOURCE_TYPE))
                        .and(newer.RESOURCE_ID.eq(RESOURCE_EVENTS.RESOURCE_ID))
                        .and(newer.OCCURRED_AT.ge(RESOURCE_EVENTS.OCCURRED_AT))
                        .and(newer.ID.gt(RESOURCE_EVENTS.ID))
                        .and(DSL.or(
                                newer.EVENT_TYPE.eq(RESOURCE_EVENTS.EVENT_TYPE),
                                newer.EVENT_TYPE.eq(DSL.inline("deleted")),
                                newer.EVENT_TYPE
                                        .in(DSL.inline("phase_to_metered"), DSL.inline("phase_left_metered"))
                                        .and(newer.RESOURCE_TYPE.ne(DSL.inline("persistent_volume"))))));
    }

    @Override
    public ArchivePair<Integer> get() {
        return PAIR;
    }
}
