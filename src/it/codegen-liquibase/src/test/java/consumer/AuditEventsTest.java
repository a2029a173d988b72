package consumer;

import consumer.generated.Public;
import liquibase.command.CommandScope;
import liquibase.command.core.UpdateCommandStep;
import liquibase.command.core.helpers.DbUrlConnectionArgumentsCommandStep;

class AuditEventsTest extends GeneratedCode {
    AuditEventsTest() {
        super(Public.PUBLIC, new AuditEvents().get());
    }

    @Override
    protected Database migrated() throws Exception {
        Database db = Database.empty();
        new CommandScope(UpdateCommandStep.COMMAND_NAME)
                .addArgumentValue(DbUrlConnectionArgumentsCommandStep.URL_ARG, db.ownersUrl())
                .addArgumentValue(UpdateCommandStep.CHANGELOG_FILE_ARG, "db/changelog.xml")
                .execute();
        return db;
    }

    @Override
    protected void insert(Database db) {
        db.execute("INSERT INTO audit_event (actor, occurred_at)"
                + " SELECT 'actor', timezone('UTC', now()) - i * interval '2 years' FROM generate_series(1, 100) i");
        db.execute("INSERT INTO audit_event (actor, occurred_at)"
                + " SELECT 'actor', timezone('UTC', now()) FROM generate_series(1, 10)");
    }
}
