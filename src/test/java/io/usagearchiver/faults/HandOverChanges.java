package io.usagearchiver.faults;

import static io.usagearchiver.faults.SchemaChange.change;

import java.util.List;
import java.util.stream.Stream;

/**
 * What {@link RandomSchemaChangesTest} does to the schema while partitions are handed over. In the SQL, HOT and ARC stand for
 * the tables, PART for a partition of the hot one, which may be in neither or in the archive by then, BOUNDS, SINCE and UNTIL for
 * what is its, LEDGER for the archiver's own table and MOVER for its role. It may go by hand-over then, row by row with a reason,
 * or not at all until the change is taken back, with a clear message: the test asks for no more than that, but that no row
 * suffers.
 */
final class HandOverChanges {
    /** What triggers do to rows that the archiver moves, and to its DDL. */
    static final String SETUP = """
            CREATE SCHEMA chaos;
            CREATE FUNCTION chaos.nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
              RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END; END $$;
            CREATE FUNCTION chaos.alters() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
              IF session_user = 'MOVER' THEN NEW.note := 'altered'; END IF; RETURN NEW; END $$;
            CREATE FUNCTION chaos.swallows() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
              IF session_user = 'MOVER' THEN RETURN NULL; END IF;
              RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END; END $$;
            CREATE FUNCTION chaos.miscounts() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
              IF session_user = 'MOVER' THEN NEW.rows_moved := OLD.rows_moved; END IF; RETURN NEW; END $$;
            CREATE FUNCTION chaos.refuses_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
              IF session_user = 'MOVER' THEN RAISE 'no % here', TG_TAG; END IF; END $$;
            """;

    private static final String ATTACH_AGAIN = "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid ="
            + " 'PART'::regclass) THEN ALTER TABLE HOT ATTACH PARTITION PART BOUNDS; END IF; END $$";

    private HandOverChanges() {}

    /** All kinds. */
    static List<SchemaChange> all() {
        return Stream.of(
                        partitions(),
                        indexes(),
                        constraints(),
                        columns(),
                        triggers(),
                        rowSecurity(),
                        owners(),
                        names(),
                        harmless(),
                        references(),
                        replication(),
                        others())
                .flatMap(s -> s)
                .toList();
    }

    /** Something that is only to be done while the partition is one of the hot table, and the archive has none of its rows. */
    private static String whileHot(String sql) {
        return "DO $$ BEGIN LOCK TABLE ONLY HOT, ONLY ARC IN ACCESS EXCLUSIVE MODE; IF EXISTS (SELECT FROM pg_inherits"
                + " WHERE inhrelid = 'PART'::regclass AND inhparent = 'HOT'::regclass) AND NOT EXISTS (SELECT FROM ARC"
                + " WHERE at >= 'SINCE' AND at < 'UNTIL') THEN " + sql + "; END IF; END $$";
    }

    private static String owned(String name) {
        return "; ALTER TABLE " + name + " OWNER TO MOVER";
    }

    private static Stream<SchemaChange> partitions() {
        return Stream.of(
                change(
                        "a partition for another time comes",
                        "CREATE TABLE call_2023_05 PARTITION OF HOT FOR VALUES FROM ('2023-05-01') TO ('2023-06-01')"
                                + owned("call_2023_05"),
                        "DROP TABLE call_2023_05"),
                change(
                        "the partition goes and comes again",
                        whileHot("ALTER TABLE HOT DETACH PARTITION PART; ALTER TABLE HOT ATTACH PARTITION PART BOUNDS"),
                        ""),
                change("the partition goes", whileHot("ALTER TABLE HOT DETACH PARTITION PART"), ATTACH_AGAIN),
                change("the partition goes in two steps", "", ATTACH_AGAIN)
                        .then("ALTER TABLE HOT DETACH PARTITION PART CONCURRENTLY"),
                change(
                        "the archive gets a partition of the same bounds",
                        whileHot("CREATE TABLE call_archive_ahead PARTITION OF ARC BOUNDS"
                                + owned("call_archive_ahead")),
                        ""),
                change(
                        "the archive gets a partition of the same bounds that is another's",
                        whileHot("CREATE TABLE call_archive_ahead PARTITION OF ARC BOUNDS"),
                        ""),
                change(
                        "the archive gets a partition within the bounds",
                        whileHot("CREATE TABLE call_archive_part PARTITION OF ARC FOR VALUES FROM ('SINCE') TO"
                                + " (timestamp 'SINCE' + interval '10 s')" + owned("call_archive_part")),
                        ""),
                change(
                        "the archive gets a default partition",
                        "CREATE TABLE IF NOT EXISTS call_archive_rest PARTITION OF ARC DEFAULT"
                                + owned("call_archive_rest"),
                        ""),
                change(
                        "the hot table gets a default partition",
                        "CREATE TABLE call_rest PARTITION OF HOT DEFAULT" + owned("call_rest"),
                        "DROP TABLE call_rest"));
    }

    private static Stream<SchemaChange> indexes() {
        return Stream.of(
                change("the archive gets an index", "CREATE INDEX i ON ARC (note)", "DROP INDEX i"),
                change(
                        "the archive gets a unique index",
                        "CREATE UNIQUE INDEX i ON ARC (at, id, note)",
                        "DROP INDEX i"),
                change(
                        "the archive gets an index of an expression",
                        "CREATE INDEX i ON ARC (lower(note))",
                        "DROP INDEX i"),
                change(
                        "the archive loses the index on an age",
                        "DROP INDEX call_archive_at_idx",
                        "CREATE INDEX ON ARC (at)"),
                change("the hot table gets an index", "CREATE INDEX i ON HOT (note)", "DROP INDEX i"),
                change("the hot table loses the index on an age", "DROP INDEX call_at_idx", "CREATE INDEX ON HOT (at)"),
                change("the partition gets an index", "CREATE INDEX i ON PART (note)", "DROP INDEX i"),
                change("the partition gets a unique index", "CREATE UNIQUE INDEX i ON PART (id)", "DROP INDEX i"),
                change(
                                "the archive gets an index that the partition has",
                                "CREATE INDEX i_archive ON ARC (lower(note))",
                                "DROP INDEX i_archive; DROP INDEX IF EXISTS i")
                        .given("CREATE INDEX i ON PART (lower(note))"));
    }

    private static Stream<SchemaChange> constraints() {
        String ofPart = "ALTER TABLE PART DROP CONSTRAINT IF EXISTS c";
        String own = "ALTER TABLE PART DROP CONSTRAINT IF EXISTS usage_archiver_hand_over";
        return Stream.of(
                change("the archive gets a CHECK", "ALTER TABLE ARC ADD CONSTRAINT c CHECK (id > 0)", dropped("ARC")),
                change(
                        "the archive gets a CHECK that refuses each seventh row",
                        "ALTER TABLE ARC ADD CONSTRAINT c CHECK (id % 7 <> 1) NOT VALID",
                        dropped("ARC")),
                change("the hot table gets a CHECK", "ALTER TABLE HOT ADD CONSTRAINT c CHECK (id > 0)", dropped("HOT")),
                change("the partition gets a CHECK", "ALTER TABLE PART ADD CONSTRAINT c CHECK (id > 0)", ofPart),
                change(
                        "the partition gets another CHECK of the hand-over's name",
                        own + ", ADD CONSTRAINT usage_archiver_hand_over CHECK (id > 0)",
                        own),
                change("the CHECK of the hand-over goes", own, ""),
                change("a column of the archive must not be null", notNull("ARC", "SET"), notNull("ARC", "DROP")),
                change("a column of the hot table must not be null", notNull("HOT", "SET"), notNull("HOT", "DROP")),
                change("a column of the partition must not be null", notNull("PART", "SET"), ""));
    }

    private static String dropped(String table) {
        return "ALTER TABLE " + table + " DROP CONSTRAINT c";
    }

    private static String notNull(String table, String verb) {
        return "ALTER TABLE " + table + " ALTER note " + verb + " NOT NULL";
    }

    private static Stream<SchemaChange> columns() {
        return Stream.of(
                change(
                        "a column is added to the hot table",
                        "ALTER TABLE HOT ADD extra text DEFAULT 'kept'",
                        "ALTER TABLE HOT DROP extra"),
                change(
                        "a column is added to the archive",
                        "ALTER TABLE ARC ADD extra text",
                        "ALTER TABLE ARC DROP extra"),
                change(
                        "a column is added to both tables",
                        "ALTER TABLE HOT ADD extra text DEFAULT 'kept'; ALTER TABLE ARC ADD extra text",
                        "ALTER TABLE HOT DROP extra; ALTER TABLE ARC DROP extra"),
                change(
                        "a column of the hot table is renamed",
                        "ALTER TABLE HOT RENAME note TO note_was",
                        "ALTER TABLE HOT RENAME note_was TO note"),
                change(
                        "a column of the archive is renamed",
                        "ALTER TABLE ARC RENAME note TO note_was",
                        "ALTER TABLE ARC RENAME note_was TO note"),
                change(
                        "a column of both tables is renamed",
                        "ALTER TABLE HOT RENAME note TO note_was; ALTER TABLE ARC RENAME note TO note_was",
                        "ALTER TABLE HOT RENAME note_was TO note; ALTER TABLE ARC RENAME note_was TO note"),
                change(
                        "a column of the archive is shorter",
                        "ALTER TABLE ARC ALTER note TYPE varchar(20)",
                        "ALTER TABLE ARC ALTER note TYPE text"),
                change(
                        "a column of the hot table is shorter",
                        "ALTER TABLE HOT ALTER note TYPE varchar(20)",
                        "ALTER TABLE HOT ALTER note TYPE text"),
                change(
                        "a column of the archive is of another collation",
                        "ALTER TABLE ARC ALTER note TYPE text COLLATE \"C\"",
                        "ALTER TABLE ARC ALTER note TYPE text COLLATE \"default\""),
                change(
                        "a column of the archive gets a default",
                        "ALTER TABLE ARC ALTER note SET DEFAULT 'none'",
                        "ALTER TABLE ARC ALTER note DROP DEFAULT"),
                change(
                        "a column of the partition gets a default",
                        "ALTER TABLE PART ALTER note SET DEFAULT 'none'",
                        "ALTER TABLE PART ALTER note DROP DEFAULT"),
                change(
                        "the hot table's key becomes an identity",
                        "ALTER TABLE HOT ALTER id ADD GENERATED BY DEFAULT AS IDENTITY",
                        "ALTER TABLE HOT ALTER id DROP IDENTITY"),
                change(
                        "the archive's key becomes an identity",
                        "ALTER TABLE ARC ALTER id ADD GENERATED ALWAYS AS IDENTITY",
                        "ALTER TABLE ARC ALTER id DROP IDENTITY"));
    }

    private static Stream<SchemaChange> triggers() {
        return Stream.concat(
                Stream.of("PART", "HOT", "ARC")
                        .flatMap(table -> Stream.of(
                                trigger(table, "that does nothing", "AFTER UPDATE", "nothing"),
                                trigger(table, "that alters what is inserted", "BEFORE INSERT", "alters"),
                                trigger(table, "that swallows each DELETE", "BEFORE DELETE", "swallows"))),
                Stream.of(
                        change(
                                "the partition gets a rule that swallows each DELETE",
                                "CREATE RULE r AS ON DELETE TO PART DO INSTEAD NOTHING",
                                "DROP RULE r ON PART"),
                        change(
                                "the partition gets a trigger that is disabled",
                                "CREATE TRIGGER t BEFORE INSERT ON PART FOR EACH ROW EXECUTE FUNCTION chaos.alters();"
                                        + " ALTER TABLE PART DISABLE TRIGGER t",
                                "DROP TRIGGER t ON PART")));
    }

    private static SchemaChange trigger(String table, String what, String when, String function) {
        return change(
                table + " gets a trigger " + what,
                "CREATE TRIGGER t " + when + " ON " + table + " FOR EACH ROW EXECUTE FUNCTION chaos." + function + "()",
                "DROP TRIGGER t ON " + table);
    }

    private static Stream<SchemaChange> rowSecurity() {
        return Stream.of("PART", "HOT", "ARC")
                .map(table -> change(
                        table + " gets row security",
                        "ALTER TABLE " + table + " ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
                                + " CREATE POLICY chaos ON " + table + " USING (id % 2 = 0)",
                        "DROP POLICY chaos ON " + table + "; ALTER TABLE " + table
                                + " DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY"));
    }

    private static Stream<SchemaChange> owners() {
        return Stream.concat(
                Stream.of("PART", "HOT", "ARC")
                        .map(table -> change(
                                table + " becomes another's",
                                "ALTER TABLE " + table + " OWNER TO postgres",
                                "ALTER TABLE " + table + " OWNER TO MOVER")),
                Stream.of(
                        change(
                                "the role may not write to the archive",
                                "REVOKE ALL ON ARC FROM MOVER, PUBLIC",
                                "GRANT ALL ON ARC TO MOVER, PUBLIC"),
                        change(
                                "the role may not create anything in the schema",
                                "REVOKE CREATE ON SCHEMA public FROM MOVER",
                                "GRANT CREATE ON SCHEMA public TO MOVER")));
    }

    private static Stream<SchemaChange> names() {
        return Stream.of(
                change(
                        "the partition is moved to another schema",
                        "ALTER TABLE PART SET SCHEMA chaos",
                        "ALTER TABLE chaos.PART SET SCHEMA public"),
                change(
                        "the partition is renamed",
                        "ALTER TABLE PART RENAME TO call_aside",
                        "ALTER TABLE call_aside RENAME TO PART"),
                change(
                        "another table takes the partition's name",
                        "ALTER TABLE PART RENAME TO call_aside; CREATE TABLE PART (LIKE call_aside)" + owned("PART"),
                        "DROP TABLE PART; ALTER TABLE call_aside RENAME TO PART"),
                change(
                        "the archive is moved to another schema",
                        "ALTER TABLE ARC SET SCHEMA chaos",
                        "ALTER TABLE chaos.ARC SET SCHEMA public"));
    }

    /** Of these, a partition keeps everything in the archive. */
    private static Stream<SchemaChange> harmless() {
        return Stream.of(
                change("the partition gets a comment", "COMMENT ON TABLE PART IS 'old'", ""),
                change("others get rights on the partition", "GRANT ALL ON PART TO PUBLIC", ""),
                change("others get rights on a column of the partition", "GRANT UPDATE (note) ON PART TO PUBLIC", ""),
                change(
                        "the partition gets storage parameters",
                        "ALTER TABLE PART SET (fillfactor = 90, autovacuum_enabled = false)",
                        ""),
                change(
                        "a column of the partition is stored and measured in another way",
                        "ALTER TABLE PART ALTER note SET STORAGE EXTERNAL, ALTER note SET STATISTICS 500",
                        ""),
                change("the partition gets statistics", "CREATE STATISTICS chaos ON id, at FROM PART", ""),
                change("the partition is analyzed", "ANALYZE PART", ""),
                change("the partition is vacuumed", "", "").then("VACUUM (FREEZE) PART"),
                change("the partition is written anew", "", "").then("VACUUM (FULL) PART"),
                change("the partition's indexes are built anew", "", "").then("REINDEX TABLE CONCURRENTLY PART"));
    }

    private static Stream<SchemaChange> references() {
        return Stream.of(
                change(
                        "a view reads the partition by its name",
                        "CREATE VIEW chaos.month AS TABLE PART",
                        "DROP VIEW chaos.month"),
                change(
                        "a table refers to the partition",
                        "CREATE TABLE chaos.bill (id bigint, at timestamp, FOREIGN KEY (id, at) REFERENCES PART)",
                        "DROP TABLE chaos.bill"),
                change(
                        "a table refers to the hot table",
                        "CREATE TABLE chaos.bill (id bigint, at timestamp, FOREIGN KEY (id, at) REFERENCES HOT)",
                        "DROP TABLE chaos.bill"),
                change(
                                "a row of a table refers to the partition on delete cascade",
                                "CREATE TABLE chaos.bill (id bigint, at timestamp, FOREIGN KEY (id, at) REFERENCES PART ON"
                                        + " DELETE CASCADE); INSERT INTO chaos.bill SELECT id, at FROM PART WHERE id = 7;"
                                        + " CREATE TABLE chaos.kept AS TABLE chaos.bill",
                                "DROP TABLE chaos.bill, chaos.kept")
                        .harm("SELECT 'bill: ' || id FROM (TABLE chaos.kept EXCEPT ALL TABLE chaos.bill) AS gone"),
                change(
                        "the partition refers to another table",
                        "CREATE TABLE chaos.numbers AS SELECT i::bigint AS id FROM generate_series(1, 1000) i;"
                                + " ALTER TABLE chaos.numbers ADD PRIMARY KEY (id); ALTER TABLE PART ADD FOREIGN KEY (id)"
                                + " REFERENCES chaos.numbers",
                        "DROP TABLE chaos.numbers CASCADE"));
    }

    private static Stream<SchemaChange> replication() {
        return Stream.of(
                change(
                        "the partition has all of a row for replicas",
                        "ALTER TABLE PART REPLICA IDENTITY FULL",
                        "ALTER TABLE PART REPLICA IDENTITY DEFAULT"),
                change(
                        "the partition has no identity for replicas",
                        "ALTER TABLE PART REPLICA IDENTITY NOTHING",
                        "ALTER TABLE PART REPLICA IDENTITY DEFAULT"),
                change("the partition is published", "CREATE PUBLICATION p FOR TABLE PART", "DROP PUBLICATION p"),
                change(
                        "the partition is published without an identity",
                        "ALTER TABLE PART REPLICA IDENTITY NOTHING; CREATE PUBLICATION p FOR TABLE PART",
                        "DROP PUBLICATION p; ALTER TABLE PART REPLICA IDENTITY DEFAULT"),
                change("all tables are published", "CREATE PUBLICATION p FOR ALL TABLES", "DROP PUBLICATION p"));
    }

    private static Stream<SchemaChange> others() {
        String ledger = "CREATE TRIGGER t BEFORE UPDATE ON LEDGER FOR EACH ROW ";
        String drop = "DROP TRIGGER t ON LEDGER";
        return Stream.of(
                change(
                        "the partition becomes unlogged",
                        "ALTER TABLE PART SET UNLOGGED",
                        "ALTER TABLE PART SET LOGGED"),
                change(
                        "nobody lets the role alter tables",
                        "CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION chaos.refuses_ddl()",
                        "DROP EVENT TRIGGER e"),
                change(
                        "a trigger swallows each UPDATE of the ledger",
                        ledger + "EXECUTE FUNCTION chaos.swallows()",
                        drop),
                change(
                        "a trigger swallows the counting of batches",
                        ledger + "WHEN (new.batches > old.batches) EXECUTE FUNCTION chaos.swallows()",
                        drop),
                change(
                        "a trigger keeps the ledger's count as it was",
                        ledger + "EXECUTE FUNCTION chaos.miscounts()",
                        drop));
    }
}
