package io.usagearchiver;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The rows that a sweep had to leave hot, in the order in which they were committed to the ledger: the first <i>n</i> of
 * each kind are those that a ledger row with the count <i>n</i> knows.
 */
final class KeptBack {
    private final Set<String> keys = new LinkedHashSet<>();
    private final Set<String> conflicts = new LinkedHashSet<>();
    private final Map<String, String> rejected = new LinkedHashMap<>();

    /** All of them. */
    Set<String> keys() {
        return Collections.unmodifiableSet(keys);
    }

    void add(Batch.Moved moved) {
        conflicts.addAll(moved.conflicts());
        rejected.putAll(moved.rejected());
        keys.addAll(moved.conflicts());
        keys.addAll(moved.rejected().keySet());
    }

    /** Forgets those that the ledger does not know. */
    void truncate(long conflictCount, long rejectedCount) {
        keep(conflicts, conflictCount);
        keep(rejected.keySet(), rejectedCount);
        keys.clear();
        keys.addAll(conflicts);
        keys.addAll(rejected.keySet());
    }

    /** The keys of the first rows in conflict. */
    List<String> conflictingIds() {
        return first(conflicts);
    }

    /** The keys of the first rejected rows. */
    List<String> rejectedIds() {
        return first(rejected.keySet());
    }

    /** The first rejected rows with their reasons, a line each, for the ledger; null if there are none. */
    @Nullable
    String message(Direction direction) {
        return rejected.isEmpty()
                ? null
                : rejected.entrySet().stream()
                        .limit(SweepResult.LISTED_IDS)
                        .map(entry -> entry.getKey() + ": " + entry.getValue())
                        .collect(Collectors.joining("\n", "rejected by the " + direction.targetSide() + ":\n", ""));
    }

    private static <T> void keep(Set<T> set, long count) {
        new ArrayList<>(set).stream().skip(count).forEach(set::remove);
    }

    private static List<String> first(Set<?> keys) {
        return keys.stream().limit(SweepResult.LISTED_IDS).map(String::valueOf).toList();
    }
}
