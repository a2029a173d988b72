package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.usagearchiver.testing.TappedConnections;
import io.usagearchiver.testing.TestDatabase;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.YearMonth;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.jooq.SQLDialect;
import org.jooq.impl.DSL;
import org.jooq.impl.SQLDataType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The coming partitions of an archive that is partitioned by month. */
class PartitionKeeperTest {
    private static final int MONTHS = 13;

    private final TestDatabase db = TestDatabase.create();
    private final String owner = "owner_of_" + db.name();

    @BeforeEach
    void an_owner() {
        db.execute("CREATE ROLE " + owner + " LOGIN PASSWORD '" + owner + "'; GRANT CREATE, USAGE ON SCHEMA public TO "
                + owner);
    }

    @AfterEach
    void drop_database_and_role() {
        db.execute("DROP OWNED BY " + owner + " CASCADE; DROP ROLE " + owner);
        db.close();
    }

    @ParameterizedTest
    @ValueSource(strings = {"timestamp", "timestamptz", "date"})
    void what_is_missing_is_made_also_in_between_and_once(String type) {
        ArchivePair<?> pair = make(type, -20);
        List<String> all = partitions();
        assertThat(all)
                .hasSize(11)
                .contains("ticks_archive_p" + month(-13).toString().replace("-", "") + "01");
        assertThat(keep(pair).made()).isEmpty();

        db.execute("DROP TABLE " + all.get(10) + ", " + all.get(4));
        assertThat(keep(pair).made()).containsExactly(month(-16), month(-10));
        assertThat(partitions()).isEqualTo(all);
        assertThat(db.strings(
                        "SELECT DISTINCT relowner::regrole::text FROM pg_class WHERE relname LIKE 'ticks_archive%'"))
                .containsExactly(owner);
        assertThat(db.number("SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE c.relname = '"
                        + all.get(10) + "' AND indisvalid"))
                .isEqualTo(2);
        assertThat(keep(pair).made()).isEmpty();
    }

    @Test
    void sweeps_and_readers_go_on_while_one_is_made() throws SQLException {
        ArchivePair<?> pair = make("timestamp", -14);
        db.execute("DROP TABLE " + partitions().get(4));
        try (Connection sweep = db.connectAsOwner()) {
            sweep.setAutoCommit(false);
            TestDatabase.execute(
                    sweep, "INSERT INTO ticks_archive SELECT * FROM ticks; SELECT count(*) FROM ticks_archive");
            assertThat(keep(pair).made()).hasSize(1);
            sweep.rollback();
        }
    }

    @Test
    void several_nodes_at_once_make_each_once() {
        ArchivePair<?> pair = make("timestamp", -20);
        db.execute("DROP TABLE " + String.join(", ", partitions().subList(0, 8)));
        List<CompletableFuture<PartitionKeeper.Outcome>> nodes = Stream.generate(
                        () -> CompletableFuture.supplyAsync(() -> keep(pair)))
                .limit(3)
                .toList();
        List<YearMonth> made = new ArrayList<>();
        nodes.forEach(node -> made.addAll(node.join().made()));
        assertThat(made).hasSize(8).doesNotHaveDuplicates();
    }

    @Test
    void a_partition_that_somebody_else_attaches_meanwhile_is_seen() {
        ArchivePair<?> pair = make("timestamp", -14);
        String month = partitions().get(4);
        db.execute("ALTER TABLE ticks_archive DETACH PARTITION " + month);
        AtomicBoolean done = new AtomicBoolean();
        ConnectionSource meanwhile = new TappedConnections(this::connect, (sql, connection) -> {
            if ((sql.startsWith("CREATE TABLE") || sql.startsWith("lock table")) && done.compareAndSet(false, true)) {
                db.execute("ALTER TABLE ticks_archive ATTACH PARTITION " + month + " FOR VALUES FROM ('"
                        + month(-10).atDay(1) + "') TO ('" + month(-9).atDay(1) + "')");
            }
        });

        assertThat(new PartitionKeeper(pair, meanwhile, settings())
                        .keep(new StopSignal())
                        .made())
                .isEmpty();
        assertThat(done).isTrue();
    }

    @Test
    void a_partition_that_covers_a_part_of_a_month_is_its_makers_business() {
        ArchivePair<?> pair = make("timestamp", -20);
        List<String> all = partitions();
        db.execute("DROP TABLE " + String.join(", ", all.subList(0, 4))
                + "; CREATE TABLE old PARTITION OF ticks_archive FOR" + " VALUES FROM (MINVALUE) TO ('"
                + month(-18).atDay(10) + "')");

        assertThat(keep(pair).made()).containsExactly(month(-17));
    }

    @Test
    void an_archive_that_others_partition_or_nobody_is_left_alone() {
        ArchivePair<?> pair = make("timestamp", -14);
        db.execute(
                "DROP TABLE ticks_archive; CREATE TABLE ticks_archive (id bigint, at timestamp, note text, PRIMARY KEY (id, at))");
        assertThat(keep(pair).leftAlone()).isEqualTo("is not partitioned");

        db.execute(
                "DROP TABLE ticks_archive; CREATE TABLE ticks_archive (id bigint, at timestamp, note text, PRIMARY KEY (id, at))"
                        + " PARTITION BY HASH (at)");
        assertThat(keep(pair).leftAlone())
                .isEqualTo("is partitioned otherwise than by ranges of at alone; whoever made it makes its partitions");

        db.execute("DROP TABLE ticks_archive");
        assertThatExceptionOfType(ArchiveException.class)
                .isThrownBy(() -> keep(pair))
                .withMessageStartingWith("archive public.ticks_archive does not exist");
    }

    @Test
    void a_role_that_may_not_make_them_is_told_only_when_one_is_missing() {
        ArchivePair<?> pair = make("timestamp", -14);
        db.execute("GRANT SELECT ON ticks TO " + TestDatabase.ARCHIVER);
        PartitionKeeper keeper = new PartitionKeeper(pair, db.archiver(), settings());
        assertThat(keeper.keep(new StopSignal()).made()).isEmpty();

        db.execute("DROP TABLE " + partitions().get(4));
        assertThatExceptionOfType(ArchiveException.class)
                .isThrownBy(() -> keeper.keep(new StopSignal()))
                .withMessage("archive public.ticks_archive lacks the partition of " + month(-10)
                        + ", and the role usage_archiver may not make them: only its owner, " + owner
                        + ", may; 'usage-archiver maintain --data-source' with one of that role makes them");

        db.execute("REVOKE CREATE ON SCHEMA public FROM " + owner);
        assertThatExceptionOfType(ArchiveException.class)
                .isThrownBy(() -> keep(pair))
                .withMessageEndingWith("may not make them: GRANT CREATE ON SCHEMA public to it");
    }

    @Test
    void a_keeper_that_is_asked_to_stop_stops() {
        ArchivePair<?> pair = make("timestamp", -14);
        db.execute("DROP TABLE " + String.join(", ", partitions().subList(0, 3)));
        StopSignal stop = new StopSignal();
        stop.request();

        assertThatExceptionOfType(SweepStoppedException.class)
                .isThrownBy(() -> new PartitionKeeper(pair, this::connect, settings()).keep(stop));
    }

    /** A hot table whose oldest row is of some months ago, and its archive. */
    private ArchivePair<?> make(String type, int months) {
        db.execute(TicksPair.table(type) + "; INSERT INTO ticks SELECT 1, timezone('UTC', now()) + " + months
                + " * interval '1 month'; GRANT SELECT ON ticks TO " + owner);
        ArchivePair<?> pair = TicksPair.of(
                type.equals("timestamp")
                        ? SQLDataType.LOCALDATETIME
                        : type.equals("date") ? SQLDataType.LOCALDATE : SQLDataType.TIMESTAMPWITHTIMEZONE);
        try (Connection connection = connect()) {
            List<String> statements = DSL.using(connection, SQLDialect.POSTGRES)
                    .transactionResult(
                            tx -> new ArchiveTwin(pair).statements(tx.dsl(), new ArchiveTwin.Shape(null, MONTHS)));
            for (String sql : statements) {
                TestDatabase.execute(connection, sql);
            }
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
        return pair;
    }

    private PartitionKeeper.Outcome keep(ArchivePair<?> pair) {
        return new PartitionKeeper(pair, this::connect, settings()).keep(new StopSignal());
    }

    private static ArchiveSettings settings() {
        return ArchiveSettings.defaults().withRetentionMonths(MONTHS);
    }

    private Connection connect() throws SQLException {
        return DriverManager.getConnection(db.url(), owner, owner);
    }

    private YearMonth month(int fromNow) {
        return YearMonth.parse(db.strings("SELECT to_char(timezone('UTC', now()), 'YYYY-MM')")
                        .get(0))
                .plusMonths(fromNow);
    }

    private List<String> partitions() {
        return db.strings("SELECT relname FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid"
                + " WHERE inhparent = 'ticks_archive'::regclass ORDER BY 1");
    }
}
