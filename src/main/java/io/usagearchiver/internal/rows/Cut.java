package io.usagearchiver.internal.rows;

import io.usagearchiver.internal.postgres.NaiveUtc;
import org.jooq.Condition;
import org.jooq.Field;

/**
 * A place between two rows in the order of their ages.
 *
 * @param age a moment as {@link NaiveUtc#text} gives it
 * @param after whether it lies after all rows of this age; else it lies before all of them
 */
public record Cut(String age, boolean after) {
    /** That a row comes before it. */
    Condition above(Field<?> column) {
        return after ? NaiveUtc.notAfter(column, age) : NaiveUtc.before(column, age);
    }

    /** That a row comes after it. */
    Condition below(Field<?> column) {
        return after ? NaiveUtc.after(column, age) : NaiveUtc.notBefore(column, age);
    }
}
