package io.usagearchiver.quartz;

import static io.usagearchiver.testing.SampleConfig.archiver;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.micrometer.core.instrument.Metrics;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.usagearchiver.SweepListener;
import io.usagearchiver.SweepResult;
import io.usagearchiver.metrics.SweepMetrics;
import io.usagearchiver.testing.SampleConfig;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestScheduler;
import java.io.File;
import java.lang.reflect.InvocationTargetException;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.quartz.JobKey;
import org.quartz.Scheduler;
import org.quartz.SchedulerException;
import org.quartz.impl.StdSchedulerFactory;

/** Listeners of a node, and hosts with and without Micrometer. */
class ListenersTest {
    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    private final Properties properties = SampleConfig.of(db);

    @BeforeEach
    void expired_rows() {
        Ends.heard.clear();
        db.insertUsage("SELECT i, timestamp '2020-01-01', timestamp '2020-01-01' FROM generate_series(1, 25) i");
    }

    @Test
    void a_property_registers_the_metrics_with_the_registry_of_the_host() throws Exception {
        SimpleMeterRegistry host = new SimpleMeterRegistry();
        Metrics.addRegistry(host);
        properties.setProperty(archiver("listeners"), SweepMetrics.class.getName());
        try (TestScheduler scheduler = new TestScheduler(properties)) {
            scheduler.get().start();
            await().until(() -> host.find(SweepMetrics.ROWS_MOVED).counter() != null
                    && host.get(SweepMetrics.ROWS_MOVED).counter().count() == 25);
        } finally {
            Metrics.removeRegistry(host);
        }
    }

    @Test
    void listeners_of_the_property_and_of_the_host_hear_of_this_nodes_sweeps_and_the_job_store_knows_nothing_of_them()
            throws Exception {
        List<SweepResult> ended = new CopyOnWriteArrayList<>();
        properties.setProperty(archiver("listeners"), Throws.class.getName() + " , " + Ends.class.getName());
        try (TestScheduler scheduler = new TestScheduler(properties)) {
            SweepListeners.add(scheduler.get(), "usageArchiver", new SweepListener() {
                @Override
                public void sweepEnded(SweepResult result) {
                    ended.add(result);
                }
            });
            scheduler.get().start();
            await().until(() -> ended.size() == 1);
            assertThat(Ends.heard).containsExactlyElementsOf(ended);
            assertThat(ended.get(0).rowsMoved()).isEqualTo(25);
            assertThat(scheduler
                            .get()
                            .getJobDetail(new JobKey("usageArchiver", "usage-archiver"))
                            .getJobDataMap())
                    .doesNotContainKey("listeners");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "no.such.Class", "java.lang.String", "io.usagearchiver.metrics.SweepMetrics,"})
    void what_is_no_listener_is_refused_by_the_scheduler_factory(String classes) {
        properties.setProperty(archiver("listeners"), classes);
        assertThatThrownBy(() -> new StdSchedulerFactory(properties).getScheduler())
                .hasStackTraceContaining(
                        "org.quartz.plugin.usageArchiver.listeners = '" + classes
                                + "': must be names of public classes with a no-argument constructor that implement SweepListener");
    }

    @Test
    void a_host_without_micrometer_archives() throws Exception {
        try (URLClassLoader loader = withoutMicrometer();
                AutoCloseable host = host(loader)) {
            assertThatThrownBy(() -> loader.loadClass("io.micrometer.core.instrument.MeterRegistry"))
                    .isInstanceOf(ClassNotFoundException.class);
            assertThat(host.getClass().getClassLoader()).isSameAs(loader);
            await().until(
                            () -> db.strings("select state || ' ' || rows_moved from usage_archive_sweep"),
                            List.of("DRAINED 25")::equals);
        }
    }

    @Test
    void a_host_without_micrometer_that_asks_for_metrics_is_told_what_is_missing() throws Exception {
        properties.setProperty(archiver("listeners"), SweepMetrics.class.getName());
        try (URLClassLoader loader = withoutMicrometer()) {
            assertThatThrownBy(() -> host(loader))
                    .hasStackTraceContaining(
                            "usageArchiver.listeners = 'io.usagearchiver.metrics.SweepMetrics': must be")
                    .hasStackTraceContaining("NoClassDefFoundError: io/micrometer/core/instrument/MeterRegistry");
        }
    }

    /** Starts a scheduler whose classes, and those of the library, all come from a loader. */
    private AutoCloseable host(ClassLoader loader) throws Exception {
        Thread thread = Thread.currentThread();
        ClassLoader before = thread.getContextClassLoader();
        thread.setContextClassLoader(loader);
        try {
            return (AutoCloseable) loader.loadClass(Host.class.getName())
                    .getConstructor(Properties.class)
                    .newInstance(properties);
        } catch (InvocationTargetException e) {
            throw (Exception) e.getCause();
        } finally {
            thread.setContextClassLoader(before);
        }
    }

    private static URLClassLoader withoutMicrometer() {
        URL[] urls = Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator))
                .filter(entry -> !entry.contains("micrometer"))
                .map(entry -> {
                    try {
                        return Path.of(entry).toUri().toURL();
                    } catch (MalformedURLException e) {
                        throw new IllegalStateException(e);
                    }
                })
                .toArray(URL[]::new);
        return new URLClassLoader(urls, ClassLoader.getPlatformClassLoader());
    }

    /** A host's scheduler. */
    public static final class Host implements AutoCloseable {
        private final Scheduler scheduler;

        /** Starts it. */
        public Host(Properties properties) throws SchedulerException {
            scheduler = new StdSchedulerFactory(properties).getScheduler();
            scheduler.start();
        }

        @Override
        public void close() throws SchedulerException {
            scheduler.shutdown(true);
        }
    }

    /** Hears of ends. */
    public static final class Ends implements SweepListener {
        private static final List<SweepResult> heard = new CopyOnWriteArrayList<>();

        @Override
        public void sweepEnded(SweepResult result) {
            heard.add(result);
        }
    }

    /** Has a bug. */
    public static final class Throws implements SweepListener {
        @Override
        public void sweepEnded(SweepResult result) {
            throw new IllegalStateException("a bug of the host");
        }
    }
}
