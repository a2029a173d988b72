package io.usagearchiver.cli;

import io.usagearchiver.RowFilter;
import io.usagearchiver.cli.config.BadSettingsException;
import java.time.DateTimeException;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The options that say which rows; those given have all to match. */
final class FilterOptions {
    private static final Pattern IDS = Pattern.compile("(.*)\\.\\.(.*)");
    private static final Pattern COLUMN =
            Pattern.compile("(?:\"((?:[^\"]|\"\")+)\"|([^\"=][^=]*))=(.*)", Pattern.DOTALL);

    @Option(
            names = "--from",
            order = 10,
            paramLabel = "DATE",
            description =
                    "Rows of this age or younger: a day or a moment in UTC, such as 2025-01-31 or"
                            + " 2025-01-31T22:30 (a day, where ages are days). The age of a row is what sweeps go by: of model_usage_details, completed_at or else created_at.")
    private @Nullable String from;

    @Option(names = "--to", order = 11, paramLabel = "DATE", description = "Rows older than this.")
    private @Nullable String to;

    @Option(
            names = "--ids",
            order = 12,
            paramLabel = "A..B",
            description =
                    "Rows with an id from A to B, both included, by the order of the column. A.., ..B and a single id"
                            + " do, too. For keys of one column; an id has at most 255 characters.")
    private @Nullable String ids;

    @Option(
            names = "--user",
            order = 13,
            paramLabel = "ID",
            description = "Rows with this user_id, where that is a column of numbers.")
    private @Nullable Long user;

    @Option(
            names = "--model",
            order = 14,
            paramLabel = "ID",
            description = "Rows with this model_id, where that is a column of numbers.")
    private @Nullable Long model;

    @Option(
            names = "--where-column",
            order = 15,
            paramLabel = "NAME=VALUE",
            description =
                    "Rows whose column of this name equals the value, by the column's type; as often as needed, and"
                            + " all have to match. Nothing after the = is the empty text; no value stands for null. The name is"
                            + " taken as it is; one with a = in it has to be in double quotes, as in SQL.")
    private List<String> whereColumns = new ArrayList<>();

    /**
     * The filter.
     *
     * @throws BadSettingsException if there is none, or a bad one
     */
    RowFilter filter() {
        String minId = ids;
        String maxId = ids;
        if (ids != null) {
            Matcher range = IDS.matcher(ids);
            if (range.matches()) {
                minId = range.group(1).isBlank() ? null : range.group(1).strip();
                maxId = range.group(2).isBlank() ? null : range.group(2).strip();
            }
            if (ids.isBlank() || (minId == null && maxId == null)) {
                throw new BadSettingsException("--ids " + ids + ": must be A..B, A.., ..B or one id");
            }
        }
        Map<String, String> where = where();
        if (from == null && to == null && ids == null && user == null && model == null && where.isEmpty()) {
            throw new BadSettingsException(
                    "Which rows? Give at least one of --from, --to, --ids, --user, --model and --where-column.");
        }
        try {
            return new RowFilter(moment("--from", from), moment("--to", to), minId, maxId, user, model, where);
        } catch (IllegalArgumentException e) {
            throw new BadSettingsException(String.valueOf(e.getMessage()));
        }
    }

    private Map<String, String> where() {
        Map<String, String> where = new LinkedHashMap<>();
        for (String given : whereColumns) {
            Matcher column = COLUMN.matcher(given);
            if (!column.matches()) {
                throw new BadSettingsException("--where-column " + given + ": must be NAME=VALUE, such as region=eu");
            }
            String quoted = column.group(1);
            String name = quoted == null ? column.group(2) : quoted.replace("\"\"", "\"");
            if (where.put(name, column.group(3)) != null) {
                throw new BadSettingsException(
                        "--where-column " + given + ": " + name + " is given twice, and no row equals two values");
            }
        }
        return where;
    }

    /** The moment that an option names; a day is its beginning. */
    static @Nullable LocalDateTime moment(String option, @Nullable String value) {
        if (value == null) {
            return null;
        }
        try {
            return value.length() <= "2025-01-31".length()
                    ? LocalDate.parse(value).atStartOfDay()
                    : LocalDateTime.parse(value.replace(' ', 'T'));
        } catch (DateTimeException e) {
            throw new BadSettingsException(option + " " + value
                    + ": must be a day or a moment in UTC, such as 2025-01-31 or 2025-01-31T22:30");
        }
    }
}
