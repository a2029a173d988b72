package io.usagearchiver.testing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** A port in front of a server: it refuses connections until it is opened, as if the server were down. */
public final class TcpGate implements AutoCloseable {
    private final String url;
    private final InetSocketAddress target;
    private final InetSocketAddress address;
    private final List<AutoCloseable> sockets = new CopyOnWriteArrayList<>();

    // Bound without listening: nobody else can take the port, and connecting to it is refused.
    private final Socket reservation = new Socket();

    /** A closed gate in front of the server of a JDBC URL. */
    public TcpGate(String url) {
        try {
            reservation.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        URI server = URI.create(url.substring("jdbc:".length()));
        this.target = new InetSocketAddress(server.getHost(), server.getPort() < 0 ? 5432 : server.getPort());
        this.address = (InetSocketAddress) reservation.getLocalSocketAddress();
        this.url = "jdbc:postgresql://127.0.0.1:" + address.getPort() + server.getPath();
    }

    /** The JDBC URL that leads through the gate. */
    public String url() {
        return url;
    }

    /** Lets connections pass from now on. */
    public void open() throws IOException {
        reservation.close();
        ServerSocket server = new ServerSocket(address.getPort(), 50, address.getAddress());
        sockets.add(server);
        run(() -> {
            while (true) {
                Socket client = server.accept();
                Socket upstream = new Socket(target.getAddress(), target.getPort());
                sockets.add(client);
                sockets.add(upstream);
                run(() -> pump(client, upstream));
                run(() -> pump(upstream, client));
            }
        });
    }

    private static void pump(Socket from, Socket to) throws IOException {
        try (from;
                to) {
            from.getInputStream().transferTo(to.getOutputStream());
        }
    }

    private static void run(IoAction action) {
        Thread thread = new Thread(() -> {
            try {
                action.run();
            } catch (IOException e) {
                // A side hung up, or the gate was closed.
            }
        });
        thread.setDaemon(true);
        thread.start();
    }

    @Override
    public void close() throws Exception {
        reservation.close();
        for (AutoCloseable socket : sockets) {
            socket.close();
        }
    }

    private interface IoAction {
        void run() throws IOException;
    }
}
