package io.usagearchiver.testing;

import static org.assertj.core.api.Assertions.assertThat;

import io.usagearchiver.ArchiveSettings;
import io.usagearchiver.Archiver;
import io.usagearchiver.ConnectionSource;
import io.usagearchiver.Hold;
import io.usagearchiver.PastSweep;
import io.usagearchiver.Plan;
import io.usagearchiver.Planner;
import io.usagearchiver.RestoreResult;
import io.usagearchiver.RowFilter;
import io.usagearchiver.StopReason;
import io.usagearchiver.StopSignal;
import io.usagearchiver.SweepHistory;
import io.usagearchiver.SweepResult;
import io.usagearchiver.Verification;
import io.usagearchiver.Verifier;
import java.sql.DriverManager;
import java.time.Duration;

/**
 * All that the library does, once, on 40 expired rows with the ids 1 to 40 and three that are not expired; and what has to
 * come of it. Also a program, for a JVM of its own.
 */
public final class WholeRun {
    private static final ArchiveSettings SETTINGS = ArchiveSettings.defaults().withBatchSize(7);

    private final ConnectionSource archiver;
    private final ConnectionSource restorer;

    public WholeRun(ConnectionSource archiver, ConnectionSource restorer) {
        this.archiver = archiver;
        this.restorer = restorer;
    }

    /** Makes the rows, with letters beyond ASCII, a backslash and what many a type is made of. */
    public static void insertRows(TestDatabase db) {
        db.execute(
                "ALTER TABLE model_usage_details ADD raw bytea, ADD f float8, ADD v interval, ADD x xml, ADD z timestamptz;"
                        + " ALTER TABLE model_usage_details_archive ADD raw bytea, ADD f float8, ADD v interval, ADD x xml,"
                        + " ADD z timestamptz");
        db.insertUsage("SELECT i, CASE WHEN i % 3 = 0 THEN a END, a FROM (SELECT i, CASE WHEN i <= 40 THEN"
                + " timestamp '2020-03-04 05:06:07.000008' + i * interval '1 hour' ELSE '2100-01-01' END AS a"
                + " FROM generate_series(1, 43) i) s");
        db.execute("UPDATE model_usage_details SET user_name = 'Größe İıŞ \\ '' \\'' 漢 ' || id,"
                + " raw = decode(md5(id::text) || '005c27', 'hex'), f = id / 3.0::float8, v = '1 mon -2 days 03:04:05.000006',"
                + " x = '<a b=\"é\"/>text', z = timestamptz '2020-10-25 00:30+00' + id * interval '7 minutes';"
                + " CREATE TABLE original AS TABLE model_usage_details");
    }

    /** Runs it in this JVM against the database with a URL. */
    public static void main(String... arguments) {
        String url = arguments[0];
        new WholeRun(
                        () -> DriverManager.getConnection(url, TestDatabase.ARCHIVER, TestDatabase.ARCHIVER),
                        () -> DriverManager.getConnection(url, TestDatabase.RESTORER, TestDatabase.RESTORER))
                .run();
    }

    public void run() {
        Archiver sweeps = Archiver.builder(TestedPair.USAGE, archiver)
                .settings(SETTINGS)
                .node("Knoten Größe")
                .build();
        Archiver restores =
                Archiver.builder(TestedPair.USAGE, restorer).settings(SETTINGS).build();
        sweeps.checkSchema();
        assertThat(sweeps.health().ok()).isTrue();

        Plan plan = new Planner(TestedPair.USAGE, archiver, SETTINGS).plan(1000, new StopSignal());
        assertThat(plan.schemaDifferences()).isEmpty();
        assertThat(plan.missingGrants()).isEmpty();
        assertThat(plan.backlog().exact()).isTrue();
        assertThat(plan.backlog().rows()).isEqualTo(40);
        assertThat(plan.backlog().oldestAge()).isEqualTo("2020-03-04 06:06:07.000008");

        Hold hold = restores.holds().hold(RowFilter.ids("1", "5"), null, "Prüfung");
        SweepResult held = sweeps.sweep();
        assertThat(held.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(held.rowsMoved()).isEqualTo(35);
        restores.holds().release(hold.id());
        assertThat(sweeps.sweep().rowsMoved()).isEqualTo(5);
        assertThat(sweeps.health().message()).contains("Knoten Größe");

        Verification verification = new Verifier(TestedPair.USAGE, archiver, SETTINGS)
                .verify(Duration.ofMinutes(1), cost -> {}, new StopSignal());
        assertThat(verification.clean()).isTrue();
        assertThat(verification.archivedRows()).isEqualTo(40);
        assertThat(new SweepHistory(TestedPair.USAGE, archiver, SETTINGS).newest(10))
                .extracting(PastSweep::rowsMoved)
                .containsExactly(5L, 35L);

        RowFilter ten = RowFilter.ids("1", "10");
        assertThat(restores.previewRestore(ten).restorable()).isEqualTo(10);
        RestoreResult restored = restores.restore(ten, null, "Prüfung", new StopSignal());
        assertThat(restored.counts().rowsMoved()).isEqualTo(10);
        assertThat(restores.holds().list()).hasSize(2);
        assertThat(sweeps.sweep().rowsMoved()).isZero();
    }

    /** Asserts that each row is where it has to be after the run, unchanged. */
    public static void assertDone(TestDatabase db) {
        String row = "SELECT row::text FROM %s AS row ORDER BY id";
        assertThat(db.strings(row.formatted("model_usage_details_archive")))
                .isEqualTo(db.strings(row.formatted("(SELECT * FROM original WHERE id BETWEEN 11 AND 40)")));
        assertThat(db.strings(row.formatted("model_usage_details")))
                .isEqualTo(db.strings(row.formatted("(SELECT * FROM original WHERE id NOT BETWEEN 11 AND 40)")));
        assertThat(db.strings("SELECT DISTINCT reason FROM usage_archive_hold")).containsExactly("Prüfung");
    }
}
