package io.usagearchiver.quartz;

import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/**
 * What this node knows of its firings, by the ids that Quartz gave them: which ones run, and which ones have run. Quartz's
 * own list of executing jobs does not tell: a listener that throws leaves a job in it for good. Thread-safe.
 */
final class Firings {
    /** More than one node fires while one of them is still in question. */
    private static final int MEMORY = 1_000;

    private final Set<String> running = new HashSet<>();
    private final Set<String> over = bounded();
    private final Set<String> givenUp = bounded();

    /** Begins one. Returns false if it was given up before: its trigger fires in its place. */
    synchronized boolean begin(String id) {
        if (givenUp.contains(id)) {
            return false;
        }
        running.add(id);
        return true;
    }

    synchronized void end(String id) {
        running.remove(id);
        over.add(id);
    }

    synchronized boolean isRunning(String id) {
        return running.contains(id);
    }

    synchronized boolean hasEnded(String id) {
        return over.contains(id);
    }

    /** Keeps one from beginning. Returns false if it has begun. */
    synchronized boolean giveUp(String id) {
        if (running.contains(id) || over.contains(id)) {
            return false;
        }
        givenUp.add(id);
        return true;
    }

    synchronized void takeBack(String id) {
        givenUp.remove(id);
    }

    private static Set<String> bounded() {
        return Collections.newSetFromMap(new LinkedHashMap<>() {
            @Override
            protected boolean removeEldestEntry(Map.Entry<String, Boolean> eldest) {
                return size() > MEMORY;
            }
        });
    }
}
