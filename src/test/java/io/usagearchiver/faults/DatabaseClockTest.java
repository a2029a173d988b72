package io.usagearchiver.faults;

import static org.assertj.core.api.Assertions.assertThat;

import io.usagearchiver.ArchiveSettings;
import io.usagearchiver.Archiver;
import io.usagearchiver.SweepResult;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import java.time.Duration;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A node whose clock differs from the database's by hours. It is the database's that is moved, by a function in the
 * place of PostgreSQL's own: a JVM cannot move its own clock. Each has the same view of the other.
 */
class DatabaseClockTest {
    /** Four years: the calendar is the same then, so that no day is clamped to the end of a shorter month. */
    private static final int MONTHS = 48;

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    @ParameterizedTest
    @ValueSource(ints = {-30, 30})
    void the_cutoff_follows_the_databases_clock_and_not_the_nodes(int hours) {
        db.execute("ALTER FUNCTION pg_catalog.clock_timestamp() RENAME TO real_clock;"
                + " CREATE FUNCTION pg_catalog.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS"
                + " $$ SELECT pg_catalog.real_clock() + interval '" + hours + " hours' $$");
        String age = "timezone('UTC', pg_catalog.real_clock()) - interval '" + MONTHS + " months'";
        // By the clocks: expired by both, by the later one only, by neither.
        db.insertUsage("SELECT i, " + age + " + i * interval '20 hours', timestamp '2020-01-01'"
                + " FROM unnest(ARRAY[-3, -1, 1, 3]) i (i)".replace("i (i)", "AS i"));

        SweepResult result = Archiver.builder(TestedPair.USAGE, db.archiver())
                .settings(ArchiveSettings.defaults().withRetentionMonths(MONTHS))
                .build()
                .sweep();

        LocalDateTime databases =
                LocalDateTime.now(ZoneOffset.UTC).plusHours(hours).minusMonths(MONTHS);
        assertThat(Duration.between(result.cutoff(), databases).abs()).isLessThan(Duration.ofHours(10));
        assertThat(db.strings("SELECT id FROM model_usage_details_archive ORDER BY id"))
                .containsExactly(hours < 0 ? new String[] {"-3"} : new String[] {"-3", "-1", "1"});
    }
}
