package io.usagearchiver.bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * Measures the archiver and its peers, and writes {@code target/bench/}: each figure as CSV, a table, and plots.
 *
 * <p>System properties: {@code bench.quick} for a short run with small tables, {@code bench.only} for some scenarios
 * (their names with commas between them), {@code bench.url} for a server other than the embedded one (a superuser's
 * JDBC URL; databases and a role named {@code usage_bench_…} are made there, and dropped at the end).
 */
public final class Benchmark {
    private static final Path DIRECTORY = Path.of("target", "bench");

    private Benchmark() {}

    /** Runs the benchmark. */
    public static void main(String[] args) throws Exception {
        boolean quick = !Set.of("", "false").contains(System.getProperty("bench.quick", ""));
        Scale scale = quick ? Scale.QUICK : Scale.FULL;
        List<Scenario> scenarios = chosen(System.getProperty("bench.only", ""));
        Files.createDirectories(DIRECTORY);
        Results results = new Results();
        results.progress("Starting PostgreSQL; all of it takes some " + (quick ? "5" : "45") + " minutes");
        List<String> circumstances;
        try (Server server = server(System.getProperty("bench.url", ""))) {
            circumstances = circumstances(server, quick);
            Race race = new Race(server, scale, results);
            race.warmUp(Contestant.all());
            for (Scenario scenario : scenarios) {
                scenario.run(new Scenario.Bench(server, scale, results, race));
                write(results, scale, scenarios, circumstances);
            }
        }
        System.out.println(Files.readString(DIRECTORY.resolve("benchmark.md"), StandardCharsets.UTF_8));
        results.progress("Written: " + DIRECTORY);
    }

    private static List<Scenario> chosen(String only) {
        if (only.isEmpty()) {
            return Scenario.all();
        }
        List<String> names = Scenario.all().stream().map(Scenario::name).toList();
        List<String> wanted = List.of(only.split(","));
        for (String name : wanted) {
            if (!names.contains(name)) {
                throw new IllegalArgumentException("bench.only = " + only + ": " + name + " is none of " + names);
            }
        }
        return Scenario.all().stream()
                .filter(scenario -> wanted.contains(scenario.name()))
                .toList();
    }

    private static Server server(String url) throws Exception {
        return url.isEmpty() ? Server.embedded(DIRECTORY.resolve("postgres")) : Server.at(url);
    }

    private static void write(Results results, Scale scale, List<Scenario> scenarios, List<String> circumstances)
            throws IOException {
        Report report = new Report(results, scale, scenarios, circumstances);
        report.writeCsv(DIRECTORY.resolve("benchmark.csv"));
        report.writeMarkdown(DIRECTORY.resolve("benchmark.md"));
        new Plots(results, scale, DIRECTORY).write();
    }

    private static List<String> circumstances(Server server, boolean quick) throws Exception {
        List<String> lines = new ArrayList<>();
        lines.add("command: mvn -q -Pbench compile exec:exec" + (quick ? " -Dbench.quick" : ""));
        lines.add("date: " + LocalDate.now(ZoneOffset.UTC));
        lines.add(String.format(
                Locale.ROOT,
                "machine: %d cores (%s), %s %s",
                Runtime.getRuntime().availableProcessors(),
                processor(),
                System.getProperty("os.name"),
                System.getProperty("os.arch")));
        lines.add("Java " + Runtime.version());
        lines.add("PostgreSQL: " + server.describe());
        return lines;
    }

    private static String processor() throws IOException {
        Path info = Path.of("/proc/cpuinfo");
        return Files.exists(info)
                ? Files.readAllLines(info).stream()
                        .filter(line -> line.startsWith("model name"))
                        .map(line -> line.substring(line.indexOf(':') + 1).strip())
                        .findFirst()
                        .orElse("unknown")
                : "unknown";
    }
}
