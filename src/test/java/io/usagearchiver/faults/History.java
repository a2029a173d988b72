package io.usagearchiver.faults;

import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.LongAdder;

/**
 * What writers did to each row and what they were told, kept as the states that the row may be in: one after an
 * acknowledged write, one more after each write whose answer was lost. An empty state is a row that is not there. A row
 * has one writer at a time.
 */
final class History {
    private final Map<Integer, Set<Optional<Usage>>> states = new ConcurrentHashMap<>();
    private final Queue<Usage> missed = new ConcurrentLinkedQueue<>();
    private final LongAdder acknowledged = new LongAdder();
    private final LongAdder unknown = new LongAdder();

    /** A write that was acknowledged: the row is in this state and no other. */
    void acknowledged(int id, Optional<Usage> state) {
        acknowledged.increment();
        states.put(id, Set.of(state));
    }

    /** A write whose answer was lost. */
    void unknown(int id, Optional<Usage> state) {
        unknown.increment();
        Set<Optional<Usage>> possible = new HashSet<>(states(id));
        possible.add(state);
        states.put(id, Set.copyOf(possible));
    }

    /** A write that was told that there is no such hot row, which is only right of one that may be archived or deleted. */
    void missed(Usage row) {
        acknowledged.increment();
        missed.add(row);
    }

    /** The states that a row may be in. */
    Set<Optional<Usage>> states(int id) {
        return states.getOrDefault(id, Set.of(Optional.empty()));
    }

    /** The ids of all rows that were ever written. */
    Set<Integer> ids() {
        return states.keySet();
    }

    /** The rows that were not found although they had to be hot. */
    List<Usage> missed() {
        return List.copyOf(missed);
    }

    @Override
    public String toString() {
        return acknowledged + " writes acknowledged, " + unknown + " unknown, " + states.size() + " rows";
    }
}
