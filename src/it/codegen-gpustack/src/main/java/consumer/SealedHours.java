package consumer;

import static consumer.generated.Tables.METERED_USAGE;
import static consumer.generated.Tables.METERED_USAGE_ARCHIVE;

import io.usagearchiver.ArchivePair;
import java.util.function.Supplier;

// tag::pair[]
/** GPUStack's hourly sums that are final, for the plugin's property {@code pair}. */
public final class SealedHours implements Supplier<ArchivePair<?>> {
    @Override
    public ArchivePair<?> get() {
        return ArchivePair.of(METERED_USAGE, METERED_USAGE_ARCHIVE, METERED_USAGE.ID, METERED_USAGE.BUCKET_START)
                .where(METERED_USAGE.SEALED_AT.isNotNull());
    }
}
// end::pair[]
