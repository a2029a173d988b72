/**
 * Which rows: {@link io.usagearchiver.internal.rows.CandidateQuery} finds them, by age and key, without those that are held; {@link
 * io.usagearchiver.internal.rows.Candidates} cuts them into batches.
 */
@NullMarked
package io.usagearchiver.internal.rows;

import org.jspecify.annotations.NullMarked;
