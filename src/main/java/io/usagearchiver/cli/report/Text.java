package io.usagearchiver.cli.report;

import java.time.Duration;
import java.time.LocalDateTime;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;

/** How lines, tables, moments and amounts are written for a person. */
public final class Text {
    private static final List<String> UNITS = List.of("bytes", "kB", "MB", "GB", "TB", "PB");

    private Text() {}

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
    public static String moment(LocalDateTime moment) {
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
}
