package io.usagearchiver.quartz;

import io.usagearchiver.Health;
import io.usagearchiver.SweepListener;
import java.time.Clock;
import java.time.Duration;
import java.util.Collections;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.quartz.Scheduler;
import org.quartz.SchedulerException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads the health of a node's archivers once a minute, from the scheduler's start to its end: tells it to their listeners, and
 * the log when it has become such that no sweep would log it.
 */
final class HealthWatch {
    private static final Duration INTERVAL = Duration.ofMinutes(1);
    private static final Duration STEP_AT_SHUTDOWN = Duration.ofSeconds(1);
    private static final Logger log = LoggerFactory.getLogger("io.usagearchiver.quartz.ArchivePlugin");

    private final Scheduler scheduler;
    private final Supplier<Map<String, NodeHealth>> archivers;
    private final Thread thread = new Thread(this::watch, "usage-archiver-health");
    private final CountDownLatch shutdown = new CountDownLatch(1);
    private final Map<String, Health.Status> logged = new HashMap<>();
    private final Set<SweepListener> failed = Collections.newSetFromMap(new IdentityHashMap<>());

    /**
     * The watch of a scheduler's archivers.
     *
     * @param archivers those of this node, by the names of their plugins
     */
    HealthWatch(Scheduler scheduler, Supplier<Map<String, NodeHealth>> archivers) {
        this.scheduler = scheduler;
        this.archivers = archivers;
    }

    void start() {
        thread.setDaemon(true);
        thread.start();
    }

    /** Lets a look that goes on end before the pools are closed under it. */
    void shutdown() {
        shutdown.countDown();
        try {
            thread.join(STEP_AT_SHUTDOWN.toMillis());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void watch() {
        try {
            do {
                archivers.get().forEach(this::look);
            } while (!shutdown.await(INTERVAL.toMillis(), TimeUnit.MILLISECONDS));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void look(String name, NodeHealth archiver) {
        try {
            Health health = archiver.read(scheduler, Clock.systemUTC());
            if (shutdown.getCount() == 0) {
                return;
            }
            tell(name, health);
            for (SweepListener listener : SweepListeners.of(scheduler, name)) {
                tell(listener, archiver.table(), name, health);
            }
        } catch (SchedulerException | RuntimeException | LinkageError e) {
            log.warn("Archiver {}: its health could not be told", name, e);
        }
    }

    /** One that throws keeps no other from hearing. */
    private void tell(SweepListener listener, String table, String name, Health health) {
        try {
            listener.healthRead(table, name, health);
        } catch (RuntimeException | Error e) {
            if (failed.add(listener)) {
                log.warn("Archiver {}: a sweep listener failed to hear of the health", name, e);
            }
        }
    }

    private void tell(String name, Health health) {
        Health.Status status = health.status();
        boolean silent = status == Health.Status.LATE || status == Health.Status.NO_SIGN_OF_LIFE;
        if (silent && logged.put(name, status) != status) {
            log.warn("Archiver {}: {}: {}", name, status, health.message());
        } else if (health.ok() && logged.remove(name) != null) {
            log.info("Archiver {}: {}: {}", name, status, health.message());
        }
    }
}
