package io.usagearchiver.cli.report;

import static io.usagearchiver.cli.report.SweepReport.keptBack;
import static io.usagearchiver.cli.report.SweepReport.line;
import static io.usagearchiver.cli.report.SweepReport.rows;

import io.usagearchiver.Hold;
import io.usagearchiver.RestorePreview;
import io.usagearchiver.RestoreResult;
import io.usagearchiver.RowFilter;
import io.usagearchiver.StopReason;
import io.usagearchiver.SweepProgress;
import io.usagearchiver.SweepResult;
import java.time.LocalDateTime;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** Restores and holds as a person or a program reads them. */
public final class RestoreReport {
    private RestoreReport() {}

    public static String text(RestoreResult result, RowFilter filter) {
        SweepResult counts = result.counts();
        StringBuilder text = new StringBuilder();
        line(text, "Restore %d of %s: %s, %s", counts.sweepId(), counts.table(), counts.stopReason(), meaning(counts));
        line(text, "  rows              %s", filter);
        Hold hold = result.hold();
        if (hold != null) {
            line(text, "  hold              %d, %s: %s", hold.id(), lasting(hold), hold.reason());
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
                SweepReport.perSecond(counts.rowsMoved(), counts.elapsed()));
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
                SweepReport.perSecond(progress.rowsMoved(), progress.elapsed()));
    }

    public static String text(Hold hold) {
        return String.format(
                Locale.ROOT,
                "Hold %d of %s, %s: %s%n  rows              %s",
                hold.id(),
                hold.table(),
                lasting(hold),
                hold.reason(),
                filter(hold));
    }

    private static String filter(Hold hold) {
        RowFilter filter = hold.filter();
        return filter == null ? "not to be told" : filter.toString();
    }

    public static String text(List<Hold> holds) {
        if (holds.isEmpty()) {
            return "There are no holds.";
        }
        int width = holds.stream().mapToInt(hold -> filter(hold).length()).max().orElse(0);
        String columns = "%4s  %-16s  %-16s  %-" + Math.max(width, "rows".length()) + "s  %s";
        StringBuilder text = new StringBuilder();
        line(text, columns, "hold", "since (UTC)", "until (UTC)", "rows", "reason");
        holds.forEach(hold -> line(
                text,
                columns,
                hold.id(),
                minute(hold.createdAt()),
                ending(hold),
                filter(hold),
                hold.reason() + " (" + hold.createdBy() + ")"));
        holds.stream()
                .filter(hold -> hold.active() && hold.problem() != null)
                .forEach(hold -> line(
                        text,
                        "Hold %d %s: %s; correct its row, or release it",
                        hold.id(),
                        hold.stopsSweeps() ? "cannot be honoured, so that sweeps archive nothing" : "keeps nothing",
                        hold.problem()));
        return text.toString().stripTrailing();
    }

    private static String lasting(Hold hold) {
        LocalDateTime until = hold.until();
        LocalDateTime released = hold.releasedAt();
        if (released != null) {
            return "released " + SweepReport.text(released) + " UTC by " + hold.releasedBy();
        }
        return until == null ? "until it is released" : "until " + SweepReport.text(until) + " UTC";
    }

    private static String ending(Hold hold) {
        if (hold.releasedAt() != null) {
            return "released";
        }
        return hold.until() == null ? "open" : minute(hold.until()) + (hold.active() ? "" : " (over)");
    }

    private static String minute(LocalDateTime moment) {
        // Also of years with a sign; an infinite one has no minute.
        return SweepReport.text(moment).replaceFirst("^([+-]?\\d+-\\d\\d-\\d\\d \\d\\d:\\d\\d).*", "$1");
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

    public static String json(List<Hold> holds) {
        return holds.stream().map(RestoreReport::json).collect(Collectors.joining(",", "[", "]"));
    }

    private static String json(Hold hold) {
        RowFilter filter = hold.filter();
        Map<String, @Nullable Object> members = new LinkedHashMap<>();
        members.put("holdId", hold.id());
        members.put("table", hold.table());
        members.put("active", hold.active());
        members.put("from", filter == null ? null : Json.instant(filter.from()));
        members.put("to", filter == null ? null : Json.instant(filter.to()));
        members.put("minId", filter == null ? null : filter.minId());
        members.put("maxId", filter == null ? null : filter.maxId());
        members.put("userId", filter == null ? null : filter.userId());
        members.put("modelId", filter == null ? null : filter.modelId());
        members.put("reason", hold.reason());
        members.put("createdBy", hold.createdBy());
        members.put("node", hold.node());
        members.put("createdAt", Json.instant(hold.createdAt()));
        members.put("until", Json.instant(hold.until()));
        members.put("releasedAt", Json.instant(hold.releasedAt()));
        members.put("releasedBy", hold.releasedBy());
        members.put("problem", hold.problem());
        return Json.of(members);
    }
}
