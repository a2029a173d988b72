package io.usagearchiver.internal.move;

import java.util.Random;

/**
 * Refused rows in a row, and what a sweep does about them: it must neither ask for each of a million rows in vain, nor be
 * kept for ever from good rows by bad ones.
 *
 * <ol>
 *   <li>Every row is tried, until {@value #IN_A_ROW} in a row were refused and none was moved in between.
 *   <li>From there on one row of each slice is tried, chosen at random, and more and more slices are passed over between
 *       two tries: about a sixteenth of those that were met so. These are a few hundred tries for any table. As soon as one
 *       moves, every row is tried again, from the last slice of which one was tried in vain.
 *   <li>Rows that were passed over are met by the next pass, if this one has moved a row, and all that stayed are remembered
 *       (see {@link KeptBackRows}). Otherwise the sweep fails,
 *       with the first rows and their reasons. So it does at once after {@value #AT_MOST} refusals in a row.
 * </ol>
 *
 * A moved row lets the count begin anew. So all good rows move that have fewer than {@value #IN_A_ROW} bad ones in a row
 * before them, however many bad ones there are in all, and so do all that lie together behind any number of bad ones. Single
 * good rows among more bad ones than that move in one of the next sweeps: those that are tried are others each time. A row at
 * which a statement timed out counts as {@value #OF_A_TIMEOUT}: such a try takes as long as the timeout.
 */
public final class Refusals {
    static final int IN_A_ROW = 1000;
    private static final int AT_MOST = 2 * IN_A_ROW;
    private static final int OF_A_TIMEOUT = 100;
    private static final double SHARE_PASSED_OVER = 1.0 / 8;

    private final Random random;
    private int inARow;
    private long met;
    private long toPass;
    private long untried;
    private long untriedAtMark;

    /**
     * None yet.
     *
     * @param seed another one for each sweep
     */
    Refusals(long seed) {
        this.random = new Random(seed);
    }

    /** A pass begins. */
    void beginPass() {
        untried = 0;
        untriedAtMark = 0;
        met = 0;
        toPass = 0;
    }

    /** A row was moved. */
    void moved() {
        inARow = 0;
        met = 0;
        toPass = 0;
    }

    /** The sweep goes back to the last slice of which a row was tried in vain. */
    void goneBack() {
        untried = untriedAtMark;
    }

    void refused(boolean timedOut) {
        inARow += timedOut ? OF_A_TIMEOUT : 1;
    }

    /** Whether so many were refused that one row is to be tried instead of a slice. */
    boolean areMany() {
        return inARow >= IN_A_ROW;
    }

    /** Whether so many were refused that none is to be tried any more. */
    boolean areTooMany() {
        return inARow >= AT_MOST;
    }

    /** Which row of a slice is to be tried. */
    int pick(int rows) {
        return random.nextInt(rows);
    }

    /** Whether a slice of so many rows is not tried at all. */
    boolean passOver(int rows) {
        if (toPass == 0) {
            return false;
        }
        toPass--;
        met++;
        untried += rows;
        return true;
    }

    /** The row that was tried of a slice did not move. */
    void inVain(int rows) {
        met++;
        untriedAtMark = untried;
        untried += rows - 1;
        toPass = (long) (random.nextDouble() * SHARE_PASSED_OVER * met);
    }

    /** How many rows this pass has not tried. */
    long untried() {
        return untried;
    }
}
