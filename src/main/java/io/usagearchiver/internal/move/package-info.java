/**
 * Moves rows: {@link io.usagearchiver.internal.move.MoveRun} is one run from the check of the tables to the closed
 * ledger row, {@link io.usagearchiver.internal.move.BatchLoop} its passes, {@link
 * io.usagearchiver.internal.move.Batch} the transaction that the guarantee rests on.
 */
@NullMarked
package io.usagearchiver.internal.move;

import org.jspecify.annotations.NullMarked;
