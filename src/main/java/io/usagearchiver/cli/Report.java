package io.usagearchiver.cli;

import io.usagearchiver.SweepResult;
import java.time.Duration;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jooq.Field;
import org.jooq.JSONFormat;
import org.jooq.JSONFormat.RecordFormat;
import org.jooq.Record;
import org.jooq.SQLDialect;
import org.jooq.impl.DSL;
import org.jspecify.annotations.Nullable;

/** The result of a sweep as a person or a program reads it. */
final class Report {
    private Report() {}

    static String text(SweepResult result) {
        StringBuilder text = new StringBuilder();
        line(text, "Sweep %d of %s: %s, %s", result.sweepId(), result.table(), result.stopReason(), meaning(result));
        line(text, "  cutoff            %s UTC", text(result.cutoff()));
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
                "stay hot, the archive holds other content",
                result.conflictingIds());
        keptBack(text, "rejected", result.rowsRejected(), "stay hot, the archive refuses them", result.rejectedIds());
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

    static void keptBack(StringBuilder text, String what, long rows, String why, List<String> ids) {
        if (rows > 0) {
            String more = rows > ids.size() ? ", ..." : "";
            line(text, "  %-16s  %s %s: %s%s", what, rows(rows), why, String.join(", ", ids), more);
        }
    }

    static void line(StringBuilder text, String format, Object... values) {
        text.append(String.format(Locale.ROOT, format, values)).append(System.lineSeparator());
    }

    static String rows(long rows) {
        return String.format(Locale.ROOT, rows == 1 ? "%,d row" : "%,d rows", rows);
    }

    /** A naive moment as PostgreSQL writes it. */
    static String text(LocalDateTime moment) {
        return moment.toString().replace('T', ' ');
    }

    static long perSecond(long rows, Duration elapsed) {
        return rows * 1000 / Math.max(1, elapsed.toMillis());
    }

    /** One object on one line. The cutoff is in ISO 8601 with its zone, UTC; ids are strings, whatever their type. */
    static String json(SweepResult result) {
        return json(members(result));
    }

    static Map<String, @Nullable Object> members(SweepResult result) {
        Map<String, @Nullable Object> members = new LinkedHashMap<>();
        members.put("sweepId", result.sweepId());
        members.put("table", result.table());
        members.put("cutoff", instant(result.cutoff()));
        members.put("stopReason", result.stopReason().name());
        members.put("rowsMoved", result.rowsMoved());
        members.put("rowsAlreadyArchived", result.rowsAlreadyArchived());
        members.put("rowsInConflict", result.rowsInConflict());
        members.put("rowsRejected", result.rowsRejected());
        members.put("batches", result.batches());
        members.put("elapsedMillis", result.elapsed().toMillis());
        members.put("conflictingIds", result.conflictingIds().toArray(String[]::new));
        members.put("rejectedIds", result.rejectedIds().toArray(String[]::new));
        return members;
    }

    /** A naive moment in UTC, in ISO 8601. */
    static String instant(LocalDateTime moment) {
        return moment.toInstant(ZoneOffset.UTC).toString();
    }

    /** One object on one line. */
    static String json(Map<String, @Nullable Object> members) {
        Field<?>[] fields = members.entrySet().stream()
                .map(member -> DSL.field(DSL.name(member.getKey()), type(member.getValue())))
                .toArray(Field[]::new);
        Record record = DSL.using(SQLDialect.POSTGRES).newRecord(fields);
        record.fromMap(members);
        return record.formatJSON(new JSONFormat().recordFormat(RecordFormat.OBJECT));
    }

    private static Class<?> type(@Nullable Object value) {
        return value == null ? String.class : value.getClass();
    }
}
