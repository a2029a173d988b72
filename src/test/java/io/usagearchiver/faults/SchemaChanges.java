package io.usagearchiver.faults;

import static io.usagearchiver.faults.SchemaChange.change;

import io.usagearchiver.faults.SchemaChange.Way;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * All that {@link RandomSchemaChangesTest} does to the schema. Some of it a sweep may go on with, most of it must stop one:
 * the test asks for neither, but that no row suffers.
 */
final class SchemaChanges {
    /** A column's content in all rows of both tables; the hot table has it as the default. Blanks at the end count. */
    private static final String CHAT = "'chat   '";

    /** What makes the database ready for the changes: columns of more types, all with one known content. */
    static final String SETUP = """
            CREATE SCHEMA chaos;
            ALTER TABLE HOT ADD cost numeric(12, 4) DEFAULT 1.2345, ADD note text DEFAULT 'Größe',
              ALTER operation SET DEFAULT 'chat   ', ALTER api_key_id SET DEFAULT 77,
              ALTER started_at SET DEFAULT timestamp '2020-02-02 02:02:02.222222';
            ALTER TABLE ARC ADD cost numeric(12, 4), ADD note text;
            -- How many rows the archive has that neither a sweep put there nor a restore took out.
            CREATE TABLE chaos.others (n bigint);

            -- What triggers do to rows that the archiver moves, never to those of an application.
            CREATE FUNCTION chaos.nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
              RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END; END $$;
            CREATE FUNCTION chaos.alters() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
              IF session_user ~ '^usage_' THEN NEW.user_name := 'altered'; END IF; RETURN NEW; END $$;
            CREATE FUNCTION chaos.swallows() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
              IF session_user ~ '^usage_' THEN RETURN NULL; END IF;
              RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END; END $$;
            CREATE FUNCTION chaos.swallows_some() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
              IF session_user ~ '^usage_' AND (CASE WHEN TG_OP = 'DELETE' THEN OLD.id ELSE NEW.id END) % 5 = 0 THEN
                RETURN NULL;
              END IF;
              RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END; END $$;
            CREATE FUNCTION chaos.refuses() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
              IF session_user ~ '^usage_' THEN RAISE 'refused'; END IF; RETURN NEW; END $$;
            CREATE FUNCTION chaos.deletes_of_all() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
              IF session_user ~ '^usage_' THEN
                EXECUTE format('DELETE FROM ONLY public.%I WHERE id = (SELECT max(id) FROM taken)', TG_TABLE_NAME);
              END IF; RETURN NULL; END $$;
            CREATE FUNCTION chaos.alters_of_all() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
              IF session_user ~ '^usage_' THEN
                EXECUTE format('UPDATE ONLY public.%I SET user_name = ''altered'' WHERE id = (SELECT max(id) FROM taken)',
                  TG_TABLE_NAME);
              END IF; RETURN NULL; END $$;
            CREATE FUNCTION chaos.deletes_again() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
              IF session_user ~ '^usage_' AND NEW.id % 5 = 0 THEN
                EXECUTE format('DELETE FROM ONLY public.%I WHERE id = $1', TG_TABLE_NAME) USING NEW.id;
              END IF; RETURN NULL; END $$;
            CREATE FUNCTION chaos.brings_back() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
              IF session_user ~ '^usage_' AND OLD.id % 5 = 0 THEN
                EXECUTE format('INSERT INTO public.%I SELECT ($1).*', TG_TABLE_NAME) USING OLD;
              END IF; RETURN NULL; END $$;
            CREATE FUNCTION chaos.brings_all_back() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
              IF session_user ~ '^usage_' THEN
                EXECUTE format('INSERT INTO public.%I SELECT * FROM taken WHERE id %% 5 = 0', TG_TABLE_NAME);
              END IF; RETURN NULL; END $$;
            CREATE FUNCTION chaos.miscounts() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
              IF session_user ~ '^usage_' THEN NEW.rows_moved := OLD.rows_moved; END IF; RETURN NEW; END $$;
            CREATE FUNCTION chaos.forgets_holds() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
              NEW.holds_version := OLD.holds_version; RETURN NEW; END $$;
            CREATE FUNCTION chaos.takes_back() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
              IF session_user ~ '^usage_' THEN
                UPDATE public.usage_archive_sweep SET rows_moved = OLD.rows_moved WHERE sweep_id = NEW.sweep_id;
              END IF; RETURN NULL; END $$;
            """;

    /** Gives the rows, as {@code table id}, whose further columns have not the content that all have. */
    static final String ALTERED =
            Stream.of("HOT", "ARC").map(SchemaChanges::altered).collect(Collectors.joining(" UNION ALL "));

    private static final String KEEP_TARGET =
            "LOCK TABLE HOT, ARC IN ACCESS EXCLUSIVE MODE; CREATE TABLE chaos.kept AS TABLE TARGET; ";
    private static final String MOVED_SINCE =
            "SELECT 'moved since: ' || id FROM ONLY TARGET WHERE id NOT IN (SELECT id FROM chaos.kept)";
    private static final String DEFAULTS =
            "ALTER TABLE ARC ALTER operation DROP DEFAULT;" + " ALTER TABLE HOT ALTER operation SET DEFAULT " + CHAT;
    private static final String READ_HOLDS_AGAIN =
            "; UPDATE LEDGER SET holds_version = holds_version + 1 WHERE state = 'RUNNING'";
    private static final String NEW_SESSION = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            + " WHERE datname = current_database() AND usename = 'MOVER'";

    private SchemaChanges() {}

    /** All kinds. */
    static List<SchemaChange> all() {
        return Stream.of(
                        triggers(),
                        rules(),
                        persistence(),
                        rowSecurity(),
                        inheritance(),
                        partitions(),
                        keys(),
                        columns(),
                        references(),
                        names(),
                        replication(),
                        ledger(),
                        holds(),
                        others())
                .flatMap(s -> s)
                .toList();
    }

    private static String altered(String table) {
        return "SELECT '" + table + " ' || id || ': ' || concat_ws('|', operation, cost, note, started_at, api_key_id)"
                + " FROM ONLY " + table + " WHERE row(cast(operation AS text), cast(cost AS text), note,"
                + " cast(started_at AS text), cast(api_key_id AS text)) IS DISTINCT FROM row(" + CHAT + ", '1.2345',"
                + " 'Größe', '2020-02-02 02:02:02.222222', '77')";
    }

    private static Stream<SchemaChange> triggers() {
        String harmless =
                "CREATE TRIGGER harmless BEFORE UPDATE ON TARGET FOR EACH ROW EXECUTE FUNCTION chaos.nothing()";
        String withoutHarmless = "; DROP TRIGGER harmless ON TARGET";
        String before = "CREATE TRIGGER t BEFORE INSERT ON TARGET FOR EACH ROW EXECUTE FUNCTION chaos.";
        String after = "CREATE TRIGGER t AFTER INSERT ON TARGET REFERENCING NEW TABLE AS taken FOR EACH STATEMENT"
                + " EXECUTE FUNCTION chaos.";
        String drop = "DROP TRIGGER t ON TARGET";
        String disabled = before + "alters(); ALTER TABLE TARGET DISABLE TRIGGER t";
        String source = "CREATE TRIGGER harmless BEFORE UPDATE ON SOURCE FOR EACH ROW EXECUTE FUNCTION chaos.nothing()";
        String dropOfSource = "DROP TRIGGER t ON SOURCE; DROP TRIGGER harmless ON SOURCE";
        return Stream.of(
                change("a first trigger alters each row", before + "alters()", drop),
                change("a trigger beside a harmless one alters each row", before + "alters()", drop + withoutHarmless)
                        .given(harmless),
                change(
                                "a trigger beside a harmless one swallows each row",
                                before + "swallows()",
                                drop + withoutHarmless)
                        .given(harmless),
                change("a trigger swallows each fifth row", before + "swallows_some()", drop + withoutHarmless)
                        .given(harmless),
                change("a trigger refuses each row", before + "refuses()", drop + withoutHarmless)
                        .given(harmless),
                change("a statement trigger deletes one of the new rows", after + "deletes_of_all()", drop),
                change(
                                "a statement trigger beside a harmless one deletes one of the new rows",
                                after + "deletes_of_all()",
                                drop + withoutHarmless)
                        .given(harmless),
                change(
                                "a statement trigger alters one of the new rows",
                                after + "alters_of_all()",
                                drop + withoutHarmless)
                        .given(harmless),
                change(
                                "a trigger deletes each fifth row that was inserted",
                                "CREATE TRIGGER t AFTER INSERT ON TARGET FOR EACH ROW EXECUTE FUNCTION chaos.deletes_again()",
                                drop + withoutHarmless)
                        .given(harmless),
                change(
                                "a trigger deletes each fifth row at COMMIT",
                                "CREATE CONSTRAINT TRIGGER t AFTER INSERT ON TARGET DEFERRABLE INITIALLY DEFERRED"
                                        + " FOR EACH ROW EXECUTE FUNCTION chaos.deletes_again()",
                                drop + withoutHarmless)
                        .given(harmless),
                change("a disabled trigger is enabled", "ALTER TABLE TARGET ENABLE TRIGGER t", drop)
                        .given(disabled),
                change(
                                "a harmless trigger is disabled",
                                "ALTER TABLE TARGET DISABLE TRIGGER harmless",
                                "DROP TRIGGER harmless ON TARGET")
                        .given(harmless),
                change("a disabled trigger is enabled always", "ALTER TABLE TARGET ENABLE ALWAYS TRIGGER t", drop)
                        .given(disabled),
                change(
                                "a disabled trigger is enabled for replicas",
                                "ALTER TABLE TARGET ENABLE REPLICA TRIGGER t",
                                drop)
                        .given(disabled),
                change(
                                "a statement trigger's function is replaced by one that refuses",
                                "CREATE OR REPLACE FUNCTION chaos.body() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                                        + " RAISE 'refused'; END $$",
                                "DROP TRIGGER t ON ARC; DROP FUNCTION chaos.body()")
                        .given("CREATE FUNCTION chaos.body() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL;"
                                + " END $$; CREATE TRIGGER t AFTER INSERT ON ARC FOR EACH STATEMENT"
                                + " EXECUTE FUNCTION chaos.body()")
                        .only(Way.ARCHIVE),
                change(
                                "a trigger swallows each DELETE",
                                "CREATE TRIGGER t BEFORE DELETE ON SOURCE FOR EACH ROW EXECUTE FUNCTION chaos.swallows()",
                                dropOfSource)
                        .given(source),
                change(
                                "a trigger swallows each fifth DELETE",
                                "CREATE TRIGGER t BEFORE DELETE ON SOURCE FOR EACH ROW"
                                        + " EXECUTE FUNCTION chaos.swallows_some()",
                                dropOfSource)
                        .given(source),
                change(
                                "a trigger brings back each fifth row that was deleted",
                                "CREATE TRIGGER t AFTER DELETE ON SOURCE FOR EACH ROW EXECUTE FUNCTION chaos.brings_back()",
                                dropOfSource)
                        .given(source),
                change(
                                "a statement trigger brings back each fifth row that was deleted",
                                "CREATE TRIGGER t AFTER DELETE ON SOURCE REFERENCING OLD TABLE AS taken FOR EACH STATEMENT"
                                        + " EXECUTE FUNCTION chaos.brings_all_back()",
                                dropOfSource)
                        .given(source));
    }

    private static Stream<SchemaChange> rules() {
        String harmless = "CREATE RULE harmless AS ON UPDATE TO TARGET DO ALSO NOTHING";
        String drop = "DROP RULE r ON TARGET; DROP RULE harmless ON TARGET";
        String ofSource = "CREATE RULE harmless AS ON UPDATE TO SOURCE DO ALSO NOTHING";
        String dropOfSource = "DROP RULE r ON SOURCE; DROP RULE harmless ON SOURCE";
        return Stream.of(
                        change(
                                "a first rule swallows each row",
                                "CREATE RULE r AS ON INSERT TO TARGET DO INSTEAD NOTHING",
                                "DROP RULE r ON TARGET"),
                        change(
                                        "a rule beside a harmless one swallows each row",
                                        "CREATE RULE r AS ON INSERT TO TARGET DO INSTEAD NOTHING",
                                        drop)
                                .given(harmless),
                        change(
                                        "a rule swallows each fifth row",
                                        "CREATE RULE r AS ON INSERT TO TARGET WHERE new.id % 5 = 0 DO INSTEAD NOTHING",
                                        drop)
                                .given(harmless),
                        change(
                                        "a rule deletes what was inserted",
                                        "CREATE RULE r AS ON INSERT TO TARGET DO ALSO DELETE FROM TARGET WHERE id = new.id AND id % 5 = 0",
                                        drop)
                                .given(harmless),
                        change(
                                        "a disabled rule is enabled",
                                        "ALTER TABLE TARGET ENABLE RULE r",
                                        "DROP RULE r ON TARGET")
                                .given(
                                        "CREATE RULE r AS ON INSERT TO TARGET DO INSTEAD NOTHING; ALTER TABLE TARGET DISABLE RULE r"),
                        change(
                                        "a rule swallows each DELETE",
                                        "CREATE RULE r AS ON DELETE TO SOURCE DO INSTEAD NOTHING",
                                        dropOfSource)
                                .given(ofSource),
                        change(
                                        "a rule swallows each fifth DELETE",
                                        "CREATE RULE r AS ON DELETE TO SOURCE WHERE old.id % 5 = 0 DO INSTEAD NOTHING",
                                        dropOfSource)
                                .given(ofSource))
                .map(SchemaChange::quietly);
    }

    private static Stream<SchemaChange> persistence() {
        return Stream.of(
                        change(
                                "the target becomes unlogged",
                                KEEP_TARGET + "ALTER TABLE TARGET SET UNLOGGED",
                                "ALTER TABLE TARGET SET LOGGED; INSERT INTO TARGET SELECT * FROM chaos.kept k WHERE NOT EXISTS"
                                        + " (SELECT FROM SOURCE s WHERE s.id = k.id) ON CONFLICT DO NOTHING"),
                        change(
                                "the source becomes unlogged",
                                "LOCK TABLE HOT, ARC IN ACCESS EXCLUSIVE MODE; CREATE TABLE chaos.kept AS TABLE SOURCE;"
                                        + " ALTER TABLE SOURCE SET UNLOGGED",
                                "ALTER TABLE SOURCE SET LOGGED; INSERT INTO SOURCE SELECT * FROM chaos.kept k WHERE NOT EXISTS"
                                        + " (SELECT FROM TARGET t WHERE t.id = k.id) ON CONFLICT DO NOTHING"),
                        change(
                                "the ledger becomes unlogged",
                                "LOCK TABLE LEDGER IN ACCESS EXCLUSIVE MODE; CREATE TABLE chaos.kept AS TABLE LEDGER;"
                                        + " ALTER TABLE LEDGER SET UNLOGGED",
                                "ALTER TABLE LEDGER SET LOGGED; INSERT INTO LEDGER SELECT * FROM chaos.kept"
                                        + " ON CONFLICT DO NOTHING; SELECT setval(pg_get_serial_sequence('LEDGER', 'sweep_id'),"
                                        + " (SELECT max(sweep_id) FROM LEDGER))"),
                        change(
                                "the holds become unlogged",
                                "LOCK TABLE HOLDS IN ACCESS EXCLUSIVE MODE; CREATE TABLE chaos.kept AS TABLE HOLDS;"
                                        + " ALTER TABLE HOLDS SET UNLOGGED",
                                "ALTER TABLE HOLDS SET LOGGED; INSERT INTO HOLDS SELECT * FROM chaos.kept"
                                        + " ON CONFLICT DO NOTHING; SELECT setval(pg_get_serial_sequence('HOLDS', 'hold_id'),"
                                        + " (SELECT max(hold_id) FROM HOLDS))"))
                .map(SchemaChange::withCrash);
    }

    private static Stream<SchemaChange> rowSecurity() {
        String bypass = "ALTER ROLE usage_archiver BYPASSRLS; ALTER ROLE usage_restorer BYPASSRLS";
        String noBypass = "ALTER ROLE usage_archiver NOBYPASSRLS; ALTER ROLE usage_restorer NOBYPASSRLS";
        String select = "CREATE POLICY chaos ON TARGET FOR SELECT USING (id % 2 = 0);"
                + " CREATE POLICY chaos_insert ON TARGET FOR INSERT WITH CHECK (true);"
                + " CREATE POLICY chaos_update ON TARGET FOR UPDATE USING (true)";
        return Stream.of(
                change(
                        "row security hides rows of the source",
                        "ALTER TABLE SOURCE ENABLE ROW LEVEL SECURITY; CREATE POLICY chaos ON SOURCE USING (id % 2 = 0)",
                        "DROP POLICY chaos ON SOURCE; ALTER TABLE SOURCE DISABLE ROW LEVEL SECURITY"),
                change(
                        "row security hides rows of the target",
                        "ALTER TABLE TARGET ENABLE ROW LEVEL SECURITY; " + select,
                        "DROP POLICY chaos ON TARGET; DROP POLICY chaos_insert ON TARGET; DROP POLICY chaos_update ON TARGET;"
                                + " ALTER TABLE TARGET DISABLE ROW LEVEL SECURITY"),
                change(
                                "row security of the source applies to the role",
                                noBypass,
                                "ALTER TABLE SOURCE DISABLE ROW LEVEL SECURITY; " + noBypass)
                        .given(bypass + "; ALTER TABLE SOURCE ENABLE ROW LEVEL SECURITY"),
                change(
                        "row security hides the holds",
                        "ALTER TABLE HOLDS ENABLE ROW LEVEL SECURITY" + READ_HOLDS_AGAIN,
                        "ALTER TABLE HOLDS DISABLE ROW LEVEL SECURITY"),
                change(
                                "row security of the holds applies to the role",
                                noBypass + READ_HOLDS_AGAIN,
                                "ALTER TABLE HOLDS DISABLE ROW LEVEL SECURITY; " + noBypass)
                        .given(bypass + "; ALTER TABLE HOLDS ENABLE ROW LEVEL SECURITY"),
                change(
                        "row security hides the ledger",
                        "ALTER TABLE LEDGER ENABLE ROW LEVEL SECURITY",
                        "ALTER TABLE LEDGER DISABLE ROW LEVEL SECURITY"),
                change(
                        "row security keeps the ledger from being updated",
                        "ALTER TABLE LEDGER ENABLE ROW LEVEL SECURITY; CREATE POLICY chaos ON LEDGER FOR SELECT USING (true);"
                                + " CREATE POLICY chaos_insert ON LEDGER FOR INSERT WITH CHECK (true)",
                        "DROP POLICY chaos ON LEDGER; DROP POLICY chaos_insert ON LEDGER;"
                                + " ALTER TABLE LEDGER DISABLE ROW LEVEL SECURITY"));
    }

    private static Stream<SchemaChange> inheritance() {
        String keep = "; CREATE TABLE chaos.kept AS TABLE chaos.child";
        String harm = "(TABLE chaos.kept EXCEPT ALL TABLE chaos.child)";
        String query = "SELECT 'child: ' || id FROM " + harm + " AS gone";
        String some = " FROM ONLY SOURCE WHERE WANTED ORDER BY md5(cast(id AS text)) LIMIT 40";
        String drop = "DROP TABLE chaos.child";
        // By name: the two tables need not have their columns in the same order.
        String copies = "INSERT INTO chaos.child SELECT (jsonb_populate_record(null::chaos.child, to_jsonb(s))).*"
                + " FROM (SELECT *" + some + ") s";
        String further = "INSERT INTO chaos.child SELECT *" + some
                + "; UPDATE chaos.child SET id = id + 1000000, user_name = 'child'";
        return Stream.of(
                        change(
                                        "a child of the source has the same keys",
                                        "CREATE TABLE chaos.child () INHERITS (SOURCE); INSERT INTO chaos.child SELECT *"
                                                + some + "; UPDATE chaos.child SET user_name = 'child'" + keep,
                                        drop)
                                .harm(query),
                        change(
                                        "a child of the source has the same rows",
                                        "CREATE TABLE chaos.child () INHERITS (SOURCE); INSERT INTO chaos.child SELECT *"
                                                + some + keep,
                                        drop)
                                .harm(query),
                        change(
                                        "a child of the source has rows of its own",
                                        "CREATE TABLE chaos.child () INHERITS (SOURCE); " + further + keep,
                                        drop)
                                .harm(query),
                        change(
                                        "a table with rows becomes a child of the source",
                                        "CREATE TABLE chaos.child (LIKE SOURCE); " + further
                                                + "; ALTER TABLE chaos.child INHERIT SOURCE" + keep,
                                        drop)
                                .harm(query),
                        change(
                                        "a child of the target has the same keys",
                                        "CREATE TABLE chaos.child () INHERITS (TARGET); " + copies
                                                + "; UPDATE chaos.child SET user_name = 'child'" + keep,
                                        drop)
                                .harm(query),
                        change(
                                        "a child of the target has the same rows",
                                        "CREATE TABLE chaos.child () INHERITS (TARGET); " + copies + keep,
                                        drop)
                                .harm(query),
                        change(
                                "the source becomes a child",
                                "CREATE TABLE chaos.parent (LIKE SOURCE); ALTER TABLE SOURCE INHERIT chaos.parent",
                                "ALTER TABLE SOURCE NO INHERIT chaos.parent; DROP TABLE chaos.parent"),
                        change(
                                "the target becomes a child",
                                "CREATE TABLE chaos.parent (LIKE TARGET); ALTER TABLE TARGET INHERIT chaos.parent",
                                "ALTER TABLE TARGET NO INHERIT chaos.parent; DROP TABLE chaos.parent"),
                        change(
                                "the source becomes a partition",
                                "CREATE TABLE chaos.parent (LIKE SOURCE) PARTITION BY RANGE (id);"
                                        + " ALTER TABLE chaos.parent ATTACH PARTITION SOURCE DEFAULT",
                                "ALTER TABLE chaos.parent DETACH PARTITION SOURCE; DROP TABLE chaos.parent"))
                .map(SchemaChange::quietly);
    }

    /** The table is one of partitions before the sweep begins: chaos.low, and chaos_aside for all else. */
    private static Stream<SchemaChange> partitions() {
        String before = "CREATE TRIGGER t BEFORE INSERT ON chaos_aside FOR EACH ROW EXECUTE FUNCTION chaos.";
        return Stream.of(
                        inPartitions(
                                "TARGET",
                                "a partition of the target gets a trigger that alters each row",
                                before + "alters()"),
                        inPartitions(
                                "TARGET",
                                "a partition of the target gets a trigger that swallows each fifth row",
                                before + "swallows_some()"),
                        inPartitions(
                                "TARGET",
                                "a partition of the target gets a rule that swallows rows",
                                "CREATE RULE r AS ON INSERT TO chaos_aside DO INSTEAD NOTHING"),
                        inPartitions(
                                "TARGET",
                                "a partition of the target refuses each seventh row",
                                "ALTER TABLE chaos_aside ADD CONSTRAINT c CHECK (id % 7 <> 1) NOT VALID"),
                        inPartitions(
                                "TARGET",
                                "the partition of the target for all rows goes and comes again",
                                "ALTER TABLE TARGET DETACH PARTITION chaos_aside; ALTER TABLE TARGET ATTACH PARTITION chaos_aside"
                                        + " DEFAULT"),
                        inPartitions(
                                "TARGET",
                                "the target gets another partition",
                                "CREATE TABLE chaos.more PARTITION OF TARGET FOR VALUES FROM (-200) TO (-100)"),
                        inPartitions(
                                "SOURCE",
                                "a partition of the source gets a trigger that swallows each fifth DELETE",
                                "CREATE TRIGGER t BEFORE DELETE ON chaos_aside FOR EACH ROW EXECUTE FUNCTION"
                                        + " chaos.swallows_some()"),
                        inPartitions(
                                "SOURCE",
                                "a partition of the source loses its identity for replicas",
                                "CREATE PUBLICATION chaos FOR TABLE chaos_aside; ALTER TABLE chaos_aside REPLICA IDENTITY NOTHING"),
                        inPartitions(
                                "SOURCE",
                                "the partition of the source with all rows goes and comes again",
                                "ALTER TABLE SOURCE DETACH PARTITION chaos_aside; ALTER TABLE SOURCE ATTACH PARTITION chaos_aside"
                                        + " DEFAULT"),
                        inPartitions(
                                        "SOURCE",
                                        "a partition of the source is referred to on delete cascade",
                                        "CREATE TABLE chaos.bill (id int REFERENCES chaos_aside ON DELETE CASCADE);"
                                                + " INSERT INTO chaos.bill SELECT id FROM chaos_aside WHERE id % 3 = 0;"
                                                + " CREATE TABLE chaos.kept AS TABLE chaos.bill")
                                .harm(
                                        "SELECT 'bill: ' || id FROM (TABLE chaos.kept EXCEPT ALL TABLE chaos.bill) AS gone"))
                .map(SchemaChange::quietly);
    }

    private static SchemaChange inPartitions(String table, String name, String apply) {
        return change(
                        name,
                        apply,
                        "DROP TABLE IF EXISTS chaos.bill; DROP PUBLICATION IF EXISTS chaos;"
                                + " DROP TRIGGER IF EXISTS t ON chaos_aside; DROP RULE IF EXISTS r ON chaos_aside;"
                                + " ALTER TABLE chaos_aside REPLICA IDENTITY DEFAULT, DROP CONSTRAINT IF EXISTS c; ALTER TABLE "
                                + table + " DETACH PARTITION chaos_aside; DROP TABLE " + table
                                + "; ALTER TABLE chaos_aside RENAME TO "
                                + table)
                .given("BEGIN; ALTER TABLE " + table + " RENAME TO chaos_aside; CREATE TABLE " + table
                        + " (LIKE chaos_aside INCLUDING DEFAULTS, PRIMARY KEY (id)) PARTITION BY RANGE (id); ALTER TABLE "
                        + table
                        + " ATTACH PARTITION chaos_aside DEFAULT; CREATE TABLE chaos.low PARTITION OF " + table
                        + " FOR VALUES FROM (-100) TO (0); GRANT ALL ON " + table + " TO PUBLIC; COMMIT");
    }

    private static Stream<SchemaChange> keys() {
        String ghosts = "CREATE TABLE chaos.ghosts AS SELECT * FROM ONLY SOURCE WHERE WANTED"
                + " ORDER BY md5(cast(id AS text)) LIMIT 15; UPDATE chaos.ghosts SET prompt_token_count ="
                + " -1 - prompt_token_count, user_name = 'ghost'";
        String insert = "; INSERT INTO SOURCE SELECT * FROM chaos.ghosts;"
                + " INSERT INTO chaos.others SELECT count(*) FROM chaos.ghosts WHERE 'SOURCE' = 'ARC'";
        String harm = "SELECT 'ghost: ' || concat(id) FROM (SELECT id, prompt_token_count, user_name FROM chaos.ghosts"
                + " EXCEPT ALL (SELECT id, prompt_token_count, user_name FROM ONLY HOT"
                + " UNION ALL SELECT id, prompt_token_count, user_name FROM ONLY ARC)) AS gone";
        String removal = " USING chaos.ghosts g WHERE t.id IS NOT DISTINCT FROM g.id"
                + " AND t.prompt_token_count = g.prompt_token_count";
        String remove = "SET LOCAL enable_indexscan = off; SET LOCAL enable_indexonlyscan = off;"
                + " SET LOCAL enable_bitmapscan = off; DELETE FROM ONLY HOT t" + removal
                + "; WITH gone AS (DELETE FROM ONLY ARC t" + removal + " RETURNING 1)"
                + " INSERT INTO chaos.others SELECT -count(*) FROM gone; ";
        String drop = "ALTER TABLE SOURCE DROP CONSTRAINT SOURCE_pkey; ";
        String dropOfTarget = "ALTER TABLE TARGET DROP CONSTRAINT TARGET_pkey; ";
        String key = "ALTER TABLE SOURCE ADD PRIMARY KEY (id)";
        String keyOfTarget = "ALTER TABLE TARGET ADD PRIMARY KEY (id)";
        return Stream.of(
                        change("two rows behind one key after it was dropped", drop + ghosts + insert, remove + key)
                                .harm(harm),
                        change(
                                        "two rows behind one key of a damaged index",
                                        ghosts + "; UPDATE pg_index SET indisready = false"
                                                + " WHERE indexrelid = 'SOURCE_pkey'::regclass" + insert
                                                + "; UPDATE pg_index SET indisready = true"
                                                + " WHERE indexrelid = 'SOURCE_pkey'::regclass",
                                        remove + "REINDEX TABLE SOURCE")
                                .harm(harm),
                        change(
                                        "rows without a key",
                                        drop
                                                + "ALTER TABLE SOURCE ALTER id DROP NOT NULL; CREATE UNIQUE INDEX chaos_key ON"
                                                + " SOURCE (id); " + ghosts + ", id = NULL" + insert,
                                        remove + "DROP INDEX chaos_key; " + key)
                                .harm(harm),
                        change(
                                        "two rows behind one key that is unique in part",
                                        drop
                                                + "CREATE UNIQUE INDEX chaos_key ON SOURCE (id) WHERE user_name <> 'ghost'; "
                                                + ghosts + insert,
                                        remove + "DROP INDEX chaos_key; " + key)
                                .harm(harm),
                        change(
                                "the source's key becomes deferrable",
                                drop + "ALTER TABLE SOURCE ADD PRIMARY KEY (id) DEFERRABLE",
                                drop + key),
                        change("the source's key is dropped", drop, key),
                        change("the target's key is dropped", dropOfTarget, keyOfTarget),
                        change(
                                "the target's key is unique in part",
                                dropOfTarget + "CREATE UNIQUE INDEX chaos_key ON TARGET (id) WHERE id > 100",
                                "DROP INDEX chaos_key; " + keyOfTarget),
                        change(
                                "the target's key is not unique",
                                dropOfTarget + "CREATE INDEX chaos_key ON TARGET (id)",
                                "DROP INDEX chaos_key; " + keyOfTarget),
                        change(
                                "the target's key becomes deferrable",
                                dropOfTarget + "ALTER TABLE TARGET ADD PRIMARY KEY (id) DEFERRABLE",
                                dropOfTarget + keyOfTarget),
                        change(
                                "the target's key carries another column",
                                dropOfTarget + "CREATE UNIQUE INDEX chaos_key ON TARGET (id) INCLUDE (user_id)",
                                "DROP INDEX chaos_key; " + keyOfTarget))
                .map(SchemaChange::quietly);
    }

    private static Stream<SchemaChange> columns() {
        return Stream.concat(
                        Stream.of(
                                change(
                                                "a column is added to the source",
                                                KEEP_TARGET + "ALTER TABLE SOURCE ADD extra text DEFAULT 'kept'",
                                                "ALTER TABLE SOURCE DROP extra")
                                        .harm(MOVED_SINCE),
                                change(
                                        "a column is added to the target",
                                        "ALTER TABLE TARGET ADD extra text",
                                        "ALTER TABLE TARGET DROP extra"),
                                change(
                                        "a column that must not be null is added to the target",
                                        "ALTER TABLE TARGET ADD extra int NOT NULL DEFAULT 1",
                                        "ALTER TABLE TARGET DROP extra"),
                                change(
                                                "a column is added to both tables",
                                                KEEP_TARGET + "ALTER TABLE SOURCE ADD extra text DEFAULT 'kept';"
                                                        + " ALTER TABLE TARGET ADD extra text",
                                                "ALTER TABLE SOURCE DROP extra; ALTER TABLE TARGET DROP extra")
                                        .harm(
                                                "SELECT 'without the new column: ' || id FROM ONLY TARGET WHERE extra IS DISTINCT FROM"
                                                        + " 'kept' AND id NOT IN (SELECT id FROM chaos.kept)"),
                                change(
                                        "a column of the source is dropped",
                                        "ALTER TABLE SOURCE DROP operation",
                                        "ALTER TABLE SOURCE ADD operation varchar(32) DEFAULT " + CHAT + "; "
                                                + DEFAULTS),
                                change(
                                        "a column of the target is dropped",
                                        KEEP_TARGET + "ALTER TABLE TARGET DROP operation",
                                        "ALTER TABLE TARGET ADD operation varchar(32); UPDATE ONLY TARGET SET operation = "
                                                + CHAT + " WHERE id IN (SELECT id FROM chaos.kept); " + DEFAULTS),
                                change(
                                        "a column of both tables is dropped",
                                        "ALTER TABLE SOURCE DROP note; ALTER TABLE TARGET DROP note",
                                        "ALTER TABLE HOT ADD note text DEFAULT 'Größe'; ALTER TABLE ARC ADD note text DEFAULT 'Größe';"
                                                + " ALTER TABLE ARC ALTER note DROP DEFAULT"),
                                change(
                                        "a column of the source is renamed",
                                        "ALTER TABLE SOURCE RENAME operation TO operation_was",
                                        "ALTER TABLE SOURCE RENAME operation_was TO operation"),
                                change(
                                        "a column of the target is renamed",
                                        "ALTER TABLE TARGET RENAME operation TO operation_was",
                                        "ALTER TABLE TARGET RENAME operation_was TO operation"),
                                change(
                                        "a column of both tables is renamed",
                                        "ALTER TABLE SOURCE RENAME note TO note_was; ALTER TABLE TARGET RENAME note TO note_was",
                                        "ALTER TABLE SOURCE RENAME note_was TO note; ALTER TABLE TARGET RENAME note_was TO note"),
                                change(
                                        "a column of the source is replaced by another of its name",
                                        "ALTER TABLE SOURCE RENAME note TO note_was; ALTER TABLE SOURCE ADD note text DEFAULT 'other'",
                                        "ALTER TABLE SOURCE DROP note; ALTER TABLE SOURCE RENAME note_was TO note"),
                                change(
                                        "a column of the source is widened",
                                        "ALTER TABLE SOURCE ALTER api_key_id TYPE bigint",
                                        "ALTER TABLE SOURCE ALTER api_key_id TYPE integer"),
                                change(
                                        "a column of the target is of another collation",
                                        "ALTER TABLE TARGET ALTER note TYPE text COLLATE \"C\"",
                                        "ALTER TABLE TARGET ALTER note TYPE text COLLATE \"default\""),
                                change(
                                        "a column of the source may be null",
                                        "ALTER TABLE SOURCE ALTER model_name DROP NOT NULL",
                                        "ALTER TABLE SOURCE ALTER model_name SET NOT NULL"),
                                change(
                                        "a column of the source is generated",
                                        "ALTER TABLE SOURCE DROP note, ADD note text GENERATED ALWAYS AS ('Größe') STORED",
                                        "ALTER TABLE SOURCE DROP note; ALTER TABLE SOURCE ADD note text DEFAULT 'Größe';"
                                                + " ALTER TABLE ARC ALTER note DROP DEFAULT"),
                                change(
                                        "the ages of both tables become zoned",
                                        "ALTER TABLE HOT" + zoned("timestamptz") + "; ALTER TABLE ARC"
                                                + zoned("timestamptz"),
                                        "ALTER TABLE HOT" + zoned("timestamp") + "; ALTER TABLE ARC"
                                                + zoned("timestamp")),
                                change(
                                        "a column of the target must not be null",
                                        "ALTER TABLE TARGET ALTER note SET NOT NULL",
                                        "ALTER TABLE TARGET ALTER note DROP NOT NULL"),
                                change(
                                        "a column of the target refuses each row",
                                        "ALTER TABLE TARGET ADD CONSTRAINT c CHECK (deleted_at IS NOT NULL) NOT VALID",
                                        "ALTER TABLE TARGET DROP CONSTRAINT c"),
                                change(
                                        "a column of the target refuses each seventh row",
                                        "ALTER TABLE TARGET ADD CONSTRAINT c CHECK (id % 7 <> 1) NOT VALID",
                                        "ALTER TABLE TARGET DROP CONSTRAINT c"),
                                change(
                                        "a column of the target is generated",
                                        KEEP_TARGET + "ALTER TABLE TARGET DROP note,"
                                                + " ADD note text GENERATED ALWAYS AS ('generated') STORED",
                                        "ALTER TABLE TARGET DROP note; ALTER TABLE TARGET ADD note text; UPDATE ONLY TARGET"
                                                + " SET note = 'Größe' WHERE id IN (SELECT id FROM chaos.kept);"
                                                + " ALTER TABLE HOT ALTER note SET DEFAULT 'Größe'"),
                                change(
                                                "the archive's key becomes an identity",
                                                "ALTER TABLE ARC ALTER id ADD GENERATED ALWAYS AS IDENTITY",
                                                "ALTER TABLE ARC ALTER id DROP IDENTITY")
                                        .only(Way.ARCHIVE)),
                        Stream.of(
                                retyped("operation", "varchar(4)", "varchar(32)", CHAT),
                                retyped("operation", "char(40)", "varchar(32)", CHAT),
                                retyped("cost", "numeric(12, 1)", "numeric(12, 4)", "1.2345"),
                                retyped("started_at", "timestamptz", "timestamp", "'2020-02-02 02:02:02.222222'"),
                                retyped("started_at", "timestamp(0)", "timestamp", "'2020-02-02 02:02:02.222222'"),
                                retyped("api_key_id", "char(1)", "integer USING 0", "77")))
                .map(SchemaChange::quietly);
    }

    private static String zoned(String type) {
        return Stream.of("completed_at", "created_at")
                .map(age -> " ALTER " + age + " TYPE " + type + " USING " + age + " AT TIME ZONE 'UTC'")
                .collect(Collectors.joining(","));
    }

    /** A column of the target takes another type, which may not hold what it did. */
    private static SchemaChange retyped(String column, String type, String typeWas, String content) {
        return change(
                "a column of the target becomes " + type,
                KEEP_TARGET
                        + "ALTER TABLE HOT ALTER COLUMN_ DROP DEFAULT; ALTER TABLE TARGET ALTER COLUMN_ TYPE "
                                .replace("COLUMN_", column)
                        + type + " USING substr(cast(" + column + " AS text), 1, 19)::" + type,
                "ALTER TABLE TARGET ALTER " + column + " TYPE " + typeWas + "; ALTER TABLE HOT ALTER " + column
                        + " SET DEFAULT " + content + "; UPDATE ONLY TARGET SET " + column + " = " + content
                        + " WHERE id IN (SELECT id FROM chaos.kept)");
    }

    private static Stream<SchemaChange> references() {
        String fill = "; INSERT INTO chaos.bill (no, id) SELECT id, id FROM ONLY SOURCE WHERE id % 3 = 0;"
                + " CREATE TABLE chaos.kept AS TABLE chaos.bill";
        String harm = "SELECT 'bill: ' || no FROM (TABLE chaos.kept EXCEPT ALL TABLE chaos.bill) AS gone";
        return Stream.of(
                        referenced("cascade", false),
                        referenced("cascade", true),
                        referenced("set null", false),
                        referenced("set null", true),
                        referenced("set default", true),
                        change(
                                        "a table refers to the source",
                                        "CREATE TABLE chaos.bill (no int, id int REFERENCES SOURCE)" + fill,
                                        "DROP TABLE chaos.bill")
                                .harm(harm),
                        change(
                                        "a foreign key becomes one that cascades",
                                        "ALTER TABLE chaos.bill DROP CONSTRAINT bill_id_fkey, ADD CONSTRAINT bill_id_fkey"
                                                + " FOREIGN KEY (id) REFERENCES SOURCE ON DELETE CASCADE" + fill,
                                        "DROP TABLE chaos.bill")
                                .given("CREATE TABLE chaos.bill (no int, id int REFERENCES SOURCE)")
                                .harm(harm),
                        change(
                                        "the target refers to the source on delete cascade",
                                        "ALTER TABLE TARGET ADD CONSTRAINT c FOREIGN KEY (id) REFERENCES SOURCE"
                                                + " ON DELETE CASCADE NOT VALID",
                                        "ALTER TABLE TARGET DROP CONSTRAINT c; DROP TABLE chaos.other")
                                .given("CREATE TABLE chaos.other (id int REFERENCES SOURCE)"),
                        change(
                                        "the source refers to itself on delete set null",
                                        "ALTER TABLE SOURCE ADD CONSTRAINT c FOREIGN KEY (user_id) REFERENCES SOURCE"
                                                + " ON DELETE SET NULL NOT VALID",
                                        "ALTER TABLE SOURCE DROP CONSTRAINT c; DROP TABLE chaos.other")
                                .given("CREATE TABLE chaos.other (id int REFERENCES SOURCE)"),
                        change(
                                "the target refers to another table",
                                "CREATE TABLE chaos.bill (id int PRIMARY KEY); ALTER TABLE TARGET ADD CONSTRAINT c"
                                        + " FOREIGN KEY (model_id) REFERENCES chaos.bill NOT VALID;"
                                        + " INSERT INTO chaos.bill VALUES (0), (1), (2)",
                                "ALTER TABLE TARGET DROP CONSTRAINT c; DROP TABLE chaos.bill"))
                .map(SchemaChange::quietly);
    }

    /** With another table or without one that refers to the source already, and has no row. */
    private static SchemaChange referenced(String action, boolean already) {
        return change(
                        "a " + (already ? "second" : "first") + " table refers to the source on delete " + action,
                        "CREATE TABLE chaos.bill (no int, id int DEFAULT NULL REFERENCES SOURCE ON DELETE " + action
                                + "); INSERT INTO chaos.bill (no, id) SELECT id, id FROM ONLY SOURCE WHERE id % 3 = 0;"
                                + " CREATE TABLE chaos.kept AS TABLE chaos.bill",
                        "DROP TABLE chaos.bill" + (already ? "; DROP TABLE chaos.other" : ""))
                .given(already ? "CREATE TABLE chaos.other (id int REFERENCES SOURCE)" : "")
                .harm("SELECT 'bill: ' || no FROM (TABLE chaos.kept EXCEPT ALL TABLE chaos.bill) AS gone");
    }

    private static Stream<SchemaChange> names() {
        return Stream.of("TARGET", "SOURCE").flatMap(SchemaChanges::names).map(SchemaChange::quietly);
    }

    private static Stream<SchemaChange> names(String table) {
        String side = table.equals("TARGET") ? "the target" : "the source";
        String aside = "ALTER TABLE " + table + " RENAME TO chaos_aside; ";
        String twin =
                "CREATE TABLE " + table + " (LIKE chaos_aside INCLUDING ALL); GRANT ALL ON " + table + " TO PUBLIC";
        String back = "ALTER TABLE chaos_aside RENAME TO " + table;
        String merge = "INSERT INTO chaos_aside SELECT * FROM " + table + "; DROP TABLE " + table + "; " + back;
        return Stream.of(
                change("an empty twin takes the place of " + side, aside + twin, merge),
                change(
                        "a twin with a trigger takes the place of " + side,
                        aside + twin + "; CREATE TRIGGER t BEFORE INSERT OR DELETE ON " + table
                                + " FOR EACH ROW EXECUTE FUNCTION chaos.swallows_some()",
                        merge),
                change(
                        side + " is moved to another schema",
                        "ALTER TABLE " + table + " SET SCHEMA chaos",
                        "ALTER TABLE chaos." + table + " SET SCHEMA public"),
                change(
                        "a view takes the place of " + side,
                        aside + "CREATE VIEW " + table + " AS TABLE chaos_aside; GRANT ALL ON " + table + " TO PUBLIC",
                        "DROP VIEW " + table + "; " + back),
                change(
                        "a view that swallows rows takes the place of " + side,
                        aside + "CREATE VIEW " + table + " AS TABLE chaos_aside; GRANT ALL ON " + table + " TO PUBLIC;"
                                + " CREATE TRIGGER t INSTEAD OF INSERT OR DELETE ON " + table
                                + " FOR EACH ROW EXECUTE FUNCTION chaos.nothing()",
                        "DROP VIEW " + table + "; " + back),
                change(
                        "a partitioned table takes the place of " + side,
                        aside + "CREATE TABLE " + table
                                + " (LIKE chaos_aside, PRIMARY KEY (id)) PARTITION BY RANGE (id);"
                                + " ALTER TABLE " + table + " ATTACH PARTITION chaos_aside DEFAULT; GRANT ALL ON "
                                + table
                                + " TO PUBLIC",
                        "ALTER TABLE " + table + " DETACH PARTITION chaos_aside; DROP TABLE " + table + "; " + back));
    }

    private static Stream<SchemaChange> replication() {
        String trigger = "CREATE TRIGGER t BEFORE INSERT ON TARGET FOR EACH ROW EXECUTE FUNCTION chaos.alters();"
                + " ALTER TABLE TARGET ENABLE REPLICA TRIGGER t";
        String roleSet = "ALTER ROLE MOVER IN DATABASE usage SET session_replication_role = replica";
        String roleReset = "ALTER ROLE MOVER IN DATABASE usage RESET session_replication_role; ";
        String refers = "CREATE TABLE chaos.bill (no int, id int REFERENCES SOURCE);"
                + " INSERT INTO chaos.bill (no, id) SELECT id, id FROM ONLY SOURCE WHERE id % 9 = 0";
        String orphans =
                "SELECT 'orphan: ' || no FROM chaos.bill b WHERE NOT EXISTS (SELECT FROM ONLY SOURCE s WHERE s.id = b.id)";
        return Stream.of(
                change(
                                "deletes of the source are published without an identity",
                                "ALTER TABLE SOURCE REPLICA IDENTITY NOTHING; CREATE PUBLICATION chaos FOR TABLE SOURCE",
                                "DROP PUBLICATION chaos; ALTER TABLE SOURCE REPLICA IDENTITY DEFAULT")
                        .quietly(),
                change(
                                "the source loses its identity for replicas",
                                "ALTER TABLE SOURCE REPLICA IDENTITY NOTHING",
                                "DROP PUBLICATION chaos; ALTER TABLE SOURCE REPLICA IDENTITY DEFAULT")
                        .given("CREATE PUBLICATION chaos FOR TABLE SOURCE")
                        .quietly(),
                change("new sessions fire the triggers of a replica", roleSet, roleReset + "DROP TRIGGER t ON TARGET")
                        .given(trigger)
                        .then(NEW_SESSION),
                change(
                                "new sessions of the database fire the triggers of a replica",
                                "ALTER DATABASE usage SET session_replication_role = replica",
                                "ALTER DATABASE usage RESET session_replication_role; DROP TRIGGER t ON TARGET")
                        .given(trigger)
                        .then(NEW_SESSION),
                change("new sessions do not look at foreign keys", roleSet, roleReset + "DROP TABLE chaos.bill")
                        .given(refers)
                        .then(NEW_SESSION)
                        .harm(orphans)
                        .quietly());
    }

    private static Stream<SchemaChange> ledger() {
        String before = "CREATE TRIGGER t BEFORE UPDATE ON LEDGER FOR EACH ROW ";
        String drop = "DROP TRIGGER t ON LEDGER";
        String harmless =
                "CREATE TRIGGER harmless BEFORE UPDATE ON LEDGER FOR EACH ROW EXECUTE FUNCTION chaos.nothing()";
        return Stream.of(
                change(
                        "a trigger swallows each UPDATE of the ledger",
                        before + "EXECUTE FUNCTION chaos.swallows()",
                        drop),
                change(
                                "a trigger beside a harmless one swallows each UPDATE of the ledger",
                                before + "EXECUTE FUNCTION chaos.swallows()",
                                drop + "; DROP TRIGGER harmless ON LEDGER")
                        .given(harmless),
                change(
                        "a trigger swallows the counting of batches",
                        before + "WHEN (new.batches > old.batches) EXECUTE FUNCTION chaos.swallows()",
                        drop),
                change(
                        "a trigger keeps the ledger's count as it was",
                        before + "EXECUTE FUNCTION chaos.miscounts()",
                        drop),
                change(
                        "a trigger takes the ledger's count back",
                        "CREATE TRIGGER t AFTER UPDATE ON LEDGER FOR EACH ROW WHEN (new.rows_moved > old.rows_moved)"
                                + " EXECUTE FUNCTION chaos.takes_back()",
                        drop),
                change(
                                "a trigger keeps the ledger's version of the holds as it was",
                                before + "EXECUTE FUNCTION chaos.forgets_holds()",
                                drop + "; DELETE FROM HOLDS WHERE reason = 'chaos'")
                        .then("INSERT INTO HOLDS (table_name, model_id, reason, created_by, node, created_at)"
                                + " VALUES ('public.HOT', 5, 'chaos', 'chaos', 'chaos', '2020-01-01')"
                                + READ_HOLDS_AGAIN
                                + "; CREATE TABLE chaos.kept AS SELECT id FROM ONLY HOT WHERE model_id = 5")
                        .harm("SELECT 'held: ' || id FROM ONLY ARC WHERE id IN (SELECT id FROM chaos.kept)")
                        .only(Way.ARCHIVE),
                change(
                        "a trigger swallows each INSERT into the ledger",
                        "CREATE TRIGGER t BEFORE INSERT ON LEDGER FOR EACH ROW EXECUTE FUNCTION chaos.swallows()",
                        drop),
                change(
                        "a rule swallows each UPDATE of the ledger",
                        "CREATE RULE r AS ON UPDATE TO LEDGER DO INSTEAD NOTHING",
                        "DROP RULE r ON LEDGER"),
                change(
                        "a rule swallows the counting of batches",
                        "CREATE RULE r AS ON UPDATE TO LEDGER WHERE new.batches > old.batches DO INSTEAD NOTHING",
                        "DROP RULE r ON LEDGER"),
                change(
                        "an empty twin takes the place of the ledger",
                        "ALTER TABLE LEDGER RENAME TO chaos_aside; CREATE TABLE LEDGER (LIKE chaos_aside INCLUDING ALL);"
                                + " GRANT ALL ON LEDGER TO PUBLIC",
                        "UPDATE LEDGER SET sweep_id = sweep_id + 1000000 + (SELECT max(sweep_id) FROM chaos_aside);"
                                + " UPDATE chaos_aside SET state = 'SUPERSEDED', finished_at = started_at WHERE state = 'RUNNING';"
                                + " INSERT INTO chaos_aside SELECT * FROM LEDGER; DROP TABLE LEDGER;"
                                + " ALTER TABLE chaos_aside RENAME TO LEDGER; SELECT setval(pg_get_serial_sequence('LEDGER',"
                                + " 'sweep_id'), (SELECT max(sweep_id) FROM LEDGER))"),
                change(
                        "a view takes the place of the ledger",
                        "ALTER TABLE LEDGER RENAME TO chaos_aside; CREATE VIEW LEDGER AS TABLE chaos_aside;"
                                + " GRANT ALL ON LEDGER TO PUBLIC",
                        "DROP VIEW LEDGER; ALTER TABLE chaos_aside RENAME TO LEDGER"),
                change(
                        "the ledger loses its unique index",
                        "DROP INDEX LEDGER_running",
                        "UPDATE LEDGER SET state = 'SUPERSEDED', finished_at = started_at WHERE state = 'RUNNING';"
                                + " CREATE UNIQUE INDEX LEDGER_running ON LEDGER (table_name) WHERE state = 'RUNNING'"),
                change(
                        "the ledger loses a column",
                        "ALTER TABLE LEDGER RENAME rows_rejected TO rows_were_rejected",
                        "ALTER TABLE LEDGER RENAME rows_were_rejected TO rows_rejected"));
    }

    private static Stream<SchemaChange> holds() {
        return Stream.of(
                change(
                        "a view that hides the holds takes their place",
                        "ALTER TABLE HOLDS RENAME TO chaos_aside; CREATE VIEW HOLDS AS SELECT * FROM chaos_aside WHERE false;"
                                + " GRANT ALL ON HOLDS TO PUBLIC" + READ_HOLDS_AGAIN,
                        "DROP VIEW HOLDS; ALTER TABLE chaos_aside RENAME TO HOLDS"),
                change(
                        "the holds are renamed",
                        "ALTER TABLE HOLDS RENAME TO chaos_aside" + READ_HOLDS_AGAIN,
                        "ALTER TABLE chaos_aside RENAME TO HOLDS"),
                change(
                        "a column of the holds is renamed",
                        "ALTER TABLE HOLDS RENAME model_id TO was_model_id" + READ_HOLDS_AGAIN,
                        "ALTER TABLE HOLDS RENAME was_model_id TO model_id"),
                change(
                        "a trigger swallows new holds",
                        "CREATE TRIGGER t BEFORE INSERT ON HOLDS FOR EACH ROW EXECUTE FUNCTION chaos.swallows()",
                        "DROP TRIGGER t ON HOLDS"),
                change(
                        "a rule swallows new holds",
                        "CREATE RULE r AS ON INSERT TO HOLDS DO INSTEAD NOTHING",
                        "DROP RULE r ON HOLDS"));
    }

    private static Stream<SchemaChange> others() {
        return Stream.of(
                change(
                        "the role may not insert",
                        "REVOKE INSERT ON TARGET FROM MOVER",
                        "GRANT INSERT ON TARGET TO MOVER"),
                change(
                        "the role may not delete",
                        "REVOKE DELETE ON SOURCE FROM MOVER",
                        "GRANT DELETE ON SOURCE TO MOVER"),
                change(
                        "the role may not update the ledger",
                        "REVOKE UPDATE ON LEDGER FROM MOVER",
                        "GRANT UPDATE ON LEDGER TO MOVER"),
                change(
                        "the source is written anew in another order",
                        "CLUSTER SOURCE USING ix_SOURCE_created_at",
                        "ALTER TABLE SOURCE SET WITHOUT CLUSTER"),
                change(
                        "the source loses the index on an age",
                        "DROP INDEX ix_SOURCE_completed_at",
                        "CREATE INDEX ix_SOURCE_completed_at ON SOURCE (completed_at)"));
    }
}
