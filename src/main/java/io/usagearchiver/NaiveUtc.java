package io.usagearchiver;

import java.time.Duration;
import java.time.LocalDateTime;
import java.time.temporal.ChronoUnit;
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
final class NaiveUtc {
    /** The database's clock. It goes on within a transaction. */
    static final Field<LocalDateTime> NOW = DSL.field("timezone('UTC', clock_timestamp())", SQLDataType.LOCALDATETIME);

    private NaiveUtc() {}

    /** The database's clock, read once. */
    static LocalDateTime now(DSLContext dsl) {
        return parse(dsl.select(text(NOW)).fetchSingle().value1());
    }

    /** The moment that will be in so long, by the database's clock. */
    static Field<LocalDateTime> inFuture(Duration duration) {
        return DSL.field(
                "{0} + {1} * interval '1 millisecond'", SQLDataType.LOCALDATETIME, NOW, DSL.val(duration.toMillis()));
    }

    /** The moment that lies {@code months} calendar months before {@code now}, its day clamped to the month's end. */
    static LocalDateTime monthsBefore(LocalDateTime now, int months) {
        return now.truncatedTo(ChronoUnit.MICROS).minusMonths(months);
    }

    /** A column or moment as PostgreSQL writes it: ISO, as pgjdbc insists on. That of a day is its beginning. */
    static Field<String> text(Field<?> moment) {
        return naive(moment).cast(SQLDataType.VARCHAR);
    }

    /** A column or moment without its zone, whatever the session's is. */
    static Field<?> naive(Field<?> moment) {
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
    static <T> Field<T> moment(String text, DataType<T> type) {
        return kind(type) == Kind.ZONED
                ? DSL.field("timezone('UTC', {0})", type, DSL.val(text).cast(SQLDataType.LOCALDATETIME))
                : PlainType.cast(DSL.val(text), type);
    }

    /** That a column is before a moment. */
    static <T> Condition before(Field<T> column, String moment) {
        return column.lt(moment(moment, column.getDataType()));
    }

    /** That a column is a moment or after it. */
    static <T> Condition notBefore(Field<T> column, String moment) {
        return column.ge(moment(moment, column.getDataType()));
    }

    /** What PostgreSQL's type of a column means. */
    enum Kind {
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
    static Kind kind(DataType<?> type) {
        return switch (PlainType.name(type)) {
            case "timestamp", "timestamp without time zone" -> Kind.NAIVE;
            case "timestamp with time zone", "timestamptz" -> Kind.ZONED;
            case "date" -> Kind.DAY;
            default -> Kind.OTHER;
        };
    }

    /** The Java value of a finite moment that {@link #text} gave. */
    static LocalDateTime parse(String text) {
        return LocalDateTime.parse(text.replace(' ', 'T'));
    }
}
