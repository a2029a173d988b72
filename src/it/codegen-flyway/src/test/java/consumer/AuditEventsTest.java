package consumer;

import consumer.generated.Public;
import org.flywaydb.core.Flyway;

class AuditEventsTest extends GeneratedCode {
    AuditEventsTest() {
        super(Public.PUBLIC, new AuditEvents().get());
    }

    @Override
    protected Database migrated() throws Exception {
        return migratedByFlyway();
    }

    static Database migratedByFlyway() throws Exception {
        Database db = Database.empty();
        Flyway.configure().dataSource(db.ownersUrl(), null, null).load().migrate();
        return db;
    }

    @Override
    protected void insert(Database db) {
        db.execute(
                "INSERT INTO audit_event (actor, amount, occurred_at, source)"
                        + " SELECT 'actor', 1.50, timezone('UTC', now()) - i * interval '2 years', 'web' FROM generate_series(1, 100) i");
        db.execute("INSERT INTO audit_event (actor, occurred_at)"
                + " SELECT 'actor', timezone('UTC', now()) FROM generate_series(1, 10)");
    }
}
