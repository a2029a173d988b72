package io.usagearchiver.cli;

import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.usagearchiver.ArchiveException;
import io.usagearchiver.Health;
import io.usagearchiver.cli.config.BadSettingsException;
import io.usagearchiver.cli.config.ConfigFile;
import io.usagearchiver.metrics.SweepMetrics;
import io.usagearchiver.quartz.ArchiverHealth;
import io.usagearchiver.quartz.PluginSettings;
import io.usagearchiver.quartz.SweepListeners;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.quartz.InterruptableJob;
import org.quartz.JobExecutionContext;
import org.quartz.Scheduler;
import org.quartz.SchedulerException;
import org.quartz.impl.StdSchedulerFactory;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(
        name = "node",
        description = {
            "Runs a scheduler node of the cluster in FILE until SIGTERM or SIGINT.",
            "On the signal a running batch commits; a statement that still runs after 2 s is cancelled."
        },
        exitCodeList = {
            "0:Ended by a signal, within 5 s.",
            "1:The scheduler did not start, or a data source is a standby's.",
            "2:Bad usage or settings; nothing was done."
        })
final class NodeCommand extends ArchiverCommand {
    private static final int MAX_PORT = 65535;

    @Mixin
    private ConfigOption option = new ConfigOption();

    @Option(
            names = "--metrics-port",
            order = 2,
            paramLabel = "PORT",
            description =
                    "Serve http://127.0.0.1:PORT/metrics, for Prometheus, and /health: 200 if all is well, else 503"
                            + " and why. 0 takes a free port and prints it.")
    private @Nullable Integer port;

    @Option(
            names = "--metrics-address",
            order = 3,
            paramLabel = "ADDRESS",
            description = "Serve them on another of this machine's addresses; 0.0.0.0 is all of them. There is no"
                    + " authentication.")
    private @Nullable String address;

    @Override
    public Integer call() throws SchedulerException, InterruptedException {
        ConfigFile file = option.read(context().environment());
        Map<String, PluginSettings> settings = file.archivers();
        Set<String> archivers = settings.keySet();
        PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
        SweepMetrics metrics = new SweepMetrics(registry);
        AtomicReference<@Nullable Scheduler> made = new AtomicReference<>();
        try (StatusServer server = serve(registry, () -> health(made.get(), archivers))) {
            CountDownLatch signal = new CountDownLatch(1);
            Scheduler scheduler = new StdSchedulerFactory(file.properties()).getScheduler();
            for (String archiver : archivers) {
                SweepListeners.add(scheduler, archiver, metrics);
            }
            try {
                refuseStandbys(file, settings);
            } catch (ArchiveException e) {
                scheduler.shutdown();
                throw e;
            }
            made.set(scheduler);
            context().termination().onSignal(signal::countDown);
            if (server != null) {
                print("Serving " + server.url() + "/metrics and " + server.url() + "/health");
            }
            scheduler.start();
            signal.await();
            // Not a field: the commands are made before one of them has set what logback.xml reads with the first
            // logger.
            Logger log = LoggerFactory.getLogger(NodeCommand.class);
            log.info("Node {} was asked to stop", scheduler.getSchedulerInstanceId());
            stopSweeps(scheduler);
            scheduler.shutdown(true);
            log.info("Node {} is down", scheduler.getSchedulerInstanceId());
        }
        return 0;
    }

    /** There, Quartz would go on for ever without a job. */
    private static void refuseStandbys(ConfigFile file, Map<String, PluginSettings> archivers) {
        Set<String> dataSources = new TreeSet<>();
        archivers.values().forEach(settings -> dataSources.add(settings.dataSource()));
        String jobStore = file.jobStoreDataSource();
        if (jobStore != null) {
            dataSources.add(jobStore);
        }
        dataSources.forEach(Standby::refuse);
    }

    /** A shutdown does so as well, but where a sweep is on each thread, Quartz waits for a free one before it says that it begins. */
    private static void stopSweeps(Scheduler scheduler) throws SchedulerException {
        for (JobExecutionContext job : scheduler.getCurrentlyExecutingJobs()) {
            // Quartz throws for a job of a host that knows no interruption.
            if (job.getJobInstance() instanceof InterruptableJob) {
                scheduler.interrupt(job.getFireInstanceId());
            }
        }
    }

    private static Map<String, Health> health(@Nullable Scheduler scheduler, Set<String> archivers) {
        Map<String, Health> health = new LinkedHashMap<>();
        for (String archiver : archivers) {
            try {
                health.put(
                        archiver,
                        scheduler == null
                                ? Health.of(Health.Status.NO_ANSWER, "the node is starting")
                                : ArchiverHealth.read(scheduler, archiver));
            } catch (SchedulerException e) {
                health.put(archiver, Health.of(Health.Status.NO_ANSWER, String.valueOf(e.getMessage())));
            }
        }
        return health;
    }

    private @Nullable StatusServer serve(PrometheusMeterRegistry registry, Supplier<Map<String, Health>> health) {
        if (port == null) {
            if (address != null) {
                throw new BadSettingsException("--metrics-address needs --metrics-port as well");
            }
            return null;
        }
        if (port < 0 || port > MAX_PORT) {
            throw new BadSettingsException("--metrics-port " + port + ": must be from 0 to " + MAX_PORT);
        }
        try {
            InetAddress listen =
                    address == null ? InetAddress.getLoopbackAddress() : InetAddress.getAllByName(address)[0];
            return new StatusServer(listen, port, registry::scrape, health);
        } catch (UnknownHostException e) {
            throw new BadSettingsException("--metrics-address " + address + ": there is no such address");
        }
    }
}
