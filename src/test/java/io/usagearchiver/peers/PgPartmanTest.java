package io.usagearchiver.peers;

import static org.assertj.core.api.Assertions.assertThat;

import io.usagearchiver.ArchiveSettings;
import io.usagearchiver.ConnectionSource;
import io.usagearchiver.PartitionKeeper;
import io.usagearchiver.StopSignal;
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

    private static PartitionKeeper.Outcome keep(ConnectionSource connections) {
        return new PartitionKeeper(new TicksPair().get(), connections, ArchiveSettings.defaults())
                .keep(new StopSignal());
    }

    private List<String> partitions() {
        return db.strings(
                "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'ticks_archive'::regclass ORDER BY 1");
    }
}
