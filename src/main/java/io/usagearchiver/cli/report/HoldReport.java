package io.usagearchiver.cli.report;

import static io.usagearchiver.cli.report.Text.line;

import io.usagearchiver.Hold;
import io.usagearchiver.RowFilter;
import java.time.LocalDateTime;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** Holds as a person or a program reads them. */
public final class HoldReport {
    private HoldReport() {}

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

    static String lasting(Hold hold) {
        LocalDateTime until = hold.until();
        LocalDateTime released = hold.releasedAt();
        if (released != null) {
            return "released " + Text.moment(released) + " UTC by " + hold.releasedBy();
        }
        return until == null ? "until it is released" : "until " + Text.moment(until) + " UTC";
    }

    private static String ending(Hold hold) {
        if (hold.releasedAt() != null) {
            return "released";
        }
        return hold.until() == null ? "open" : minute(hold.until()) + (hold.active() ? "" : " (over)");
    }

    private static String minute(LocalDateTime moment) {
        // Also of years with a sign; an infinite one has no minute.
        return Text.moment(moment).replaceFirst("^([+-]?\\d+-\\d\\d-\\d\\d \\d\\d:\\d\\d).*", "$1");
    }

    public static String json(List<Hold> holds) {
        return holds.stream().map(HoldReport::json).collect(Collectors.joining(",", "[", "]"));
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
        members.put("where", filter == null ? null : filter.where());
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
