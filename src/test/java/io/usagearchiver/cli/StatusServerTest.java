package io.usagearchiver.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.usagearchiver.Archiver;
import io.usagearchiver.Health;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Clients that are slow, greedy or many, on real sockets. */
@Timeout(120)
class StatusServerTest {
    private static final int OF_EACH = 12;
    private static final Duration GENEROUS = Duration.ofSeconds(60);
    private static final String GET_METRICS = "GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n";

    /** More than the buffers of both sockets hold. */
    private static final String METRICS = "usage_archive_running 0\n".repeat(300_000);

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    private final Archiver archiver =
            Archiver.builder(TestedPair.USAGE, db.archiver()).build();

    private volatile Supplier<Health> health = archiver::health;

    @AutoClose
    private final StatusServer server = new StatusServer(
            InetAddress.getLoopbackAddress(), 0, () -> METRICS, () -> Map.of("usageArchiver", health.get()));

    private final List<Socket> sockets = new ArrayList<>();

    @AfterEach
    void hangUp() throws IOException {
        for (Socket socket : sockets) {
            socket.close();
        }
    }

    @Test
    void clients_that_do_not_send_or_do_not_read_are_cut_and_keep_nobody_waiting() throws Exception {
        List<Socket> silent = new ArrayList<>();
        List<Socket> deaf = new ArrayList<>();
        for (int i = 0; i < OF_EACH; i++) {
            silent.add(client("GET /hea"));
            silent.add(client("GET /health HTTP/1.1\r\nHost: here\r\nAcc"));
            silent.add(client("POST /health HTTP/1.1\r\nHost: here\r\nContent-Length: 100\r\n\r\nhalf"));
            silent.add(client(""));
            deaf.add(client(GET_METRICS));
        }

        assertThat(get("/health").body()).startsWith("usageArchiver: ok: ");
        assertThat(get("/metrics").body()).isEqualTo(METRICS);
        for (Socket socket : silent) {
            awaitEnd(socket);
        }
        for (Socket socket : deaf) {
            await().atMost(GENEROUS).until(() -> refusesMore(socket));
        }
        assertThat(get("/health").statusCode()).isEqualTo(200);
    }

    @Test
    void a_sweep_that_is_late_is_not_ok() throws Exception {
        health = () -> Health.of(Health.Status.LATE, "why");
        HttpResponse<String> late = get("/health");
        assertThat(late.statusCode()).isEqualTo(503);
        assertThat(late.body()).isEqualTo("usageArchiver: late: why\n");

        health = () -> Health.of(Health.Status.NO_SIGN_OF_LIFE, "why");
        assertThat(get("/health").body()).isEqualTo("usageArchiver: no sign of life: why\n");
    }

    @Test
    void more_clients_than_it_takes_at_once_keep_others_out_for_a_while_only() throws Exception {
        for (int i = 0; i < 3 * StatusServer.CLIENTS; i++) {
            client("GET /hea");
        }

        await().atMost(GENEROUS)
                .ignoreExceptionsInstanceOf(IOException.class)
                .until(() -> get("/health").statusCode() == 200);
    }

    @Test
    void a_request_that_is_too_large_is_not_answered() {
        assertThatThrownBy(() -> get("/health?" + "x".repeat(100_000))).isInstanceOf(IOException.class);
        assertThatThrownBy(() -> get("/health", "X-Large", "x".repeat(100_000))).isInstanceOf(IOException.class);
        String[] many = new String[300];
        for (int i = 0; i < many.length; i += 2) {
            many[i] = "X-" + i;
            many[i + 1] = "x";
        }
        assertThatThrownBy(() -> get("/health", many)).isInstanceOf(IOException.class);
    }

    private Socket client(String sent) throws IOException {
        Socket socket = new Socket();
        sockets.add(socket);
        socket.setReceiveBufferSize(1024);
        URI url = URI.create(server.url());
        socket.connect(new InetSocketAddress(url.getHost(), url.getPort()), (int) GENEROUS.toMillis());
        socket.setSoTimeout((int) GENEROUS.toMillis());
        try {
            socket.getOutputStream().write(sent.getBytes(StandardCharsets.US_ASCII));
        } catch (IOException e) {
            // It was one too many, and is closed already.
        }
        return socket;
    }

    /** Reads what it is answered, if anything, and then to the end of the stream. */
    private static void awaitEnd(Socket socket) throws IOException {
        try {
            socket.getInputStream().readAllBytes();
        } catch (SocketException e) {
            // Closed while something that was sent had not been read.
        }
    }

    private static boolean refusesMore(Socket socket) {
        try {
            socket.getOutputStream().write(' ');
            return false;
        } catch (IOException e) {
            return true;
        }
    }

    private HttpResponse<String> get(String path, String... headers) throws IOException, InterruptedException {
        HttpRequest.Builder request =
                HttpRequest.newBuilder(URI.create(server.url() + path)).timeout(Duration.ofSeconds(20));
        if (headers.length > 0) {
            request.headers(headers);
        }
        return HttpClient.newHttpClient().send(request.build(), HttpResponse.BodyHandlers.ofString());
    }
}
