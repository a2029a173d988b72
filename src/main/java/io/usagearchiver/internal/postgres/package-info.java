/**
 * What there is to know of PostgreSQL and jOOQ, and of ours only the names of our SQL files, and faults. {@link io.usagearchiver.internal.postgres.SqlState} says
 * what a fault means for a batch.
 */
@NullMarked
package io.usagearchiver.internal.postgres;

import org.jspecify.annotations.NullMarked;
