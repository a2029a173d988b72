package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.LocalDateTime;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jooq.DSLContext;
import org.jooq.Record;
import org.jooq.SQLDialect;
import org.jooq.TableField;
import org.jooq.impl.DSL;
import org.jooq.impl.SQLDataType;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Archives that are made as twins of live hot tables. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ArchiveTwinTest {
    private static final ArchiveTwin.Shape FULL = new ArchiveTwin.Shape(null, null);

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    @ParameterizedTest
    @MethodSource("io.usagearchiver.AnyPairTest#pairs")
    void a_sweep_and_a_restore_run_right_after_it(AnyPair any) {
        any.create(db);
        db.execute("DROP TABLE " + any.archive() + "; REVOKE ALL ON " + any.hot() + " FROM " + TestDatabase.ARCHIVER
                + ", " + TestDatabase.RESTORER);
        make(any.pair(), FULL);

        assertThat(Archiver.builder(any.pair(), db.archiver())
                        .settings(ArchiveSettings.defaults().withBatchSize(7))
                        .build()
                        .sweep()
                        .rowsMoved())
                .isEqualTo(40);
        any.assertMoved(db);
        assertThat(new ArchiveTwin(any.pair()).differences(db::connectAsOwner, ArchiveSettings.defaults()))
                .isEmpty();

        if (any.generated()) {
            return; // A column that is GENERATED ALWAYS takes none back.
        }
        Archiver.builder(any.pair(), db.restorer())
                .build()
                .restore(
                        RowFilter.ages(null, LocalDateTime.parse("2050-01-01T00:00")),
                        LocalDateTime.parse("2200-01-01T00:00"),
                        "audit",
                        new StopSignal());
        any.assertAllHot(db);
    }

    @Test
    void it_has_what_a_row_is_made_of_and_nothing_that_would_refuse_or_fill_one() {
        db.execute("""
                DROP TABLE IF EXISTS odd, odd_archive, customers CASCADE;
                CREATE TABLE customers (id int PRIMARY KEY);
                CREATE TABLE odd (
                  gone text, id bigint GENERATED ALWAYS AS IDENTITY, code varchar(9) COLLATE "C" NOT NULL DEFAULT 'x' UNIQUE,
                  doc text COMPRESSION pglz, raw bytea, twice bigint GENERATED ALWAYS AS (id * 2) STORED,
                  price numeric(10, 2) CHECK (price >= 0), customer int REFERENCES customers, tags text[] NOT NULL,
                  "select" timestamptz(3) NOT NULL, PRIMARY KEY (id) INCLUDE (code));
                ALTER TABLE odd DROP gone, ALTER raw SET STORAGE EXTERNAL;
                COMMENT ON COLUMN odd.price IS 'in the customer''s \\ currency';
                CREATE INDEX ON odd ("select");
                CREATE UNIQUE INDEX ix_odd_lower ON odd (lower(code) text_pattern_ops DESC NULLS LAST, price) INCLUDE (customer)
                  NULLS NOT DISTINCT WITH (fillfactor = 70) WHERE price > 1 AND code <> 'a  b; USING';
                CREATE INDEX by_tag ON odd USING gin (tags);
                CREATE INDEX by_tag_again ON odd USING gin (tags)""");
        List<String> statements = statements(odd(), FULL);

        assertThat(statements)
                .containsExactly(
                        """
                        CREATE TABLE public.odd_archive (
                            id bigint NOT NULL,
                            code character varying(9) COLLATE pg_catalog."C" NOT NULL,
                            doc text COMPRESSION pglz,
                            raw bytea,
                            twice bigint,
                            price numeric(10,2),
                            customer integer,
                            tags text[] NOT NULL,
                            "select" timestamp(3) with time zone NOT NULL,
                            CONSTRAINT odd_archive_pkey PRIMARY KEY (id) INCLUDE (code)
                        )""",
                        "ALTER TABLE public.odd_archive ALTER COLUMN raw SET STORAGE EXTERNAL",
                        "CREATE INDEX odd_archive_by_tag ON public.odd_archive USING gin (tags)",
                        "CREATE INDEX ix_odd_archive_lower ON public.odd_archive USING btree (lower((code)::text)"
                                + " text_pattern_ops DESC NULLS LAST, price) INCLUDE (customer) NULLS NOT DISTINCT WITH"
                                + " (fillfactor='70') WHERE ((price > (1)::numeric) AND ((code)::text <> 'a  b; USING'::text))",
                        "CREATE INDEX odd_archive_code_key ON public.odd_archive USING btree (code)",
                        "CREATE INDEX odd_archive_select_idx ON public.odd_archive USING btree (\"select\")",
                        "COMMENT ON TABLE public.odd_archive IS 'Archive of public.odd: the usage archiver moves its expired rows"
                                + " here. Its columns are that table''s; a row comes with all its values, so there are no"
                                + " defaults, CHECKs or foreign keys.'",
                        "COMMENT ON COLUMN public.odd_archive.price IS E'in the customer''s \\\\ currency'");
        statements.forEach(db::execute);
        assertThat(db.strings("SELECT attname || ' ' || attstorage::text || attcompression::text FROM pg_attribute"
                        + " WHERE attrelid = 'odd_archive'::regclass AND (attstorage = 'e' OR attcompression <> '')"))
                .containsExactlyInAnyOrder("doc xp", "raw e");
        assertThat(statements(odd(), new ArchiveTwin.Shape(Set.of("by_tag"), null)))
                .as("lean, beside one that has the names")
                .filteredOn(sql -> sql.contains("INDEX"))
                .containsExactly(
                        "CREATE INDEX ON public.odd_archive USING gin (tags)",
                        "CREATE INDEX ON public.odd_archive USING brin (\"select\") WITH (pages_per_range = 32,"
                                + " autosummarize = on)");
    }

    @Test
    void a_column_that_may_hold_nulls_whatever_it_says_takes_them_in_the_archive() {
        db.execute(
                "DROP TABLE IF EXISTS odd, odd_archive CASCADE;"
                        + " CREATE TABLE odd (id bigint PRIMARY KEY, \"select\" timestamptz, note text); INSERT INTO odd VALUES (1)");
        if (db.number("SHOW server_version_num") >= 180_000) {
            db.execute(
                    "ALTER TABLE odd ADD NOT NULL note NOT VALID, ADD twice bigint GENERATED ALWAYS AS (id * 2) VIRTUAL");
        } else {
            db.execute("ALTER TABLE odd ADD twice bigint GENERATED ALWAYS AS (id * 2) STORED");
        }

        assertThat(statements(odd(), FULL).get(0)).contains("    note text,\n    twice bigint,\n    CONSTRAINT");
    }

    @Test
    void a_hot_table_in_partitions_gets_one_table_or_one_by_month() {
        db.execute("""
                DROP TABLE IF EXISTS odd, odd_archive CASCADE;
                CREATE TABLE odd (id bigint, "select" timestamptz, note text, PRIMARY KEY (id, "select"))
                  PARTITION BY RANGE ("select");
                CREATE TABLE odd_old PARTITION OF odd FOR VALUES FROM (MINVALUE) TO ('2020-01-01');
                CREATE INDEX ON odd (note)""");
        ForeignTable hot = new ForeignTable("public", "odd");
        TableField<Record, ?> id = hot.column("id", SQLDataType.BIGINT);
        TableField<Record, ?> age = hot.column("select", SQLDataType.TIMESTAMPWITHTIMEZONE);
        ArchivePair<?> pair =
                TestedPair.of(ArchivePair.of(hot, hot.twin("public", "odd_archive"), List.of(id, age), age));

        for (ArchiveTwin.Shape shape : List.of(FULL, new ArchiveTwin.Shape(null, 13))) {
            statements(pair, shape).forEach(db::execute);
            assertThat(db.strings("SELECT relkind FROM pg_class WHERE relname = 'odd_archive'"))
                    .containsExactly(shape.retentionMonths() == null ? "r" : "p");
            assertThat(db.strings("SELECT indexdef FROM pg_indexes WHERE tablename = 'odd_archive' ORDER BY indexname"))
                    .extracting(index -> index.replace("ONLY ", ""))
                    .containsExactly(
                            "CREATE INDEX odd_archive_note_idx ON public.odd_archive USING btree (note)",
                            "CREATE UNIQUE INDEX odd_archive_pkey ON public.odd_archive USING btree (id, \"select\")");
            db.execute("DROP TABLE odd_archive");
        }
    }

    @Test
    void a_key_that_is_a_mere_unique_index_stays_one_and_long_names_are_left_to_postgresql() {
        String index = "i".repeat(60);
        db.execute("DROP TABLE IF EXISTS odd, odd_archive CASCADE;"
                + " CREATE TABLE odd (id text COLLATE \"C\" NOT NULL, \"select\" timestamptz);"
                + " CREATE UNIQUE INDEX odd_key ON odd (id); CREATE INDEX " + index + " ON odd (\"select\")");

        assertThat(statements(odd(), FULL))
                .filteredOn(sql -> sql.contains("INDEX") || sql.contains("KEY"))
                .containsExactly(
                        "CREATE UNIQUE INDEX odd_archive_key ON public.odd_archive USING btree (id)",
                        "CREATE INDEX ON public.odd_archive USING btree (\"select\")");
    }

    @Tag(TestedPair.OF_CODE)
    @Test
    void what_cannot_have_a_twin_is_told() {
        db.execute("DROP TABLE IF EXISTS odd, odd_archive CASCADE");
        assertRefused(FULL, "there is no table public.odd, whose twin the archive would be");

        db.execute("CREATE TABLE odd (id bigint PRIMARY KEY DEFERRABLE, \"select\" timestamptz)");
        assertRefused(FULL, "hot public.odd has no primary key or full unique index on exactly id, not deferrable,");

        db.execute("ALTER TABLE odd DROP CONSTRAINT odd_pkey, ADD PRIMARY KEY (id)");
        assertRefused(
                new ArchiveTwin.Shape(Set.of("by_user"), null), "hot public.odd has no index by_user beside its key;");
        assertRefused(
                new ArchiveTwin.Shape(null, 13),
                "The archive of public.odd cannot be partitioned by month: its key, id, does not contain its age, select.");
    }

    @Test
    void the_months_from_the_oldest_row_to_the_third_after_the_cutoffs_get_partitions() {
        db.execute("""
                DROP TABLE IF EXISTS odd, odd_archive CASCADE;
                CREATE TABLE odd (id bigint, "select" timestamptz, PRIMARY KEY (id, "select"));
                INSERT INTO odd VALUES (1, '-infinity'), (2, now() - interval '20 months'), (3, 'infinity')""");
        ForeignTable hot = new ForeignTable("public", "odd");
        TableField<Record, ?> id = hot.column("id", SQLDataType.BIGINT);
        TableField<Record, ?> age = hot.column("select", SQLDataType.TIMESTAMPWITHTIMEZONE);
        ArchivePair<?> pair =
                TestedPair.of(ArchivePair.of(hot, hot.twin("public", "odd_archive"), List.of(id, age), age));

        statements(pair, new ArchiveTwin.Shape(null, 13)).forEach(db::execute);

        assertThat(db.strings("SELECT relname FROM pg_class JOIN pg_inherits ON inhrelid = oid AND inhparent ="
                        + " 'odd_archive'::regclass ORDER BY 1"))
                .isEqualTo(db.strings("SELECT to_char(m, '\"odd_archive_p\"YYYYMMDD') FROM generate_series("
                        + "date_trunc('month', timezone('UTC', now()) - interval '20 months'),"
                        + " timezone('UTC', now()) - interval '10 months', interval '1 month') m"));
        db.execute("INSERT INTO odd_archive SELECT * FROM odd WHERE id = 2");
    }

    private void assertRefused(ArchiveTwin.Shape shape, String told) {
        assertThatExceptionOfType(ArchiveException.class)
                .isThrownBy(() -> statements(odd(), shape))
                .withMessageStartingWith(told);
    }

    private static ArchivePair<?> odd() {
        ForeignTable hot = new ForeignTable("public", "odd");
        TableField<Record, Long> id = hot.column("id", SQLDataType.BIGINT);
        return TestedPair.of(ArchivePair.of(
                hot, hot.twin("public", "odd_archive"), id, hot.column("select", SQLDataType.TIMESTAMPWITHTIMEZONE)));
    }

    /** Makes the archive, with the rights of both roles. */
    private void make(ArchivePair<?> pair, ArchiveTwin.Shape shape) {
        ArchiveTwin twin = new ArchiveTwin(pair);
        statements(pair, shape).forEach(db::execute);
        Stream.concat(
                        read(tx -> twin.missingGrants(tx, TestDatabase.ARCHIVER)).stream(),
                        read(tx -> twin.missingRestoreGrants(tx, TestDatabase.RESTORER)).stream())
                .forEach(db::execute);
        assertThat(read(tx -> twin.missingGrants(tx, TestDatabase.ARCHIVER))).isEmpty();
    }

    private List<String> statements(ArchivePair<?> pair, ArchiveTwin.Shape shape) {
        return read(tx -> new ArchiveTwin(pair).statements(tx, shape));
    }

    /** Of a session that writes nothing as the statements have it. */
    private List<String> read(Function<DSLContext, List<String>> reading) {
        try (Connection connection = db.connectAsOwner()) {
            TestDatabase.execute(
                    connection,
                    Stream.of("search_path = public", "DateStyle = 'ISO, DMY'", "quote_all_identifiers = on")
                            .map(setting -> "SET " + setting)
                            .collect(Collectors.joining("; ")));
            return DSL.using(connection, SQLDialect.POSTGRES).transactionResult(tx -> reading.apply(tx.dsl()));
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }
}
