package io.usagearchiver.bench;

import java.util.List;
import java.util.stream.Stream;

/** A way to move all expired rows from the hot table into the archive. */
interface Contestant {
    /** The name in tables and plots. */
    String name();

    /**
     * Moves all rows that are before {@link Usage#CUTOFF}, as the role that has nothing but the grants of {@code sql/}.
     */
    void move(Database database) throws Exception;

    /** Whether it takes too long for more than a few rows. */
    default boolean isSlow() {
        return false;
    }

    /** Ours, and those that it is to be held against. */
    static List<Contestant> chief() {
        return Stream.of(
                        List.of(Ours.DEFAULT, Ours.LARGE_BATCH),
                        Ours.ofWorkers(),
                        List.of(new OneShot(), new OriginalAlgorithm()))
                .<Contestant>flatMap(List::stream)
                .toList();
    }

    /** Ours as it goes where one statement cannot move a slice. */
    static List<Contestant> separate() {
        return List.of(Ours.SEPARATE, Ours.LARGE_SEPARATE);
    }

    /** What else people use. */
    static List<Contestant> others() {
        return List.of(new CopyThenDelete(), new DeleteReturning(), new RowByRow());
    }

    /** All of them, ours first. */
    static List<Contestant> all() {
        return Stream.of(chief(), separate(), others()).flatMap(List::stream).toList();
    }
}
