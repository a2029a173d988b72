package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.usagearchiver.internal.jdbc.TransactionLimits;
import io.usagearchiver.internal.postgres.TableName;
import io.usagearchiver.metrics.SweepMetrics;
import io.usagearchiver.testing.SlowPath;
import io.usagearchiver.testing.TappedConnections;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.UsageRows;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.time.Duration;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.OffsetDateTime;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jooq.DataType;
import org.jooq.Field;
import org.jooq.Record;
import org.jooq.TableField;
import org.jooq.impl.DSL;
import org.jooq.impl.DefaultDataType;
import org.jooq.impl.SQLDataType;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Pairs of tables that the library has never seen: 40 rows of each are expired, 3 are not. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class AnyPairTest {
    private static final LocalDateTime FOREVER = LocalDateTime.parse("2200-01-01T00:00");

    /** An hour in steps of seven minutes that a clock in New York, which is this JVM's, does not show; and the hours around. */
    private static final String AGE =
            "CASE WHEN i <= 40 THEN timestamp '2021-03-14 01:00' + i * interval '7 minutes' ELSE '2100-01-01' END";

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    static Stream<AnyPair> pairs() {
        return Stream.concat(
                declared().flatMap(pair -> Stream.of(pair, pair.named())),
                Stream.of(
                        hourlyBuckets().named("hour", "meter", "tenant"),
                        mixedKey().named("\"Padded\", label, amount, \"when\"", "\"Ident\", digest")));
    }

    private static Stream<AnyPair> declared() {
        return Stream.of(
                bigintIdentity(),
                uuidAndZonedAge(),
                twoZonedAges(),
                days(),
                hourlyBuckets(),
                quotedNames(),
                manyTypes(),
                manyColumns(),
                generatedColumns(),
                onlySome(),
                binaryKey(),
                timestampKey(),
                enumKey(),
                paddedKey(),
                keyOfAnExtension(),
                keyOfSeveralSchemas(),
                compositeKey(),
                arrayKey(),
                keyWithAnArray(),
                domainKey(),
                foldedKey(),
                mixedKey(),
                longNames(),
                withADroppedColumn(),
                partitionsByAge(),
                hashedIntoPartitions(),
                bigintIdentity()
                        .partitioned("", " PARTITION BY RANGE (id); CREATE TABLE PART(1) PARTITION OF TABLE_ DEFAULT"),
                hourlyBuckets()
                        .partitioned(
                                " PARTITION BY LIST (meter);"
                                        + " CREATE TABLE PART(1) PARTITION OF TABLE_ FOR VALUES IN ('m, {\"0', 'm, {\"1');"
                                        + " CREATE TABLE PART(2) PARTITION OF TABLE_ FOR VALUES IN ('m, {\"2')",
                                ""));
    }

    /** One of the partitions has its columns in another order, one is partitioned itself. */
    private static AnyPair partitionsByAge() {
        ForeignTable hot = new ForeignTable("public", "calls");
        TableField<Record, Integer> id = hot.column("id", SQLDataType.INTEGER);
        TableField<Record, OffsetDateTime> at = hot.column("at", SQLDataType.TIMESTAMPWITHTIMEZONE);
        String partitions = " PARTITION BY RANGE (at);"
                + " CREATE TABLE PART(1) PARTITION OF TABLE_ FOR VALUES FROM (MINVALUE) TO ('2021-03-14 02:00+00');"
                + " CREATE TABLE PART(2) (note text, at timestamptz NOT NULL, gone int, third text, id int NOT NULL,"
                + " second text); ALTER TABLE PART(2) DROP gone;"
                + " ALTER TABLE TABLE_ ATTACH PARTITION PART(2) FOR VALUES FROM ('2021-03-14 02:00+00') TO ('2021-03-14 04:00+00');"
                + " CREATE TABLE PART(3) PARTITION OF TABLE_ FOR VALUES FROM ('2021-03-14 04:00+00') TO (MAXVALUE)"
                + " PARTITION BY HASH (id);"
                + " CREATE TABLE PART(4) PARTITION OF PART(3) FOR VALUES WITH (MODULUS 2, REMAINDER 0);"
                + " CREATE TABLE PART(5) PARTITION OF PART(3) FOR VALUES WITH (MODULUS 2, REMAINDER 1)";
        return new AnyPair(
                        "int and timestamptz, the age",
                        ArchivePair.of(hot, hot.twin("public", "calls_archive"), List.of(id, at), at),
                        "id int, at timestamptz, note text, second text, third text, PRIMARY KEY (at, id)",
                        "SELECT i % 5, timezone('UTC', " + AGE + "), 'note ' || i, 'second ' || i, 'third ' || i"
                                + " FROM generate_series(1, 43) i")
                .partitioned(partitions, partitions);
    }

    private static AnyPair hashedIntoPartitions() {
        ForeignTable hot = new ForeignTable("public", "tasks");
        TableField<Record, String> id = hot.column("id", SQLDataType.CLOB);
        TableField<Record, LocalDateTime> ended = hot.column("ended", SQLDataType.LOCALDATETIME);
        TableField<Record, LocalDateTime> begun = hot.column("begun", SQLDataType.LOCALDATETIME);
        String partitions = " PARTITION BY HASH (id);"
                + " CREATE TABLE PART(1) PARTITION OF TABLE_ FOR VALUES WITH (MODULUS 3, REMAINDER 0);"
                + " CREATE TABLE PART(2) PARTITION OF TABLE_ FOR VALUES WITH (MODULUS 3, REMAINDER 1);"
                + " CREATE TABLE PART(3) PARTITION OF TABLE_ FOR VALUES WITH (MODULUS 3, REMAINDER 2)";
        return new AnyPair(
                        "text, two ages",
                        ArchivePair.of(hot, hot.twin("public", "tasks_archive"), id, ended, begun),
                        "id text PRIMARY KEY, ended timestamp, begun timestamp, note text",
                        "SELECT 'task ' || i, CASE WHEN i % 3 <> 0 OR i = 43 THEN a END,"
                                + " CASE WHEN i % 3 = 0 THEN a ELSE '1999-01-01' END, 'note'"
                                + " FROM (SELECT i, CASE WHEN i = 1 THEN '-infinity' ELSE " + AGE + " END AS a"
                                + " FROM generate_series(1, 43) i) s")
                .partitioned(partitions, partitions);
    }

    private static AnyPair bigintIdentity() {
        ForeignTable hot = new ForeignTable("public", "orders");
        TableField<Record, Long> id = hot.column("id", SQLDataType.BIGINT.identity(true));
        TableField<Record, LocalDateTime> age = hot.column("closed_at", SQLDataType.LOCALDATETIME(6));
        return new AnyPair(
                "bigint identity, timestamp",
                ArchivePair.of(hot, hot.twin("public", "orders_archive"), id, age),
                "id bigint {by default as identity} PRIMARY KEY, note text, closed_at timestamp",
                "SELECT i + 5000000000, 'note ' || i, " + AGE + " FROM generate_series(1, 43) i");
    }

    private static AnyPair uuidAndZonedAge() {
        ForeignTable hot = new ForeignTable("public", "events");
        TableField<Record, UUID> id = hot.column("id", SQLDataType.UUID);
        TableField<Record, OffsetDateTime> age = hot.column("at", SQLDataType.TIMESTAMPWITHTIMEZONE(6));
        return new AnyPair(
                "uuid, timestamptz",
                ArchivePair.of(hot, hot.twin("public", "events_archive"), id, age),
                "id uuid PRIMARY KEY, at timestamptz NOT NULL",
                "SELECT md5(i::text)::uuid, timezone('UTC', " + AGE + ") FROM generate_series(1, 43) i");
    }

    private static AnyPair twoZonedAges() {
        ForeignTable hot = new ForeignTable("public", "jobs");
        TableField<Record, Integer> id = hot.column("id", SQLDataType.INTEGER);
        TableField<Record, OffsetDateTime> ended = hot.column("ended", SQLDataType.TIMESTAMPWITHTIMEZONE);
        TableField<Record, OffsetDateTime> begun = hot.column("begun", SQLDataType.TIMESTAMPWITHTIMEZONE);
        return new AnyPair(
                "two timestamptz ages",
                ArchivePair.of(hot, hot.twin("public", "jobs_archive"), id, ended, begun),
                "id integer PRIMARY KEY, ended timestamptz, begun timestamptz",
                "SELECT i, CASE WHEN i % 3 <> 0 OR i = 43 THEN a END, CASE WHEN i % 3 = 0 THEN a ELSE '1999-01-01' END"
                        + " FROM (SELECT i, CASE WHEN i = 1 THEN '-infinity' ELSE timezone('UTC', " + AGE + ") END AS a"
                        + " FROM generate_series(1, 43) i) s");
    }

    private static AnyPair days() {
        ForeignTable hot = new ForeignTable("public", "daily");
        TableField<Record, String> name = hot.column("name", SQLDataType.VARCHAR(3));
        TableField<Record, java.time.LocalDate> day = hot.column("day", SQLDataType.LOCALDATE);
        return new AnyPair(
                "text, longer than the generated code has it, date",
                ArchivePair.of(hot, hot.twin("public", "daily_archive"), name, day),
                "name varchar(40) PRIMARY KEY, day date NOT NULL",
                "SELECT 'Größe \"' || i || '\\, {', (" + AGE + ")::date - i / 9 FROM generate_series(1, 43) i");
    }

    private static AnyPair hourlyBuckets() {
        ForeignTable hot = new ForeignTable("public", "buckets");
        TableField<Record, Integer> tenant = hot.column("tenant", SQLDataType.INTEGER);
        TableField<Record, String> meter = hot.column("meter", SQLDataType.VARCHAR(20));
        TableField<Record, LocalDateTime> hour = hot.column("hour", SQLDataType.LOCALDATETIME);
        hot.key(tenant, meter, hour);
        return new AnyPair(
                "three key columns, one of them the age, many rows of one age",
                ArchivePair.of(
                        hot,
                        hot.twin("public", "buckets_archive"),
                        hot.getPrimaryKey().getFields(),
                        hour),
                "tenant integer, meter varchar(20), hour timestamp, amount numeric, PRIMARY KEY (tenant, meter, hour)",
                "SELECT i / 3, 'm, {\"' || i % 3, CASE WHEN i <= 40 THEN timestamp '2021-03-14 02:00' ELSE '2100-01-01' END,"
                        + " i / 7.0 FROM generate_series(1, 43) i");
    }

    private static AnyPair quotedNames() {
        ForeignTable hot = new ForeignTable("Metering, data", "Order");
        TableField<Record, UUID> first = hot.column("Select", SQLDataType.UUID);
        TableField<Record, OffsetDateTime> second = hot.column("Größe", SQLDataType.TIMESTAMPWITHTIMEZONE);
        TableField<Record, OffsetDateTime> age = hot.column("from", SQLDataType.TIMESTAMPWITHTIMEZONE);
        return new AnyPair(
                "quoted names in other schemas, a key of uuid and timestamptz",
                ArchivePair.of(hot, hot.twin("cold \"store\"", "order.archive"), List.of(first, second), age),
                "\"Select\" uuid, \"Größe\" timestamptz, \"from\" timestamptz, PRIMARY KEY (\"Größe\", \"Select\")",
                "SELECT md5((i / 2)::text)::uuid, timezone('UTC', " + AGE + ") + i % 2 * interval '1 us',"
                        + " timezone('UTC', " + AGE + ") FROM generate_series(1, 43) i");
    }

    private static AnyPair manyTypes() {
        ForeignTable hot = new ForeignTable("public", "typed");
        TableField<Record, Long> id = hot.column("id", SQLDataType.BIGINT);
        TableField<Record, LocalDateTime> age = hot.column("at", SQLDataType.LOCALDATETIME);
        return new AnyPair(
                "json, jsonb, arrays, enums and more",
                ArchivePair.of(hot, hot.twin("public", "typed_archive"), id, age),
                "id bigint PRIMARY KEY, at timestamp, j json, b jsonb, n int[], t text[][], m mood, ms mood[], x xml,"
                        + " raw bytea, ip inet, span tstzrange, f float8, d numeric, v interval, bits bit varying, p point",
                "SELECT i, " + AGE
                        + ", '{\"b\": 1,  \"a\": [null], \"b\": 2}', '{\"b\": 1, \"a\": 1.50}', ARRAY[i, null],"
                        + " '[2:3][0:1]={{a,\"b,\"},{NULL,\"NULL\"}}', 'so so', '{good,NULL,\"so so\"}', '<a  b=\"1\"/>',"
                        + " decode(md5(i::text), 'hex'), '10.0.0.1/8', '[2021-01-01 00:00+00,)',"
                        + " CASE i % 4 WHEN 0 THEN 'NaN' WHEN 1 THEN '-Infinity' WHEN 2 THEN '-0' ELSE 1e-300 END::float8,"
                        + " CASE i % 2 WHEN 0 THEN 'NaN' ELSE 1.000 END::numeric, '1 mon -1 day 24:00:00', B'0010', '(1,-0)'"
                        + " FROM generate_series(1, 43) i");
    }

    private static AnyPair manyColumns() {
        ForeignTable hot = new ForeignTable("public", "wide");
        TableField<Record, java.math.BigDecimal> id = hot.column("id", SQLDataType.DECIMAL(20, 1));
        TableField<Record, LocalDateTime> age = hot.column("at", SQLDataType.LOCALDATETIME);
        String columns = IntStream.rangeClosed(1, 60)
                .mapToObj(column -> "c" + column + " integer")
                .collect(Collectors.joining(", "));
        String values =
                IntStream.rangeClosed(1, 60).mapToObj(column -> "i * " + column).collect(Collectors.joining(", "));
        return new AnyPair(
                "62 columns, numeric of more digits than the generated code has",
                ArchivePair.of(hot, hot.twin("public", "wide_archive"), id, age),
                "id numeric(20, 3) PRIMARY KEY, at timestamp, " + columns,
                "SELECT i / 8.0, " + AGE + ", " + values + " FROM generate_series(1, 43) i");
    }

    private static AnyPair generatedColumns() {
        ForeignTable hot = new ForeignTable("public", "computed");
        TableField<Record, Long> id = hot.column("id", SQLDataType.BIGINT);
        TableField<Record, LocalDateTime> age = hot.column("at", SQLDataType.LOCALDATETIME);
        hot.column("twice", SQLDataType.BIGINT);
        return new AnyPair(
                "identity and expression, generated always",
                ArchivePair.of(hot, hot.twin("public", "computed_archive"), id, age),
                "id bigint {always as identity} PRIMARY KEY, at timestamp, twice bigint {always as (id * 2) stored}",
                "(at) SELECT " + AGE + " FROM generate_series(1, 43) i");
    }

    private static AnyPair onlySome() {
        ForeignTable hot = new ForeignTable("public", "invoices");
        TableField<Record, Integer> id = hot.column("id", SQLDataType.INTEGER);
        TableField<Record, LocalDateTime> age = hot.column("at", SQLDataType.LOCALDATETIME);
        TableField<Record, String> state = hot.column("state", SQLDataType.VARCHAR);
        TableField<Record, Boolean> disputed = hot.column("disputed", SQLDataType.BOOLEAN);
        return new AnyPair(
                "an extra condition",
                ArchivePair.of(hot, hot.twin("public", "invoices_archive"), id, age)
                        .where(state.eq("paid"))
                        .where(disputed.isFalse()),
                "id integer PRIMARY KEY, at timestamp, state varchar, disputed boolean",
                "SELECT i, CASE WHEN i IN (41, 42) THEN timestamp '1999-01-01' ELSE " + AGE + " END,"
                        + " CASE i WHEN 41 THEN 'open' ELSE 'paid' END, CASE WHEN i <> 42 THEN false END"
                        + " FROM generate_series(1, 43) i");
    }

    private static AnyPair binaryKey() {
        ForeignTable hot = new ForeignTable("public", "digests");
        TableField<Record, byte[]> id = hot.column("id", SQLDataType.BLOB);
        TableField<Record, LocalDateTime> age = hot.column("at", SQLDataType.LOCALDATETIME);
        return new AnyPair(
                "bytea, whose Java class has no equals",
                ArchivePair.of(hot, hot.twin("public", "digests_archive"), id, age),
                "id bytea PRIMARY KEY, at timestamp",
                "SELECT decode(md5(i::text), 'hex'), " + AGE + " FROM generate_series(1, 43) i");
    }

    private static AnyPair timestampKey() {
        ForeignTable hot = new ForeignTable("public", "ticks");
        TableField<Record, java.sql.Timestamp> at = hot.column("at", SQLDataType.TIMESTAMP(0));
        return new AnyPair(
                "a timestamp as the key and the age, of java.sql.Timestamp without fractions",
                ArchivePair.of(hot, hot.twin("public", "ticks_archive"), at, at),
                "at timestamp PRIMARY KEY, value real",
                "SELECT " + AGE + " + i * interval '1 us', i / 3.0 FROM generate_series(1, 43) i");
    }

    private static AnyPair enumKey() {
        ForeignTable hot = new ForeignTable("public", "votes");
        TableField<Record, Mood> mood = hot.column("mood", SQLDataType.VARCHAR.asEnumDataType(Mood.class));
        TableField<Record, Integer> voter = hot.column("voter", SQLDataType.INTEGER);
        TableField<Record, LocalDateTime> age = hot.column("at", SQLDataType.LOCALDATETIME);
        return new AnyPair(
                "an enum in the key",
                ArchivePair.of(hot, hot.twin("public", "votes_archive"), List.of(voter, mood), age),
                "mood mood, voter integer, at timestamp, PRIMARY KEY (mood, voter)",
                "SELECT CASE i % 2 WHEN 0 THEN 'so so' ELSE 'good' END::mood, i / 2, " + AGE
                        + " FROM generate_series(1, 43) i");
    }

    private static AnyPair paddedKey() {
        ForeignTable hot = new ForeignTable("public", "codes");
        TableField<Record, String> code = hot.column("code", SQLDataType.CHAR(2));
        TableField<Record, LocalDateTime> age = hot.column("at", SQLDataType.LOCALDATETIME);
        return new AnyPair(
                "char(8), which the generated code has shorter",
                ArchivePair.of(hot, hot.twin("public", "codes_archive"), code, age),
                "code char(8) PRIMARY KEY, at timestamp",
                "SELECT 'c' || i, " + AGE + " FROM generate_series(1, 43) i");
    }

    private static AnyPair keyOfAnExtension() {
        ForeignTable hot = new ForeignTable("public", "accounts");
        // As generated code has it without the schema of the extension.
        TableField<Record, Object> name = hot.column("name", DefaultDataType.getDefaultDataType("citext"));
        TableField<Record, LocalDateTime> age = hot.column("at", SQLDataType.LOCALDATETIME);
        return new AnyPair(
                "citext of a schema that is not searched",
                ArchivePair.of(hot, hot.twin("public", "accounts_archive"), name, age),
                "name " + AnyPair.EXTENSIONS + ".citext PRIMARY KEY, at timestamp, note text",
                "SELECT CASE i % 2 WHEN 0 THEN 'A' ELSE 'a' END || i, " + AGE + ", 'n' FROM generate_series(1, 43) i");
    }

    private static AnyPair keyOfSeveralSchemas() {
        ForeignTable hot = new ForeignTable("public", "paths");
        TableField<Record, Integer> tenant = hot.column("tenant", SQLDataType.INTEGER);
        TableField<Record, Object> path = hot.column("path", typeOfOthers("ltree"));
        TableField<Record, Object> name = hot.column("name", typeOfOthers("citext"));
        TableField<Record, LocalDateTime> age = hot.column("at", SQLDataType.LOCALDATETIME);
        return new AnyPair(
                "integer, ltree and citext, many rows of one age",
                ArchivePair.of(hot, hot.twin("public", "paths_archive"), List.of(tenant, path, name), age),
                "tenant integer, path " + AnyPair.EXTENSIONS + ".ltree, name " + AnyPair.EXTENSIONS
                        + ".citext, at timestamp, note text, PRIMARY KEY (path, tenant, name)",
                "SELECT i / 9, ('top.n' || i / 3)::" + AnyPair.EXTENSIONS
                        + ".ltree, CASE i % 2 WHEN 0 THEN 'A' ELSE 'a' END || i,"
                        + " CASE WHEN i <= 40 THEN timestamp '2021-03-14 02:00' ELSE '2100-01-01' END, 'n'"
                        + " FROM generate_series(1, 43) i");
    }

    private static AnyPair compositeKey() {
        ForeignTable hot = new ForeignTable("public", "parts");
        TableField<Record, Object> code = hot.column("code", typeOfOthers("code"));
        TableField<Record, LocalDateTime> age = hot.column("at", SQLDataType.LOCALDATETIME);
        return new AnyPair(
                "a composite type with an order of its own",
                ArchivePair.of(hot, hot.twin("public", "parts_archive"), code, age),
                "code " + AnyPair.EXTENSIONS + ".code PRIMARY KEY, at timestamp, note text",
                "SELECT ROW(CASE i % 2 WHEN 0 THEN 'A' ELSE 'a' END, i)::" + AnyPair.EXTENSIONS + ".code, " + AGE
                        + ", 'n' FROM generate_series(1, 43) i");
    }

    private static AnyPair arrayKey() {
        ForeignTable hot = new ForeignTable("public", "groups");
        TableField<Record, UUID[]> members = hot.column("members", SQLDataType.UUID.array());
        TableField<Record, LocalDateTime> age = hot.column("at", SQLDataType.LOCALDATETIME);
        return new AnyPair(
                "an array of uuid",
                ArchivePair.of(hot, hot.twin("public", "groups_archive"), members, age),
                "members uuid[] PRIMARY KEY, at timestamp, note text",
                "SELECT CASE i % 3 WHEN 0 THEN ARRAY[md5(i::text)::uuid] WHEN 1 THEN ARRAY[md5(i::text)::uuid, null]"
                        + " ELSE ARRAY[[md5(i::text)::uuid], [md5('x')::uuid]] END, " + AGE
                        + ", 'n' FROM generate_series(1, 43) i");
    }

    private static AnyPair keyWithAnArray() {
        ForeignTable hot = new ForeignTable("public", "routes");
        TableField<Record, Integer> tenant = hot.column("tenant", SQLDataType.INTEGER);
        TableField<Record, String[]> path = hot.column("path", SQLDataType.VARCHAR.array());
        TableField<Record, LocalDateTime> age = hot.column("at", SQLDataType.LOCALDATETIME);
        return new AnyPair(
                "integer and an array of texts, many rows of one age",
                ArchivePair.of(hot, hot.twin("public", "routes_archive"), List.of(tenant, path), age),
                "tenant integer, path varchar[], at timestamp, note text, PRIMARY KEY (tenant, path)",
                "SELECT i / 9, ARRAY['a\\\"{,}' || i, '', 'NULL', null], CASE WHEN i <= 40 THEN timestamp '2021-03-14 02:00'"
                        + " ELSE '2100-01-01' END, 'n' FROM generate_series(1, 43) i");
    }

    private static AnyPair domainKey() {
        ForeignTable hot = new ForeignTable("public", "logins");
        TableField<Record, Object> login = hot.column("login", typeOfOthers("Login"));
        TableField<Record, LocalDateTime> age = hot.column("at", SQLDataType.LOCALDATETIME);
        return new AnyPair(
                "a domain of a domain of citext",
                ArchivePair.of(hot, hot.twin("public", "logins_archive"), login, age),
                "login " + AnyPair.EXTENSIONS + ".\"Login\" PRIMARY KEY, at timestamp, note text",
                "SELECT CASE i % 2 WHEN 0 THEN 'A' ELSE 'a' END || i, " + AGE + ", 'n' FROM generate_series(1, 43) i");
    }

    private static AnyPair foldedKey() {
        ForeignTable hot = new ForeignTable("public", "words");
        TableField<Record, String> word = hot.column("word", SQLDataType.CLOB);
        TableField<Record, LocalDateTime> age = hot.column("at", SQLDataType.LOCALDATETIME);
        return new AnyPair(
                "text whose collation does not see upper and lower case",
                ArchivePair.of(hot, hot.twin("public", "words_archive"), word, age),
                "word text COLLATE " + AnyPair.EXTENSIONS + ".folded PRIMARY KEY, at timestamp, note text",
                "SELECT CASE i % 2 WHEN 0 THEN 'A' ELSE 'a' END || i, " + AGE + ", 'n' FROM generate_series(1, 43) i");
    }

    /** Neither the table nor the index has the columns in this order. */
    private static AnyPair mixedKey() {
        ForeignTable hot = new ForeignTable("Büro.1", "Éntries");
        List<TableField<Record, ?>> key = List.of(
                hot.column("Ident", SQLDataType.UUID),
                hot.column("label", SQLDataType.CLOB),
                hot.column("when", SQLDataType.TIMESTAMPWITHTIMEZONE),
                hot.column("amount", SQLDataType.NUMERIC),
                hot.column("Padded", SQLDataType.CHAR(5)),
                hot.column("digest", SQLDataType.BLOB));
        TableField<Record, LocalDateTime> ended = hot.column("Ended at", SQLDataType.LOCALDATETIME);
        TableField<Record, LocalDateTime> begun = hot.column("begun", SQLDataType.LOCALDATETIME);
        return new AnyPair(
                "a key of uuid, text of a collation, timestamptz, numeric, char and bytea",
                ArchivePair.of(hot, hot.twin("Büro.1", "Éntries.archive"), key, ended, begun),
                "\"Padded\" char(5), label text COLLATE \"C\", begun timestamp, \"when\" timestamptz, \"Ident\" uuid,"
                        + " amount numeric(9, 2), digest bytea, \"Ended at\" timestamp, note text,"
                        + " PRIMARY KEY (digest, \"when\", label, \"Padded\", \"Ident\", amount)",
                "SELECT 'p' || i % 2, 'Größe ' || i / 5, a, timezone('UTC', a), md5((i % 3)::text)::uuid, i / 8.0,"
                        + " decode(md5((i % 2)::text), 'hex'), CASE i % 2 WHEN 0 THEN a END, 'note ' || i"
                        + " FROM (SELECT i, CASE WHEN i <= 40 THEN timestamp '2021-03-14 02:00' ELSE '2100-01-01' END AS a"
                        + " FROM generate_series(1, 43) i) s");
    }

    /** As long as PostgreSQL takes them, and of what statements, templates and binds are made of. */
    private static AnyPair longNames() {
        ForeignTable hot = new ForeignTable("it's. ?{0} \"$1\" :x;--/* \\", "é".repeat(31) + "x");
        TableField<Record, Long> id = hot.column("k\"e'y ? {0 :x;--", SQLDataType.BIGINT);
        TableField<Record, LocalDateTime> age = hot.column("Ä".repeat(31) + ".", SQLDataType.LOCALDATETIME);
        return new AnyPair(
                "names of 63 bytes and of signs that mean something",
                ArchivePair.of(hot, hot.twin("s?".repeat(31) + ".", "é".repeat(31) + "X"), id, age),
                "\"k\"\"e'y ? {0 :x;--\" bigint PRIMARY KEY, \"" + "Ä".repeat(31) + ".\" timestamp, \"$1 ?| /*\" text",
                "SELECT i, " + AGE + ", 'note' FROM generate_series(1, 43) i");
    }

    /** What comes after it has another number than in the archive. */
    private static AnyPair withADroppedColumn() {
        return bigintIdentity()
                .partitioned(
                        "; ALTER TABLE TABLE_ ADD gone int, ADD later text DEFAULT 'x'; ALTER TABLE TABLE_ DROP gone",
                        "; ALTER TABLE TABLE_ ADD later text");
    }

    private static DataType<Object> typeOfOthers(String name) {
        return DefaultDataType.getDefaultDataType(AnyPair.EXTENSIONS + ".\"" + name + "\"");
    }

    @ParameterizedTest
    @MethodSource("pairs")
    void the_rows_of_a_pair_move_as_they_are_and_back_by_separate_statements_too(AnyPair any) {
        any.create(db);
        try (SlowPath slow = new SlowPath()) {
            ArchiveSettings settings = ArchiveSettings.defaults().withBatchSize(7);
            assertThat(Archiver.builder(any.pair(), db.archiver())
                            .settings(settings)
                            .build()
                            .sweep()
                            .rowsMoved())
                    .isEqualTo(40);
            any.assertMoved(db);
            if (!any.generated()) {
                Archiver restorer = Archiver.builder(any.pair(), db.restorer())
                        .settings(settings)
                        .build();
                assertThat(restorer.restore(RowFilter.ages(null, FOREVER), null, "audit", new StopSignal())
                                .counts()
                                .rowsMoved())
                        .isEqualTo(40);
                any.assertAllHot(db);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("pairs")
    void a_pair_gets_plan_sweep_metrics_history_verification_and_restore(AnyPair any) {
        any.create(db);
        ArchivePair<?> pair = any.pair();
        ArchiveSettings settings = ArchiveSettings.defaults().withBatchSize(7);
        SimpleMeterRegistry registry = new SimpleMeterRegistry();

        Plan plan = new Planner(pair, db.archiver(), settings).plan(1000, new StopSignal());
        assertThat(plan.schemaDifferences()).isEmpty();
        assertThat(plan.missingGrants()).isEmpty();
        assertThat(plan.backlog().rows()).isEqualTo(40);
        assertThat(plan.backlog().exact()).isTrue();
        assertThat(plan.backlog().oldestAge()).matches("\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d(\\.\\d+)?|-infinity");
        assertThat(plan.backlog().months().stream().mapToLong(Plan.Month::rows).sum())
                .isEqualTo(40);
        assertThat(plan.overlap().identical() + plan.overlap().different()).isZero();
        new Verifier(pair, db::connectAsOwner, settings).takeBaseline();

        SweepResult sweep = Archiver.builder(pair, db.archiver())
                .settings(settings)
                .listener(new SweepMetrics(registry))
                .build()
                .sweep();

        any.assertMoved(db);
        assertThat(sweep.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(sweep.rowsMoved()).isEqualTo(40);
        assertThat(sweep.keptRowsBack()).isFalse();
        // One of seven rows ends early where the next ones are as old as each other.
        assertThat(sweep.batches()).isBetween(6L, 9L);
        assertThat(registry.get(SweepMetrics.ROWS_MOVED)
                        .tag(SweepMetrics.TABLE, sweep.table())
                        .counter()
                        .count())
                .isEqualTo(40);
        assertThat(new SweepHistory(pair, db.archiver(), settings).newest(1))
                .singleElement()
                .satisfies(past -> {
                    assertThat(past.sweepId()).isEqualTo(sweep.sweepId());
                    assertThat(past.rowsMoved()).isEqualTo(40);
                });
        assertThat(verify(pair).clean()).isTrue();
        assertThat(verify(pair).surplus()).isZero();

        Archiver restorer =
                Archiver.builder(pair, db.restorer()).settings(settings).build();
        RowFilter all = RowFilter.ages(null, FOREVER);
        if (any.generated()) {
            assertThat(catchThrowableOfType(
                                    SchemaDriftException.class,
                                    () -> restorer.restore(all, null, "audit", new StopSignal()))
                            .differences())
                    .containsExactly(
                            "hot public.computed column id is GENERATED ALWAYS: it takes no copy",
                            "hot public.computed column twice is GENERATED ALWAYS: it takes no copy");
            any.assertMoved(db);
            return;
        }
        assertThat(restorer.previewRestore(all).restorable()).isEqualTo(40);
        RestoreResult restored = restorer.restore(all, null, "audit", new StopSignal());

        any.assertAllHot(db);
        assertThat(restored.counts().rowsMoved()).isEqualTo(40);
        SweepResult held = archiver(pair).sweep();
        assertThat(held.rowsMoved()).isZero();
        assertThat(held.stopReason()).isEqualTo(StopReason.DRAINED);
        any.assertAllHot(db);
        restorer.holds().release(restored.hold().id());
        assertThat(archiver(pair).sweep().rowsMoved()).isEqualTo(40);
        any.assertMoved(db);
        assertThat(verify(pair).clean()).isTrue();
    }

    @ParameterizedTest
    @MethodSource("pairs")
    void a_row_whose_key_is_archived_with_other_content_stays_and_is_named_by_its_key(AnyPair any) {
        any.create(db);
        any.archiveTwins(db);

        Plan plan = new Planner(any.pair(), db.archiver(), ArchiveSettings.defaults()).plan(1000, new StopSignal());
        SweepResult sweep = archiver(any.pair()).sweep();

        assertThat(sweep.rowsAlreadyArchived()).isEqualTo(any.changeable() ? 39 : 40);
        assertThat(sweep.rowsInConflict()).isEqualTo(any.changeable() ? 1 : 0);
        assertThat(plan.overlap().identical()).isEqualTo(sweep.rowsAlreadyArchived());
        assertThat(plan.overlap().differentIds()).isEqualTo(sweep.conflictingIds());
        Verification verification = verify(any.pair());
        assertThat(verification.differentIds()).isEqualTo(sweep.conflictingIds());
        assertThat(verification.identical()).isZero();
        assertThat(db.number("SELECT count(*) FROM " + any.hot())).isEqualTo(any.changeable() ? 4 : 3);
    }

    @Test
    void keys_of_several_columns_are_told_as_an_array_of_them() {
        AnyPair any = hourlyBuckets();
        any.create(db);
        any.archiveTwins(db);

        assertThat(archiver(any.pair()).sweep().conflictingIds())
                .containsExactly("{0,\"m, {\\\"1\",\"2021-03-14 02:00:00\"}");
    }

    @Test
    void batches_by_a_key_of_several_columns_look_up_each_row_by_its_index() throws SQLException {
        AnyPair any = hourlyBuckets();
        any.create(db);
        any.archiveTwins(db);
        Set<String> statements = Collections.synchronizedSet(new LinkedHashSet<>());
        ConnectionSource recorded = new TappedConnections(db.archiver(), (sql, connection) -> {
            if (sql.contains("\"buckets") && (sql.contains("unnest") || sql.contains(" order by "))) {
                statements.add(TappedConnections.withoutLimits(sql));
            }
        });
        Archiver.builder(any.pair(), recorded).build().sweep();
        assertThat(statements).hasSizeGreaterThanOrEqualTo(4);

        // Few rows: a plan that is made now serves when there are many.
        for (String sql : statements) {
            assertLooksUp(sql, planOfBatch(sql));
        }
        db.execute("INSERT INTO buckets SELECT i, i, timestamp '2021-01-01', 0 FROM generate_series(100, 50000) i;"
                + " ANALYZE buckets");
        for (String sql : statements) {
            String plan = planOfBatch(sql);
            assertLooksUp(sql, plan);
            assertThat(PlanTest.withoutPublications(plan))
                    .as(sql)
                    .doesNotContain("Seq Scan", "Bitmap", "Hash Join", "Merge Join");
            assertThat(PlanTest.indexes(plan))
                    .as(sql + "\n" + plan)
                    .isNotEmpty()
                    .isSubsetOf("buckets_pkey", "buckets_archive_pkey", "buckets_hour_idx", "usage_archive_sweep_pkey");
        }
    }

    private static void assertLooksUp(String sql, String plan) {
        if (sql.contains(".ctid = any(")) {
            assertThat(plan)
                    .as(sql)
                    .contains("Tid Scan")
                    .containsPattern("Index Cond: \\(+tenant = .* AND .*meter\\S* = .* AND \\(?hour = ");
        }
    }

    private String planOfBatch(String sql) throws SQLException {
        try (Connection connection = db.connectAsArchiver()) {
            connection.setAutoCommit(false);
            TestDatabase.execute(
                    connection,
                    TransactionLimits.batch(ArchiveSettings.defaults())
                            .sql(connection.getMetaData().getDatabaseMajorVersion()));
            return PlanTest.plan(connection, sql);
        }
    }

    /** Each update also changes a column of the key. */
    @Test
    void no_update_is_lost_while_rows_of_a_key_of_several_columns_are_archived() throws Exception {
        AnyPair any = hourlyBuckets();
        any.create(db);
        db.execute("DELETE FROM buckets; INSERT INTO buckets SELECT i, 'm', timestamp '2021-01-01', 0"
                + " FROM generate_series(0, 799) i");
        AtomicIntegerArray updates = new AtomicIntegerArray(800);
        AtomicBoolean done = new AtomicBoolean();
        List<CompletableFuture<Void>> writers = IntStream.range(0, 2)
                .mapToObj(writer -> CompletableFuture.runAsync(() -> update(updates, done, new Random(writer))))
                .toList();
        await().until(() -> IntStream.range(0, 800).map(updates::get).sum() > 20);

        SweepResult sweep = Archiver.builder(any.pair(), db.archiver())
                .settings(ArchiveSettings.defaults().withBatchSize(10))
                .build()
                .sweep();
        done.set(true);
        for (CompletableFuture<Void> writer : writers) {
            writer.get(1, TimeUnit.MINUTES);
        }
        archiver(any.pair()).sweep();

        assertThat(sweep.rowsMoved()).isPositive();
        assertThat(db.number("SELECT count(*) FROM buckets")).isZero();
        assertThat(db.strings("SELECT amount FROM buckets_archive ORDER BY tenant"))
                .isEqualTo(IntStream.range(0, 800)
                        .mapToObj(tenant -> String.valueOf(updates.get(tenant)))
                        .toList());
    }

    private void update(AtomicIntegerArray updates, AtomicBoolean done, Random random) {
        try (Connection connection = db.connectAsOwner();
                PreparedStatement update = connection.prepareStatement(
                        "UPDATE buckets SET amount = amount + 1, meter = ? WHERE tenant = ?")) {
            while (!done.get()) {
                int tenant = random.nextInt(800);
                update.setString(1, "m" + random.nextInt(100));
                update.setInt(2, tenant);
                updates.addAndGet(tenant, update.executeUpdate());
            }
        } catch (SQLException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void a_row_that_no_longer_meets_the_extra_condition_when_it_is_locked_stays() {
        AnyPair any = onlySome();
        any.create(db);

        SweepResult sweep = Archiver.builder(any.pair(), db.archiver())
                .settings(ArchiveSettings.defaults().withBatchSize(30))
                .listener(
                        UsageRows.afterBatch(1, () -> db.execute("UPDATE invoices SET disputed = true WHERE id = 35")))
                .build()
                .sweep();

        assertThat(sweep.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(sweep.rowsMoved()).isEqualTo(39);
        assertThat(db.strings("SELECT id FROM invoices ORDER BY id")).containsExactly("35", "41", "42", "43");
    }

    /** Text under the usual operators would be another one: the row would be archived twice. */
    static Stream<Arguments> keysThatAreEqualInTheirOwnWay() {
        return Stream.of(
                arguments(keyOfAnExtension(), "name = upper(name::text)", "name = 'a7'", "a5", "A9"),
                arguments(keyOfSeveralSchemas(), "name = upper(name::text)", "name = 'a7'", null, null),
                arguments(compositeKey(), "code.letters = upper((code).letters)", "code = '(a,7)'", "(A,5)", "(a,9)"),
                arguments(domainKey().named(), "login = upper(login::text)", "login = 'a7'", "a5", "A9"),
                arguments(foldedKey().named(), "word = upper(word)", "word = 'a7'", "a5", "A9"));
    }

    @ParameterizedTest
    @MethodSource("keysThatAreEqualInTheirOwnWay")
    void keys_are_equal_when_the_index_of_the_key_says_so(
            AnyPair any, String otherCase, String seven, String least, String greatest) {
        any.create(db);
        ArchivePair<?> pair = any.pair();
        db.execute("SET search_path = public, " + AnyPair.EXTENSIONS);
        db.execute("INSERT INTO " + any.archive() + " SELECT * FROM original WHERE " + seven);
        db.execute("UPDATE " + any.archive() + " SET note = 'other', " + otherCase);
        db.execute("RESET search_path");

        Plan plan = new Planner(pair, db.archiver(), ArchiveSettings.defaults()).plan(1000, new StopSignal());
        assertThat(plan.overlap().different()).isEqualTo(1);
        SweepResult sweep = archiver(pair).sweep();

        assertThat(sweep.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(sweep.rowsMoved()).isEqualTo(39);
        assertThat(sweep.rowsInConflict()).isEqualTo(1);
        assertThat(verify(pair).different()).isEqualTo(1);
        Archiver restorer = Archiver.builder(pair, db.restorer()).build();
        RowFilter all = RowFilter.ages(null, FOREVER);
        assertThat(restorer.previewRestore(all).inConflict()).isEqualTo(1);
        if (least != null) {
            RowFilter five = RowFilter.ids(least, greatest);
            assertThat(restorer.previewRestore(five).matching()).isEqualTo(5);
            restorer.holds().hold(five, null, "audit");
        }
        RestoreResult restored = restorer.restore(all, null, "audit", new StopSignal());
        assertThat(restored.counts().rowsMoved()).isEqualTo(39);
        assertThat(restored.counts().rowsInConflict()).isEqualTo(1);
        restorer.holds().release(restored.hold().id());
        assertThat(archiver(pair).sweep().rowsMoved()).isEqualTo(least == null ? 39 : 35);
    }

    @Test
    void a_zoned_age_expires_by_the_moment_that_it_is() {
        AnyPair any = uuidAndZonedAge();
        any.create(db);
        db.execute("DELETE FROM events; INSERT INTO events VALUES"
                + " (md5('1')::uuid, '2025-05-15 11:59:59.999999+00'), (md5('2')::uuid, '2025-05-15 12:00+00')");

        cutoffAtNoon(any);

        assertThat(db.strings("SELECT timezone('UTC', at) FROM events")).containsExactly("2025-05-15 12:00:00");
        assertThat(db.strings("SELECT timezone('UTC', at) FROM events_archive"))
                .containsExactly("2025-05-15 11:59:59.999999");
    }

    @Test
    void a_day_expires_when_the_cutoff_has_reached_its_end() {
        AnyPair any = days();
        any.create(db);
        db.execute(
                "DELETE FROM daily; INSERT INTO daily VALUES ('before', '2025-05-14'), ('of the cutoff', '2025-05-15')");

        cutoffAtNoon(any);

        assertThat(db.strings("SELECT name FROM daily")).containsExactly("of the cutoff");
        assertThat(db.strings("SELECT name FROM daily_archive")).containsExactly("before");
    }

    @Test
    void a_filter_by_the_time_of_a_day_is_refused_where_ages_are_days() {
        AnyPair any = days();
        any.create(db);
        Archiver restorer = Archiver.builder(any.pair(), db.restorer()).build();

        assertThatIllegalArgumentException()
                .isThrownBy(
                        () -> restorer.previewRestore(RowFilter.ages(null, LocalDateTime.parse("2025-01-01T10:00"))))
                .withMessage("to 2025-01-01 10:00: ages of public.daily are days; leave out the time of day");
    }

    @Test
    void a_filter_by_ids_is_refused_where_the_key_has_several_columns() {
        AnyPair any = hourlyBuckets();
        any.create(db);
        Archiver restorer = Archiver.builder(any.pair(), db.restorer()).build();

        assertThatIllegalArgumentException()
                .isThrownBy(() -> restorer.restore(RowFilter.ids("1", "2"), null, "audit", new StopSignal()))
                .withMessage("ids 1..2: the key of public.buckets has several columns; name rows by their age instead");
    }

    @Test
    void a_hold_by_the_time_of_a_day_or_by_one_column_of_a_key_stops_the_sweep() {
        for (AnyPair any : List.of(days(), hourlyBuckets())) {
            any.create(db);
            db.execute(
                    "INSERT INTO usage_archive_hold (table_name, age_to, id_min, reason, created_by, node, created_at)"
                            + " VALUES ('" + TableName.name(any.pair().hot()) + "', '2025-01-01 10:00', "
                            + (any.pair().key().size() > 1 ? "'1'" : "null") + ", 'by hand', 'dba', 'psql', now())");
            assertThat(catchThrowableOfType(
                                    SchemaDriftException.class,
                                    () -> archiver(any.pair()).sweep())
                            .differences())
                    .singleElement()
                    .asString()
                    .containsPattern("leave out the time of day|the key of public.buckets has several columns");
            any.assertAllHot(db);
        }
    }

    /** By the order of bytes, B comes before a. */
    @Test
    void a_range_of_ids_is_in_the_order_of_the_live_column() {
        AnyPair any = days();
        any.create(db);
        for (String table : List.of(any.hot(), any.archive())) {
            db.execute("ALTER TABLE " + table + " ALTER name TYPE varchar(400) COLLATE \"en-x-icu\"");
        }
        db.execute("DELETE FROM daily; INSERT INTO daily SELECT n, '2020-01-01' FROM unnest(array['a', 'B', 'c']) n");
        Holds holds = Archiver.builder(any.pair(), db.restorer()).build().holds();

        assertThatIllegalArgumentException()
                .isThrownBy(() -> holds.hold(RowFilter.ids("B", "a"), null, "audit"))
                .withMessage("ids B..a: the first must not be after the last");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> holds.hold(RowFilter.ids("ä".repeat(256), null), null, "audit"))
                .withMessageContaining("must not be longer than 255 characters");
        holds.hold(RowFilter.ids("a", "B"), null, "audit");
        String longest = "\uD83D\uDE00".repeat(255);
        holds.hold(RowFilter.ids(longest, longest), null, "audit");

        archiver(any.pair()).sweep();

        assertThat(db.strings("SELECT name FROM daily ORDER BY 1")).containsExactlyInAnyOrder("a", "B");
    }

    @Test
    void an_id_that_is_a_moment_without_a_zone_is_in_utc_whatever_the_sessions_are_set_to() {
        ForeignTable hot = new ForeignTable("public", "moments");
        TableField<Record, OffsetDateTime> at = hot.column("at", SQLDataType.TIMESTAMPWITHTIMEZONE);
        AnyPair any = new AnyPair(
                "timestamptz as the key",
                ArchivePair.of(hot, hot.twin("public", "moments_archive"), at, at),
                "at timestamptz PRIMARY KEY",
                "SELECT timestamptz '2021-01-01 00:00+00' + i * interval '1 hour' FROM generate_series(0, 2) i");
        any.create(db);
        ConnectionSource inNewYork = () -> {
            Connection connection = db.restorer().open();
            TestDatabase.execute(connection, "SET TIME ZONE 'America/New_York'");
            return connection;
        };

        Archiver.builder(any.pair(), inNewYork)
                .build()
                .holds()
                .hold(RowFilter.ids("2021-01-01 01:00", "2021-01-01 01:00"), null, "audit");
        archiver(any.pair()).sweep();

        assertThat(db.strings("SELECT timezone('UTC', at) FROM moments")).containsExactly("2021-01-01 01:00:00");
    }

    @Test
    void a_key_that_has_not_exactly_the_columns_of_the_primary_key_is_refused() {
        AnyPair any = hourlyBuckets();
        any.create(db);
        ForeignTable hot = (ForeignTable) any.pair().hot();
        for (List<TableField<Record, ?>> key : List.of(
                hot.getPrimaryKey().getFields().subList(0, 2),
                List.of(field(hot, "amount"), field(hot, "hour"), field(hot, "tenant")))) {
            Archiver archiver = Archiver.builder(
                            ArchivePair.of(
                                    hot,
                                    any.pair().archive(),
                                    key,
                                    hot.getPrimaryKey().getFields().get(2)),
                            db.archiver())
                    .build();

            assertThat(catchThrowableOfType(SchemaDriftException.class, archiver::sweep)
                            .differences())
                    .contains("hot public.buckets has no primary key or full unique index on exactly "
                            + key.stream().map(TableField::getName).collect(Collectors.joining(", ")) + ", not null");
        }
    }

    /** As text, 'OPEN' would not be 'open', and a row that is to stay would be archived. */
    @Test
    void a_condition_on_a_type_with_operators_of_its_own_is_refused_unless_it_names_them() {
        AnyPair any = keyOfAnExtension();
        any.create(db);
        Field<Object> name = DSL.field(DSL.name("public", "accounts", "name"));
        ArchivePair<?> pair = any.pair();

        Archiver plain = Archiver.builder(pair.where(DSL.condition("{0} <> 'A2'", name)), db.archiver())
                .build();
        assertThat(catchThrowableOfType(SchemaDriftException.class, plain::sweep)
                        .differences())
                .singleElement()
                .asString()
                .startsWith(
                        "hot public.accounts column name of the pair's condition is " + AnyPair.EXTENSIONS + ".citext");

        Archiver qualified = Archiver.builder(
                        pair.where(DSL.condition(
                                "{0} operator(" + AnyPair.EXTENSIONS + ".<>) cast('a2' as " + AnyPair.EXTENSIONS
                                        + ".citext)",
                                name)),
                        db.archiver())
                .build();
        assertThat(qualified.sweep().rowsMoved()).isEqualTo(39);
        assertThat(db.strings("SELECT name::text FROM accounts WHERE at < '2022-01-01'"))
                .containsExactly("A2");
    }

    @Test
    void key_columns_of_two_collations_cannot_be_compared_and_are_refused() {
        AnyPair any = hourlyBuckets();
        any.create(db);
        db.execute("ALTER TABLE " + any.archive() + " ALTER meter TYPE varchar(20) COLLATE \"C\"");
        Archiver archiver = Archiver.builder(any.pair(), db.archiver()).build();

        assertThat(catchThrowableOfType(SchemaDriftException.class, archiver::sweep)
                        .differences())
                .containsExactly(
                        "archive public.buckets_archive column meter has the collation \"C\" (hot: \"default\"),"
                                + " and keys cannot be compared");
        any.assertAllHot(db);
    }

    @Test
    void a_pair_of_unfit_ages_or_without_a_key_is_refused_when_it_is_made() {
        ForeignTable hot = new ForeignTable("public", "hot");
        ForeignTable archive = new ForeignTable("public", "archive");
        TableField<Record, Integer> id = hot.column("id", SQLDataType.INTEGER);
        TableField<Record, LocalTime> time = hot.column("at", SQLDataType.LOCALTIME);
        TableField<Record, OffsetDateTime> zoned = hot.column("zoned", SQLDataType.TIMESTAMPWITHTIMEZONE);
        @SuppressWarnings({"unchecked", "rawtypes"}) // as in code without generics
        TableField<Record, OffsetDateTime> naive = (TableField) hot.column("naive", SQLDataType.LOCALDATETIME);

        assertThatIllegalArgumentException()
                .isThrownBy(() -> ArchivePair.of(hot, archive, id, time))
                .withMessage("age column at of table hot is time: it must be timestamp, timestamptz or date");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> ArchivePair.of(hot, archive, id, zoned, naive))
                .withMessage("age columns zoned and naive of table hot are of different types: they must be of one");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> ArchivePair.of(hot, archive, List.of(), zoned))
                .withMessage("key of table hot has no column: it must have one at least");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> ArchivePair.of(hot, archive, List.of(id, id), zoned))
                .withMessage("key of table hot has a column twice: [id, id]");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> ArchivePair.of(hot, new ForeignTable("public", "hot"), id, zoned))
                .withMessage("table public.hot is both hot table and archive: they must be two");
    }

    @Test
    void grants_that_are_missing_are_told_as_statements_that_work() {
        AnyPair any = quotedNames();
        any.create(db);
        db.execute("REVOKE ALL ON " + any.hot() + ", " + any.archive() + " FROM " + TestDatabase.ARCHIVER
                + "; REVOKE ALL ON SCHEMA \"Metering, data\" FROM " + TestDatabase.ARCHIVER);

        for (int round = 0; round < 2; round++) {
            List<String> missing = new Planner(any.pair(), db.archiver(), ArchiveSettings.defaults())
                    .plan(1000, new StopSignal())
                    .missingGrants();
            assertThat(missing).isNotEmpty();
            missing.forEach(db::execute);
        }

        assertThat(archiver(any.pair()).sweep().rowsMoved()).isEqualTo(40);
        any.assertMoved(db);
    }

    @Test
    void a_role_that_may_not_restore_a_pair_is_told_what_to_grant() {
        AnyPair any = bigintIdentity();
        any.create(db);

        assertThat(catchThrowableOfType(
                                SchemaDriftException.class,
                                () -> archiver(any.pair())
                                        .restore(RowFilter.ids("1", null), null, "audit", new StopSignal()))
                        .differences())
                .contains("archive public.orders_archive grants this role no DELETE; grant it to a role of its own, as"
                        + " sql/06-restore-grants.sql does");
    }

    private static TableField<Record, ?> field(ForeignTable table, String name) {
        return table.getPrimaryKey().getFields().stream()
                .filter(column -> column.getName().equals(name))
                .findFirst()
                .orElseGet(() -> table.column(name, SQLDataType.NUMERIC));
    }

    private void cutoffAtNoon(AnyPair any) {
        SweepResult sweep = Archiver.builder(any.pair(), db.archiver())
                .clock(UsageRows.clockAt(LocalDateTime.parse("2026-06-15T12:00")))
                .build()
                .sweep();
        assertThat(sweep.cutoff()).isEqualTo(LocalDateTime.parse("2025-05-15T12:00"));
    }

    private Archiver archiver(ArchivePair<?> pair) {
        return Archiver.builder(pair, db.archiver())
                .settings(ArchiveSettings.defaults().withBatchSize(7))
                .build();
    }

    private Verification verify(ArchivePair<?> pair) {
        return new Verifier(pair, db.archiver(), ArchiveSettings.defaults())
                .verify(Duration.ofMinutes(1), cost -> {}, new StopSignal());
    }

    private enum Mood implements org.jooq.EnumType {
        GOOD("good"),
        SO_SO("so so");

        private final String literal;

        Mood(String literal) {
            this.literal = literal;
        }

        @Override
        public String getLiteral() {
            return literal;
        }

        @Override
        public String getName() {
            return "mood";
        }

        @Override
        public org.jooq.Schema getSchema() {
            return org.jooq.impl.DSL.schema(org.jooq.impl.DSL.name("public"));
        }
    }
}
