package io.usagearchiver.bench;

import io.usagearchiver.bench.Run.Metric;
import java.nio.file.Path;
import java.sql.DriverManager;
import java.util.List;

/** The largest backlog in a JVM with next to no memory. */
final class SmallHeap implements Scenario {
    static final String NAME = "small-heap";

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public String description() {
        return "The largest backlog, swept by a JVM of its own with a small heap; its start is in the" + " time.";
    }

    @Override
    public void run(Bench bench) throws Exception {
        Usage usage = Usage.of(bench.scale().large());
        bench.race()
                .run(
                        new Race.Course(NAME, Backlog.setting(usage.rows()), usage),
                        List.of(new OwnProcess("-Xmx48m")),
                        1,
                        Metric.ROWS_PER_SECOND);
    }

    /** The archiver in a JVM of its own. */
    private record OwnProcess(String heap) implements Contestant {
        @Override
        public String name() {
            return "archiver, java " + heap;
        }

        @Override
        public void move(Database database) throws Exception {
            Process process = new ProcessBuilder(
                            Path.of(System.getProperty("java.home"), "bin", "java")
                                    .toString(),
                            heap,
                            "-XX:+ExitOnOutOfMemoryError",
                            "-Dorg.jooq.no-logo=true",
                            "-Dorg.jooq.no-tips=true",
                            "-Dlogback.configurationFile=" + System.getProperty("logback.configurationFile"),
                            "-cp",
                            System.getProperty("java.class.path"),
                            Sweep.class.getName(),
                            database.url(),
                            database.role(),
                            database.password())
                    .inheritIO()
                    .start();
            if (process.waitFor() != 0) {
                throw new IllegalStateException("The JVM ended with exit code " + process.exitValue());
            }
        }
    }

    /** The main class of that JVM. */
    static final class Sweep {
        private Sweep() {}

        /** Sweeps the database of a JDBC URL, a user and a password. */
        public static void main(String[] args) {
            Ours.DEFAULT.sweep(() -> DriverManager.getConnection(args[0], args[1], args[2]));
        }
    }
}
