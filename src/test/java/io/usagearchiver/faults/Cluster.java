package io.usagearchiver.faults;

import static org.awaitility.Awaitility.await;

import io.usagearchiver.testing.FaultServer;
import io.usagearchiver.testing.NodeProcess;
import io.usagearchiver.testing.SampleConfig;
import io.usagearchiver.testing.TestDatabase;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;

/**
 * Nodes of one scheduler, each the command {@code node} in a JVM of its own, with the repository's {@code
 * quartz.properties}. Each start of a node has a name of its own, by which Quartz, the ledger and {@code
 * pg_stat_activity} know it.
 */
final class Cluster implements AutoCloseable {
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    private final FaultServer server;
    private final Map<String, String> settings;
    private final List<Node> nodes = new ArrayList<>();

    /**
     * Starts nodes.
     *
     * @param settings of the archiver, by the names of the plugin's properties
     */
    Cluster(FaultServer server, int count, Map<String, String> settings) {
        this.server = server;
        this.settings = settings;
        for (int i = 0; i < count; i++) {
            nodes.add(new Node((char) ('a' + i)));
        }
    }

    /** All nodes, in whatever state. */
    List<Node> nodes() {
        return nodes;
    }

    /** The node that has the RUNNING sweep, if it is one of these and not frozen. */
    Optional<Node> sweeping() {
        List<String> names = server.strings("select node from usage_archive_sweep where state = 'RUNNING'");
        return nodes.stream()
                .filter(node -> names.contains(node.name()) && node.isUp())
                .findFirst();
    }

    /** Waits for a sweep that has committed a batch, and gives its node. */
    Node awaitSweeping() {
        return awaitSweeping("true");
    }

    /** The same for a sweep that fulfils a condition on its ledger row. */
    Node awaitSweeping(String condition) {
        await("a sweep has committed a batch, " + condition)
                .atMost(PATIENCE)
                .pollInterval(Duration.ofMillis(20))
                .until(() -> server.number("select count(*) from usage_archive_sweep where state = 'RUNNING'"
                                        + " and batches > 0 and " + condition)
                                == 1
                        && sweeping().isPresent());
        return sweeping().orElseThrow();
    }

    /** Waits until each node that is up has checked in. */
    void awaitMembers() {
        await("all nodes have checked in")
                .atMost(PATIENCE)
                .until(() -> server.strings("select instance_name from qrtz_scheduler_state")
                        .containsAll(nodes.stream()
                                .filter(Node::isUp)
                                .map(Node::name)
                                .toList()));
    }

    @Override
    public void close() {
        nodes.forEach(Node::close);
    }

    /** One node, over its restarts. */
    final class Node {
        private final char letter;
        private int starts;
        private NodeProcess process;
        private boolean frozen;
        private final StringBuilder earlierLogs = new StringBuilder();

        private Node(char letter) {
            this.letter = letter;
            start();
        }

        /** Starts it, after {@link #kill} or {@link #terminate}. */
        void start() {
            starts++;
            Properties properties = SampleConfig.of(server.url(), TestDatabase.ARCHIVER, TestDatabase.ARCHIVER);
            properties.setProperty("org.quartz.scheduler.instanceId", name());
            String url = "org.quartz.dataSource." + SampleConfig.ARCHIVE_DATA_SOURCE + ".URL";
            properties.setProperty(
                    url,
                    properties.getProperty(url).replace("ApplicationName=usage-archiver", "ApplicationName=" + name()));
            settings.forEach((name, value) -> properties.setProperty(SampleConfig.archiver(name), value));
            String pool = "org.quartz.dataSource." + SampleConfig.ARCHIVE_DATA_SOURCE + ".maxConnections";
            int workers = Integer.parseInt(settings.getOrDefault("workers", "0"));
            properties.setProperty(pool, String.valueOf(Integer.parseInt(properties.getProperty(pool)) + workers));
            process = NodeProcess.start(properties, Map.of());
            frozen = false;
        }

        /** The name of its present start. */
        String name() {
            return "node-" + letter + starts;
        }

        /** Whether it has been started, not killed or terminated since, and is not frozen. */
        boolean isUp() {
            return isRunning() && !frozen;
        }

        /** Whether its process is there, frozen or not. */
        boolean isRunning() {
            return process != null;
        }

        /** Whether it is frozen. */
        boolean isFrozen() {
            return frozen;
        }

        /** Whether its process has ended though nobody killed or terminated it. */
        boolean hasFailed() throws InterruptedException {
            return process != null && process.ends(Duration.ZERO);
        }

        /** {@code kill -9}. Returns when it is dead. */
        void kill() {
            signal("KILL");
            end(PATIENCE);
        }

        /**
         * SIGTERM. Returns when it has ended.
         *
         * @return its exit code
         */
        int terminate() {
            process.terminate();
            return end(PATIENCE);
        }

        /** SIGSTOP. */
        void freeze() {
            signal("STOP");
            frozen = true;
        }

        /** SIGCONT. */
        void thaw() {
            signal("CONT");
            frozen = false;
        }

        /** What {@code pg_stat_activity} calls the state of the session that it sweeps with; empty without one. */
        String sessionState() {
            List<String> states = server.strings("select state from pg_stat_activity where application_name = '"
                    + name() + "' order by state_change desc");
            return states.isEmpty() ? "" : states.get(0);
        }

        /** Whether the archiver's transaction holds a lock of this mode on this table. */
        boolean holds(String mode, String table) {
            return server.number("select count(*) from pg_locks join pg_stat_activity using (pid)"
                            + " where application_name = '" + name() + "' and granted and mode = '" + mode
                            + "' and relation = '" + table + "'::regclass")
                    > 0;
        }

        /** Ends its archiver's sessions from the server's side. */
        void terminateSessions() {
            server.strings(
                    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = '" + name() + "'");
        }

        /** All that it has written, over all starts. */
        String log() {
            return earlierLogs + (process == null ? "" : process.log());
        }

        private int end(Duration limit) {
            try {
                if (!process.ends(limit)) {
                    throw new IllegalStateException(name() + " does not end; it wrote\n" + process.log());
                }
                int exitCode = process.exitCode();
                close();
                return exitCode;
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IllegalStateException(e);
            }
        }

        private void signal(String name) {
            try {
                int exitCode = new ProcessBuilder("sh", "-c", "kill -" + name + " " + process.pid())
                        .inheritIO()
                        .start()
                        .waitFor();
                if (exitCode != 0) {
                    throw new IllegalStateException("kill -" + name + " failed; the node wrote\n" + process.log());
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IllegalStateException(e);
            }
        }

        private void close() {
            if (process == null) {
                return;
            }
            try {
                earlierLogs.append(process.log());
                process.close();
                process = null;
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        @Override
        public String toString() {
            return name();
        }
    }
}
