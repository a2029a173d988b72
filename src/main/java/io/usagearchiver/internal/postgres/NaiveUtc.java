package io.usagearchiver.internal.postgres;

import java.time.DateTimeException;
import java.time.Duration;
import java.time.LocalDateTime;
import java.time.temporal.ChronoUnit;
import java.util.Collection;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jooq.Condition;
import org.jooq.DSLContext;
import org.jooq.DataType;
import org.jooq.Field;
import org.jooq.impl.DSL;
import org.jooq.impl.SQLDataType;

/**
 * Moments without a zone, read as UTC, which cross JDBC as text only.
 *
 * <p>jOOQ binds and reads {@code timestamp} through {@link java.sql.Timestamp}, which shifts values that fall into a gap
 * of the JVM's zone (in America/New_York 2025-03-09T02:30 becomes 03:30) and cannot bind {@code -infinity}. Text has
 * neither fault and keeps every microsecond.
 */
public final class NaiveUtc {
    /** The database's clock. It goes on within a transaction. */
    public static final Field<LocalDateTime> NOW =
            DSL.field("timezone('UTC', clock_timestamp())", SQLDataType.LOCALDATETIME);

    private static final String BEFORE_CHRIST = " BC";
    private static final Pattern YEAR = Pattern.compile("\\d{4,6}(?=-)");
    private static final Pattern SIGNED_YEAR = Pattern.compile("^[+-]?\\d+");

    private NaiveUtc() {}

    /** The database's clock, read once. */
    public static LocalDateTime now(DSLContext dsl) {
        return parse(dsl.select(text(NOW)).fetchSingle().value1());
    }

    /** The moment that will be in so long, by the database's clock. */
    public static Field<LocalDateTime> inFuture(Duration duration) {
        return DSL.field(
                "{0} + {1} * interval '1 millisecond'", SQLDataType.LOCALDATETIME, NOW, DSL.val(duration.toMillis()));
    }

    /** A column or moment as PostgreSQL writes it: ISO, as pgjdbc insists on. That of a day is its beginning. */
    public static Field<String> text(Field<?> moment) {
        return naive(moment).cast(SQLDataType.VARCHAR);
    }

    /** A column or moment without its zone, whatever the session's is. */
    public static Field<?> naive(Field<?> moment) {
        return switch (kind(moment.getDataType())) {
            case ZONED -> DSL.field("timezone('UTC', {0})", SQLDataType.LOCALDATETIME, moment);
            case DAY -> moment.cast(SQLDataType.LOCALDATETIME);
            default -> moment;
        };
    }

    /**
     * A bind of a moment that {@link #text} gave or that Java computed, in the type of the column it is compared with: of a
     * date, the day that it is in.
     */
    public static <T> Field<T> moment(String text, DataType<T> type) {
        return kind(type) == Kind.ZONED
                ? DSL.field("timezone('UTC', {0})", type, DSL.val(text).cast(SQLDataType.LOCALDATETIME))
                : PgType.cast(DSL.val(text), type);
    }

    /** That a column is before a moment. */
    public static <T> Condition before(Field<T> column, String moment) {
        return column.lt(moment(moment, column.getDataType()));
    }

    /** That a column is a moment or after it. */
    public static <T> Condition notBefore(Field<T> column, String moment) {
        return column.ge(moment(moment, column.getDataType()));
    }

    /** That a column is after a moment. */
    public static <T> Condition after(Field<T> column, String moment) {
        return column.gt(moment(moment, column.getDataType()));
    }

    /** That a column is a moment or before it. */
    public static <T> Condition notAfter(Field<T> column, String moment) {
        return column.le(moment(moment, column.getDataType()));
    }

    /** What PostgreSQL's type of a column means. */
    public enum Kind {
        /** A {@code timestamp}. */
        NAIVE,
        /** A {@code timestamptz}. */
        ZONED,
        /** A {@code date}. */
        DAY,
        /** No moment. */
        OTHER
    }

    /** What a type of generated code means in PostgreSQL, whatever its Java class is. */
    public static Kind kind(DataType<?> type) {
        return switch (PgType.name(type)) {
            case "timestamp", "timestamp without time zone" -> Kind.NAIVE;
            case "timestamp with time zone", "timestamptz" -> Kind.ZONED;
            case "date" -> Kind.DAY;
            default -> Kind.OTHER;
        };
    }

    /** What the types of some columns mean. */
    public static Set<Kind> kinds(Collection<? extends Field<?>> columns) {
        return columns.stream().map(column -> kind(column.getDataType())).collect(Collectors.toSet());
    }

    /** The Java value of a moment that {@link #text} gave; of the infinite ones, the least and the greatest. */
    public static LocalDateTime parse(String text) {
        if (text.equals("infinity")) {
            return LocalDateTime.MAX;
        }
        if (text.equals("-infinity")) {
            return LocalDateTime.MIN;
        }
        boolean beforeChrist = text.endsWith(BEFORE_CHRIST);
        String moment = beforeChrist ? text.substring(0, text.length() - BEFORE_CHRIST.length()) : text;
        Matcher year = YEAR.matcher(moment);
        if (!year.lookingAt()) {
            throw new DateTimeException(text + " is no timestamp");
        }
        // Java counts the year 1 BC as 0, and wants a sign before more than four digits.
        int number = beforeChrist ? 1 - Integer.parseInt(year.group()) : Integer.parseInt(year.group());
        return LocalDateTime.parse(
                String.format(Locale.ROOT, number > 9999 ? "+%d" : number < 0 ? "%05d" : "%04d", number)
                        + moment.substring(year.end()).replace(' ', 'T'));
    }

    /** A moment as PostgreSQL reads it; the least and the greatest of Java are its infinite ones. */
    public static String literal(LocalDateTime moment) {
        if (isInfinite(moment)) {
            return moment.equals(LocalDateTime.MAX) ? "infinity" : "-infinity";
        }
        int year = moment.getYear();
        String text = SIGNED_YEAR
                .matcher(moment.toString().replace('T', ' '))
                .replaceFirst(String.format(Locale.ROOT, "%04d", year > 0 ? year : 1 - year));
        return year > 0 ? text : text + BEFORE_CHRIST;
    }

    /** Whether a moment stands for one of PostgreSQL's infinite ones. */
    public static boolean isInfinite(LocalDateTime moment) {
        return moment.equals(LocalDateTime.MAX) || moment.equals(LocalDateTime.MIN);
    }

    /** The first moment of PostgreSQL's, which has whole microseconds, that is not before one of Java's. */
    public static LocalDateTime roundedUp(LocalDateTime moment) {
        LocalDateTime micros = moment.truncatedTo(ChronoUnit.MICROS);
        return isInfinite(moment) || micros.equals(moment) ? moment : micros.plus(1, ChronoUnit.MICROS);
    }
}
