package io.usagearchiver.quartz;

import io.usagearchiver.ConnectionSource;
import io.usagearchiver.StopSignal;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.quartz.Scheduler;
import org.quartz.SchedulerContext;
import org.quartz.SchedulerException;
import org.quartz.listeners.SchedulerListenerSupport;
import org.quartz.utils.DBConnectionManager;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What the archivers of one scheduler share on this node: their data sources, the watch of their health, and the end. When the scheduler is shut down
 * it asks the sweeps that run here to stop, before Quartz waits for them; when it is down, the data sources are closed, by
 * the last sweep where Quartz did not wait. Kept in the scheduler's context. Thread-safe.
 */
final class SchedulerNode extends SchedulerListenerSupport {
    private static final String KEY = "usage-archiver.node";
    /** Spring registers its data sources after plugins are initialised: what has the name before is an earlier context's. */
    private static final List<String> SPRING = List.of("springTxDataSource.", "springNonTxDataSource.");

    private static final Logger log = LoggerFactory.getLogger("io.usagearchiver.quartz.ArchivePlugin");

    private final String scheduler;
    private final HealthWatch watch;
    private final Map<String, PluginSettings> archivers = new LinkedHashMap<>();
    private final Map<String, NodeHealth> health = new LinkedHashMap<>();
    private final Map<String, BoundDataSource> dataSources = new HashMap<>();
    private final Set<StopSignal> sweeps = new HashSet<>();
    private final Firings firings = new Firings();
    private boolean started;
    private boolean stopping;

    private SchedulerNode(Scheduler scheduler) throws SchedulerException {
        this.scheduler = scheduler.getSchedulerName();
        this.watch = new HealthWatch(scheduler, this::health);
    }

    /** The node of a scheduler in this JVM. */
    static SchedulerNode of(Scheduler scheduler) throws SchedulerException {
        SchedulerContext context = scheduler.getContext();
        synchronized (context) {
            if (context.get(KEY) instanceof SchedulerNode known) {
                return known;
            }
            SchedulerNode node = new SchedulerNode(scheduler);
            context.put(KEY, node);
            scheduler.getListenerManager().addSchedulerListener(node);
            return node;
        }
    }

    /**
     * Adds an archiver while the scheduler is made. Quartz has just registered the data sources of the scheduler's
     * properties, so what has the name now is meant.
     *
     * @throws IllegalArgumentException if it contradicts another archiver, or its data source is another scheduler's
     */
    synchronized void add(String name, PluginSettings settings) {
        archivers.forEach((otherName, other) -> {
            if (!otherName.equals(name) && other.isOfSameTable(settings)) {
                requireSameRetention(name, settings, otherName, other);
                log.warn(
                        "Archivers {} and {} both archive {}, data source {}: each one's sweep ends the other's that runs;"
                                + " one of them is enough",
                        otherName,
                        name,
                        settings.table(),
                        settings.dataSource());
            }
        });
        if (SPRING.stream().noneMatch(settings.dataSource()::startsWith)) {
            bind(settings.dataSource());
        }
        archivers.put(name, settings);
        health.put(name, new NodeHealth(name, settings, () -> connections(settings.dataSource())));
    }

    /**
     * The health of an archiver of this node, which is to hear of its sweeps.
     *
     * @throws IllegalArgumentException if there is none of that name
     */
    synchronized NodeHealth health(String name) {
        NodeHealth known = health.get(name);
        if (known == null) {
            throw new IllegalArgumentException("scheduler " + scheduler + " has no archiver " + name + ", but "
                    + (archivers.isEmpty() ? "none" : String.join(", ", archivers.keySet())));
        }
        return known;
    }

    private synchronized Map<String, NodeHealth> health() {
        return new LinkedHashMap<>(health);
    }

    private static void requireSameRetention(
            String name, PluginSettings settings, String otherName, PluginSettings other) {
        int months = settings.archive().retentionMonths();
        int otherMonths = other.archive().retentionMonths();
        // Under different conditions each moves rows of its own.
        if (months != otherMonths
                && settings.pair().condition().equals(other.pair().condition())) {
            throw new IllegalArgumentException("org.quartz.plugin." + name + ": retentionMonths " + months + " for "
                    + settings.table() + ", data source " + settings.dataSource() + ", for which org.quartz.plugin."
                    + otherName + " has " + otherMonths + ": a table must have one retention period");
        }
    }

    /** The settings of this node's archivers by the names of their plugins, in the order in which they were added. */
    synchronized Map<String, PluginSettings> archivers() {
        return new LinkedHashMap<>(archivers);
    }

    /**
     * Connections of a data source. An archiver's is bound now, at the latest; any other is the one that has the name.
     *
     * @throws IllegalArgumentException if it is another scheduler's
     */
    synchronized ConnectionSource connections(String dataSource) {
        if (archivers.values().stream()
                .anyMatch(archiver -> archiver.dataSource().equals(dataSource))) {
            bind(dataSource);
        }
        BoundDataSource bound = dataSources.get(dataSource);
        return bound != null ? bound : () -> DBConnectionManager.getInstance().getConnection(dataSource);
    }

    private void bind(String dataSource) {
        if (!dataSources.containsKey(dataSource)) {
            BoundDataSource bound = BoundDataSource.bind(dataSource, scheduler);
            if (bound != null) {
                dataSources.put(dataSource, bound);
            }
        }
    }

    /** What is known of the firings of this node. */
    Firings firings() {
        return firings;
    }

    /** Has a sweep hear of the scheduler's end, and its data source stay open until the sweep is over. */
    synchronized Running begin(StopSignal sweep, String dataSource) {
        if (stopping) {
            sweep.request();
        }
        sweeps.add(sweep);
        BoundDataSource bound = dataSources.get(dataSource);
        if (bound != null) {
            bound.hold();
        }
        return new Running(this, sweep, bound);
    }

    private synchronized void end(StopSignal sweep) {
        sweeps.remove(sweep);
    }

    /** Also after a standby. */
    @Override
    public synchronized void schedulerStarted() {
        if (!started && !archivers.isEmpty()) {
            watch.start();
        }
        started = true;
    }

    @Override
    public void schedulerShuttingdown() {
        synchronized (this) {
            stopping = true;
            sweeps.forEach(StopSignal::request);
        }
        watch.shutdown();
    }

    /** By now the job store is down, so that it does not miss a data source that it shares. */
    @Override
    public synchronized void schedulerShutdown() {
        dataSources.values().forEach(BoundDataSource::release);
    }

    /** A sweep that runs on this node. */
    record Running(
            SchedulerNode node, StopSignal sweep, @Nullable BoundDataSource dataSource) implements AutoCloseable {
        @Override
        public void close() {
            node.end(sweep);
            if (dataSource != null) {
                dataSource.release();
            }
        }
    }
}
