package io.usagearchiver.cli.report;

import static io.usagearchiver.cli.report.Text.keptBack;
import static io.usagearchiver.cli.report.Text.line;
import static io.usagearchiver.cli.report.Text.rows;

import io.usagearchiver.Hold;
import io.usagearchiver.RestorePreview;
import io.usagearchiver.RestoreResult;
import io.usagearchiver.RowFilter;
import io.usagearchiver.StopReason;
import io.usagearchiver.SweepProgress;
import io.usagearchiver.SweepResult;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Restores as a person or a program reads them. */
public final class RestoreReport {
    private RestoreReport() {}

    public static String text(RestoreResult result, RowFilter filter) {
        SweepResult counts = result.counts();
        StringBuilder text = new StringBuilder();
        line(text, "Restore %d of %s: %s, %s", counts.sweepId(), counts.table(), counts.stopReason(), meaning(counts));
        line(text, "  rows              %s", filter);
        Hold hold = result.hold();
        if (hold != null) {
            line(text, "  hold              %d, %s: %s", hold.id(), HoldReport.lasting(hold), hold.reason());
            if (counts.stopReason() != StopReason.DRAINED) {
                line(text, "                    it stays; 'usage-archiver release %d' ends it", hold.id());
            }
        }
        line(
                text,
                "  restored          %s in %,d batches and %.1f s (%,d rows/s)",
                rows(counts.rowsMoved()),
                counts.batches(),
                counts.elapsed().toMillis() / 1000.0,
                Text.perSecond(counts.rowsMoved(), counts.elapsed()));
        if (counts.rowsAlreadyArchived() > 0) {
            line(
                    text,
                    "  hot already       %s, identical: deleted from the archive",
                    rows(counts.rowsAlreadyArchived()));
        }
        inConflict(text, counts.rowsInConflict(), counts.conflictingIds());
        keptBack(text, "rejected", counts.rowsRejected(), "archived, the hot table refuses them", counts.rejectedIds());
        return text.toString().stripTrailing();
    }

    private static String meaning(SweepResult counts) {
        return switch (counts.stopReason()) {
            case DRAINED ->
                "no matching row is left in the archive" + (counts.keptRowsBack() ? " but those kept back" : "");
            case ROWS_LOCKED -> "what is left is locked by other sessions; restore again";
            case TIME_BUDGET, OUTSIDE_WINDOW -> "its time is over; restore again";
            case INTERRUPTED -> "it was asked to stop; what was restored stays";
            case SUPERSEDED -> "a sweep took over, after no sign of life for too long; what was restored stays";
            case BUSY -> "another restore holds the table; nothing was done";
            case FAILED -> "what was committed before the fault stands";
        };
    }

    public static String text(RestorePreview preview, RowFilter filter) {
        StringBuilder text = new StringBuilder();
        line(text, "Dry run: nothing was changed");
        line(text, "  rows              %s", filter);
        line(text, "  archived          %s", rows(preview.matching()));
        line(text, "  to be restored    %s", rows(preview.restorable()));
        if (preview.identical() > 0) {
            line(text, "  hot already       %s, identical: to be deleted from the archive", rows(preview.identical()));
        }
        inConflict(text, preview.inConflict(), preview.conflictingIds());
        return text.toString().stripTrailing();
    }

    private static void inConflict(StringBuilder text, long rows, List<String> ids) {
        keptBack(text, "in conflict", rows, "archived, the hot table holds other content", ids);
    }

    public static String progress(SweepProgress progress) {
        return String.format(
                Locale.ROOT,
                "%,d rows restored, %,d rows/s",
                progress.rowsMoved(),
                Text.perSecond(progress.rowsMoved(), progress.elapsed()));
    }

    public static String json(RestoreResult result) {
        Map<String, @Nullable Object> members = SweepReport.members(result.counts());
        members.put("holdId", result.hold() == null ? null : result.hold().id());
        return Json.of(members);
    }

    public static String json(RestorePreview preview) {
        Map<String, @Nullable Object> members = new LinkedHashMap<>();
        members.put("rowsMatching", preview.matching());
        members.put("rowsRestorable", preview.restorable());
        members.put("rowsIdentical", preview.identical());
        members.put("rowsInConflict", preview.inConflict());
        members.put("conflictingIds", preview.conflictingIds());
        return Json.of(members);
    }
}
