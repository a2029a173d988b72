package io.usagearchiver.testing;

import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashSet;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * A port in front of a server, and the faults of the network in between. It passes everything on until it is told
 * otherwise.
 */
public final class TcpProxy implements AutoCloseable {
    private final String url;
    private final InetSocketAddress target;
    private final InetSocketAddress address;
    private final Set<Link> links = new HashSet<>();
    private final CountDownLatch closed = new CountDownLatch(1);

    // All of these are guarded by this object's lock.
    private Socket reservation;
    private ServerSocket server;
    private boolean stalled;
    private Duration delay = Duration.ZERO;
    private String lastRequest;
    private boolean answerLost;

    /** A proxy in front of the server of a JDBC URL. */
    public TcpProxy(String url) {
        URI uri = URI.create(url.substring("jdbc:".length()));
        target = new InetSocketAddress(uri.getHost(), uri.getPort() < 0 ? 5432 : uri.getPort());
        reservation = reserve(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        address = (InetSocketAddress) reservation.getLocalSocketAddress();
        this.url = "jdbc:postgresql://127.0.0.1:" + address.getPort() + uri.getPath();
        accept();
    }

    /** The JDBC URL that leads through the proxy. */
    public String url() {
        return url;
    }

    /** As if the server were down: connecting is refused, and present connections are reset. */
    public synchronized void refuse() {
        try {
            if (server != null) {
                server.close();
                server = null;
                reservation = reserve(address);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        cut();
    }

    /** Takes connections again. */
    public synchronized void accept() {
        try {
            if (server == null) {
                reservation.close();
                server = bound(() -> new ServerSocket(address.getPort(), 50, address.getAddress()));
                ServerSocket accepting = server;
                run(() -> acceptAll(accepting));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Resets the present connections. Half-open ones stay as they are: their ends hear of nothing. */
    public synchronized void cut() {
        links.stream().filter(link -> !link.halfOpen).forEach(Link::reset);
    }

    /** Holds back what is sent from now on, to either side, on present connections and on new ones. */
    public synchronized void stall() {
        stalled = true;
    }

    /** Lets pass what was held back by {@link #stall}. */
    public synchronized void resume() {
        stalled = false;
        notifyAll();
    }

    /**
     * Makes the present connections half-open: nothing gets through any more, and neither side hears of it, not even of the
     * other side's end. New connections work.
     */
    public synchronized void forget() {
        links.forEach(link -> link.halfOpen = true);
    }

    /**
     * Loses what the server says to the next request that has this text in it, and all that it says on that connection
     * afterwards. The request itself gets through, but nothing after it: the connection is half-open.
     */
    public synchronized void loseAnswerTo(String request) {
        lastRequest = request;
        answerLost = false;
    }

    /** Whether that request has come. */
    public synchronized boolean hasLostAnswer() {
        return answerLost;
    }

    /** Makes everything take so much longer, in each direction. */
    public synchronized void delay(Duration newDelay) {
        delay = newDelay;
    }

    @Override
    public synchronized void close() throws IOException {
        closed.countDown();
        reservation.close();
        if (server != null) {
            server.close();
            server = null;
        }
        links.forEach(Link::reset);
        notifyAll();
    }

    /** Binds without listening: nobody else can take the port, and connecting to it is refused. */
    private static Socket reserve(InetSocketAddress address) {
        return bound(() -> {
            Socket socket = new Socket();
            try {
                socket.setReuseAddress(true);
                socket.bind(address);
                return socket;
            } catch (IOException e) {
                socket.close();
                throw e;
            }
        });
    }

    /** The port is free only once the thread that was accepting has noticed. */
    private static <T> T bound(Callable<T> bind) {
        return await().pollInSameThread()
                .pollDelay(Duration.ZERO)
                .pollInterval(Duration.ofMillis(10))
                .ignoreException(BindException.class)
                .until(bind, Objects::nonNull);
    }

    private void acceptAll(ServerSocket accepting) throws IOException {
        while (true) {
            Socket client = accepting.accept();
            try {
                Link link = new Link(client, new Socket(target.getAddress(), target.getPort()));
                synchronized (this) {
                    if (server != accepting) {
                        link.reset();
                        return;
                    }
                    links.add(link);
                }
                run(() -> link.pump(link.client, link.upstream, true));
                run(() -> link.pump(link.upstream, link.client, false));
            } catch (IOException e) {
                client.close();
            }
        }
    }

    private static void run(IoAction action) {
        Thread thread = new Thread(() -> {
            try {
                action.run();
            } catch (IOException e) {
                // A side hung up, or the proxy was closed.
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        thread.setDaemon(true);
        thread.start();
    }

    private interface IoAction {
        void run() throws IOException, InterruptedException;
    }

    /** One connection, as its two halves. */
    private final class Link {
        private final Socket client;
        private final Socket upstream;
        private boolean halfOpen;

        Link(Socket client, Socket upstream) {
            this.client = client;
            this.upstream = upstream;
        }

        /** Passes on what one side sends, and its end; of a half-open connection neither. */
        void pump(Socket from, Socket to, boolean requests) throws IOException, InterruptedException {
            byte[] buffer = new byte[16_384];
            while (true) {
                int count = read(from, buffer);
                if (closed.await(delay().toMillis(), TimeUnit.MILLISECONDS) || !passes()) {
                    return;
                }
                if (count < 0) {
                    from.close();
                    to.close();
                    return;
                }
                if (requests) {
                    listen(new String(buffer, 0, count, StandardCharsets.ISO_8859_1));
                }
                to.getOutputStream().write(buffer, 0, count);
            }
        }

        private static int read(Socket from, byte[] buffer) {
            try {
                return from.getInputStream().read(buffer);
            } catch (IOException e) {
                return -1;
            }
        }

        private Duration delay() {
            synchronized (TcpProxy.this) {
                return delay;
            }
        }

        /** Waits while the network is stalled, then tells whether the connection is whole. */
        private boolean passes() throws InterruptedException {
            synchronized (TcpProxy.this) {
                while (stalled && closed.getCount() > 0) {
                    TcpProxy.this.wait();
                }
                return !halfOpen;
            }
        }

        void reset() {
            for (Socket socket : new Socket[] {client, upstream}) {
                try {
                    socket.setSoLinger(true, 0);
                    socket.close();
                } catch (IOException e) {
                    // It is closed already.
                }
            }
        }

        private void listen(String request) {
            synchronized (TcpProxy.this) {
                if (lastRequest != null && request.contains(lastRequest)) {
                    lastRequest = null;
                    answerLost = true;
                    halfOpen = true;
                }
            }
        }
    }
}
