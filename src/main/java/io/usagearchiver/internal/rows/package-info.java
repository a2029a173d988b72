/**
 * Which rows: {@link io.usagearchiver.internal.rows.CandidateQuery} finds them, by keys and filters.
 */
@NullMarked
package io.usagearchiver.internal.rows;

import org.jspecify.annotations.NullMarked;
