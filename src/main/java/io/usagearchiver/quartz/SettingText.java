package io.usagearchiver.quartz;

import io.usagearchiver.ArchiveSettings;
import io.usagearchiver.Pace;
import java.time.Duration;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Values of settings as text. What a value must be is what the exception says of one that is not. */
final class SettingText {
    private static final Pattern SHARE = Pattern.compile("\\d{1,3}(\\.\\d{1,3})?");
    private static final Pattern DURATION = Pattern.compile("(\\d{1,9}) ?(ms|s|m|h)");

    private SettingText() {}

    static Function<String, Integer> wholeNumber(int min, int max) {
        return value -> {
            if (value.matches("-?\\d{1,9}")) {
                int number = Integer.parseInt(value);
                if (number >= min && number <= max) {
                    return number;
                }
            }
            throw new IllegalArgumentException("must be a whole number from " + min + " to " + max);
        };
    }

    static boolean yesOrNo(String value) {
        return switch (value) {
            case "true" -> true;
            case "false" -> false;
            default -> throw new IllegalArgumentException("must be true or false");
        };
    }

    static double share(String value) {
        double share = SHARE.matcher(value).matches() ? Double.parseDouble(value) : Double.NaN;
        if (share >= 0 && share <= Pace.MAX_PAUSE_SHARE) {
            return share;
        }
        throw new IllegalArgumentException("must be a number from 0 to " + Pace.MAX_PAUSE_SHARE + ", such as 0.5 or 2");
    }

    /**
     * Reads a duration as settings are written: a whole number and {@code ms}, {@code s}, {@code m} or {@code h}.
     *
     * @throws IllegalArgumentException if it is none, or is not from 1 ms to 48 h
     */
    static Duration duration(String value) {
        Matcher matcher = DURATION.matcher(value);
        if (matcher.matches()) {
            long count = Long.parseLong(matcher.group(1));
            Duration duration = switch (matcher.group(2)) {
                case "ms" -> Duration.ofMillis(count);
                case "s" -> Duration.ofSeconds(count);
                case "m" -> Duration.ofMinutes(count);
                default -> Duration.ofHours(count);
            };
            if (duration.compareTo(ArchiveSettings.MIN_DURATION) >= 0
                    && duration.compareTo(ArchiveSettings.MAX_DURATION) <= 0) {
                return duration;
            }
        }
        throw new IllegalArgumentException("must be a duration from 1ms to 48h, such as 500ms, 30s, 15m or 2h");
    }

    /** A duration as a person would write it: in the largest unit that says it exactly. */
    static String text(Duration duration) {
        long millis = duration.toMillis();
        if (millis % 3_600_000 == 0) {
            return millis / 3_600_000 + "h";
        }
        if (millis % 60_000 == 0) {
            return millis / 60_000 + "m";
        }
        return millis % 1000 == 0 ? millis / 1000 + "s" : millis + "ms";
    }
}
