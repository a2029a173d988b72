package io.usagearchiver.internal.schema;

import io.usagearchiver.ArchiveException;
import io.usagearchiver.ArchivePair;
import io.usagearchiver.internal.postgres.NaiveUtc;
import io.usagearchiver.internal.postgres.TableName;
import io.usagearchiver.internal.postgres.WrittenName;
import java.nio.charset.StandardCharsets;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.YearMonth;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.impl.DSL;
import org.jspecify.annotations.Nullable;

/**
 * The partitions of an archive by the month of the age, in UTC, named as pg_partman names them: {@code
 * orders_archive_p20260101}. Those that sweeps need are of the months from the oldest row that is hot to some after the
 * cutoff's. There is no default partition: a row in it would keep the one of its month from being made.
 */
final class MonthlyPartitions {
    /** How many months after the cutoff's have a partition already. */
    static final int AHEAD = 3;

    private static final int MOST = 1200;
    private static final DateTimeFormatter SUFFIX = DateTimeFormatter.ofPattern("'_p'uuuuMMdd");

    private static final Pattern RANGE = Pattern.compile("FOR VALUES FROM \\((.+)\\) TO \\((.+)\\)");

    private final ArchivePair<?> pair;
    private final int retentionMonths;

    /**
     * Those of a pair.
     *
     * @throws ArchiveException if its archive could not be partitioned so and keep a unique key
     */
    MonthlyPartitions(ArchivePair<?> pair, int retentionMonths) {
        String refusal = refusal(pair);
        if (refusal != null) {
            throw new ArchiveException(refusal, null);
        }
        this.pair = pair;
        this.retentionMonths = retentionMonths;
    }

    /** Why the archive of a pair cannot be partitioned by month; null if it can. */
    static @Nullable String refusal(ArchivePair<?> pair) {
        String subject = "The archive of " + TableName.name(pair.hot()) + " cannot be partitioned by month: ";
        List<String> ages = pair.ages().stream().map(Field::getName).toList();
        if (ages.size() > 1) {
            return subject + "the age of its rows is in two columns, " + String.join(" and ", ages)
                    + ", and a partition is chosen by one";
        }
        List<String> key = pair.key().stream().map(Field::getName).toList();
        if (!key.containsAll(ages)) {
            return subject + "its key, " + String.join(", ", key) + ", does not contain its age, " + ages.get(0)
                    + ". PostgreSQL keeps a key unique across partitions only if the column that they are made by is in it,"
                    + " and without a unique key a row could be archived twice";
        }
        return null;
    }

    /** The statements that make the first ones of a new table. */
    List<String> first(DSLContext tx) {
        String archive = SqlNames.of(tx, pair.archive());
        return missing(tx, List.of()).stream()
                .map(month -> "CREATE TABLE " + name(tx, month) + " PARTITION OF " + archive + bounds(month))
                .toList();
    }

    /**
     * The statements that make a partition beside a sweep: PARTITION OF would lock the whole archive, and ATTACH lets others
     * read and write it.
     */
    List<String> beside(DSLContext tx, YearMonth month) {
        String archive = SqlNames.of(tx, pair.archive());
        String partition = name(tx, month);
        return List.of(
                "CREATE TABLE " + partition + " (LIKE " + archive
                        + " INCLUDING ALL EXCLUDING INDEXES EXCLUDING STATISTICS)",
                "ALTER TABLE " + archive + " ATTACH PARTITION " + partition + bounds(month));
    }

    /** The months that need a partition, but for those of which there is one for any part. */
    List<YearMonth> missing(DSLContext tx, List<String> bounds) {
        YearMonth last =
                YearMonth.from(NaiveUtc.now(tx)).minusMonths(retentionMonths).plusMonths(AHEAD);
        YearMonth first = oldest(tx, last.minusMonths(AHEAD));
        if (first.until(last, ChronoUnit.MONTHS) >= MOST) {
            throw new ArchiveException(
                    "the oldest row of " + TableName.name(pair.hot()) + " is of " + first
                            + ", and so its archive would need more than " + MOST + " monthly partitions",
                    null);
        }
        List<LocalDateTime[]> ranges = bounds.stream().map(this::range).toList();
        List<YearMonth> missing = new ArrayList<>();
        for (YearMonth month = first; !month.isAfter(last); month = month.plusMonths(1)) {
            LocalDateTime from = month.atDay(1).atStartOfDay();
            LocalDateTime to = month.plusMonths(1).atDay(1).atStartOfDay();
            if (ranges.stream().noneMatch(range -> range[0].isBefore(to) && range[1].isAfter(from))) {
                missing.add(month);
            }
        }
        return missing;
    }

    /** The month of the oldest hot row, if that is before the cutoff's. */
    private YearMonth oldest(DSLContext tx, YearMonth ofCutoff) {
        Field<?> age = TableName.column(pair.hot(), pair.ages().get(0));
        return tx.select(NaiveUtc.text(age))
                .from(DSL.table(TableName.qualified(pair.hot())))
                .where("{0} > '-infinity'", age)
                .orderBy(age)
                .limit(DSL.inline(1))
                .fetchOptional(0, String.class)
                .map(NaiveUtc::parse)
                .filter(moment -> !NaiveUtc.isInfinite(moment))
                .map(YearMonth::from)
                .filter(ofCutoff::isAfter)
                .orElse(ofCutoff);
    }

    private String name(DSLContext tx, YearMonth month) {
        String suffix = SUFFIX.format(month.atDay(1));
        String stem = pair.archive().getName();
        while (stem.getBytes(StandardCharsets.UTF_8).length + suffix.length() > WrittenName.MOST_BYTES) {
            stem = stem.substring(0, stem.offsetByCodePoints(stem.length(), -1));
        }
        return SqlNames.sibling(tx, pair.archive(), stem + suffix);
    }

    private String bounds(YearMonth month) {
        return " FOR VALUES FROM ('" + bound(month.atDay(1)) + "') TO ('"
                + bound(month.plusMonths(1).atDay(1)) + "')";
    }

    private String bound(LocalDate day) {
        boolean zoned = NaiveUtc.kind(pair.ages().get(0).getDataType()) == NaiveUtc.Kind.ZONED;
        return day + (zoned ? " 00:00:00+00" : "");
    }

    /** Of a partition; of a default one, or one by other values, an empty range. */
    private LocalDateTime[] range(String bounds) {
        Matcher range = RANGE.matcher(bounds);
        return range.matches()
                ? new LocalDateTime[] {moment(range.group(1)), moment(range.group(2))}
                : new LocalDateTime[] {LocalDateTime.MAX, LocalDateTime.MIN};
    }

    private static LocalDateTime moment(String bound) {
        String text = bound.replace("'", "").replace("+00", "");
        return switch (text) {
            case "MINVALUE" -> LocalDateTime.MIN;
            case "MAXVALUE" -> LocalDateTime.MAX;
            default -> NaiveUtc.parse(text.contains(":") || text.contains("infinity") ? text : text + " 00:00:00");
        };
    }
}
