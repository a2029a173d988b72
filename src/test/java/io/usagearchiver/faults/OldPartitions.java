package io.usagearchiver.faults;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.usagearchiver.testing.FaultServer;
import io.usagearchiver.testing.TestDatabase;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.time.LocalDateTime;
import java.util.Map;

/**
 * The usage tables in partitions by the time of creation, all the archiver's own: one for whatever comes, and by and by some for
 * times of long ago, all of whose rows have expired. Of each {@link #AT_ONCE} that are made, some rows of the first are under a
 * hold, the archive has an empty partition for the second, and rows of the last two are completed late.
 */
final class OldPartitions {
    /** The properties of the archiver for these tables, whose keys are not those of the compiled pair. */
    static final Map<String, String> SETTINGS = Map.of(
            "hotTable", "public." + Usage.HOT,
            "archiveTable", "public." + Usage.ARCHIVE,
            "keyColumns", "id, created_at",
            "ageColumns", "completed_at, created_at",
            "handOver", "true");

    static final int AT_ONCE = 6;

    /** Rows that are under a hold, by their ages. */
    static final String HELD = "exists (select from (select age_from, age_to from usage_archive_hold) h"
            + " where coalesce(completed_at, created_at) >= age_from and coalesce(completed_at, created_at) < age_to)";

    private static final int FIRST_LATE = 4;
    private static final Duration LENGTH = Duration.ofDays(10);

    /** No writer thinks of any time before by itself. */
    private static final LocalDateTime END = LocalDateTime.parse("2015-01-01T00:00");

    private static final String OLD = "created_at < '" + END + "'";
    private static final Duration PATIENCE = Duration.ofSeconds(30);

    /** No batch takes such locks. The pause is there for the others, who need the processor. */
    private static final String HANDING_OVER = "SELECT count(*) > 0 FROM pg_locks JOIN pg_stat_activity USING (pid),"
            + " pg_sleep(0.002) WHERE usename = '" + TestDatabase.ARCHIVER + "' AND locktype = 'relation' AND granted"
            + " AND mode IN ('ShareLock', 'ShareUpdateExclusiveLock', 'AccessExclusiveLock')";

    private static final Duration MOST_WAITING = Duration.ofSeconds(4);

    private final FaultServer server;
    private int made;

    OldPartitions(FaultServer server) {
        this.server = server;
    }

    /** Makes the tables. The archive has an index that the hot table lacks. */
    static String tables() {
        return "GRANT CREATE ON SCHEMA public TO " + TestDatabase.ARCHIVER + "; " + table(Usage.HOT)
                + table(Usage.ARCHIVE) + " CREATE INDEX ON " + Usage.ARCHIVE + " (user_id);";
    }

    private static String table(String name) {
        return Bench.partitioned(name, "id, created_at", "RANGE (created_at)", "DEFAULT")
                + " ALTER TABLE T$ OWNER TO OWNER$; ALTER TABLE T$_1 OWNER TO OWNER$;"
                        .replace("T$", name)
                        .replace("OWNER$", TestDatabase.ARCHIVER);
    }

    /** Whether a row stays in its partition when it changes, and so may become one that has not expired. */
    static boolean keepsItsPartition(Usage row) {
        long age = Duration.between(row.createdAt(), END).toMillis();
        return age > 0 && age / LENGTH.toMillis() % AT_ONCE >= FIRST_LATE;
    }

    /** Makes some, and gives rows to them. */
    void load(Writers writers, int rows) throws SQLException {
        hold(from(made));
        // One after the other: who holds one table here must not wait for another.
        String ahead = partition("ahead_" + (made + 1), Usage.ARCHIVE, made + 1);
        StringBuilder hot = new StringBuilder();
        LocalDateTime end = from(made).plus(LENGTH);
        for (int i = 0; i < AT_ONCE; i++) {
            hot.append(partition("old_" + made, Usage.HOT, made));
            made++;
        }
        server.execute(hot.toString());
        server.execute(ahead);
        writers.load(rows, from(made - 1), end);
    }

    private static LocalDateTime from(int number) {
        return END.minus(LENGTH.multipliedBy(number + 1L));
    }

    private static String partition(String name, String table, int number) {
        return "CREATE TABLE " + name + " PARTITION OF " + table + " FOR VALUES FROM ('" + from(number) + "') TO ('"
                + from(number).plus(LENGTH) + "'); ALTER TABLE " + name + " OWNER TO " + TestDatabase.ARCHIVER + "; ";
    }

    /** A tenth of a partition. */
    private void hold(LocalDateTime from) {
        server.execute(
                "INSERT INTO usage_archive_hold (table_name, age_from, age_to, reason, created_by, node, created_at)"
                        + " VALUES ('public." + Usage.HOT + "', '" + from + "', '" + from.plus(LENGTH.dividedBy(10))
                        + "', 'a test', 'test', 'test', '2020-01-01');"
                        + " UPDATE usage_archive_sweep SET holds_version = holds_version + 1 WHERE state = 'RUNNING'");
    }

    /**
     * Waits until a session of the archiver is handing something over.
     *
     * @return whether one does; not if the faults before keep sweeps from beginning
     */
    boolean awaitHandOver() throws SQLException {
        long end = System.nanoTime() + MOST_WAITING.toNanos();
        try (Connection connection = server.connect();
                PreparedStatement look = connection.prepareStatement(HANDING_OVER)) {
            while (System.nanoTime() < end) {
                try (ResultSet row = look.executeQuery()) {
                    row.next();
                    if (row.getBoolean(1)) {
                        return true;
                    }
                }
            }
        }
        return false;
    }

    /** How many have been handed over. */
    long handedOver() {
        return server.number("SELECT count(*) FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = '"
                + Usage.ARCHIVE + "'::regclass AND relname ~ '^old_'");
    }

    /** How many of them, those that have not been handed over, have had rows that were moved one by one. */
    private long goneRowByRow() {
        return server.number("SELECT count(DISTINCT date_bin('" + LENGTH.toDays() + " days', created_at, '" + END
                + "'))" + " FROM " + Usage.ARCHIVE + " WHERE " + OLD + " AND tableoid::regclass::text !~ '^old_'");
    }

    /** Asserts that each is in one of the tables, and no row under a hold is in the archive. */
    void assertNoneIsLost() {
        assertThat(server.number("SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relname ~ '^old_'"))
                .isEqualTo(made);
        assertThat(server.strings("SELECT relname FROM pg_class c WHERE relkind = 'r' AND relname ~ '^old_' AND (SELECT"
                        + " count(*) FROM pg_inherits WHERE inhrelid = c.oid AND NOT inhdetachpending) <> 1"))
                .as("partitions of neither table")
                .isEmpty();
        assertThat(server.number("SELECT count(*) FROM " + Usage.ARCHIVE + " WHERE " + HELD))
                .as("rows in the archive that are held")
                .isZero();
        assertThat(server.number("SELECT count(*) FROM " + Usage.HOT + " WHERE " + HELD))
                .as("rows that are held")
                .isPositive();
        assertThat(leftBehind(Usage.ARCHIVE)).isZero();
    }

    /** The same once sweeps have had the tables for themselves, which then leave nothing of theirs on the hot table. */
    void assertTidy() {
        await("no CHECK is left behind").atMost(PATIENCE).until(() -> leftBehind(Usage.HOT) == 0);
    }

    /** Asserts that partitions were handed over, and that others had something in the way. */
    void assertBothWays() {
        assertThat(handedOver()).as("handed over of %s", made).isPositive();
        assertThat(goneRowByRow()).as("gone row by row of %s", made).isPositive();
    }

    /** Of partitions that have rows: what is empty is not looked at. */
    private long leftBehind(String table) {
        return server
                .strings("SELECT conrelid::regclass FROM pg_constraint JOIN pg_inherits ON inhrelid = conrelid"
                        + " WHERE conname LIKE 'usage_archiver%' AND inhparent = '" + table + "'::regclass")
                .stream()
                .filter(partition -> server.number("SELECT count(*) FROM " + partition) > 0)
                .count();
    }

    @Override
    public String toString() {
        return handedOver() + " of " + made + " partitions handed over, " + goneRowByRow() + " gone row by row";
    }
}
