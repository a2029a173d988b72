package consumer;

import static consumer.generated.Tables.AUDIT_EVENT;
import static consumer.generated.Tables.AUDIT_EVENT_ARCHIVE;

import io.usagearchiver.ArchivePair;
import java.util.function.Supplier;

// tag::pair[]
/** Tables of this application, for the plugin's property {@code pair}. */
public final class AuditEvents implements Supplier<ArchivePair<?>> {
    @Override
    public ArchivePair<?> get() {
        return ArchivePair.of(AUDIT_EVENT, AUDIT_EVENT_ARCHIVE, AUDIT_EVENT.ID, AUDIT_EVENT.OCCURRED_AT);
    }
}
// end::pair[]
