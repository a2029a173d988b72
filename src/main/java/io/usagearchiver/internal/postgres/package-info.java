/**
 * What there is to know of PostgreSQL and jOOQ, and nothing of ours.
 */
@NullMarked
package io.usagearchiver.internal.postgres;

import org.jspecify.annotations.NullMarked;
