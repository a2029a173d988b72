package io.usagearchiver.cli.report;

import io.usagearchiver.PastSweep;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The history of sweeps as a person or a program reads it. */
public final class HistoryReport {
    private static final List<String> HEADINGS = List.of(
            "SWEEP",
            "STARTED (UTC)",
            "DURATION",
            "ENDED",
            "MOVED",
            "KEPT BACK",
            "ROWS/S",
            "CUTOFF (UTC)",
            "FIRED BY",
            "NODE");
    /** Which columns hold numbers, and stand to the right. */
    private static final List<Integer> RIGHT = List.of(0, 2, 4, 5, 6);

    private HistoryReport() {}

    /** A table, each message on a line of its own below its sweep. */
    public static String text(List<PastSweep> sweeps) {
        if (sweeps.isEmpty()) {
            return "No sweep yet.";
        }
        List<List<String>> rows = new ArrayList<>(List.of(HEADINGS));
        sweeps.forEach(sweep -> rows.add(cells(sweep)));
        List<String> lines = Text.table(rows, RIGHT);
        String indent = " "
                .repeat(rows.stream().mapToInt(row -> row.get(0).length()).max().orElse(0) + 2);
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < rows.size(); i++) {
            Text.line(text, "%s", lines.get(i));
            String message = i == 0 ? null : sweeps.get(i - 1).message();
            if (message != null) {
                message.lines().forEach(line -> Text.line(text, "%s", indent + line));
            }
        }
        return text.toString().stripTrailing();
    }

    private static List<String> cells(PastSweep sweep) {
        return List.of(
                String.valueOf(sweep.sweepId()),
                String.format("%.19s", Text.moment(sweep.startedAt())),
                Text.duration(sweep.elapsed()),
                (sweep.archives() ? "" : sweep.direction() + " ") + sweep.state(),
                number(sweep.rowsMoved()),
                number(sweep.rowsKeptBack()),
                sweep.rowsMoved() == 0 ? "" : number(Math.round(sweep.rowsPerSecond())),
                sweep.archives() ? String.format("%.19s", Text.moment(sweep.cutoff())) : "",
                sweep.firedBy(),
                sweep.node());
    }

    private static String number(long number) {
        return String.format(Locale.ROOT, "%,d", number);
    }

    /** One object with the list of all, the newest first. */
    public static String json(List<PastSweep> sweeps) {
        return Json.of(
                Map.of("sweeps", sweeps.stream().map(HistoryReport::members).toList()));
    }

    private static Map<String, @Nullable Object> members(PastSweep sweep) {
        Map<String, @Nullable Object> members = new LinkedHashMap<>();
        members.put("sweepId", sweep.sweepId());
        members.put("table", sweep.table());
        members.put("direction", sweep.direction());
        members.put("state", sweep.state());
        members.put("node", sweep.node());
        members.put("firedBy", sweep.firedBy());
        members.put("cutoff", Json.instant(sweep.cutoff()));
        members.put("rowsMoved", sweep.rowsMoved());
        members.put("rowsAlreadyThere", sweep.rowsAlreadyThere());
        members.put("rowsInConflict", sweep.rowsInConflict());
        members.put("rowsRejected", sweep.rowsRejected());
        members.put("batches", sweep.batches());
        members.put("rowsPerSecond", Math.round(sweep.rowsPerSecond()));
        members.put("startedAt", Json.instant(sweep.startedAt()));
        members.put("finishedAt", Json.instant(sweep.finishedAt()));
        members.put("elapsedMillis", sweep.elapsed().toMillis());
        members.put("message", sweep.message());
        return members;
    }
}
