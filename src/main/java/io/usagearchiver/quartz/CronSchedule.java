package io.usagearchiver.quartz;

import com.cronutils.mapper.CronMapper;
import com.cronutils.model.CronType;
import com.cronutils.model.definition.CronDefinitionBuilder;
import com.cronutils.parser.CronParser;
import java.text.ParseException;
import java.time.Instant;
import java.util.Date;
import java.util.List;
import java.util.Locale;
import java.util.TimeZone;
import java.util.regex.Pattern;
import org.quartz.CronExpression;

/**
 * When the archiver runs, as an expression that Quartz understands, always meant in {@link #UTC}.
 *
 * <p>Two forms are read, told apart by their number of fields:
 *
 * <ul>
 *   <li>5 fields: a crontab line, {@code minute hour day-of-month month day-of-week}, in which 0 and 7 are Sunday.
 *       Numbers, names ({@code MON}, {@code jan}), lists, ranges and steps are taken; nicknames ({@code @daily}) are
 *       not. Two things that some crons take are refused, because Quartz would fire on other days: a day of month
 *       together with a day of week (crontab means either of the two, Quartz cannot), and in the day of week a step
 *       after a single day ({@code 1/2}: crons differ on whether it reaches Sunday).
 *   <li>6 or 7 fields: Quartz's own form, {@code second minute hour day-of-month month day-of-week [year]}, as
 *       {@link CronExpression} documents and reads it; there 1 is Sunday.
 * </ul>
 *
 * <p>An expression that never fires, such as {@code 0 0 31 2 *}, is refused too. One with a year that is past is not: the
 * job has it still at its last firing, and a node that starts afterwards must not fail for it. Made by {@link #parse};
 * immutable and thread safe.
 *
 * @param text what the user wrote
 * @param quartzExpression the same in Quartz's form, spelled as Quartz stores it (capitals, one space between fields),
 *     so that it equals a stored trigger's expression if nothing changed
 */
public record CronSchedule(String text, String quartzExpression) {

    /** The zone to give to the trigger. */
    public static final TimeZone UTC = TimeZone.getTimeZone("UTC");

    /** What {@code qrtz_cron_triggers.cron_expression} takes. */
    private static final int LONGEST = 120;

    private static final String ALLOWED = "; allowed are the 5 fields of a crontab line (minute hour day-of-month month"
            + " day-of-week, such as 0 3 * * *) or the 6 or 7 fields of a Quartz expression, such as 0 0 3 ? * MON-FRI";

    private static final List<String> CRONTAB_FIELDS =
            List.of("minute", "hour", "day-of-month", "month", "day-of-week");

    // Stricter than cron-utils 9.2.1, which takes +5, /5 and 1-5- and fails on a lone / with an index out of bounds.
    private static final String VALUE = "(\\d{1,2}|[A-Z]{3})";
    private static final String ITEM = "(\\*|" + VALUE + "(-" + VALUE + ")?)(/\\d{1,2})?";
    private static final Pattern CRONTAB_FIELD = Pattern.compile(ITEM + "(," + ITEM + ")*");

    private static final CronParser CRONTAB =
            new CronParser(CronDefinitionBuilder.instanceDefinitionFor(CronType.UNIX));

    /**
     * Reads a schedule in either form.
     *
     * @throws IllegalArgumentException if it cannot be read, cannot be expressed in Quartz or never fires; the
     *     message says why and what is allowed, and leaves it to the caller to name the setting and its value
     */
    public static CronSchedule parse(String text) {
        String[] fields = text.strip().toUpperCase(Locale.ROOT).split("\\s+");
        String expression = switch (fields.length) {
            case 5 -> fromCrontab(fields);
            case 6, 7 -> String.join(" ", fields);
            default ->
                throw new IllegalArgumentException(
                        (text.isBlank() ? "empty" : "number of fields is " + fields.length) + ALLOWED);
        };
        CronExpression quartz = readByQuartz(expression);
        if (!firesAfter(Instant.now(), quartz) && !firesAfter(Instant.EPOCH, quartz)) {
            throw new IllegalArgumentException("never fires; allowed is an expression with a next time (UTC)");
        }
        if (quartz.getCronExpression().length() > LONGEST) {
            throw new IllegalArgumentException("longer than Quartz can store; allowed are " + LONGEST + " characters");
        }
        return new CronSchedule(text, quartz.getCronExpression());
    }

    /** Whether it has fired for the last time, which one with a year does. */
    boolean isOver() {
        return !firesAfter(Instant.now(), readByQuartz(quartzExpression));
    }

    /** Whether it is a crontab line whose days of the week have numbers, which not all readers of such lines begin with Sunday. */
    boolean numbersDaysOfTheWeek() {
        return text.strip().matches("(\\S+\\s+){4}\\S*\\d\\S*");
    }

    private static boolean firesAfter(Instant time, CronExpression quartz) {
        return quartz.getNextValidTimeAfter(Date.from(time)) != null;
    }

    private static String fromCrontab(String[] fields) {
        for (int i = 0; i < fields.length; i++) {
            if (!CRONTAB_FIELD.matcher(fields[i]).matches()) {
                throw new IllegalArgumentException(
                        "not a crontab line (in its " + CRONTAB_FIELDS.get(i) + ")" + ALLOWED);
            }
        }
        if (!fields[2].equals("*") && !fields[4].equals("*")) {
            throw new IllegalArgumentException("restricts both day-of-month and day-of-week, which crontab reads as"
                    + " 'either' and Quartz cannot express; allowed is * in one of the two");
        }
        if (fields[4].matches("(.*,)?\\w+/.*")) {
            throw new IllegalArgumentException("has a step after a single day of the week, which crons read"
                    + " differently; allowed is a step after * or a range, such as 1-7/2");
        }
        fields[4] = sundayAsZero(fields[4]);
        try {
            return CronMapper.fromUnixToQuartz()
                    .map(CRONTAB.parse(String.join(" ", fields)))
                    .asString();
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("not a crontab line (" + e.getMessage() + ")" + ALLOWED, e);
        }
    }

    // cron-utils 9.2.1 turns the 7 at a range's end into 0, so that it reads 0-7 as Sunday only, and refuses SUN-TUE.
    private static String sundayAsZero(String daysOfWeek) {
        return daysOfWeek.replaceAll("\\bSUN-", "0-").replaceAll("\\b0?0-0?7\\b", "0-6");
    }

    private static CronExpression readByQuartz(String expression) {
        try {
            CronExpression quartz = new CronExpression(expression);
            quartz.setTimeZone(UTC);
            return quartz;
        } catch (ParseException e) {
            throw new IllegalArgumentException("not a Quartz expression (" + e.getMessage() + ")" + ALLOWED, e);
        }
    }
}
