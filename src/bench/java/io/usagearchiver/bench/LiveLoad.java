package io.usagearchiver.bench;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;

/**
 * What applications do to the hot table, at a steady rate. An operation's latency counts from the moment at which it was
 * due, so that a stall shows in all the operations that had to wait for it.
 */
final class LiveLoad implements AutoCloseable {
    /** An operation, and how often it is due. */
    enum Kind {
        INSERT(100),
        POINT_READ(200),
        UPDATE(50),
        RANGE_QUERY(2);

        private final long periodNanos;

        Kind(int perSecond) {
            periodNanos = TimeUnit.SECONDS.toNanos(1) / perSecond;
        }

        String title() {
            return name().charAt(0)
                    + name().substring(1).toLowerCase(java.util.Locale.ROOT).replace('_', ' ');
        }
    }

    private final Database database;
    private final Usage usage;
    private final List<Client> clients = new ArrayList<>();
    private volatile boolean ended;

    private LiveLoad(Database database, Usage usage) {
        this.database = database;
        this.usage = usage;
    }

    static LiveLoad start(Database database, Usage usage) {
        LiveLoad load = new LiveLoad(database, usage);
        for (Kind kind : Kind.values()) {
            Client client = new Client(load, kind);
            load.clients.add(client);
            client.start();
        }
        return load;
    }

    /** The latencies of operations of a kind that were due in an interval, sorted. */
    long[] latencies(Kind kind, long fromNanos, long toNanos) {
        return clients.get(kind.ordinal()).between(fromNanos, toNanos).sorted().toArray();
    }

    /** How many rows were inserted. */
    long inserted() {
        return clients.get(Kind.INSERT.ordinal()).changed;
    }

    /** How many rows were updated: each has had one added to its {@code prompt_cached_token_count}. */
    long updated() {
        return clients.get(Kind.UPDATE.ordinal()).changed;
    }

    /** Ends the load. */
    @Override
    public void close() throws InterruptedException {
        ended = true;
        for (Client client : clients) {
            client.join();
        }
        for (Client client : clients) {
            if (client.fault != null) {
                throw new IllegalStateException(client.kind + " failed", client.fault);
            }
        }
    }

    /** A session that repeats one operation. */
    private static final class Client extends Thread {
        private final LiveLoad load;
        private final Kind kind;
        private long[] due = new long[1024];
        private long[] latency = new long[1024];
        private int count;
        private volatile long changed;
        private volatile @Nullable SQLException fault;

        Client(LiveLoad load, Kind kind) {
            super("live load: " + kind);
            this.load = load;
            this.kind = kind;
        }

        @Override
        public void run() {
            try (Connection connection = load.database.connectAsOwner();
                    PreparedStatement statement = connection.prepareStatement(sql())) {
                for (long next = System.nanoTime(); !load.ended; next += kind.periodNanos) {
                    for (long wait = next - System.nanoTime(); wait > 0; wait = next - System.nanoTime()) {
                        LockSupport.parkNanos(wait);
                    }
                    operate(statement);
                    record(next, System.nanoTime() - next);
                }
            } catch (SQLException e) {
                fault = e;
            }
        }

        private String sql() {
            return switch (kind) {
                case INSERT -> """
                        INSERT INTO model_usage_details (user_id, user_name, model_id, model_name, api_key_id, date,
                          prompt_token_count, completion_token_count, completed, started_at, completed_at, created_at,
                          updated_at) VALUES (7, 'user-7', 3, 'model-3', 11, ?::date, 100, 50, true, ?, ?, ?, ?)""";
                case POINT_READ -> "SELECT * FROM model_usage_details WHERE id = ?";
                case UPDATE ->
                    "UPDATE model_usage_details SET prompt_cached_token_count = prompt_cached_token_count + 1"
                            + " WHERE id = ?";
                case RANGE_QUERY -> """
                        SELECT model_id, count(*), sum(prompt_token_count), sum(completion_token_count)
                        FROM model_usage_details WHERE completed_at >= ? AND completed_at < ? GROUP BY model_id""";
            };
        }

        private void operate(PreparedStatement statement) throws SQLException {
            ThreadLocalRandom random = ThreadLocalRandom.current();
            int retained = load.usage.rows() - load.usage.expired();
            int first = load.usage.archived() + 1;
            switch (kind) {
                case INSERT -> {
                    for (int bind = 1; bind <= 5; bind++) {
                        statement.setObject(bind, Usage.CUTOFF.plusMonths(12));
                    }
                    changed += statement.executeUpdate();
                }
                case POINT_READ -> {
                    statement.setInt(1, first + load.usage.expired() + random.nextInt(retained));
                    statement.executeQuery().close();
                }
                case UPDATE -> {
                    statement.setInt(1, first + random.nextInt(load.usage.rows()));
                    changed += statement.executeUpdate();
                }
                case RANGE_QUERY -> {
                    LocalDateTime from = Usage.CUTOFF.plusSeconds(random.nextLong(retained * 7L - 21_600));
                    statement.setObject(1, from);
                    statement.setObject(2, from.plusHours(6));
                    statement.executeQuery().close();
                }
            }
        }

        private synchronized void record(long dueNanos, long latencyNanos) {
            if (count == due.length) {
                due = Arrays.copyOf(due, 2 * count);
                latency = Arrays.copyOf(latency, 2 * count);
            }
            due[count] = dueNanos;
            latency[count++] = latencyNanos;
        }

        private synchronized LongStream between(long from, long to) {
            long[] found = new long[count];
            int size = 0;
            for (int i = 0; i < count; i++) {
                if (due[i] - from >= 0 && due[i] - to < 0) {
                    found[size++] = latency[i];
                }
            }
            return Arrays.stream(found, 0, size);
        }
    }
}
