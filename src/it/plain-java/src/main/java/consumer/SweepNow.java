package consumer;

import io.usagearchiver.ArchiveSettings;
import io.usagearchiver.Archiver;
import io.usagearchiver.SweepResult;
import io.usagearchiver.UsageDetails;
import javax.sql.DataSource;

/** A sweep without any scheduler. */
public final class SweepNow {
    private SweepNow() {}

    /** Sweeps once, with connections of this pool. */
    public static SweepResult sweep(DataSource dataSource) {
        // tag::sweep[]
        SweepResult result = Archiver.builder(UsageDetails.PAIR, dataSource::getConnection)
                .settings(ArchiveSettings.defaults().withRetentionMonths(24))
                .node("billing-1")
                .build()
                .sweep();
        // end::sweep[]
        return result;
    }
}
