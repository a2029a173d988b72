package io.usagearchiver.cli;

import io.usagearchiver.SweepResult;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import org.jooq.Field;
import org.jooq.JSONFormat;
import org.jooq.Record;
import org.jooq.impl.DSL;

/** The result of a sweep as a person or a program reads it. */
final class Report {
    private Report() {}

    static String text(SweepResult result) {
        String text = String.format(
                Locale.ROOT,
                """
                Sweep %d of %s: %s
                  cutoff            %s UTC
                  moved             %,d rows in %,d batches, %,d ms (%,d rows/s)
                  archived already  %,d rows, identical, deleted from the hot table
                """,
                result.sweepId(),
                result.table(),
                result.stopReason(),
                result.cutoff().toString().replace('T', ' '),
                result.rowsMoved(),
                result.batches(),
                result.elapsed().toMillis(),
                perSecond(result.rowsMoved(), result.elapsed()),
                result.rowsAlreadyArchived());
        return text
                + keptBack("in conflict", result.rowsInConflict(), result.conflictingIds())
                + keptBack("rejected", result.rowsRejected(), result.rejectedIds())
                        .stripTrailing();
    }

    private static String keptBack(String what, long rows, List<String> ids) {
        String list = ids.isEmpty() ? "" : ", stay hot: " + String.join(", ", ids) + (rows > ids.size() ? ", ..." : "");
        return String.format(Locale.ROOT, "  %-16s  %,d rows%s%n", what, rows, list);
    }

    static String json(SweepResult result) {
        Field<?>[] fields = {
            field("sweepId", Long.class),
            field("table", String.class),
            field("cutoff", String.class),
            field("stopReason", String.class),
            field("rowsMoved", Long.class),
            field("rowsAlreadyArchived", Long.class),
            field("rowsInConflict", Long.class),
            field("rowsRejected", Long.class),
            field("batches", Long.class),
            field("elapsedMillis", Long.class),
            field("conflictingIds", String[].class),
            field("rejectedIds", String[].class)
        };
        Record record = DSL.using(org.jooq.SQLDialect.POSTGRES).newRecord(fields);
        record.from(new Object[] {
            result.sweepId(),
            result.table(),
            result.cutoff().toString(),
            result.stopReason().name(),
            result.rowsMoved(),
            result.rowsAlreadyArchived(),
            result.rowsInConflict(),
            result.rowsRejected(),
            result.batches(),
            result.elapsed().toMillis(),
            result.conflictingIds().toArray(String[]::new),
            result.rejectedIds().toArray(String[]::new)
        });
        return record.formatJSON(JSONFormat.DEFAULT_FOR_RECORDS.recordFormat(JSONFormat.RecordFormat.OBJECT));
    }

    private static <T> Field<T> field(String name, Class<T> type) {
        return DSL.field(DSL.name(name), type);
    }

    static long perSecond(long rows, Duration elapsed) {
        return rows * 1000 / Math.max(1, elapsed.toMillis());
    }
}
