package io.usagearchiver.internal.rows;

import org.jooq.Condition;

/**
 * A part of a filter's trial.
 *
 * @param fits a condition that is true if all is well
 * @param otherwise what to tell if it is not
 */
record Attempt(Condition fits, String otherwise) {}
