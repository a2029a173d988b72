package io.usagearchiver.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Level;
import io.usagearchiver.Archiver;
import io.usagearchiver.testing.CapturedLog;
import io.usagearchiver.testing.SampleConfig;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.time.Duration;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What {@code node --metrics-port} serves. */
@Timeout(120)
class NodeCommandTest {
    private static final Pattern SERVING =
            Pattern.compile("Serving (http://127\\.0\\.0\\.1:\\d+)/metrics and .*/health\\R");

    private final HttpClient client = HttpClient.newHttpClient();

    @TempDir
    private Path directory;

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    @Test
    void metrics_and_health_tell_what_the_node_does() throws Exception {
        insertExpired(2500);
        try (Node node = new Node()) {
            awaitSweeps("DRAINED", 1);
            await().until(() -> node.get("/metrics")
                    .body()
                    .contains("usage_archive_sweep_time_seconds_count{table=\"public.model_usage_details\"} 1"));

            HttpResponse<String> metrics = node.get("/metrics");
            assertThat(metrics.statusCode()).isEqualTo(200);
            assertThat(metrics.headers().firstValue("Content-Type"))
                    .hasValue("text/plain; version=0.0.4; charset=utf-8");
            assertThat(metrics.body())
                    .contains(
                            "usage_archive_rows_moved_total{table=\"public.model_usage_details\"} 2500",
                            "usage_archive_batches_total{table=\"public.model_usage_details\"} 3",
                            "usage_archive_sweeps_total{stop_reason=\"DRAINED\",table=\"public.model_usage_details\"} 1",
                            "usage_archive_batch_time_seconds_count{table=\"public.model_usage_details\"} 3",
                            "usage_archive_backlog_age_seconds{table=\"public.model_usage_details\"} 0",
                            "usage_archive_last_kept_back_rows{table=\"public.model_usage_details\"} 0",
                            "usage_archive_health{status=\"OK\",table=\"public.model_usage_details\"} 1",
                            "usage_archive_health{status=\"LATE\",table=\"public.model_usage_details\"} 0")
                    .containsPattern(
                            "usage_archive_last_success_age_seconds\\{table=\"public.model_usage_details\"} \\d\\S+\n")
                    .containsPattern(
                            "usage_archive_next_firing_timestamp_seconds\\{table=\"public.model_usage_details\"} 1\\.\\d+E9")
                    .containsPattern(
                            "usage_archive_last_success_seconds\\{table=\"public.model_usage_details\"} 1\\.\\d+E9");

            HttpResponse<String> health = node.get("/health");
            assertThat(health.statusCode()).isEqualTo(200);
            assertThat(health.body())
                    .matches("usageArchiver: ok: sweep 1 of public.model_usage_details on \\S+ ended DRAINED at"
                            + " \\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d UTC\n");

            assertThat(node.get("/metricsx").statusCode()).isEqualTo(404);
            assertThat(node.get("/").body()).isEqualTo("There are /metrics and /health.\n");
            assertThat(node.send("HEAD", "/health").body()).isEmpty();
            assertThat(node.send("POST", "/health").statusCode()).isEqualTo(405);
        }
    }

    @Test
    void the_log_says_when_the_node_is_asked_to_stop_and_when_it_is_down() throws Exception {
        try (CapturedLog log = new CapturedLog()) {
            new Node().close();

            assertThat(log.messages(Level.INFO, NodeCommand.class))
                    .satisfiesExactly(
                            first -> assertThat(first).matches("Node \\S+ was asked to stop"),
                            last -> assertThat(last).matches("Node \\S+ is down"));
        }
    }

    @Test
    void every_metric_of_the_dashboard_is_one_that_is_served() throws Exception {
        String dashboard = Files.readString(Path.of("grafana/usage-archiver.json"));
        Set<String> asked = new TreeSet<>();
        Matcher names = Pattern.compile("usage_archive_\\w+").matcher(dashboard);
        while (names.find()) {
            asked.add(names.group());
        }
        assertThat(asked).hasSizeGreaterThan(9);
        insertExpired(10);
        try (Node node = new Node()) {
            awaitSweeps("DRAINED", 1);
            await().untilAsserted(() -> assertThat(node.get("/metrics")
                            .body()
                            .lines()
                            .filter(line -> !line.startsWith("#"))
                            .map(line -> line.replaceFirst("[{ ].*", "")))
                    .containsAll(asked));
        }
    }

    @Test
    void the_dashboard_has_what_grafana_asks_for() throws IOException {
        String json =
                "'" + Files.readString(Path.of("grafana/usage-archiver.json")).replace("'", "''") + "'::jsonb";
        assertThat(db.strings("SELECT d ->> 'uid' || '|' || (d ->> 'title') || '|' || (d ->> 'schemaVersion')::int"
                        + " || '|' || coalesce(d ->> 'id', 'no id') FROM (SELECT " + json + ") AS j (d)"))
                .containsExactly("usage-archiver|Usage archiver|39|no id");
        assertThat(db.strings("SELECT v ->> 'name' || ' ' || (v ->> 'type') FROM jsonb_array_elements(" + json
                        + " -> 'templating' -> 'list') v"))
                .contains("datasource datasource");
        String panels = " FROM jsonb_array_elements(" + json + " -> 'panels') p";
        assertThat(db.number("SELECT count(DISTINCT p ->> 'id')" + panels))
                .isEqualTo(db.number("SELECT count(*)" + panels))
                .isGreaterThan(7);
        assertThat(db.strings("SELECT p ->> 'title'" + panels
                        + " WHERE (p -> 'gridPos') ?& array['h', 'w', 'x', 'y'] IS NOT TRUE"
                        + " OR p #>> '{datasource,uid}' IS DISTINCT FROM '${datasource}' OR p ->> 'type' IS NULL"
                        + " OR p #>> '{targets,0,expr}' IS NULL"))
                .isEmpty();
    }

    @Test
    void health_says_why_archival_is_disabled_and_forgets_it_after_the_repair() throws Exception {
        db.execute("ALTER TABLE model_usage_details_archive DROP COLUMN operation");
        try (Node node = new Node()) {
            HttpResponse<String> health = node.get("/health");
            assertThat(health.statusCode()).isEqualTo(503);
            assertThat(health.body())
                    .startsWith("usageArchiver: disabled: Archival of public.model_usage_details is disabled, because")
                    .contains("lacks column operation");
            await().until(
                            () -> node.get("/metrics")
                                    .body()
                                    .contains(
                                            "usage_archive_sweeps_total{stop_reason=\"DISABLED\",table=\"public.model_usage_details\"} 1"));

            db.execute("ALTER TABLE model_usage_details_archive ADD COLUMN operation varchar(32)");
            assertThat(node.get("/health").body())
                    .isEqualTo("usageArchiver: ok: no sweep of public.model_usage_details yet\n");
        }
    }

    @Test
    void health_says_why_the_last_sweep_failed_until_another_one_does_better() throws Exception {
        insertExpired(10);
        db.execute("CREATE FUNCTION checked(integer) RETURNS boolean LANGUAGE plpgsql AS"
                + " 'BEGIN PERFORM FROM nowhere; RETURN true; END';"
                + " ALTER TABLE model_usage_details_archive ADD CONSTRAINT checked CHECK (checked(id)) NOT VALID");
        try (Node node = new Node()) {
            awaitSweeps("FAILED", 1);
            HttpResponse<String> health = node.get("/health");
            assertThat(health.statusCode()).isEqualTo(503);
            assertThat(health.body())
                    .startsWith("usageArchiver: last sweep failed: sweep 1 of public.model_usage_details on ")
                    .contains("relation \"nowhere\" does not exist");

            db.execute("ALTER TABLE model_usage_details_archive DROP CONSTRAINT checked");
            sweepElsewhere();
            assertThat(node.get("/health").statusCode()).isEqualTo(200);
        }
    }

    @Test
    void health_remembers_a_sweep_that_could_not_even_write_that_it_failed() throws Exception {
        insertExpired(10);
        db.execute("ALTER TABLE usage_archive_sweep ADD CONSTRAINT closed CHECK (node IS NULL) NOT VALID");
        try (Node node = new Node()) {
            await().until(() -> node.get("/health").statusCode() == 503);
            assertThat(node.get("/health").body())
                    .startsWith(
                            "usageArchiver: last sweep failed: A sweep of public.model_usage_details could not begin:")
                    .contains("violates check constraint");

            db.execute("ALTER TABLE usage_archive_sweep DROP CONSTRAINT closed");
            sweepElsewhere();
            assertThat(node.get("/health").statusCode()).isEqualTo(200);
        }
    }

    @Test
    void health_says_when_the_database_does_not_answer() throws Exception {
        try (Node node = new Node();
                Connection other = db.connectAsOwner()) {
            awaitSweeps("DRAINED", 1);
            other.setAutoCommit(false);
            TestDatabase.execute(other, "LOCK TABLE usage_archive_sweep");
            HttpResponse<String> health = node.get("/health");
            assertThat(health.statusCode()).isEqualTo(503);
            assertThat(health.body()).startsWith("usageArchiver: no answer: ").contains("timeout");
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "--metrics-address 127.0.0.1 | --metrics-address needs --metrics-port as well",
                "--metrics-port 65536 | --metrics-port 65536: must be from 0 to 65535",
                "--metrics-port -1 | --metrics-port -1: must be from 0 to 65535",
                "--metrics-port 0 --metrics-address nowhere.invalid | --metrics-address nowhere.invalid: there is no such"
                        + " address",
                "--metrics-port 0 --metrics-address 192.0.2.1 | Cannot listen on 192.0.2.1, port 0: ",
            })
    void a_place_that_it_cannot_listen_on_is_refused_before_anything_is_done(String options, String told) {
        CommandRun run = CommandRun.of(Stream.concat(
                        Stream.of("node", "--config", ConfigFiles.write(directory, db)), Stream.of(options.split(" ")))
                .toArray(String[]::new));
        assertThat(run.exitCode()).isEqualTo(2);
        assertThat(run.out()).isEmpty();
        assertThat(run.err()).contains(told).hasLineCount(1);
        assertThat(db.number("SELECT count(*) FROM qrtz_job_details")).isZero();
    }

    @Test
    void a_port_that_is_taken_is_refused() throws IOException {
        try (ServerSocket taken = new ServerSocket(0, 1, java.net.InetAddress.getLoopbackAddress())) {
            CommandRun run = CommandRun.of(
                    "node", "--config", ConfigFiles.write(directory, db), "--metrics-port", "" + taken.getLocalPort());
            assertThat(run.exitCode()).isEqualTo(2);
            assertThat(run.err()).contains("Cannot listen on 127.0.0.1, port " + taken.getLocalPort() + ": ");
        }
    }

    private void sweepElsewhere() {
        Archiver.builder(TestedPair.USAGE, db.archiver()).build().sweep();
    }

    private void insertExpired(int rows) {
        db.insertUsage("SELECT i, timestamp '2020-01-01' + i * interval '1 hour', timestamp '2020-01-01'"
                + " FROM generate_series(1, " + rows + ") i");
    }

    private void awaitSweeps(String state, int sweeps) {
        await().atMost(Duration.ofSeconds(30))
                .until(() ->
                        db.number("SELECT count(*) FROM usage_archive_sweep WHERE state = '" + state + "'") == sweeps);
    }

    /** The command in this JVM, with {@code --metrics-port 0}. */
    private final class Node implements AutoCloseable {
        private final Termination termination = new Termination();
        private final StringWriter out = new StringWriter();
        private final CompletableFuture<Integer> exitCode;
        private final String url;

        Node() {
            String file = ConfigFiles.write(
                    directory,
                    db,
                    "org.quartz.scheduler.instanceName = node-command-test-" + db.name(),
                    SampleConfig.archiver("cron") + " = 0 0 1 1 *");
            exitCode = CompletableFuture.supplyAsync(
                    () -> Main.commandLine(new CliContext(termination, name -> null, false))
                            .setOut(new PrintWriter(out))
                            .execute("node", "--config", file, "--metrics-port", "0"));
            url = await().atMost(Duration.ofSeconds(30))
                    .until(() -> SERVING.matcher(out.toString()), Matcher::matches)
                    .group(1);
        }

        HttpResponse<String> get(String path) throws IOException, InterruptedException {
            return send("GET", path);
        }

        HttpResponse<String> send(String method, String path) throws IOException, InterruptedException {
            return client.send(
                    HttpRequest.newBuilder(URI.create(url + path))
                            .method(method, HttpRequest.BodyPublishers.noBody())
                            .build(),
                    HttpResponse.BodyHandlers.ofString());
        }

        @Override
        public void close() throws Exception {
            await().until(termination::signal);
            assertThat(exitCode.get(1, TimeUnit.MINUTES)).isZero();
        }
    }
}
