package io.usagearchiver.testing;

import io.usagearchiver.cli.Main;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.TimeUnit;

/** The command {@code node} in a JVM of its own. */
public final class NodeProcess implements AutoCloseable {
    private final Path directory;
    private final Process process;

    private NodeProcess(Path directory, Process process) {
        this.directory = directory;
        this.process = process;
    }

    /** Starts a node with a configuration file of these properties, and further options, in this JVM's time zone, and the slow way if this
     * JVM goes that. */
    public static NodeProcess start(Properties properties, Map<String, String> environment, String... options) {
        try {
            Path directory = Files.createTempDirectory("usage-archiver-node");
            Path config = directory.resolve("quartz.properties");
            try (Writer file = Files.newBufferedWriter(config)) {
                properties.store(file, null);
            }
            ProcessBuilder builder = new ProcessBuilder(
                            Path.of(System.getProperty("java.home"), "bin", "java")
                                    .toString(),
                            "-Xmx256m",
                            "-XX:TieredStopAtLevel=1",
                            "-Duser.timezone=" + System.getProperty("user.timezone"),
                            "-D" + SlowPath.PROPERTY + "=" + System.getProperty(SlowPath.PROPERTY, "true"),
                            "-Dorg.jooq.no-logo=true",
                            "-Dorg.jooq.no-tips=true",
                            "-cp",
                            System.getProperty("java.class.path"),
                            Main.class.getName(),
                            "node",
                            "--config",
                            config.toString())
                    .redirectErrorStream(true)
                    .redirectOutput(directory.resolve("log").toFile());
            builder.command().addAll(List.of(options));
            builder.environment().putAll(environment);
            Process process = builder.start();
            // Also where the tests are broken off.
            Runtime.getRuntime().addShutdownHook(new Thread(process::destroyForcibly));
            return new NodeProcess(directory, process);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The id of the process. */
    public long pid() {
        return process.pid();
    }

    /** Sends SIGTERM and returns at once. */
    public void terminate() {
        process.destroy();
    }

    /** Whether it has ended, or does so within the limit. */
    public boolean ends(Duration limit) throws InterruptedException {
        return process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS);
    }

    /** The exit code of a node that has ended. */
    public int exitCode() {
        return process.exitValue();
    }

    /** All that it has written. */
    public String log() {
        try {
            return Files.readString(directory.resolve("log"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() throws IOException {
        process.destroyForcibly().onExit().join();
        for (String file : new String[] {"quartz.properties", "log"}) {
            Files.deleteIfExists(directory.resolve(file));
        }
        Files.delete(directory);
    }
}
