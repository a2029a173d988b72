/**
 * Moves expired rows of a hot PostgreSQL table into its archive, without losing, doubling or changing one.
 *
 * <p>Read {@link io.usagearchiver.Archiver} first, then {@code Sweep} (the loop), {@code Batch} (the transaction that
 * moves rows) and {@code Branch} (the predicate). {@code Ledger} is the fence that keeps a second mover out, and {@code
 * SchemaCheck} refuses tables between which rows could be lost.
 *
 * <p>{@link io.usagearchiver.Planner} foresees a sweep, {@link io.usagearchiver.SweepHistory} looks back, and {@link
 * io.usagearchiver.Verifier} holds tables and ledger against each other; these change nothing.
 *
 * <p>This package knows JDBC and jOOQ and nothing of Quartz.
 */
@NullMarked
package io.usagearchiver;

import org.jspecify.annotations.NullMarked;
