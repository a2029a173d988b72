package io.usagearchiver.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.stream.Collectors;

/** Writes the results: every figure as CSV, medians as Markdown. */
record Report(Results results, Scale scale, List<Scenario> scenarios, List<String> circumstances) {
    void writeCsv(Path file) throws IOException {
        Files.writeString(
                file,
                "scenario,setting,contestant,metric,round,value\n"
                        + results.measurements().stream()
                                .map(m -> String.format(
                                        Locale.ROOT,
                                        "%s,\"%s\",\"%s\",\"%s\",%d,%.4f%n",
                                        m.scenario(),
                                        m.setting(),
                                        m.contestant(),
                                        m.metric(),
                                        m.round(),
                                        m.value()))
                                .collect(Collectors.joining()));
    }

    void writeMarkdown(Path file) throws IOException {
        StringBuilder text = new StringBuilder("# Benchmark\n\n");
        circumstances.forEach(line -> text.append("- ").append(line).append('\n'));
        text.append("\nMedians. In brackets: of the first line's.\n\n## Targets\n\n");
        text.append("| the archiver, batch 1000 | target | reached | |\n| --- | ---: | ---: | --- |\n");
        for (Target target : Target.of(results, scale)) {
            text.append(String.format(
                    "| %s | %s | %s | %s |%n",
                    target.what(),
                    target.limitText(),
                    target.reached().isPresent() ? figure(target.reached().getAsDouble()) : "not measured",
                    target.isReached() ? "yes" : "**no**"));
        }
        for (Scenario scenario : scenarios) {
            text.append("\n## ").append(scenario.name()).append("\n\n");
            text.append(scenario.description()).append("\n");
            for (String metric : results.metrics(scenario.name())) {
                appendTable(text, scenario, metric);
            }
            Set<String> notes = results.notes(scenario.name());
            if (!notes.isEmpty()) {
                text.append('\n');
                notes.forEach(note -> text.append("- ").append(note).append('\n'));
            }
        }
        Files.writeString(file, text);
    }

    private void appendTable(StringBuilder text, Scenario of, String metric) {
        String scenario = of.name();
        Set<String> settings = results.settings(scenario, metric);
        text.append("\n| ").append(metric);
        settings.forEach(setting -> text.append(" | ").append(setting));
        text.append(" |\n| ---").append(" | ---:".repeat(settings.size())).append(" |\n");
        Set<String> contestants = results.contestants(scenario, metric);
        String first = contestants.iterator().next();
        for (String contestant : contestants) {
            text.append("| ").append(contestant);
            for (String setting : settings) {
                OptionalDouble value = results.median(scenario, setting, contestant, metric);
                OptionalDouble base = results.median(scenario, setting, first, metric);
                text.append(" | ").append(value.isPresent() ? figure(value.getAsDouble()) : "");
                if (of.compares()
                        && value.isPresent()
                        && base.isPresent()
                        && base.getAsDouble() > 0
                        && !contestant.equals(first)) {
                    text.append(
                            String.format(Locale.ROOT, " (%s ×)", figure(value.getAsDouble() / base.getAsDouble())));
                }
            }
            text.append(" |\n");
        }
    }

    /** Three digits are more than enough. */
    private static String figure(double value) {
        double size = Math.abs(value);
        String format = size >= 100 || value == Math.rint(value) ? "%,.0f" : size >= 10 ? "%.1f" : "%.2f";
        return String.format(Locale.ROOT, format, value);
    }
}
