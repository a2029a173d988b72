package io.usagearchiver.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Level;
import io.usagearchiver.testing.CapturedLog;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestScheduler;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.YearMonth;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * An archive that {@code init --create-archive --partition-by month} has made, from its first sweep to the coming months and
 * beside partitions that are handed over. The hot table has ten rows in each of the months from the eighteenth to the fifteenth
 * before this one, and in this one.
 */
class MonthlyArchiveTest {
    private static final List<Integer> EXPIRED = List.of(-18, -17, -16, -15);
    private static final int ROWS = 10 * EXPIRED.size();

    @TempDir
    private Path directory;

    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    private final YearMonth now = YearMonth.parse(
            db.strings("SELECT to_char(timezone('UTC', now()), 'YYYY-MM')").get(0));

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void rows_go_into_their_months_come_back_are_held_and_verified_and_the_next_months_follow(boolean partitioned)
            throws Exception {
        hot(partitioned ? "PARTITION BY RANGE (at)" : "", "");
        if (partitioned) {
            months("ticks", EXPIRED);
            months("ticks", List.of(0));
        }
        insert();
        assertThat(init().out())
                .contains(
                        "archive public.ticks_archive: made\n",
                        "  CREATE TABLE public." + name("ticks_archive", -10) + " PARTITION OF public.ticks_archive\n",
                        "public.ticks: the tables allow a sweep\n");
        assertThat(archived()).isEqualTo(names("ticks_archive", -18, -10));
        assertThat(run("plan").out())
                .contains("  expired       40 rows, counted", "A sweep would be let through.")
                .doesNotContain("no partition");

        String week = now.plusMonths(-17).atDay(1) + " 12:00";
        assertThat(restorer("hold", "--to", week, "--reason", "audit").exitCode())
                .isZero();
        assertThat(run("sweep").out()).contains("  moved             28 rows in ");
        assertThat(restorer("release", "1").exitCode()).isZero();
        assertThat(run("sweep").out()).contains("  moved             12 rows in ");
        assertInTheirMonths();
        assertThat(run("verify").exitCode()).isZero();

        String[] restore = {"--to", week, "--hold-until", "2100-01-01", "--reason", "audit"};
        assertThat(restorer("restore", restore).out()).contains("  restored          12 rows in ");
        assertThat(run("sweep").out()).contains("  moved             0 rows in ");
        assertThat(db.number("SELECT count(*) FROM ticks")).isEqualTo(22);
        assertThat(restorer("release", "2").exitCode()).isZero();
        assertThat(run("sweep").out()).contains("  moved             12 rows in ");
        assertInTheirMonths();
        assertThat(run("verify").exitCode()).isZero();

        // As months go by.
        assertThat(run("maintain", "--data-source", "owner").out())
                .isEqualTo("archive public.ticks_archive has its partitions\n");
        assertThat(runWith(file("retentionMonths = 11"), "maintain", "--data-source", "owner")
                        .out())
                .isEqualTo("archive public.ticks_archive got partitions for " + now.plusMonths(-9) + ", "
                        + now.plusMonths(-8) + "\n");
        db.execute(giveArchiver("ticks_archive"));
        sweepByPlugin(file("retentionMonths = 9", "createPartitions = true"));
        assertThat(archived()).isEqualTo(names("ticks_archive", -18, -6));
        assertInTheirMonths();
    }

    @Test
    void a_month_that_was_made_ahead_makes_room_for_its_hot_partition_and_is_made_no_more() throws Exception {
        hot("PARTITION BY RANGE (at)", "");
        months("ticks", EXPIRED);
        months("ticks", List.of(0));
        insert();
        assertThat(init().exitCode()).isZero();
        db.execute(giveArchiver("ticks") + giveArchiver("ticks_archive"));
        db.execute(
                "INSERT INTO ticks_archive VALUES (9, '" + now.plusMonths(-16).atDay(20) + "', 'own', 'a')");

        assertThat(run("sweep", "--set", "handOver=true").out()).contains("  moved             40 rows in ");

        assertThat(db.number("SELECT count(*) FROM ticks_archive")).isEqualTo(ROWS + 1);
        assertThat(run("history").out())
                .contains("\n       3 partitions handed over\n       row by row: public." + name("ticks", -16)
                        + ": public.ticks_archive has rows within its bounds\n");
        List<String> after = new ArrayList<>(names("ticks", -18, -17));
        after.add(name("ticks", -15));
        after.add(name("ticks_archive", -16));
        after.addAll(names("ticks_archive", -14, -10));
        assertThat(archived()).containsExactlyInAnyOrderElementsOf(after);

        assertThat(run("maintain").out()).isEqualTo("archive public.ticks_archive has its partitions\n");
        // The next month's is made ahead, then its hot partition comes.
        months("ticks", List.of(-14));
        db.execute("INSERT INTO ticks VALUES (77, '" + now.plusMonths(-14).atDay(5) + "', 'late', 'a');"
                + giveArchiver("ticks"));
        String both = file("createPartitions = true", "handOver = true");
        sweepByPlugin(both);
        sweepByPlugin(both);
        after.set(after.indexOf(name("ticks_archive", -14)), name("ticks", -14));
        assertThat(archived()).containsExactlyInAnyOrderElementsOf(after);
        assertThat(db.number("SELECT count(*) FROM ticks_archive")).isEqualTo(ROWS + 2);
        assertThat(runWith(both, "maintain").out()).isEqualTo("archive public.ticks_archive has its partitions\n");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "days     | RANGE (at)   | ticks_3: its bounds overlap those of public.ticks_archive_p",
                "quarters | RANGE (at)   | ticks_1: its bounds overlap those of public.ticks_archive_p",
                "list     | LIST (kind)  | all partitions: public.ticks is partitioned by LIST (kind)"
            })
    void hot_partitions_of_other_bounds_beside_monthly_ones_go_row_by_row(String bounds, String by, String reason)
            throws Exception {
        hot("PARTITION BY " + by, ", kind");
        List<String> partitions = switch (bounds) {
            case "days" ->
                EXPIRED.stream()
                        .map(month -> now.plusMonths(month).atDay(1))
                        .flatMap(first -> first.datesUntil(first.plusDays(5)))
                        .map(day -> range(day, day.plusDays(1)))
                        .toList();
            case "quarters" ->
                IntStream.of(-18, -15)
                        .mapToObj(month -> range(
                                now.plusMonths(month).atDay(1),
                                now.plusMonths(month + 3).atDay(1)))
                        .toList();
            default -> List.of("IN ('a')");
        };
        for (int i = 0; i < partitions.size(); i++) {
            db.execute("CREATE TABLE ticks_" + (i + 1) + " PARTITION OF ticks FOR VALUES " + partitions.get(i));
        }
        if (!bounds.equals("list")) {
            months("ticks", List.of(0));
        }
        insert();
        assertThat(init().exitCode()).isZero();
        db.execute(giveArchiver("ticks") + giveArchiver("ticks_archive"));

        String both = file("createPartitions = true", "handOver = true");
        sweepByPlugin(both);

        assertInTheirMonths();
        assertThat(run("history").out()).contains("row by row: ", reason);
        // Empty partitions are nobody's business.
        assertThat(run("sweep", "--set", "handOver=true").out()).contains("  moved             0 rows in ");
        assertThat(db.number("SELECT count(*) FROM usage_archive_sweep WHERE message IS NOT NULL"))
                .isEqualTo(bounds.equals("list") ? 2 : 1);
        assertThat(runWith(both, "maintain").out()).isEqualTo("archive public.ticks_archive has its partitions\n");
        assertThat(run("verify").exitCode()).isZero();
    }

    @Test
    void a_month_of_which_a_handed_over_partition_has_any_part_is_made_no_more() throws Exception {
        hot("PARTITION BY RANGE (at)", "");
        db.execute("CREATE TABLE ticks_old PARTITION OF ticks FOR VALUES "
                + range(now.plusMonths(-18).atDay(1), now.plusMonths(-15).atDay(15)));
        months("ticks", List.of(0));
        insert();
        db.execute("CREATE TABLE ticks_archive (LIKE ticks INCLUDING ALL) PARTITION BY RANGE (at);"
                + giveArchiver("ticks") + giveArchiver("ticks_archive"));

        assertThat(run("sweep", "--set", "handOver=true").out()).contains("  moved             40 rows in ");
        assertThat(run("history").out()).contains("\n       1 partition handed over\n");
        db.execute("CREATE TABLE ticks_rest PARTITION OF ticks FOR VALUES "
                + range(now.plusMonths(-15).atDay(15), now.plusMonths(-14).atDay(1))
                + "; INSERT INTO ticks VALUES (77, '"
                + now.plusMonths(-15).atDay(20) + "', 'late', 'a');" + giveArchiver("ticks"));
        assertThat(run("maintain").out())
                .startsWith("archive public.ticks_archive got partitions for " + now.plusMonths(-14) + ", ");
        assertThat(run("sweep", "--set", "handOver=true").out()).contains("  moved             1 row in ");
        List<String> all = new ArrayList<>(names("ticks_archive", -14, -10));
        all.addAll(List.of("ticks_old", "ticks_rest"));
        assertThat(archived()).containsExactlyInAnyOrderElementsOf(all);
    }

    /** Where the cutoff goes through a partition day by day, its rows would have moved when it has expired as a whole. */
    @Test
    void the_month_of_the_cutoff_stays_whole_by_the_condition_until_it_is_handed_over() throws Exception {
        hot("PARTITION BY RANGE (at)", "");
        months("ticks", List.of(-14, -13, -12, 0));
        insert(List.of(-14, -13, -12));
        assertThat(init().exitCode()).isZero();
        db.execute(giveArchiver("ticks") + giveArchiver("ticks_archive"));
        String[] settings = {
            "handOver = true",
            "where = at < date_trunc('month', timezone('UTC', now()) - interval '13 months')",
            "createPartitions = true"
        };

        assertThat(runWith(file(settings), "sweep").out()).contains("  moved             10 rows in ");
        assertThat(archived()).contains(name("ticks", -14), name("ticks_archive", -13));
        assertThat(runWith(file(settings), "sweep").out()).contains("  moved             0 rows in ");
        assertThat(db.strings("SELECT message FROM usage_archive_sweep ORDER BY sweep_id"))
                .containsExactly("1 partition handed over", null);

        settings[1] = settings[1].replace("13", "12");
        assertThat(runWith(
                                file(Stream.concat(Stream.of(settings), Stream.of("retentionMonths = 12"))
                                        .toArray(String[]::new)),
                                "sweep")
                        .out())
                .contains("  moved             10 rows in ");
        assertThat(archived()).contains(name("ticks", -14), name("ticks", -13), name("ticks_archive", -12));
        assertThat(db.number("SELECT count(*) FROM ticks_archive")).isEqualTo(20);
    }

    private void hot(String partitioned, String alsoInKey) {
        db.execute("CREATE TABLE ticks (id bigint, at timestamp, note text, kind text, PRIMARY KEY (id, at" + alsoInKey
                + ")) " + partitioned + "; CREATE INDEX ON ticks (at)");
    }

    private void months(String table, List<Integer> months) {
        for (int month : months) {
            db.execute("CREATE TABLE " + name(table, month) + " PARTITION OF " + table + " FOR VALUES "
                    + range(
                            now.plusMonths(month).atDay(1),
                            now.plusMonths(month + 1).atDay(1)));
        }
    }

    private static String range(Object from, Object to) {
        return "FROM ('" + from + "') TO ('" + to + "')";
    }

    private String name(String table, int month) {
        return table + "_p" + now.plusMonths(month).toString().replace("-", "") + "01";
    }

    private List<String> names(String table, int first, int last) {
        return IntStream.rangeClosed(first, last)
                .mapToObj(month -> name(table, month))
                .toList();
    }

    private List<String> archived() {
        return db.strings("SELECT relname FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid"
                + " WHERE inhparent = 'ticks_archive'::regclass ORDER BY 1");
    }

    private void insert() {
        insert(EXPIRED);
    }

    private void insert(List<Integer> months) {
        String starts = Stream.concat(months.stream(), Stream.of(0))
                .map(month -> "'" + now.plusMonths(month).atDay(1) + "'")
                .reduce((a, b) -> a + ", " + b)
                .orElseThrow();
        db.execute("INSERT INTO ticks SELECT i, start + (i - 1) * interval '11 hours', 'note ' || i, 'a'"
                + " FROM generate_series(1, 10) i, unnest(cast(ARRAY[" + starts + "] AS timestamp[])) start;"
                + " CREATE TABLE original AS TABLE ticks");
    }

    /** All that has expired is in the partition of its month, and nothing else. */
    private void assertInTheirMonths() {
        String rows = "SELECT r::text FROM %s r WHERE %s ORDER BY at, id";
        String expired = "at < '" + now.atDay(1) + "'";
        assertThat(db.strings(rows.formatted("ticks_archive", "true")))
                .hasSize(ROWS)
                .isEqualTo(db.strings(rows.formatted("original", expired)));
        assertThat(db.strings(rows.formatted("ticks", "true")))
                .isEqualTo(db.strings(rows.formatted("original", "NOT " + expired)));
        assertThat(db.strings("SELECT DISTINCT tableoid::regclass FROM ticks_archive"
                        + " WHERE tableoid::regclass::text <> 'ticks_archive_p' || to_char(at, 'YYYYMM') || '01'"))
                .isEmpty();
    }

    private static String giveArchiver(String table) {
        return "GRANT CREATE ON SCHEMA public TO " + TestDatabase.ARCHIVER
                + "; DO $$ DECLARE t regclass; BEGIN FOR t IN SELECT relid FROM pg_partition_tree('" + table
                + "') LOOP EXECUTE format('ALTER TABLE %s OWNER TO " + TestDatabase.ARCHIVER
                + "', t); END LOOP; END $$;";
    }

    private String file(String... settings) {
        String prefix = "org.quartz.plugin.ticks.";
        List<String> lines = new ArrayList<>(List.of(
                prefix + "class = io.usagearchiver.quartz.ArchivePlugin",
                prefix + "dataSource = archive",
                prefix + "hotTable = ticks",
                prefix + "ageColumns = at",
                ConfigFiles.dataSource("owner", db, "postgres", "postgres"),
                ConfigFiles.dataSource("restore", db, TestDatabase.RESTORER, TestDatabase.RESTORER)));
        Stream.of(settings).map(prefix::concat).forEach(lines::add);
        return ConfigFiles.write(directory, db, lines.toArray(String[]::new));
    }

    private CommandRun init() {
        return run(
                "init",
                "--create-archive",
                "--partition-by",
                "month",
                "--data-source",
                "owner",
                "--role",
                TestDatabase.ARCHIVER,
                "--restore-role",
                TestDatabase.RESTORER);
    }

    private CommandRun restorer(String command, String... options) {
        return run(
                command,
                Stream.concat(Stream.of("--data-source", "restore"), Stream.of(options))
                        .toArray(String[]::new));
    }

    private CommandRun run(String command, String... options) {
        return runWith(file(), command, options);
    }

    private CommandRun runWith(String file, String command, String... options) {
        CommandRun run = CommandRun.of(
                Stream.concat(Stream.of(command, "--config", file, "--plugin", "ticks"), Stream.of(options))
                        .toArray(String[]::new));
        assertThat(run.err()).as(command).isEmpty();
        return run;
    }

    /** A node's first sweep, which no partition keeps from anything. */
    private void sweepByPlugin(String file) throws Exception {
        Properties properties = new Properties();
        try (Reader lines = Files.newBufferedReader(Path.of(file))) {
            properties.load(lines);
        }
        properties
                .keySet()
                .removeIf(name -> ((String) name)
                        .matches("org\\.quartz\\.(plugin\\.usageArchiver|dataSource\\.(owner|restore))\\..*"));
        String drained =
                "SELECT count(*) FROM usage_archive_sweep WHERE state = 'DRAINED' AND fired_by <> 'command line'";
        long before = db.number(drained);
        try (CapturedLog log = new CapturedLog();
                TestScheduler scheduler = new TestScheduler(properties)) {
            scheduler.get().start();
            await().until(() -> db.number(drained) > before);
            assertThat(log.messages(Level.ERROR)).isEmpty();
        }
    }
}
