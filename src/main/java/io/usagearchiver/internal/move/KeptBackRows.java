package io.usagearchiver.internal.move;

import io.usagearchiver.SweepResult;
import io.usagearchiver.internal.ledger.BatchResult;
import io.usagearchiver.internal.postgres.SqlState;
import io.usagearchiver.internal.schema.Direction;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * The rows that a sweep had to leave where they are, in the order in which they were committed to the ledger: the first
 * <i>n</i> of each kind are those that a ledger row with the count <i>n</i> knows.
 *
 * <p>The keys of the first ones are remembered, so that no further pass tries and counts them again: as many as fit into
 * {@value #REMEMBERED_BYTES} bytes, about fifty thousand numbers. Of all others only the number is known.
 */
final class KeptBackRows {
    static final int REMEMBERED_BYTES = 8 << 20;
    /** Of a key in memory, besides two bytes a character. */
    private static final int KEY_OVERHEAD = 150;
    /** The most characters of a key that a message tells. */
    private static final int KEY_LENGTH = 200;
    /** The most characters of a reason. */
    private static final int REASON_LENGTH = 500;

    private final Set<String> keys = new HashSet<>();
    private final Kind conflicts = new Kind();
    private final Kind rejected = new Kind();
    private long bytes;

    /** The remembered keys. */
    Set<String> keys() {
        return Collections.unmodifiableSet(keys);
    }

    /** Whether all keys are remembered. */
    boolean isComplete() {
        return conflicts.count == conflicts.remembered.size() && rejected.count == rejected.remembered.size();
    }

    /** How many rows there are. */
    long count() {
        return conflicts.count + rejected.count;
    }

    /** How many rows in conflict are remembered. */
    int rememberedConflicts() {
        return conflicts.remembered.size();
    }

    /** How many rejected rows are remembered. */
    int rememberedRejected() {
        return rejected.remembered.size();
    }

    void add(BatchResult moved) {
        moved.conflicts().forEach(key -> add(conflicts, key, ""));
        moved.rejected().forEach((key, reason) -> add(rejected, key, reason));
    }

    private void add(Kind kind, String key, String reason) {
        // Only the first ones, without a gap: so the count of the ledger tells which of them it knows.
        if (kind.remembered.size() == kind.count && bytes + bytes(key) <= REMEMBERED_BYTES) {
            kind.remembered.add(key);
            keys.add(key);
            bytes += bytes(key);
        }
        if (kind.count < SweepResult.LISTED_IDS) {
            kind.ids.add(shortened(key));
            kind.reasons.add(SqlState.shortened(reason, REASON_LENGTH));
        }
        kind.count++;
    }

    /** Takes over the ledger's counts, and forgets the rows that it does not know. */
    void truncate(long conflictCount, long rejectedCount) {
        truncate(conflicts, conflictCount);
        truncate(rejected, rejectedCount);
    }

    private void truncate(Kind kind, long count) {
        kind.count = count;
        List<String> unknown = from(kind.remembered, count);
        unknown.forEach(key -> bytes -= bytes(key));
        unknown.forEach(keys::remove);
        unknown.clear();
        from(kind.ids, count).clear();
        from(kind.reasons, count).clear();
    }

    /** A key for a message. */
    static String shortened(String key) {
        return SqlState.shortened(key, KEY_LENGTH);
    }

    private static List<String> from(List<String> list, long count) {
        return list.subList((int) Math.min(count, list.size()), list.size());
    }

    private static long bytes(String key) {
        return 2L * key.length() + KEY_OVERHEAD;
    }

    /** The keys of the first rows in conflict, shortened where they are long. */
    List<String> conflictingIds() {
        return List.copyOf(conflicts.ids);
    }

    /** The keys of the first rejected rows, shortened where they are long. */
    List<String> rejectedIds() {
        return List.copyOf(rejected.ids);
    }

    /** The first rejected rows with their reasons, a line each, for the ledger; null if there are none. */
    @Nullable
    String message(Direction direction) {
        return rejected.ids.isEmpty()
                ? null
                : IntStream.range(0, rejected.ids.size())
                        .mapToObj(row -> rejected.ids.get(row) + ": " + rejected.reasons.get(row))
                        .collect(Collectors.joining(
                                "\n",
                                "rejected by the " + direction.targetSide() + ", or by what refers to the row:\n",
                                ""));
    }

    /** Rows that stay for one reason. */
    private static final class Kind {
        private final List<String> remembered = new ArrayList<>();
        private final List<String> ids = new ArrayList<>();
        private final List<String> reasons = new ArrayList<>();
        private long count;
    }
}
