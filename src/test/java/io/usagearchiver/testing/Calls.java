package io.usagearchiver.testing;

import static org.assertj.core.api.Assertions.assertThat;

import io.usagearchiver.ArchivePair;
import io.usagearchiver.ArchiveSettings;
import io.usagearchiver.Archiver;
import io.usagearchiver.ConnectionSource;
import io.usagearchiver.ForeignTable;
import java.time.LocalDateTime;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jooq.Record;
import org.jooq.TableField;
import org.jooq.impl.SQLDataType;

/**
 * A hot table with a partition for each of three months that have expired and one that has not, all of it the archiver's own
 * role's, and an archive that is partitioned by the same column and has no partition.
 *
 * @param execute executes statements as a superuser
 * @param strings the first column of a query's rows
 */
public record Calls(Consumer<String> execute, Function<String, List<String>> strings) {
    /** The months that are to be handed over. */
    public static final List<String> EXPIRED = List.of("call_2024_01", "call_2024_02", "call_2024_03");

    private static final LocalDateTime NOW = LocalDateTime.parse("2026-06-15T12:00");
    private static final ForeignTable HOT = new ForeignTable("public", "call");
    private static final TableField<Record, Long> ID = HOT.column("id", SQLDataType.BIGINT);
    private static final TableField<Record, LocalDateTime> AT = HOT.column("at", SQLDataType.LOCALDATETIME);
    private static final TableField<Record, LocalDateTime> DONE = HOT.column("done", SQLDataType.LOCALDATETIME);

    /** The pair; the age of a call is when it was done, else when it began. */
    public static final ArchivePair<?> PAIR =
            TestedPair.of(ArchivePair.of(HOT, HOT.twin("public", "call_archive"), List.of(ID, AT), DONE, AT));

    /** In a test's database. */
    public static Calls of(TestDatabase db) {
        return new Calls(db::execute, db::strings);
    }

    /** On a server that is to be crashed. */
    public static Calls of(FaultServer server) {
        return new Calls(server::execute, server::strings);
    }

    /** Makes the tables anew, with so many rows in each of the partitions. */
    public void create(int rows) {
        execute.accept("DROP TABLE IF EXISTS call, call_archive, original CASCADE; TRUNCATE usage_archive_sweep,"
                + " usage_archive_hold, usage_archive_baseline; GRANT CREATE ON SCHEMA public TO "
                + TestDatabase.ARCHIVER
                + "; SET ROLE " + TestDatabase.ARCHIVER + "; "
                + table("call") + table("call_archive")
                + month(2024, 1) + month(2024, 2) + month(2024, 3) + month(2026, 6) + " RESET ROLE;"
                + " INSERT INTO call SELECT i, at, CASE WHEN i % 2 = 0 THEN at + interval '1 hour' END, 'note ' || i"
                + " FROM (SELECT i, start + i * interval '1 second' AS at FROM generate_series(1, " + rows + ") i,"
                + " unnest(ARRAY[timestamp '2024-01-01', '2024-02-01', '2024-03-01', '2026-06-01']) start) s;"
                + " CREATE TABLE original AS TABLE call");
    }

    private static String table(String name) {
        return "CREATE TABLE " + name + " (id bigint, at timestamp, done timestamp, note text, PRIMARY KEY (id, at))"
                + " PARTITION BY RANGE (at); CREATE INDEX ON " + name + " (at); CREATE INDEX ON " + name + " (done);"
                + " GRANT SELECT, INSERT, DELETE, UPDATE ON " + name + " TO " + TestDatabase.RESTORER + ";";
    }

    private static String month(int year, int month) {
        return " CREATE TABLE call_%d_%02d PARTITION OF call ".formatted(year, month) + bounds(year, month) + ";";
    }

    /** The bounds of a month's partition. */
    public static String bounds(int year, int month) {
        return "FOR VALUES FROM ('%d-%02d-01') TO ('%d-%02d-01')".formatted(year, month, year, month + 1);
    }

    /** An archiver for which the months have expired, and that hands over. */
    public static Archiver.Builder archiver(ConnectionSource connections) {
        return Archiver.builder(PAIR, connections)
                .clock(UsageRows.clockAt(NOW))
                .settings(ArchiveSettings.defaults().withHandOver(true).withBatchSize(1000));
    }

    /** The partitions of a table. */
    public List<String> partitions(String table) {
        return strings.apply("SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = '" + table
                + "'::regclass ORDER BY cast(inhrelid::regclass AS text)");
    }

    /** Asserts that the archive has the rows that meet a condition, and the hot table the others, all unchanged. */
    public void assertArchived(String condition) {
        String rows = "SELECT r::text FROM %s r WHERE %s ORDER BY at, id";
        assertThat(strings.apply(rows.formatted("call_archive", "true")))
                .isEqualTo(strings.apply(rows.formatted("original", condition)));
        assertThat(strings.apply(rows.formatted("call", "true")))
                .isEqualTo(strings.apply(rows.formatted("original", "NOT (" + condition + ")")));
    }

    /** Asserts that each row is in one of the tables, unchanged, each partition in one of them, and the ledger exact. */
    public void assertNothingLost() {
        assertThat(strings.apply("(TABLE original EXCEPT ALL (TABLE call UNION ALL TABLE call_archive)) UNION ALL"
                        + " ((TABLE call UNION ALL TABLE call_archive) EXCEPT ALL TABLE original)"))
                .isEmpty();
        assertThat(strings.apply(
                        "SELECT sum(rows_moved) = (SELECT count(*) FROM call_archive) FROM usage_archive_sweep"))
                .containsExactly("t");
        assertThat(
                        strings.apply(
                                "SELECT c.oid::regclass FROM pg_class c WHERE c.relname ~ '^call_\\d' AND c.relkind = 'r'"
                                        + " AND (SELECT count(*) FROM pg_inherits i WHERE i.inhrelid = c.oid AND NOT i.inhdetachpending) <> 1"))
                .as("partitions of neither table, or of both")
                .isEmpty();
    }

    /** Asserts that no table has anything of the archiver's own. */
    public void assertNothingLeftBehind() {
        assertThat(strings.apply("SELECT conname FROM pg_constraint WHERE conname LIKE 'usage_archiver%' UNION ALL"
                        + " SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid"))
                .isEmpty();
    }
}
