package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;

import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.UsageRows;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

/**
 * Applications update expired rows, just where a sweep is at work. Each writer has rows of its own and counts up in
 * them, so a row's last acknowledged count must be what is stored in the end, wherever the row is; an update that
 * reported no row must be stored nowhere.
 */
class ConcurrentUpdatesTest {
    private static final int ROWS = 20_000;
    private static final int BATCH_SIZE = 50;
    private static final int WRITERS = 4;

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    @AutoClose("shutdownNow")
    private final ExecutorService threads = Executors.newFixedThreadPool(WRITERS);

    private final UsageRows rows = new UsageRows(db);

    /** By id: the last count whose update reported one row; a row starts with 0. */
    private final int[] acknowledged = new int[ROWS + 1];

    /** The id up to which the sweep has come. */
    private volatile int front;

    private volatile boolean ended;

    @Test
    void every_acknowledged_update_is_in_the_archive_and_the_others_reported_no_row() throws Exception {
        rows.replaceWithExpired(ROWS);
        rows.change("UPDATE {table} SET prompt_token_count = 0");
        List<Future<Writer>> writers = new ArrayList<>();
        for (int i = 0; i < WRITERS; i++) {
            writers.add(threads.submit(new Writer(i)::run));
        }

        rows.archiver(BATCH_SIZE)
                .listener(new SweepListener() {
                    @Override
                    public void batchCommitted(SweepProgress progress) {
                        front = (int) progress.batches() * BATCH_SIZE;
                    }
                })
                .build()
                .sweep();
        ended = true;
        int updates = 0;
        int refusals = 0;
        for (Future<Writer> writer : writers) {
            Writer done = writer.get(1, TimeUnit.MINUTES);
            updates += done.updates;
            refusals += done.refusals;
        }
        // What a writer had locked at the very end is left for the next sweep.
        SweepResult last = rows.archiver(BATCH_SIZE).build().sweep();

        assertThat(last.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(updates).as("acknowledged updates").isGreaterThan(1000);
        assertThat(refusals).as("updates that came too late").isGreaterThan(100);
        rememberAcknowledged();
        List<String> lost = db.strings("""
                SELECT format('id %s: %s acknowledged, %s archived', id, o.prompt_token_count, a.prompt_token_count)
                FROM original o JOIN model_usage_details_archive a USING (id)
                WHERE o.prompt_token_count <> a.prompt_token_count""");
        assertThat(lost)
                .as("the last updates of %s rows are lost, of %s acknowledged", lost.size(), updates)
                .isEmpty();
        rows.assertMoved("true");
    }

    private void rememberAcknowledged() throws SQLException {
        try (Connection connection = db.connectAsOwner();
                PreparedStatement update = connection.prepareStatement("UPDATE original SET prompt_token_count = count"
                        + " FROM unnest(?::int[]) WITH ORDINALITY AS a (count, place) WHERE id = place - 1")) {
            update.setObject(1, acknowledged);
            assertThat(update.executeUpdate()).isEqualTo(ROWS);
        }
    }

    private final class Writer {
        private final int number;
        private final Random random;
        private int updates;
        private int refusals;

        Writer(int number) {
            this.number = number;
            this.random = new Random(number);
        }

        Writer run() throws SQLException {
            try (Connection connection = db.connectAsOwner();
                    PreparedStatement update = connection.prepareStatement(
                            "UPDATE model_usage_details SET prompt_token_count = ? WHERE id = ?")) {
                for (int count = 1; !ended; count++) {
                    int id = nextId();
                    update.setLong(1, count);
                    update.setInt(2, id);
                    if (update.executeUpdate() == 1) {
                        acknowledged[id] = count;
                        updates++;
                    } else {
                        refusals++;
                    }
                }
            }
            return this;
        }

        /** A row of this writer's own in the batch that is next, or in the one after it. */
        private int nextId() {
            int row = (front + random.nextInt(2 * BATCH_SIZE)) / WRITERS;
            return Math.min(row, ROWS / WRITERS - 1) * WRITERS + number + 1;
        }
    }
}
