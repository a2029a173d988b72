package io.usagearchiver.cli.report;

import io.usagearchiver.SweepResult;
import java.time.Duration;
import java.time.LocalDateTime;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** The result of a sweep as a person or a program reads it. */
public final class SweepReport {
    private static final List<String> UNITS = List.of("bytes", "kB", "MB", "GB", "TB", "PB");

    private SweepReport() {}

    public static String text(SweepResult result) {
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

    static void keptBack(StringBuilder text, String what, long rows, String why, List<String> ids) {
        if (rows > 0) {
            String stay = rows == 1 ? "stays" : "stay";
            line(text, "  %-16s  %s %s %s: %s", what, rows(rows), stay, why, ids(ids, rows));
        }
    }

    public static void line(StringBuilder text, String format, Object... values) {
        text.append(String.format(Locale.ROOT, format, values)).append(System.lineSeparator());
    }

    /**
     * The lines of a table whose columns are as wide as their widest cell.
     *
     * @param right the columns that hold numbers, and stand to the right
     */
    public static List<String> table(List<List<String>> rows, List<Integer> right) {
        int[] widths = IntStream.range(0, rows.get(0).size())
                .map(column -> rows.stream()
                        .mapToInt(row -> row.get(column).length())
                        .max()
                        .orElse(0))
                .toArray();
        return rows.stream().map(row -> tableLine(row, widths, right)).toList();
    }

    private static String tableLine(List<String> cells, int[] widths, List<Integer> right) {
        StringBuilder line = new StringBuilder();
        for (int column = 0; column < cells.size(); column++) {
            String format = "%" + (right.contains(column) ? "" : "-") + widths[column] + "s  ";
            line.append(String.format(format, cells.get(column)));
        }
        return line.toString().stripTrailing();
    }

    static String rows(long rows) {
        return String.format(Locale.ROOT, rows == 1 ? "%,d row" : "%,d rows", rows);
    }

    /** A naive moment as PostgreSQL writes it; the least and the greatest are its infinite ones. */
    public static String text(LocalDateTime moment) {
        if (moment.equals(LocalDateTime.MAX)) {
            return "infinity";
        }
        return moment.equals(LocalDateTime.MIN)
                ? "-infinity"
                : moment.toString().replace('T', ' ');
    }

    static long perSecond(long rows, Duration elapsed) {
        return rows * 1000 / Math.max(1, elapsed.toMillis());
    }

    /** How long something took or takes: tenths of a second below a minute, else its two largest units. */
    static String duration(Duration duration) {
        long seconds = Math.round(duration.toMillis() / 1000.0);
        if (duration.toMillis() < 59_950) {
            return String.format(Locale.ROOT, "%.1f s", duration.toMillis() / 1000.0);
        }
        if (seconds < 3600) {
            return seconds / 60 + " min " + seconds % 60 + " s";
        }
        long minutes = Math.round(seconds / 60.0);
        if (minutes < 24 * 60) {
            return minutes / 60 + " h " + minutes % 60 + " min";
        }
        long hours = Math.round(minutes / 60.0);
        return hours / 24 + " d " + hours % 24 + " h";
    }

    /** A size as {@code pg_size_pretty} writes it: units of 1024. */
    static String bytes(long bytes) {
        double size = bytes;
        int unit = 0;
        while (size >= 1024 && unit < UNITS.size() - 1) {
            size /= 1024;
            unit++;
        }
        return String.format(Locale.ROOT, unit == 0 ? "%.0f %s" : "%.1f %s", size, UNITS.get(unit));
    }

    /** Ids of which there may be more. */
    static String ids(List<String> ids, long all) {
        return String.join(", ", ids) + (all > ids.size() ? ", ..." : "");
    }

    /** One object on one line. The cutoff is in ISO 8601 with its zone, UTC; ids are strings, whatever their type. */
    public static String json(SweepResult result) {
        return Json.of(members(result));
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
