/**
 * Over what: {@link io.usagearchiver.internal.jdbc.Session} is the one connection of a run, with its limits,
 * retries and end.
 */
@NullMarked
package io.usagearchiver.internal.jdbc;

import org.jspecify.annotations.NullMarked;
