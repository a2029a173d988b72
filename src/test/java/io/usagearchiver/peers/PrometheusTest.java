package io.usagearchiver.peers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.usagearchiver.testing.NodeProcess;
import io.usagearchiver.testing.SampleConfig;
import io.usagearchiver.testing.TestDatabase;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What Prometheus's own tool says of the alert rules, and of what a node serves. */
@Timeout(120)
class PrometheusTest {
    private static final Path RULES = Path.of("grafana/alerts.yml");
    private static final Path TESTS = Path.of("grafana/alerts_test.yml");
    private static final Pattern SERVING = Pattern.compile("Serving (http://127\\.0\\.0\\.1:\\d+)/metrics");

    @Test
    void the_alert_rules_are_valid() throws Exception {
        assertThat(promtool("", "check", "rules", RULES.toString())).contains("SUCCESS: 8 rules found");
    }

    @Test
    void each_alert_fires_when_it_should_and_is_silent_when_all_is_well() throws Exception {
        promtool("", "test", "rules", TESTS.toString());

        String tests = Files.readString(TESTS);
        for (String alert : all(Pattern.compile("alert: (\\w+)"), Files.readString(RULES))) {
            assertThat(tests)
                    .containsPattern("alertname: " + alert + "\\s+exp_alerts:\\s+- exp_labels")
                    .contains("eval_time: 71h, alertname: " + alert + ", exp_alerts: [] }");
        }
    }

    @Test
    void what_a_node_serves_is_as_prometheus_wants_it_and_has_all_that_alerts_and_dashboard_ask_for() throws Exception {
        try (TestDatabase db = TestDatabase.create()) {
            db.insertUsage("SELECT i, timestamp '2020-01-01', timestamp '2020-01-01' FROM generate_series(1, 25) i");
            try (NodeProcess node = NodeProcess.start(SampleConfig.of(db), Map.of(), "--metrics-port", "0")) {
                String served = await().atMost(Duration.ofSeconds(60))
                        .ignoreExceptionsInstanceOf(IOException.class)
                        .until(
                                () -> metrics(node),
                                text -> text.contains("stop_reason=\"DRAINED\"")
                                        && text.contains("usage_archive_last_success_age_seconds{")
                                        && text.matches("(?s).*\\nusage_archive_health\\{status=\"OK\",[^}]*} 1.*"));

                assertThat(promtool(served, "check", "metrics")).isEmpty();
                Set<String> names = served.lines()
                        .filter(line -> !line.startsWith("#"))
                        .map(line -> line.replaceFirst("[{ ].*", ""))
                        .collect(Collectors.toSet());
                for (Path file : List.of(RULES, TESTS, Path.of("grafana/usage-archiver.json"))) {
                    assertThat(names).containsAll(all(Pattern.compile("(usage_archive_\\w+)"), Files.readString(file)));
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"usage_archive_rows counter", "usage_archive_batch_milliseconds gauge"})
    void the_tool_tells_of_names_that_are_not_as_prometheus_wants_them(String metric) throws Exception {
        String name = metric.replaceFirst(" .*", "");
        String served = "# HELP " + name + " What it is\n# TYPE " + metric + "\n" + name + " 1\n";
        assertThat(run(served, "check", "metrics").output()).contains(name);
    }

    private static String metrics(NodeProcess node) throws IOException, InterruptedException {
        Matcher serving = SERVING.matcher(node.log());
        return serving.find()
                ? HttpClient.newHttpClient()
                        .send(
                                HttpRequest.newBuilder(URI.create(serving.group(1) + "/metrics"))
                                        .build(),
                                HttpResponse.BodyHandlers.ofString())
                        .body()
                : "";
    }

    private static Set<String> all(Pattern pattern, String text) {
        Set<String> found = new TreeSet<>();
        Matcher matcher = pattern.matcher(text);
        while (matcher.find()) {
            found.add(matcher.group(1));
        }
        assertThat(found).isNotEmpty();
        return found;
    }

    private static String promtool(String input, String... arguments) throws Exception {
        Run run = run(input, arguments);
        assertThat(run.exitCode()).as(run.output()).isZero();
        return run.output();
    }

    private static Run run(String input, String... arguments) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of("/usr/bin/promtool"));
        command.addAll(List.of(arguments));
        Path file = Files.createTempFile("promtool", ".txt");
        try {
            Files.writeString(file, input);
            Process process = new ProcessBuilder(command)
                    .redirectInput(file.toFile())
                    .redirectErrorStream(true)
                    .start();
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            return new Run(process.waitFor(), output);
        } finally {
            Files.delete(file);
        }
    }

    private record Run(int exitCode, String output) {}
}
