package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;

import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import io.usagearchiver.testing.UsageRows;
import java.time.LocalDateTime;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.ShrinkingMode;
import net.jqwik.api.Tuple;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.lifecycle.AfterContainer;
import net.jqwik.api.lifecycle.BeforeContainer;

/** jqwik prints the seed, and the smallest sample that fails. */
class RandomRowsTest {
    private static final LocalDateTime MIDDLE = LocalDateTime.parse("2025-03-09T02:30:00.123456");

    private static final ArchivePair<?> NAMED = ArchivePair.of(TestedPair.names(UsageDetails.PAIR));

    private static TestDatabase db;

    @BeforeContainer
    static void createDatabase() {
        db = TestDatabase.create();
    }

    @AfterContainer
    static void dropDatabase() {
        db.close();
    }

    @Property(tries = 40, shrinking = ShrinkingMode.BOUNDED)
    void what_is_older_than_the_cutoff_moves_unchanged_and_nothing_else_does(
            @ForAll("rows") List<Row> sample,
            @ForAll("nows") LocalDateTime now,
            @ForAll("retentions") int months,
            @ForAll @IntRange(min = 1, max = 9) int batchSize,
            @ForAll boolean byNames) {
        UsageRows rows = new UsageRows(db);
        rows.replace(sample.stream().map(Row::toString).collect(Collectors.joining(", ", "VALUES ", "")));
        varyTheOtherColumns();
        rows.remember();

        SweepResult result = Archiver.builder(byNames ? NAMED : UsageDetails.PAIR, db.archiver())
                .clock(UsageRows.clockAt(now))
                .settings(ArchiveSettings.defaults().withRetentionMonths(months).withBatchSize(batchSize))
                .build()
                .sweep();

        // PostgreSQL clamps the day by itself, so this cutoff is computed by another than ours.
        String cutoff = "timestamp '" + now + "' - interval '" + months + " months'";
        String expired = "coalesce(completed_at, created_at) < " + cutoff;
        rows.assertMoved(expired);
        assertThat(result.stopReason()).isEqualTo(StopReason.DRAINED);
        assertThat(result.rowsMoved()).isEqualTo(db.number("SELECT count(*) FROM original WHERE " + expired));
    }

    @Provide
    Arbitrary<List<Row>> rows() {
        Arbitrary<String> ages = ages();
        return Combinators.combine(Arbitraries.integers().between(1, Integer.MAX_VALUE), ages.injectNull(0.4), ages)
                .as(Row::new)
                .list()
                .uniqueElements(Row::id)
                .ofMinSize(1)
                .ofMaxSize(120);
    }

    /** Few different times, so that many rows share one; most near the cutoffs that {@link #nows} give. */
    private static Arbitrary<String> ages() {
        Arbitrary<String> near = Arbitraries.integers()
                .between(-3, 3)
                .flatMap(count -> Arbitraries.of("1 microsecond", "1 hour", "1 day", "1 month", "13 months", "7 years")
                        .map(unit -> "timestamp '" + MIDDLE + "' + " + count + " * interval '" + unit + "'"));
        Arbitrary<String> far = Arbitraries.of(
                "timestamp '-infinity'",
                "timestamp '4713-01-01 00:00:00.000001 BC'",
                "timestamp '0001-12-31 23:59:59.999999 BC'",
                "timestamp '9999-12-31 23:59:59.999999'",
                "timestamp '294276-12-31 23:59:59.999999'",
                "timestamp 'infinity'");
        return Arbitraries.frequencyOf(Tuple.of(5, near), Tuple.of(1, far));
    }

    @Provide
    Arbitrary<LocalDateTime> nows() {
        return Combinators.combine(
                        Arbitraries.of(0, 13, 14, 15, 84, 97),
                        Arbitraries.integers().between(-1, 32),
                        Arbitraries.integers().between(-1, 1))
                .as((months, days, micros) ->
                        MIDDLE.plusMonths(months).plusDays(days % 28).plusNanos(micros * 1000L));
    }

    @Provide
    Arbitrary<Integer> retentions() {
        return Arbitraries.frequencyOf(
                Tuple.of(3, Arbitraries.of(13)), Tuple.of(1, Arbitraries.of(1, 12, 14, 84, 1200)));
    }

    /** Nulls wherever a column allows them, and the ends of what its type holds. */
    private static void varyTheOtherColumns() {
        List<String> columns = db.strings("SELECT attname || ' = ' || CASE WHEN NOT attnotnull THEN 'CASE WHEN id % '"
                + " || attnum % 5 + 2 || ' = 0 THEN null ELSE ' || attname || ' END' ELSE attname END"
                + " FROM pg_attribute WHERE attrelid = 'model_usage_details'::regclass AND attnum > 0"
                + " AND attname NOT IN ('id', 'completed_at', 'created_at')");
        db.execute("UPDATE model_usage_details SET " + String.join(", ", columns));
        String widest =
                IntStream.range(0, 255).mapToObj(i -> i % 2 == 0 ? "é" : "𝄞").collect(Collectors.joining());
        db.execute(String.format(Locale.ROOT, """
                UPDATE model_usage_details SET user_name = '%s', model_name = '', operation = E'it''s\\n\\t"\\\\',
                  user_id = -2147483648, model_id = 2147483647, date = '-infinity', updated_at = 'infinity',
                  prompt_token_count = 9223372036854775807, completion_token_count = -9223372036854775808,
                  deleted_at = timestamp '2025-03-09 02:30:00.000001' WHERE id %% 4 = 0""", widest));
    }

    record Row(int id, String completedAt, String createdAt) {
        @Override
        public String toString() {
            return "(" + id + ", " + (completedAt == null ? "null::timestamp" : completedAt) + ", " + createdAt + ")";
        }
    }
}
