/**
 * What there is to know of PostgreSQL and jOOQ, and nothing of ours. {@link io.usagearchiver.internal.postgres.SqlState} says
 * what a fault means for a batch.
 */
@NullMarked
package io.usagearchiver.internal.postgres;

import org.jspecify.annotations.NullMarked;
