package io.usagearchiver;

import java.time.Duration;
import java.time.LocalTime;
import java.time.temporal.ChronoUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The time of day, in UTC, in which sweeps may run: from its start up to, but without, its end. Where the end is not
 * after the start, it is the next day's: {@code 22:00-06:00} is a night. Immutable.
 *
 * @param start the first minute
 * @param end the minute before which it ends; midnight is the end of the day
 */
public record RunWindow(LocalTime start, LocalTime end) {
    private static final Pattern TEXT = Pattern.compile("([01]\\d|2[0-3]):([0-5]\\d)-([01]\\d|2[0-4]):([0-5]\\d)");
    private static final Duration DAY = Duration.ofDays(1);

    /** Rejects seconds, and a window without length. */
    public RunWindow {
        if (!start.equals(start.truncatedTo(ChronoUnit.MINUTES)) || !end.equals(end.truncatedTo(ChronoUnit.MINUTES))) {
            throw new IllegalArgumentException("runWindow = " + start + "-" + end + ": must be in whole minutes");
        }
        if (start.equals(end) && !start.equals(LocalTime.MIDNIGHT)) {
            throw new IllegalArgumentException(
                    "runWindow = " + start + "-" + end + ": must not end when it starts; 00:00-24:00 is the whole day");
        }
    }

    /**
     * The window that {@link #toString} writes.
     *
     * @throws IllegalArgumentException for anything else; the message says what is allowed
     */
    public static RunWindow parse(String text) {
        Matcher matcher = TEXT.matcher(text);
        if (matcher.matches()) {
            LocalTime start = LocalTime.parse(text.substring(0, 5));
            String end = text.substring(6);
            if (!end.startsWith("24") || end.equals("24:00")) {
                LocalTime until = end.equals("24:00") ? LocalTime.MIDNIGHT : LocalTime.parse(end);
                if (!start.equals(until) || end.equals("24:00")) {
                    return new RunWindow(start, until);
                }
            }
        }
        throw new IllegalArgumentException(
                "must be a window of the day in UTC, such as 22:00-06:00;" + " 00:00-24:00 is the whole day");
    }

    /** Whether a moment's time of day, in UTC, is within. */
    public boolean contains(LocalTime time) {
        return since(time).compareTo(length()) < 0;
    }

    private Duration length() {
        Duration length = Duration.between(start, end);
        return length.compareTo(Duration.ZERO) > 0 ? length : length.plus(DAY);
    }

    private Duration since(LocalTime time) {
        Duration since = Duration.between(start, time);
        return since.isNegative() ? since.plus(DAY) : since;
    }

    /** As {@code 22:00-06:00}. */
    @Override
    public String toString() {
        return start + "-" + (end.equals(LocalTime.MIDNIGHT) ? "24:00" : end);
    }
}
