package io.usagearchiver.bench;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.Set;

/** All that was measured so far. Not thread-safe. */
final class Results {
    private final long startNanos = System.nanoTime();
    private final List<Measurement> measurements = new ArrayList<>();
    private final Map<String, Set<String>> notes = new LinkedHashMap<>();

    void add(Measurement measurement) {
        measurements.add(measurement);
    }

    /** Says something beside a scenario's table. */
    void note(String scenario, String text) {
        notes.computeIfAbsent(scenario, s -> new LinkedHashSet<>()).add(text);
    }

    /** Prints what has just been done. */
    void progress(String text) {
        System.out.printf(Locale.ROOT, "%6.0f s  %s%n", (System.nanoTime() - startNanos) / 1e9, text);
    }

    List<Measurement> measurements() {
        return List.copyOf(measurements);
    }

    Set<String> notes(String scenario) {
        return notes.getOrDefault(scenario, Set.of());
    }

    /** The metrics of a scenario, in the order in which they came. */
    Set<String> metrics(String scenario) {
        Set<String> metrics = new LinkedHashSet<>();
        measurements.stream().filter(m -> m.scenario().equals(scenario)).forEach(m -> metrics.add(m.metric()));
        return metrics;
    }

    /** The settings of a scenario for which there is a metric, in the order in which they came. */
    Set<String> settings(String scenario, String metric) {
        Set<String> settings = new LinkedHashSet<>();
        measurements.stream()
                .filter(m -> m.scenario().equals(scenario) && m.metric().equals(metric))
                .forEach(m -> settings.add(m.setting()));
        return settings;
    }

    /** The contestants for whom a scenario has a metric, in the order in which they came. */
    Set<String> contestants(String scenario, String metric) {
        Set<String> contestants = new LinkedHashSet<>();
        measurements.stream()
                .filter(m -> m.scenario().equals(scenario) && m.metric().equals(metric))
                .forEach(m -> contestants.add(m.contestant()));
        return contestants;
    }

    /** The median of all rounds, if there was one. */
    OptionalDouble median(String scenario, String setting, String contestant, String metric) {
        double[] values = measurements.stream()
                .filter(m -> m.scenario().equals(scenario)
                        && m.setting().equals(setting)
                        && m.contestant().equals(contestant)
                        && m.metric().equals(metric))
                .mapToDouble(Measurement::value)
                .toArray();
        Arrays.sort(values);
        int middle = values.length / 2;
        return values.length == 0
                ? OptionalDouble.empty()
                : OptionalDouble.of(
                        values.length % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2);
    }
}
