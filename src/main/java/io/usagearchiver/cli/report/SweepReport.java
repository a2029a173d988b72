package io.usagearchiver.cli.report;

import static io.usagearchiver.cli.report.Text.keptBack;
import static io.usagearchiver.cli.report.Text.line;
import static io.usagearchiver.cli.report.Text.moment;
import static io.usagearchiver.cli.report.Text.perSecond;
import static io.usagearchiver.cli.report.Text.rows;

import io.usagearchiver.SweepResult;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The result of a sweep as a person or a program reads it. */
public final class SweepReport {
    private SweepReport() {}

    /**
     * A result for people.
     *
     * @param where the condition that the settings have of the rows; null for none
     */
    public static String text(SweepResult result, @Nullable String where) {
        StringBuilder text = new StringBuilder();
        line(text, "Sweep %d of %s: %s, %s", result.sweepId(), result.table(), result.stopReason(), meaning(result));
        line(text, "  cutoff            %s UTC", moment(result.cutoff()));
        if (where != null) {
            line(text, "  where             %s", where);
        }
        line(
                text,
                "  moved             %s in %,d batches and %.1f s (%,d rows/s)",
                rows(result.rowsMoved()),
                result.batches(),
                result.elapsed().toMillis() / 1000.0,
                perSecond(result.rowsMoved(), result.elapsed()));
        if (result.rowsAlreadyArchived() > 0) {
            line(
                    text,
                    "  archived already  %s, identical: deleted from the hot table",
                    rows(result.rowsAlreadyArchived()));
        }
        keptBack(
                text,
                "in conflict",
                result.rowsInConflict(),
                "hot, the archive holds other content",
                result.conflictingIds());
        keptBack(text, "rejected", result.rowsRejected(), "hot, the archive refuses them", result.rejectedIds());
        return text.toString().stripTrailing();
    }

    private static String meaning(SweepResult result) {
        return switch (result.stopReason()) {
            case DRAINED -> "no expired row is left" + (result.keptRowsBack() ? " but those kept back" : "");
            case ROWS_LOCKED -> "what is left is locked by other sessions";
            case TIME_BUDGET -> "the time budget is used up";
            case OUTSIDE_WINDOW -> "it is not the time of the day to sweep, see runWindow";
            case INTERRUPTED -> "it was asked to stop";
            case SUPERSEDED -> "a newer sweep of the table took over";
            case BUSY -> "a restore holds the table";
            case FAILED -> "what was committed before the fault stands";
        };
    }

    /** One object on one line. The cutoff is in ISO 8601 with its zone, UTC; ids are strings, whatever their type. */
    public static String json(SweepResult result, @Nullable String where) {
        Map<String, @Nullable Object> members = members(result);
        if (where != null) {
            members.put("where", where);
        }
        return Json.of(members);
    }

    static Map<String, @Nullable Object> members(SweepResult result) {
        Map<String, @Nullable Object> members = new LinkedHashMap<>();
        members.put("sweepId", result.sweepId());
        members.put("table", result.table());
        members.put("cutoff", Json.instant(result.cutoff()));
        members.put("stopReason", result.stopReason().name());
        members.put("rowsMoved", result.rowsMoved());
        members.put("rowsAlreadyArchived", result.rowsAlreadyArchived());
        members.put("rowsInConflict", result.rowsInConflict());
        members.put("rowsRejected", result.rowsRejected());
        members.put("batches", result.batches());
        members.put("elapsedMillis", result.elapsed().toMillis());
        members.put("conflictingIds", result.conflictingIds());
        members.put("rejectedIds", result.rejectedIds());
        return members;
    }
}
