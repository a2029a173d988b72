package io.usagearchiver.quartz;

import java.util.List;

/**
 * What is stuck.
 *
 * @param id the same at each look
 * @param waits whether it may be well: a firing that has not begun here, and may yet
 * @param what it is, and what becomes of it
 */
record Stuck(String id, boolean waits, String what, Remedy remedy) {
    /** How it is freed. */
    interface Remedy {
        /**
         * Returns false if it is no longer as it was.
         *
         * @param givenUp takes the ids of firings that may not begin any more
         */
        boolean isApplied(List<String> givenUp) throws Exception;
    }
}
