package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import java.util.List;
import org.jooq.impl.DSL;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** How tables, columns and conditions are named, before a database is asked. */
class PairNamesTest {
    private static final String LONGEST = "n".repeat(63);

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '\u0000', textBlock = """
            invoices             | public.invoices      | public.invoices_archive
            billing.invoices     | billing.invoices     | billing.invoices_archive
            Billing . INVOICES   | billing.invoices     | billing.invoices_archive
            "Billing"."Invoices" | "Billing"."Invoices" | "Billing"."Invoices_archive"
            "invoices"           | public.invoices      | public.invoices_archive
            "a.b"                | public."a.b"         | public."a.b_archive"
            x."a ""b"" c"        | x."a ""b"" c"        | x."a ""b"" c_archive"
            Größe                | public."größe"       | public."größe_archive"
            ÄRA                  | public."Ära"         | public."Ära_archive"
            order                | public.order         | public.order_archive
            _a1$b                | public._a1$b         | public._a1$b_archive
            """)
    void a_table_is_named_as_in_sql_and_without_a_schema_it_is_one_of_public(
            String written, String hot, String archive) {
        PairNames names = PairNames.of(written, "at");

        assertThat(names.hotTable()).isEqualTo(hot);
        assertThat(names.archiveTable()).isEqualTo(archive);
        assertThat(PairNames.of(names.hotTable(), "at")).isEqualTo(names);
        assertThat(ArchivePair.of(names).table()).isEqualTo(hot);
    }

    @Test
    void columns_are_separated_by_commas() {
        PairNames names = PairNames.of("t", "Closed_At, \"Opened, at\"").withKeyColumns("tenant", "no");

        assertThat(names.ageColumns()).containsExactly("closed_at", "\"Opened, at\"");
        assertThat(names.keyColumns()).containsExactly("tenant", "no");
        assertThat(names.withKeyColumns("tenant,no")).isEqualTo(names);
        assertThat(names.withKeyColumns("no,tenant")).isNotEqualTo(names);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '\u0000', nullValues = "-", textBlock = """
            a.b.c     | -    | -        | at         | hotTable = 'a.b.c': must be schema.table, or a table of the schema public
            -         | -    | -        | at         | hotTable = '': must be a name as in SQL
            a.        | -    | -        | at         | hotTable = 'a.': must be a name as in SQL
            .a        | -    | -        | at         | hotTable = '.a': must be a name as in SQL
            a b       | -    | -        | at         | hotTable = 'a b': must be a name as in SQL
            a-b       | -    | -        | at         | hotTable = 'a-b': must be a name as in SQL
            1a        | -    | -        | at         | hotTable = '1a': must be a name as in SQL
            "a        | -    | -        | at         | hotTable = '"a': must be a name as in SQL
            ""        | -    | -        | at         | hotTable = '""': must not be empty
            a, b      | -    | -        | at         | hotTable = 'a, b': must be a name as in SQL
            a; drop   | -    | -        | at         | hotTable = 'a; drop': must be a name as in SQL
            t         | x y  | -        | at         | archiveTable = 'x y': must be a name as in SQL
            t         | T    | -        | at         | archiveTable = 'public.t': must be another table than hotTable
            a.t       | a.t  | -        | at         | archiveTable = 'a.t': must be another table than hotTable
            t         | -    | a b      | at         | keyColumns = 'a b': must be names, separated by commas, as in SQL
            t         | -    | a,       | at         | keyColumns = 'a,': must be names, separated by commas, as in SQL
            t         | -    | a, A     | at         | keyColumns = 'a, a': must not name a column twice
            t         | -    | -        | a.b        | ageColumns = 'a.b': must be names, separated by commas, as in SQL
            t         | -    | -        | a, b, c    | ageColumns = 'a, b, c': must be the column that gives a row's age, or two
            t         | -    | -        | at, at     | ageColumns = 'at, at': must not name a column twice
            t         | -    | -        | coalesce(a, b) | ageColumns = 'coalesce(a, b)': must be names
            """)
    void what_is_no_name_is_told_with_what_it_must_be(String hot, String archive, String key, String age, String told) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> {
                    PairNames names = PairNames.of(hot == null ? "" : hot, age);
                    names = archive == null ? names : names.withArchiveTable(archive);
                    assertThat(key == null ? names : names.withKeyColumns(key)).isNotNull();
                })
                .withMessageStartingWith(told);
    }

    @Test
    void a_pair_must_have_an_age() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> PairNames.of("t"))
                .withMessageStartingWith("ageColumns is not set: must be the column that gives a row's age, or two");
    }

    @Test
    void a_name_is_no_longer_than_postgresql_takes() {
        assertThat(PairNames.of("t", LONGEST).ageColumns()).containsExactly(LONGEST);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> PairNames.of("t", LONGEST + "n"))
                .withMessage("ageColumns = '" + LONGEST + "n': must not be longer than 63 bytes, which is the most that"
                        + " PostgreSQL takes");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> PairNames.of("ä".repeat(32), "at"))
                .withMessageStartingWith("hotTable = 'ä");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> PairNames.of("n".repeat(60), "at"))
                .withMessageStartingWith(
                        "archiveTable = '" + "public." + "n".repeat(60) + "_archive': must not be longer");
        assertThat(new PairNames("n".repeat(60), "old", List.of(), List.of("at"), null).archiveTable())
                .isEqualTo("public.old");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "state = 'paid'",
                "state = 'it''s; -- /* ? { } $1 \" ( '",
                "\"a ? ; -- \"\"b\" = 1",
                "(a = 1) or (b = 2)",
                "tags @> '{a,b}'::text[]",
                "tags[1 : 2] = array['a', 'b']",
                "a$b = 1 and note ~ '\\d+\\'",
                "(payload ->> 'n')::int = 1",
                "exists (select from public.other o where o.id = hot.id)",
                "date '2020-01-01' < at - interval '1 day' * 2 - -1",
                "U&'\\0061' = a and B'1' = b and name = U&'d!0061' UESCAPE '!'"
            })
    void a_condition_is_taken_as_it_is_written(String where) {
        assertThat(PairNames.of("t", "at").withWhere(" " + where + "\n").where())
                .isEqualTo(where);
        assertThat(DSL.using(org.jooq.SQLDialect.POSTGRES)
                        .render(ArchivePair.of(PairNames.of("t", "at").withWhere(where))
                                .condition()))
                .isEqualTo("(\n" + where + "\n)");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '\u0000', textBlock = """
            true; drop table t          | must be one SQL condition without ; outside of a text
            true --                     | must be one SQL condition without comments
            true /* and */              | must be one SQL condition without comments
            a = 1) or (b = 2            | has a ) that nothing has opened
            (a = 1                      | has a ( that nothing closes
            a = 'x                      | must be one SQL condition without a ' that nothing closes
            a = 'x''                    | must be one SQL condition without a ' that nothing closes
            "a = 1                      | must be one SQL condition without a " that nothing closes
            a = E'\\'; drop table t     | must be one SQL condition without texts like E''
            a = e'x'                    | must be one SQL condition without texts like E''
            a = $$;$$                   | must be one SQL condition without $: write texts in single quotes
            a = $x$;$x$                 | must be one SQL condition without $: write texts in single quotes
            a = $1                      | must be one SQL condition without $: write texts in single quotes
            payload ? 'n'               | must be one SQL condition without ? outside of a text: write the function
            tags[1:2] = '{}'            | must be one SQL condition without a : before a name or a number: leave a space
            a = :id                     | must be one SQL condition without a : before a name or a number: leave a space
            a = {0}                     | must be one SQL condition without { outside of a text
            """)
    void what_could_end_a_condition_or_hide_what_follows_is_refused(String where, String told) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> PairNames.of("t", "at").withWhere(where))
                .withMessageStartingWith("where = '" + where + "': " + told);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "  \n", "a = '\0'"})
    void nothing_is_no_condition(String where) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> PairNames.of("t", "at").withWhere(where))
                .withMessageEndingWith("': must be an SQL condition on the hot table's columns");
    }

    @Test
    void a_pair_by_names_is_equal_to_one_by_the_same_names_and_knows_no_types() {
        ArchivePair<?> pair = ArchivePair.of(PairNames.of("t", "at").withWhere("a = 1"));

        assertThat(pair)
                .isEqualTo(ArchivePair.of(PairNames.of("public.T", "AT").withWhere("a = 1 ")))
                .hasSameHashCodeAs(ArchivePair.of(PairNames.of("public.T", "AT").withWhere("a = 1 ")))
                .isNotEqualTo(ArchivePair.of(PairNames.of("t", "at")))
                .isNotEqualTo(pair.where(DSL.falseCondition()))
                .isNotEqualTo(UsageDetails.PAIR);
        assertThat(UsageDetails.PAIR.names()).isNull();
        assertThatIllegalStateException()
                .isThrownBy(pair::key)
                .withMessage("the columns of public.t are known by their names alone");
        assertThatIllegalStateException().isThrownBy(pair::ages);
    }
}
