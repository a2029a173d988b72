package io.usagearchiver.bench;

import java.util.List;

/** Something that is tried, and what is to be known about it. */
interface Scenario {
    /** The name, by which {@code -Dbench.only} takes it. */
    String name();

    /** What its table shows, in a sentence or two. */
    String description();

    void run(Bench bench) throws Exception;

    /** Whether the lines of its tables are rivals, to be compared with the first. */
    default boolean compares() {
        return true;
    }

    /** All of them, in the order in which they run. */
    static List<Scenario> all() {
        return List.of(
                new Backlog(),
                new OldSnapshot(),
                new Footprint(),
                new Profile(),
                new EmptyArchive(),
                new NullShares(),
                new Orders(),
                new Fallback(),
                new LedgerVersions(),
                new LiveTable(),
                new SmallHeap(),
                new LeanArchive(),
                new IdleSweep());
    }

    /**
     * What a scenario works with.
     *
     * @param race to run contestants
     */
    record Bench(Server server, Scale scale, Results results, Race race) {}
}
