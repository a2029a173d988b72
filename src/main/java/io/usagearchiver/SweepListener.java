package io.usagearchiver;

/**
 * Hears of a sweep as it goes. Called on the sweep's thread, between transactions, so a slow listener slows the sweep;
 * one that throws is logged and never stops it.
 */
public interface SweepListener {
    /** The sweep's ledger row is open. */
    default void sweepStarted(SweepProgress progress) {}

    /** A batch was committed. */
    default void batchCommitted(SweepProgress progress) {}

    /** The sweep's ledger row is closed. */
    default void sweepEnded(SweepResult result) {}
}
