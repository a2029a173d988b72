package consumer;

import static org.assertj.core.api.Assertions.assertThat;

import io.usagearchiver.ArchiveSettings;
import io.usagearchiver.Plan;
import io.usagearchiver.Planner;
import io.usagearchiver.StopSignal;
import io.usagearchiver.SweepHistory;

/** The tables of this application are swept by two nodes that have nothing but properties to name them. */
class HostTest extends TwoNodes {
    HostTest() {
        super("Host", "auditEvents", "auditEvents.cron");
    }

    @Override
    protected Database database() throws Exception {
        Database db = AuditEventsTest.migratedByFlyway();
        db.executeSql("Host", "03-quartz-tables.sql", "05-quartz-grants.sql");
        // As 04-grants.sql grants it.
        db.execute("GRANT SELECT, DELETE, UPDATE (occurred_at) ON audit_event TO " + Database.ROLE);
        db.execute("GRANT SELECT, INSERT, UPDATE (occurred_at) ON audit_event_archive TO " + Database.ROLE);
        db.execute(
                "GRANT SELECT, INSERT (table_name, direction, state, node, fired_by, cutoff, started_at, finished_at,"
                        + " live_until), UPDATE (state, batches, rows_moved, rows_already_archived, rows_in_conflict, rows_rejected,"
                        + " last_batch_at, live_until, finished_at, message) ON usage_archive_sweep TO "
                        + Database.ROLE);
        db.execute("GRANT SELECT ON usage_archive_hold, usage_archive_baseline TO " + Database.ROLE);
        return db;
    }

    @Override
    protected String hot() {
        return "audit_event";
    }

    @Override
    protected void insert(Database db, int first, int count, String age) {
        db.execute("INSERT INTO audit_event (id, actor, amount, occurred_at)"
                + " SELECT i, 'actor', 1.50, timezone('UTC', now()) - interval '" + age + "' FROM generate_series("
                + first + ", " + (first + count - 1) + ") i");
    }

    @Override
    protected void lookAt(Database db, String logOne, String logTwo) {
        ArchiveSettings settings = ArchiveSettings.defaults();
        Plan plan = new Planner(new AuditEvents().get(), db::connectAsArchiver, settings).plan(100, new StopSignal());
        assertThat(plan.missingGrants()).isEmpty();
        assertThat(plan.backlog().rows()).isZero();
        assertThat(new SweepHistory(new AuditEvents().get(), db::connectAsArchiver, settings).newest(1))
                .singleElement()
                .satisfies(sweep -> {
                    assertThat(sweep.table()).isEqualTo("public.audit_event");
                    assertThat(sweep.firedBy()).isEqualTo("auditEvents.cron");
                });
    }
}
