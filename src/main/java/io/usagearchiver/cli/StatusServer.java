package io.usagearchiver.cli;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.usagearchiver.Health;
import io.usagearchiver.cli.config.BadSettingsException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/**
 * Serves {@code /metrics}, in Prometheus' text format, and {@code /health}: 200 if all archivers are well, else 503, and a
 * line or more for each. To GET and HEAD only.
 *
 * <p>A client that is slow, greedy or one of many keeps no other waiting for long: there is a thread for each of {@link
 * #CLIENTS} connections, more are closed at once, and one that does not send its request or does not read its answer in
 * time is cut, which frees its thread.
 */
final class StatusServer implements AutoCloseable {
    /** How many connections it takes at once. */
    static final int CLIENTS = 100;

    private static final Duration IDLE_THREAD = Duration.ofSeconds(30);

    // The JDK's server reads its limits once in the life of a JVM. Its own are none in time, and generous in size.
    static {
        limit("jdk.httpserver.maxConnections", CLIENTS);
        limit("sun.net.httpserver.maxReqTime", 5); // seconds for the whole request
        limit("sun.net.httpserver.maxRspTime", 15); // seconds for the whole answer, and for the database to give it
        limit("sun.net.httpserver.maxReqHeaders", 100);
        limit("sun.net.httpserver.maxReqHeaderSize", 16 * 1024); // bytes; of the request line as well
    }

    private final HttpServer server;

    /** Without a queue: a request that waited for a thread would be cut for being slow. */
    private final ExecutorService threads = new ThreadPoolExecutor(
            0, CLIENTS, IDLE_THREAD.toSeconds(), TimeUnit.SECONDS, new SynchronousQueue<>(), task -> {
                Thread thread = new Thread(task, "status");
                thread.setDaemon(true);
                return thread;
            });

    /**
     * Listens from now on.
     *
     * @param port 0 for one that is free
     * @throws BadSettingsException if it cannot be listened there
     */
    StatusServer(InetAddress address, int port, Supplier<String> metrics, Supplier<Map<String, Health>> archivers) {
        try {
            server = HttpServer.create(new InetSocketAddress(address, port), 0);
        } catch (IOException e) {
            throw new BadSettingsException(
                    "Cannot listen on " + address.getHostAddress() + ", port " + port + ": " + e.getMessage());
        }
        server.createContext(
                "/",
                exchange -> answer(
                        exchange,
                        switch (exchange.getRequestURI().getPath()) {
                            case "/metrics" ->
                                new Answer(200, "text/plain; version=0.0.4; charset=utf-8", metrics.get());
                            case "/health" -> health(archivers.get());
                            default ->
                                new Answer(404, "text/plain; charset=utf-8", "There are /metrics and /health.\n");
                        }));
        server.setExecutor(threads);
        server.start();
    }

    /** Where it listens, as {@code http://address:port}. */
    String url() {
        InetSocketAddress address = server.getAddress();
        String host = address.getAddress().getHostAddress();
        return "http://" + (host.contains(":") ? "[" + host + "]" : host) + ":" + address.getPort();
    }

    @Override
    public void close() {
        server.stop(0);
        threads.shutdownNow();
    }

    private static Answer health(Map<String, Health> archivers) {
        StringBuilder lines = new StringBuilder();
        boolean ok = true;
        for (Map.Entry<String, Health> archiver : archivers.entrySet()) {
            Health health = archiver.getValue();
            ok &= health.ok();
            String status = health.status().name().toLowerCase(Locale.ROOT).replace('_', ' ');
            lines.append(archiver.getKey() + ": " + status + ": " + health.message() + "\n");
        }
        return new Answer(ok ? 200 : 503, "text/plain; charset=utf-8", lines.toString());
    }

    private static void answer(HttpExchange exchange, Answer answer) throws IOException {
        try (exchange) {
            String method = exchange.getRequestMethod();
            if (!method.equals("GET") && !method.equals("HEAD")) {
                exchange.getResponseHeaders().set("Allow", "GET, HEAD");
                exchange.sendResponseHeaders(405, -1);
                return;
            }
            byte[] body = answer.body().getBytes(StandardCharsets.UTF_8);
            exchange.getResponseHeaders().set("Content-Type", answer.type());
            exchange.sendResponseHeaders(answer.status(), method.equals("HEAD") ? -1 : body.length);
            if (method.equals("GET")) {
                exchange.getResponseBody().write(body);
            }
        }
    }

    /** What the JVM was started with goes before. */
    private static void limit(String property, int value) {
        if (System.getProperty(property) == null) {
            System.setProperty(property, String.valueOf(value));
        }
    }

    private record Answer(int status, String type, String body) {}
}
