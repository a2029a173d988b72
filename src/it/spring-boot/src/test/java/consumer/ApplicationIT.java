package consumer;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

class ApplicationIT extends TwoNodes {
    private static final Pattern PORT = Pattern.compile("Tomcat started on port (\\d+)");
    private static final Pattern COUNT = Pattern.compile("\"COUNT\",\"value\":(\\d+)");

    ApplicationIT() {
        super("quartzScheduler");
    }

    @Override
    protected List<String> node(String url) {
        return List.of(
                "-Dspring.datasource.url=" + url,
                "-Dspring.quartz.properties.org.quartz.plugin.usageArchiver.cron=" + NOT_NOW,
                "-Dserver.address=127.0.0.1",
                "-Dserver.port=0",
                "-jar",
                "target/application.jar");
    }

    /** The actuators of both nodes count together what the ledger does. */
    @Override
    protected void lookAt(Database db, String logOne, String logTwo) throws Exception {
        assertThat(rowsMoved(logOne) + rowsMoved(logTwo))
                .isPositive()
                .isEqualTo(db.number("SELECT sum(rows_moved) FROM usage_archive_sweep"));
    }

    /** A node that has not swept has no such metric. */
    private static long rowsMoved(String log) throws IOException, InterruptedException {
        Matcher port = PORT.matcher(log);
        assertThat(port.find()).isTrue();
        URI uri = URI.create("http://127.0.0.1:" + port.group(1) + "/actuator/metrics/usage.archive.rows.moved");
        String answer = HttpClient.newHttpClient()
                .send(HttpRequest.newBuilder(uri).build(), BodyHandlers.ofString())
                .body();
        Matcher count = COUNT.matcher(answer);
        return count.find() ? Long.parseLong(count.group(1)) : 0;
    }
}
