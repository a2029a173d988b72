package consumer;

import static consumer.generated.Tables.MODEL_USAGE_DETAILS;
import static consumer.generated.Tables.MODEL_USAGE_DETAILS_ARCHIVE;

import io.usagearchiver.ArchivePair;
import java.util.function.Supplier;

/** The usage tables, as this application's own generated code has them. */
public final class Pair implements Supplier<ArchivePair<?>> {
    @Override
    public ArchivePair<?> get() {
        return ArchivePair.of(
                MODEL_USAGE_DETAILS,
                MODEL_USAGE_DETAILS_ARCHIVE,
                MODEL_USAGE_DETAILS.ID,
                MODEL_USAGE_DETAILS.COMPLETED_AT,
                MODEL_USAGE_DETAILS.CREATED_AT);
    }
}
