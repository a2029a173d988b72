package io.usagearchiver.faults;

/**
 * What somebody who knows nothing of a running sweep does to the schema, and how it is taken back. In the SQL, TARGET and
 * SOURCE stand for the tables that take and give the rows, HOT and ARC for the pair whichever way the rows go, LEDGER and
 * HOLDS for the archiver's own tables, MOVER for its role, and WANTED for the condition of the rows that are to move.
 *
 * @param given what is so before the sweep begins, and does no harm
 * @param apply the change, in one transaction
 * @param then what follows when that is committed
 * @param undo takes back all of it
 * @param harm a query that gives what was lost or altered in other tables, asked before the change is taken back
 * @param isQuiet whether the application has to stop writing, since the change would break it, or its writes the test
 * @param crashes whether the server crashes before the change is taken back
 * @param only the way of the rows with which it makes sense, or null for both
 */
record SchemaChange(
        String name,
        String given,
        String apply,
        String then,
        String undo,
        String harm,
        boolean isQuiet,
        boolean crashes,
        Way only) {

    /** Which way the rows go. */
    enum Way {
        /** From the hot table into the archive. */
        ARCHIVE,
        /** From the archive into the hot table. */
        RESTORE
    }

    static SchemaChange change(String name, String apply, String undo) {
        return new SchemaChange(name, "", apply, "", undo, "", false, false, null);
    }

    SchemaChange given(String sql) {
        return new SchemaChange(name, sql, apply, then, undo, harm, isQuiet, crashes, only);
    }

    SchemaChange then(String sql) {
        return new SchemaChange(name, given, apply, sql, undo, harm, isQuiet, crashes, only);
    }

    SchemaChange harm(String query) {
        return new SchemaChange(name, given, apply, then, undo, query, isQuiet, crashes, only);
    }

    SchemaChange quietly() {
        return new SchemaChange(name, given, apply, then, undo, harm, true, crashes, only);
    }

    SchemaChange withCrash() {
        return new SchemaChange(name, given, apply, then, undo, harm, true, true, only);
    }

    SchemaChange only(Way way) {
        return new SchemaChange(name, given, apply, then, undo, harm, isQuiet, crashes, way);
    }
}
