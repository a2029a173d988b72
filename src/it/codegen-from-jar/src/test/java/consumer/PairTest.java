package consumer;

import consumer.generated.Public;

class PairTest extends GeneratedCode {
    PairTest() {
        super(Public.PUBLIC, new Pair().get());
    }

    @Override
    protected Database migrated() throws Exception {
        return Database.withSql("none");
    }

    @Override
    protected void insert(Database db) {
        db.insertUsage(1, 100, "2 years");
        db.insertUsage(101, 10, "1 month");
    }
}
