package io.usagearchiver.internal.move;

import static org.assertj.core.api.Assertions.assertThat;

import io.usagearchiver.SweepResult;
import io.usagearchiver.internal.ledger.BatchResult;
import io.usagearchiver.internal.schema.Direction;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class KeptBackRowsTest {
    private static final String LONG = "k".repeat(2600);

    private final KeptBackRows keptBack = new KeptBackRows();

    @Test
    void of_a_million_rows_the_first_keys_are_remembered_and_all_are_counted() {
        IntStream.range(0, 1000)
                .forEach(batch -> addConflicts(IntStream.range(0, 1000)
                        .mapToObj(row -> "" + (batch * 1000 + row))
                        .toList()));

        assertThat(keptBack.count()).isEqualTo(1_000_000);
        assertThat(keptBack.isComplete()).isFalse();
        assertThat(keptBack.keys()).hasSizeBetween(40_000, 60_000).contains("0", "39999");
        assertThat(keptBack.rememberedConflicts()).isEqualTo(keptBack.keys().size());
        assertThat(keptBack.conflictingIds()).hasSize(SweepResult.LISTED_IDS).startsWith("0", "1");
    }

    @Test
    void of_long_keys_fewer_are_remembered() {
        IntStream.range(0, 10_000).forEach(row -> reject(LONG + row, "reason"));

        assertThat(keptBack.keys().stream().mapToLong(String::length).sum()).isLessThan(KeptBackRows.REMEMBERED_BYTES);
        assertThat(keptBack.keys()).hasSizeBetween(1000, 2000);
    }

    @Test
    void what_the_ledger_does_not_know_is_forgotten() {
        addConflicts(List.of("1", "2", "3"));
        reject("4", "reason");
        reject("5", "reason");

        keptBack.truncate(2, 1);

        assertThat(keptBack.keys()).containsExactlyInAnyOrder("1", "2", "4");
        assertThat(keptBack.conflictingIds()).containsExactly("1", "2");
        assertThat(keptBack.rejectedIds()).containsExactly("4");
        assertThat(keptBack.isComplete()).isTrue();
        addConflicts(List.of("3"));
        assertThat(keptBack.count()).isEqualTo(4);
        assertThat(keptBack.isComplete()).isTrue();
    }

    @Test
    void what_only_the_ledger_knows_is_not_remembered() {
        addConflicts(List.of("1"));
        keptBack.truncate(2, 0);
        assertThat(keptBack.count()).isEqualTo(2);
        assertThat(keptBack.isComplete()).isFalse();
    }

    @Test
    void once_a_key_was_not_remembered_none_is_that_comes_after_it() {
        IntStream.range(0, 10_000).forEach(row -> addConflicts(List.of(LONG + row)));
        int remembered = keptBack.rememberedConflicts();

        addConflicts(List.of("1"));

        assertThat(keptBack.rememberedConflicts()).isEqualTo(remembered);
        keptBack.truncate(remembered, 0);
        assertThat(keptBack.isComplete()).isTrue();
    }

    @Test
    void a_message_is_a_line_a_row_with_long_keys_and_reasons_shortened() {
        reject("one\ntwo\r\n\u2028three", "ERROR: a\n  b");
        reject(LONG, "ERROR: " + "r".repeat(1_000_000));

        assertThat(keptBack.message(Direction.ARCHIVE).lines())
                .containsExactly(
                        "rejected by the archive, or by what refers to the row:",
                        "one two three: ERROR: a   b",
                        "k".repeat(200) + "… (2600 characters): ERROR: " + "r".repeat(493) + "… (1000007 characters)");
    }

    private void addConflicts(List<String> keys) {
        keptBack.add(new BatchResult(0, 0, keys, Map.of()));
    }

    private void reject(String key, String reason) {
        keptBack.add(new BatchResult(0, 0, List.of(), Map.of(key, reason)));
    }
}
