/**
 * Moves expired rows of a hot PostgreSQL table into its archive, without losing, doubling or changing one.
 *
 * <p>Read {@link io.usagearchiver.Archiver} first, then, in {@code internal.move}, {@code MoveRun} (a run), {@code BatchLoop}
 * (its passes) and {@code Batch} (the transaction that moves rows). {@code CandidateQuery} in {@code internal.rows} is the
 * predicate, {@code LedgerRow} in {@code internal.ledger} the fence that keeps a second mover out, and {@code SchemaCheck} in
 * {@code internal.schema} refuses tables between which rows could be lost.
 *
 * <p>{@link io.usagearchiver.Planner} foresees a sweep, {@link io.usagearchiver.SweepHistory} looks back, and {@link
 * io.usagearchiver.Verifier} holds tables and ledger against each other; these change nothing.
 * {@link io.usagearchiver.Holds} keeps expired rows hot.
 *
 * <p>This package knows JDBC and jOOQ and nothing of Quartz.
 */
@NullMarked
package io.usagearchiver;

import org.jspecify.annotations.NullMarked;
