package io.usagearchiver.bench;

import static org.assertj.core.api.Assertions.assertThat;

import io.usagearchiver.bench.Run.Metric;
import io.usagearchiver.testing.TestDatabase;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What the benchmark counts is right. */
class RaceTest {
    private static final int ROWS = 3_000;

    private final Results results = new Results();
    private Server server;
    private Race race;

    @BeforeEach
    void open() throws Exception {
        server = Server.at(TestDatabase.superuserUrl());
        race = new Race(server, Scale.QUICK, results);
    }

    @AfterEach
    void close() throws Exception {
        server.close();
    }

    @ParameterizedTest
    @EnumSource
    void each_contestant_moves_exactly_the_expired_rows(Usage.Order order) throws Exception {
        Usage usage = Usage.of(ROWS).withOrder(order);
        run(order == Usage.Order.ONE_AGE ? usage.withExpired(ROWS) : usage, Contestant.all());

        assertThat(results.notes("test")).isEmpty();
        assertThat(results.contestants("test", Metric.ROWS_PER_SECOND.title()))
                .hasSize(13)
                .containsExactlyElementsOf(
                        Contestant.all().stream().map(Contestant::name).toList());
    }

    @Test
    void a_contestant_that_changes_leaves_or_loses_a_row_is_told_and_not_counted() throws Exception {
        List<Contestant> cheaters = List.of(
                cheater("changes", "UPDATE model_usage_details_archive SET user_id = user_id + 1 WHERE id = 200"),
                cheater(
                        "touches a hot row",
                        "UPDATE model_usage_details SET user_id = -1 WHERE id = (SELECT max(id)"
                                + " FROM model_usage_details)"),
                cheater("loses", "DELETE FROM model_usage_details_archive WHERE id = 200"),
                cheater("loses what was there before", "DELETE FROM model_usage_details_archive WHERE id = 1"),
                cheater("takes too much", "DELETE FROM model_usage_details WHERE id = 3000"),
                cheater(
                        "leaves",
                        "INSERT INTO model_usage_details SELECT * FROM model_usage_details_archive"
                                + " WHERE id = 200; DELETE FROM model_usage_details_archive WHERE id = 200"));
        run(Usage.of(ROWS), cheaters);

        assertThat(results.measurements()).isEmpty();
        assertThat(results.notes("test")).hasSize(cheaters.size());
        assertThat(results.notes("test").toString())
                .contains(
                        "leaves, all: not counted",
                        "1 of 1380 expired rows are still hot",
                        "the hot table has 1619 rows");
    }

    @Test
    void a_contestant_that_fails_is_told_and_the_others_run() throws Exception {
        Contestant failing = cheater("fails", "SELECT 1 / 0");
        run(Usage.of(ROWS), List.of(failing, new OneShot()));

        assertThat(results.notes("test").toString()).contains("fails, all: not counted", "division by zero");
        assertThat(results.contestants("test", Metric.ROWS_PER_SECOND.title())).containsExactly("one shot");
    }

    @Test
    void a_contestant_that_takes_too_long_is_told_and_measured_by_what_it_moved() throws Exception {
        race = new Race(server, Scale.QUICK.withLimit(Duration.ofMillis(500)), results);
        Contestant halfway = contestant("halfway", database -> {
            database.execute("WITH moved AS (DELETE FROM model_usage_details WHERE id < 500 RETURNING *)"
                    + " INSERT INTO model_usage_details_archive SELECT * FROM moved");
            try (Connection connection = database.connect();
                    Statement statement = connection.createStatement()) {
                statement.execute("SELECT pg_sleep(60)");
            }
        });
        run(Usage.of(ROWS), List.of(halfway));

        assertThat(results.notes("test").toString())
                .contains("halfway, all: stopped after", "when 349 of 1,380 rows were moved");
        assertThat(results.contestants("test", Metric.ROWS_PER_SECOND.title())).containsExactly("halfway");
    }

    @Test
    void rounds_alternate_the_order() throws Exception {
        List<String> runs = new ArrayList<>();
        List<Contestant> contestants = List.of(noted("one", runs), noted("two", runs));
        race.run(new Race.Course("test", "all", Usage.of(ROWS)), contestants, 3, Metric.ROWS_PER_SECOND);

        assertThat(runs).containsExactly("one", "two", "two", "one", "one", "two");
    }

    @Test
    void the_report_tells_medians_ratios_and_what_was_not_counted(@TempDir Path directory) throws Exception {
        String metric = Metric.ROWS_PER_SECOND.title();
        for (double value : new double[] {1000, 3000, 2000}) {
            results.add(new Measurement("backlog", "50,000 rows", "one", metric, 1, value));
        }
        results.add(new Measurement("backlog", "50,000 rows", "two", metric, 1, 500));
        results.note("backlog", "two: a note");
        Report report = new Report(results, Scale.QUICK, List.of(new Backlog()), List.of("a machine"));
        report.writeMarkdown(directory.resolve("table.md"));
        report.writeCsv(directory.resolve("figures.csv"));
        new Plots(results, Scale.QUICK, directory).write();

        assertThat(directory.resolve("table.md"))
                .content()
                .contains("- a machine", "| one | 2,000 |", "| two | 500 (0.25 ×) |", "- two: a note", "not measured");
        assertThat(Files.readAllLines(directory.resolve("figures.csv")))
                .hasSize(5)
                .contains("backlog,\"50,000 rows\",\"two\",\"rows/s\",1,500.0000");
    }

    private void run(Usage usage, List<Contestant> contestants) throws Exception {
        race.run(new Race.Course("test", "all", usage), contestants, 1, Metric.ROWS_PER_SECOND);
    }

    /** A contestant that first moves all as it should. */
    private static Contestant cheater(String name, String thenDoes) {
        return contestant(name, database -> {
            new OneShot().move(database);
            database.execute(thenDoes);
        });
    }

    private static Contestant noted(String name, List<String> runs) {
        return contestant(name, database -> {
            runs.add(name);
            new OneShot().move(database);
        });
    }

    private static Contestant contestant(String name, Move move) {
        return new Contestant() {
            @Override
            public String name() {
                return name;
            }

            @Override
            public void move(Database database) throws Exception {
                move.of(database);
            }
        };
    }

    private interface Move {
        void of(Database database) throws Exception;
    }
}
