package io.usagearchiver.cli.report;

import io.usagearchiver.Plan;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** A plan as a person or a program reads it. */
public final class PlanReport {
    private final Plan plan;
    private final List<String> origins;
    private final StringBuilder text = new StringBuilder();

    private PlanReport(Plan plan, List<String> origins) {
        this.plan = plan;
        this.origins = origins;
    }

    /**
     * A plan for people.
     *
     * @param origins the settings that are not the defaults, and where they come from
     */
    public static String text(Plan plan, List<String> origins) {
        return new PlanReport(plan, origins).text();
    }

    private String text() {
        Text.line(text, "What a sweep of %s would do now; nothing is changed", plan.table());
        line("cutoff", "%s UTC, %,d months ago", Text.moment(plan.cutoff()), plan.retentionMonths());
        String settings = "settings";
        for (String origin : origins) {
            line(settings, "%s", origin);
            settings = "";
        }
        Plan.Backlog backlog = plan.backlog();
        if (backlog == null) {
            line("expired", "not known, the tables cannot be read as they are");
        } else {
            backlog(backlog);
        }
        list("schema", "allows a sweep", "REFUSED:", plan.schemaDifferences());
        list("grants", "complete for " + plan.role(), "MISSING; as the owner of the tables:", plan.missingGrants());
        if (!plan.waits().isEmpty()) {
            list("now", "", "NOTHING would be moved:", plan.waits());
        }
        overlap(plan.overlap());
        list("warnings", "none", plan.warnings().size() + ":", plan.warnings());
        if (!plan.seesOtherSessions()) {
            line("not seen", "how long other roles' transactions are open, and how far replicas are behind;");
            line("", "GRANT pg_monitor TO %s lets it see", plan.role());
        }
        Text.line(
                text,
                "%s",
                switch (plan.verdict()) {
                    case LET_THROUGH -> "A sweep would be let through.";
                    case NOT_ALL_KNOWN -> "A sweep would be let through, as far as is known.";
                    case NOT_NOW -> "A sweep would be let through, but move nothing now.";
                    case REFUSED -> "A sweep would fail, and change nothing.";
                });
        return text.toString().stripTrailing();
    }

    private void backlog(Plan.Backlog backlog) {
        String oldest = backlog.oldestAge() == null ? "" : ", the oldest of " + backlog.oldestAge();
        if (backlog.exact()) {
            line("expired", "%s, counted%s", Text.rows(backlog.rows()), oldest);
        } else {
            line("expired", "about %s, the planner's estimate%s", Text.rows(backlog.rows()), oldest);
            line(
                    "",
                    "(more than the %,d that --count-limit lets it count, or no index to do it by)",
                    plan.countLimit());
        }
        line(
                "size",
                "about %s of the table's %s, their share of it",
                Text.bytes(backlog.bytes()),
                Text.bytes(backlog.tableBytes()));
        line(
                "batches",
                "%s%s of up to %s",
                backlog.exact() ? "" : "about ",
                String.format(Locale.ROOT, "%,d", plan.batches()),
                Text.rows(plan.batchSize()));
        duration(plan.pace(), plan.duration());
        String label = "indexes";
        for (Plan.AgeBranch branch : backlog.branches()) {
            String index = branch.index();
            line(
                    label,
                    "%-12s  %s  (%s%s)",
                    branch.column(),
                    index == null
                            ? "NONE: each page reads the whole table; CREATE INDEX CONCURRENTLY ON " + plan.table()
                                    + " (" + branch.column() + ") helps"
                            : index,
                    backlog.exact() ? "" : "about ",
                    Text.rows(branch.rows()));
            label = "";
        }
        label = "by month";
        for (Plan.Month month : backlog.months()) {
            line(label, "%-14s  %,13d", month.month(), month.rows());
            label = "";
        }
    }

    private void duration(Plan.@Nullable Pace pace, @Nullable Duration duration) {
        if (pace == null || duration == null) {
            line("duration", "not known, no past sweep has moved a row");
        } else {
            line(
                    "duration",
                    "about %s at %,d rows/s, as the last %s had",
                    Text.duration(duration),
                    Math.round(pace.rowsPerSecond()),
                    pace.sweeps() == 1 ? "sweep" : pace.sweeps() + " sweeps");
        }
    }

    private void overlap(Plan.@Nullable Overlap overlap) {
        if (overlap == null) {
            line("archived", "not looked for: rows that the archive holds already");
            return;
        }
        String of = plan.backlog() != null && overlap.looked() < plan.backlog().rows()
                ? "of the " + Text.rows(overlap.looked()) + " that are oldest, "
                : "";
        if (overlap.identical() + overlap.different() == 0) {
            line("archived", "%snone is in the archive already", of);
        }
        if (overlap.identical() > 0) {
            line("archived", "%s%s in the archive already, identical", of, Text.rows(overlap.identical()));
        }
        if (overlap.different() > 0) {
            line(
                    "in conflict",
                    "%s%s would stay hot, the archive holds other content: %s",
                    of,
                    Text.rows(overlap.different()),
                    Text.ids(overlap.differentIds(), overlap.different()));
        }
    }

    private void list(String label, String none, String some, List<String> items) {
        line(label, "%s", items.isEmpty() ? none : some);
        items.forEach(item -> Text.line(text, "    - %s", item));
    }

    private void line(String label, String format, Object... values) {
        Text.line(text, "  %-12s  %s", label, String.format(Locale.ROOT, format, values));
    }

    /** One object on one line; estimates are there, too, {@code expired.exact} says what they are. */
    public static String json(Plan plan, List<String> origins) {
        Map<String, @Nullable Object> members = new LinkedHashMap<>();
        members.put("table", plan.table());
        members.put("archive", plan.archive());
        members.put("cutoff", Json.instant(plan.cutoff()));
        members.put("retentionMonths", plan.retentionMonths());
        members.put("batchSize", plan.batchSize());
        members.put("countLimit", plan.countLimit());
        members.put("allowsSweep", plan.allowsSweep());
        members.put("verdict", plan.verdict().name());
        members.put("expired", expired(plan.backlog()));
        members.put("batches", plan.batches());
        Duration duration = plan.duration();
        members.put("durationMillis", duration == null ? null : duration.toMillis());
        Plan.Pace pace = plan.pace();
        members.put("rowsPerSecond", pace == null ? null : Math.round(pace.rowsPerSecond()));
        members.put("paceOfSweeps", pace == null ? 0 : pace.sweeps());
        members.put("schemaDifferences", plan.schemaDifferences());
        members.put("missingGrants", plan.missingGrants());
        members.put("waits", plan.waits());
        members.put("archivedAlready", overlap(plan));
        members.put("warnings", plan.warnings());
        members.put("role", plan.role());
        members.put("seesOtherSessions", plan.seesOtherSessions());
        members.put("settings", origins);
        return Json.of(members);
    }

    private static @Nullable Map<String, @Nullable Object> expired(Plan.@Nullable Backlog backlog) {
        if (backlog == null) {
            return null;
        }
        Map<String, @Nullable Object> members = new LinkedHashMap<>();
        members.put("rows", backlog.rows());
        members.put("exact", backlog.exact());
        members.put("oldestAge", backlog.oldestAge());
        members.put("bytes", backlog.bytes());
        members.put("tableBytes", backlog.tableBytes());
        members.put(
                "months",
                backlog.months().stream()
                        .collect(Collectors.toMap(Plan.Month::month, Plan.Month::rows, Long::sum, LinkedHashMap::new)));
        members.put(
                "branches", backlog.branches().stream().map(PlanReport::branch).toList());
        return members;
    }

    private static Map<String, @Nullable Object> branch(Plan.AgeBranch branch) {
        Map<String, @Nullable Object> members = new LinkedHashMap<>();
        members.put("column", branch.column());
        members.put("index", branch.index());
        members.put("rows", branch.rows());
        return members;
    }

    private static @Nullable Map<String, @Nullable Object> overlap(Plan plan) {
        Plan.Overlap overlap = plan.overlap();
        if (overlap == null) {
            return null;
        }
        Map<String, @Nullable Object> members = new LinkedHashMap<>();
        members.put("looked", overlap.looked());
        members.put("identical", overlap.identical());
        members.put("different", overlap.different());
        members.put("differentIds", overlap.differentIds());
        return members;
    }
}
