package io.usagearchiver;

/**
 * Hears of a sweep as it goes. Called on the sweep's thread, between transactions, so a slow listener slows the sweep;
 * one that throws is logged and never stops it. Of the archiver's health it hears on another thread.
 */
public interface SweepListener {
    /** The sweep's ledger row is open. */
    default void sweepStarted(SweepProgress progress) {}

    /** A batch was committed. */
    default void batchCommitted(SweepProgress progress) {}

    /** The sweep's ledger row is closed, and not by a fault. */
    default void sweepEnded(SweepResult result) {}

    /**
     * A fault ended the sweep, or it could not begin.
     *
     * @param table the hot table, as {@code schema.table}
     * @param fault what {@link Archiver#sweep} throws: a {@link SchemaDriftException} if the tables do not allow a sweep, a
     *     {@link SweepFailedException}, or else there was no connection to be had
     */
    default void sweepFailed(String table, ArchiveException fault) {}

    /**
     * The health of an archiver of the table was read, which a node of a scheduler does once a minute from its start on, on a
     * thread of its own. {@link Archiver} never does.
     *
     * @param table the hot table, as {@code schema.table}
     * @param archiver the name of its plugin: a table may have several
     */
    default void healthRead(String table, String archiver, Health health) {}
}
