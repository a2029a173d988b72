package io.usagearchiver.peers;

import static org.assertj.core.api.Assertions.assertThat;

import io.usagearchiver.ArchiveSettings;
import io.usagearchiver.Archiver;
import io.usagearchiver.ConnectionSource;
import io.usagearchiver.PartitionKeeper;
import io.usagearchiver.StopSignal;
import io.usagearchiver.SweepResult;
import io.usagearchiver.TicksPair;
import io.usagearchiver.testing.TestDatabase;
import java.util.List;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

/** Debian's pg_partman, which makes partitions itself. */
class PgPartmanTest {
    @AutoClose
    private static final DebianServer server = new DebianServer();

    @AutoClose
    private final TestDatabase db = TestDatabase.createOn(server.superuserUrl());

    @Test
    void what_it_manages_is_left_to_it() {
        db.execute("CREATE SCHEMA partman; CREATE EXTENSION pg_partman SCHEMA partman;" + TicksPair.table("timestamp")
                + ";"
                + " INSERT INTO ticks VALUES (1, now() - interval '14 months'); GRANT SELECT ON ticks TO "
                + TestDatabase.ARCHIVER
                + "; CREATE TABLE ticks_archive (LIKE ticks INCLUDING ALL) PARTITION BY RANGE (at)");
        db.strings("SELECT partman.create_parent('public.ticks_archive', 'at', 'native', 'monthly', p_premake := 2)");
        List<String> partitions = partitions();
        assertThat(partitions).hasSizeGreaterThan(3).contains("ticks_archive_default");

        assertThat(keep(db::connectAsOwner).leftAlone())
                .isEqualTo("is in partman.part_config: pg_partman makes its partitions");
        assertThat(keep(db.archiver()).leftAlone())
                .isEqualTo(
                        "may be pg_partman's, and this role may not look into partman.part_config: GRANT USAGE ON SCHEMA"
                                + " partman and SELECT ON partman.part_config to it");
        assertThat(partitions()).isEqualTo(partitions);

        db.execute("DELETE FROM partman.part_config");
        assertThat(keep(db::connectAsOwner).made()).hasSize(5);
        assertThat(partitions()).containsAll(partitions).hasSize(partitions.size() + 5);
    }

    @Test
    void nothing_is_handed_over_to_an_archive_that_it_manages_and_its_maintenance_goes_on() {
        install();
        db.strings("SELECT partman.create_parent('public.ticks_archive', 'at', 'native', 'monthly', p_premake := 2)");
        db.execute("CREATE TABLE ticks_p20230101 PARTITION OF ticks FOR VALUES FROM ('2023-01-01') TO ('2023-02-01');"
                + " INSERT INTO ticks SELECT i, '2023-01-05' FROM generate_series(1, 10) i;" + owned("ticks")
                + owned("ticks_archive"));

        assertThat(sweep().rowsMoved()).isEqualTo(10);
        assertThat(message())
                .isEqualTo(
                        "row by row: all partitions: public.ticks_archive may be pg_partman's, and this role may not look"
                                + " into partman.part_config: GRANT USAGE ON SCHEMA partman and SELECT ON partman.part_config to it");
        db.execute("GRANT USAGE ON SCHEMA partman TO " + TestDatabase.ARCHIVER
                + "; GRANT SELECT ON partman.part_config TO " + TestDatabase.ARCHIVER
                + "; INSERT INTO ticks SELECT i, '2023-01-06' FROM generate_series(1, 10) i");
        assertThat(sweep().rowsMoved()).isEqualTo(10);
        assertThat(message())
                .isEqualTo(
                        "row by row: all partitions: public.ticks_archive is in partman.part_config: pg_partman makes its"
                                + " partitions");
        assertThat(partitions()).noneMatch(name -> name.equals("ticks_p20230101"));
        db.strings("SELECT partman.run_maintenance('public.ticks_archive')");
        assertThat(db.number("SELECT count(*) FROM ticks_archive")).isEqualTo(20);
    }

    @Test
    void partitions_of_a_hot_table_that_it_manages_are_handed_over_and_its_maintenance_goes_on() {
        install();
        db.strings("SELECT partman.create_parent('public.ticks', 'at', 'native', 'monthly', p_premake := 2,"
                + " p_start_partition := to_char(now() - interval '16 months', 'YYYY-MM-DD'))");
        db.execute("INSERT INTO ticks SELECT i, now() - interval '15 months' FROM generate_series(1, 10) i;"
                + " GRANT USAGE ON SCHEMA partman TO " + TestDatabase.ARCHIVER
                + "; GRANT SELECT ON partman.part_config TO " + TestDatabase.ARCHIVER + ";" + owned("ticks")
                + owned("ticks_archive"));

        assertThat(sweep().rowsMoved()).isEqualTo(10);
        assertThat(message()).isEqualTo("1 partition handed over");
        assertThat(partitions()).singleElement().asString().startsWith("ticks_p");
        db.strings("SELECT partman.run_maintenance('public.ticks')");
        db.execute("INSERT INTO ticks VALUES (99, now() + interval '1 month')");
        assertThat(db.strings("SELECT tableoid::regclass::text FROM ticks WHERE id = 99"))
                .noneMatch(name -> name.endsWith("default"));
    }

    private void install() {
        db.execute("CREATE SCHEMA partman; CREATE EXTENSION pg_partman SCHEMA partman; CREATE TABLE ticks (id bigint,"
                + " at timestamp, note text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at); CREATE INDEX ON ticks (at);"
                + " CREATE TABLE ticks_archive (LIKE ticks INCLUDING ALL) PARTITION BY RANGE (at)");
    }

    private static String owned(String table) {
        return "GRANT CREATE ON SCHEMA public TO " + TestDatabase.ARCHIVER
                + "; DO $$ DECLARE t regclass; BEGIN FOR t IN SELECT relid FROM pg_partition_tree('" + table
                + "') LOOP EXECUTE format('ALTER TABLE %s OWNER TO " + TestDatabase.ARCHIVER
                + "', t); END LOOP; END $$;";
    }

    private SweepResult sweep() {
        return Archiver.builder(new TicksPair().get(), db.archiver())
                .settings(ArchiveSettings.defaults().withHandOver(true))
                .build()
                .sweep();
    }

    private String message() {
        return db.strings("SELECT message FROM usage_archive_sweep ORDER BY sweep_id DESC LIMIT 1")
                .get(0);
    }

    private static PartitionKeeper.Outcome keep(ConnectionSource connections) {
        return new PartitionKeeper(new TicksPair().get(), connections, ArchiveSettings.defaults())
                .keep(new StopSignal());
    }

    private List<String> partitions() {
        return db.strings(
                "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'ticks_archive'::regclass ORDER BY 1");
    }
}
