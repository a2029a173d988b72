/**
 * Between what: {@link io.usagearchiver.internal.schema.Obstacles} says what keeps rows from being moved between
 * the live tables.
 */
@NullMarked
package io.usagearchiver.internal.schema;

import org.jspecify.annotations.NullMarked;
