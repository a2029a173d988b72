package io.usagearchiver.faults;

import static java.util.concurrent.TimeUnit.MILLISECONDS;

import io.usagearchiver.ConnectionSource;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntConsumer;
import java.util.function.Predicate;
import java.util.stream.IntStream;

/**
 * Applications that insert, update and delete usage rows, expired and not, and write down what they were told. Each row
 * has one writer. An update may make an expired row current, and the other way round. They go on by themselves after a
 * restart of the server.
 */
final class Writers implements AutoCloseable {
    /** How long rows stay hot: the default, by which sweeps run. */
    private static final int RETENTION_MONTHS = 13;

    private static final int INTERVAL_MILLIS = 10;

    /** How many seconds a row was completed after its creation. */
    private static final int LAG = 5;

    private final ConnectionSource connections;
    private final History history;
    private final Predicate<Usage> keepsCreation;
    private final Random random;
    private final AtomicInteger lastId = new AtomicInteger();
    private final List<Writer> writers;
    private final ScheduledExecutorService threads;

    /** Writers that do nothing yet. */
    Writers(ConnectionSource connections, History history, long seed, int count) {
        this(connections, history, seed, count, row -> false);
    }

    /**
     * The same.
     *
     * @param keepsCreation whether a row's time of creation stays when it is updated
     */
    Writers(ConnectionSource connections, History history, long seed, int count, Predicate<Usage> keepsCreation) {
        this.connections = connections;
        this.history = history;
        this.keepsCreation = keepsCreation;
        this.random = new Random(seed);
        this.writers = IntStream.range(0, count)
                .mapToObj(i -> new Writer(new Random(random.nextLong())))
                .toList();
        this.threads = Executors.newScheduledThreadPool(count);
        writers.forEach(writer -> threads.scheduleWithFixedDelay(writer::step, 0, INTERVAL_MILLIS, MILLISECONDS));
    }

    /** Inserts this many expired rows in one statement, and gives them to the writers. */
    void load(int count) throws SQLException {
        load(IntStream.range(0, count)
                .mapToObj(i -> row(random, lastId.incrementAndGet(), 0, true))
                .toList());
    }

    /** The same, created within this time. */
    void load(int count, LocalDateTime from, LocalDateTime to) throws SQLException {
        load(IntStream.range(0, count)
                .mapToObj(i -> row(
                        random,
                        lastId.incrementAndGet(),
                        0,
                        from.plusSeconds(
                                LAG + random.nextLong(Duration.between(from, to).toSeconds() - LAG))))
                .toList());
    }

    private void load(List<Usage> rows) throws SQLException {
        try (Connection connection = connections.open()) {
            write(
                    () -> Usage.insert(connection, rows),
                    inserted -> rows.forEach(row -> history.acknowledged(row.id(), Optional.of(row))),
                    () -> rows.forEach(row -> history.unknown(row.id(), Optional.of(row))));
        }
        rows.forEach(row -> writers.get(row.id() % writers.size()).given.add(row));
    }

    /** Lets them write, each about once in ten milliseconds. */
    void start() {
        writers.forEach(writer -> writer.activate(true));
    }

    /**
     * Lets them finish what they do. They write nothing until they are started again.
     *
     * @throws IllegalStateException if one had an error that no fault explains
     */
    void stop() {
        writers.forEach(writer -> writer.activate(false));
    }

    @Override
    public void close() throws InterruptedException {
        threads.shutdown();
        if (!threads.awaitTermination(60, TimeUnit.SECONDS)) {
            throw new IllegalStateException("A writer hangs");
        }
        for (Writer writer : writers) {
            writer.disconnect();
        }
    }

    /** A row whose age is a day or more before or behind any cutoff of the test. */
    private static Usage row(Random random, int id, long version, boolean expired) {
        LocalDateTime cutoff =
                LocalDateTime.now(ZoneOffset.UTC).minusMonths(RETENTION_MONTHS).truncatedTo(ChronoUnit.MICROS);
        LocalDateTime age = expired
                ? cutoff.minusDays(1).minusSeconds(random.nextInt(50_000_000))
                : cutoff.plusDays(1).plusSeconds(random.nextInt(30_000_000));
        return row(random, id, version, age);
    }

    private static Usage row(Random random, int id, long version, LocalDateTime age) {
        boolean completed = random.nextInt(20) > 0;
        return completed ? new Usage(id, version, age, age.minusSeconds(LAG)) : new Usage(id, version, null, age);
    }

    private static boolean mayBeMoved(Usage row) {
        return row.age().isBefore(LocalDateTime.now(ZoneOffset.UTC).minusMonths(RETENTION_MONTHS));
    }

    private static void write(Write write, IntConsumer acknowledged, Runnable unknown) throws SQLException {
        int rows;
        try {
            rows = write.execute();
        } catch (SQLException e) {
            String state = String.valueOf(e.getSQLState());
            if (!state.startsWith("08") && !state.startsWith("57")) {
                throw new IllegalStateException("A writer was refused: " + e.getMessage(), e);
            }
            unknown.run();
            throw e;
        }
        acknowledged.accept(rows);
    }

    private interface Write {
        int execute() throws SQLException;
    }

    /** One application. */
    private final class Writer {
        private final Random random;
        private final Queue<Usage> given = new ConcurrentLinkedQueue<>();
        private final List<Usage> rows = new ArrayList<>();
        private Connection connection;
        private RuntimeException failure;
        private boolean active;

        Writer(Random random) {
            this.random = random;
        }

        synchronized void activate(boolean active) {
            this.active = active;
            if (failure != null) {
                throw failure;
            }
        }

        synchronized void step() {
            if (!active) {
                return;
            }
            try {
                if (connection == null) {
                    connection = connections.open();
                }
                for (Usage row = given.poll(); row != null; row = given.poll()) {
                    rows.add(row);
                }
                int dice = random.nextInt(10);
                if (dice < 4 || rows.isEmpty()) {
                    insert();
                } else if (dice < 8) {
                    update(pick());
                } else {
                    delete(pick());
                }
            } catch (SQLException e) {
                disconnect();
            } catch (RuntimeException e) {
                failure = e;
                throw e;
            }
        }

        synchronized void disconnect() {
            try {
                if (connection != null) {
                    connection.close();
                }
            } catch (SQLException e) {
                // It is gone already.
            }
            connection = null;
        }

        /** The oldest of some of its rows, since that is what a sweep is at. */
        private int pick() {
            return random.ints(20, 0, rows.size())
                    .boxed()
                    .min(Comparator.comparing(index -> rows.get(index).age()))
                    .orElseThrow();
        }

        private void insert() throws SQLException {
            Usage row = row(random, lastId.incrementAndGet(), 0, random.nextBoolean());
            rows.add(row);
            write(
                    () -> Usage.insert(connection, List.of(row)),
                    inserted -> history.acknowledged(row.id(), Optional.of(row)),
                    () -> history.unknown(row.id(), Optional.of(row)));
        }

        private void update(int index) throws SQLException {
            Usage old = rows.get(index);
            boolean expired = mayBeMoved(old) != (random.nextInt(4) == 0);
            Usage next = row(random, old.id(), old.version() + 1, expired);
            Usage row = keepsCreation.test(old)
                    ? new Usage(next.id(), next.version(), next.completedAt(), old.createdAt())
                    : next;
            rows.set(index, row);
            write(
                    () -> row.update(connection),
                    updated -> acknowledge(updated, index, old, Optional.of(row)),
                    () -> history.unknown(row.id(), Optional.of(row)));
        }

        private void delete(int index) throws SQLException {
            Usage old = rows.get(index);
            write(
                    () -> old.delete(connection),
                    deleted -> acknowledge(deleted, index, old, Optional.empty()),
                    () -> history.unknown(old.id(), Optional.empty()));
        }

        /** Notes an update or a delete. The row leaves the writer if it is deleted, or archived by now. */
        private void acknowledge(int count, int index, Usage old, Optional<Usage> state) {
            if (count == 1) {
                history.acknowledged(old.id(), state);
            } else if (history.states(old.id()).stream().noneMatch(s -> s.isEmpty() || mayBeMoved(s.get()))) {
                history.missed(old);
            }
            if (count == 0 || state.isEmpty()) {
                Usage last = rows.remove(rows.size() - 1);
                if (index < rows.size()) {
                    rows.set(index, last);
                }
            }
        }
    }
}
