package io.usagearchiver.cli;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.usagearchiver.Health;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Supplier;

/**
 * Serves {@code /metrics}, in Prometheus' text format, and {@code /health}: 200 if all archivers are well, else 503, and a
 * line or more for each. To GET and HEAD only.
 */
final class StatusServer implements AutoCloseable {
    private static final int THREADS = 4;

    private final HttpServer server;
    private final ExecutorService threads = Executors.newFixedThreadPool(THREADS, task -> {
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
    StatusServer(InetAddress address, int port, Supplier<String> metrics, List<NodeHealth> archivers) {
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
                            case "/health" -> health(archivers);
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

    private static Answer health(List<NodeHealth> archivers) {
        List<String> lines = new ArrayList<>();
        boolean ok = true;
        for (NodeHealth archiver : archivers) {
            Health health = archiver.read();
            ok &= health.ok();
            String status = health.status().name().toLowerCase(Locale.ROOT).replace('_', ' ');
            lines.add(archiver.name() + ": " + status + ": " + health.message() + "\n");
        }
        return new Answer(ok ? 200 : 503, "text/plain; charset=utf-8", String.join("", lines));
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

    private record Answer(int status, String type, String body) {}
}
