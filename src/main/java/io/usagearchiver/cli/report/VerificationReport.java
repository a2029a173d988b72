package io.usagearchiver.cli.report;

import io.usagearchiver.Verification;
import java.time.LocalDateTime;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What a verification costs and finds, as a person or a program reads it. */
public final class VerificationReport {
    private VerificationReport() {}

    /** What is about to be read. */
    public static String cost(Verification.Cost cost, String timeout) {
        return "Reading the keys of " + about(cost.hotRows()) + " hot and " + about(cost.archivedRows())
                + " archived rows, and counting these: " + Text.bytes(cost.indexBytes())
                + " of indexes, and of the archive up to " + Text.bytes(cost.archiveBytes()) + ". Ends after "
                + timeout
                + " at the latest.";
    }

    private static String about(long rows) {
        return rows < 0 ? "an unknown number of" : String.format(Locale.ROOT, "about %,d", rows);
    }

    public static String text(Verification found) {
        StringBuilder text = new StringBuilder();
        Text.line(text, "%s and %s", found.table(), found.archive());
        inBoth(text, found);
        younger(text, found);
        sums(text, found);
        Text.line(
                text,
                !found.clean()
                        ? "NOT all of it holds."
                        : found.complete() ? "All of it holds." : "What could be compared holds.");
        return text.toString().stripTrailing();
    }

    private static void inBoth(StringBuilder text, Verification found) {
        if (found.apart()) {
            Text.line(text, "  ids in both     none");
        }
        if (found.identical() > 0) {
            Text.line(
                    text,
                    "  ids in both     %s, identical: %s",
                    Text.rows(found.identical()),
                    Text.ids(found.identicalIds(), found.identical()));
        }
        if (found.different() > 0) {
            Text.line(
                    text,
                    "  ids in both     %s, DIFFERENT: %s",
                    Text.rows(found.different()),
                    Text.ids(found.differentIds(), found.different()));
        }
    }

    private static void younger(StringBuilder text, Verification found) {
        LocalDateTime cutoff = found.newestCutoff();
        if (cutoff == null) {
            Text.line(text, "  archived early  not to be told before the first sweep");
        } else if (found.younger() == 0) {
            Text.line(
                    text, "  archived early  none, all are older than the newest cutoff, %s UTC", Text.moment(cutoff));
        } else {
            Text.line(
                    text,
                    "  archived early  %s NOT older than the newest cutoff, %s UTC: %s",
                    Text.rows(found.younger()),
                    Text.moment(cutoff),
                    Text.ids(found.youngerIds(), found.younger()));
        }
    }

    private static void sums(StringBuilder text, Verification found) {
        Verification.Baseline baseline = found.baseline();
        Long surplus = found.surplus();
        if (baseline == null || surplus == null) {
            Text.line(
                    text,
                    "  sums            NOT compared, the archive was never counted: 'usage-archiver init' takes a baseline");
            return;
        }
        Text.line(
                text,
                "  sums            %,d at the baseline of %.16s + %,d moved - %,d restored = %,d, %s",
                baseline.archivedRows(),
                Text.moment(baseline.takenAt()),
                found.moved(),
                found.restored(),
                found.archivedRows() - surplus,
                surplus == 0
                        ? "and so many are there"
                        : String.format(
                                Locale.ROOT,
                                "but there are %,d: %,d %s",
                                found.archivedRows(),
                                Math.abs(surplus),
                                surplus < 0 ? "TOO FEW" : "TOO MANY"));
    }

    /** One object; {@code surplus} is null without a baseline. */
    public static String json(Verification found) {
        Map<String, @Nullable Object> members = new LinkedHashMap<>();
        members.put("table", found.table());
        members.put("archive", found.archive());
        members.put("clean", found.clean());
        members.put("complete", found.complete());
        members.put("identicalInBoth", ids(found.identical(), found.identicalIds()));
        members.put("differentInBoth", ids(found.different(), found.differentIds()));
        members.put("newestCutoff", Json.instant(found.newestCutoff()));
        members.put("younger", ids(found.younger(), found.youngerIds()));
        members.put("archivedRows", found.archivedRows());
        members.put("moved", found.moved());
        members.put("restored", found.restored());
        Verification.Baseline baseline = found.baseline();
        members.put("baselineRows", baseline == null ? null : baseline.archivedRows());
        members.put("baselineTakenAt", baseline == null ? null : Json.instant(baseline.takenAt()));
        members.put("surplus", found.surplus());
        return Json.of(members);
    }

    private static Map<String, Object> ids(long rows, List<String> ids) {
        Map<String, Object> members = new LinkedHashMap<>();
        members.put("rows", rows);
        members.put("ids", ids);
        return members;
    }
}
