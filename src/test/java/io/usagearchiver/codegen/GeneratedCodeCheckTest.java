package io.usagearchiver.codegen;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.usagearchiver.generated.DefaultCatalog;
import io.usagearchiver.generated.Public;
import io.usagearchiver.testing.TestDatabase;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class GeneratedCodeCheckTest {
    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    @BeforeEach
    void makes_all_tables_of_the_generated_code() {
        db.addExamples();
    }

    @Test
    void a_database_that_the_code_was_generated_from_does_not_differ() throws SQLException {
        assertThat(differences()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            ALTER TABLE model_usage_details ALTER model_name TYPE varchar(300)      | public.model_usage_details.model_name is character varying(300) not null; character varying(255) not null in the generated code
            ALTER TABLE model_usage_details ALTER completed_at TYPE timestamp(3)    | public.model_usage_details.completed_at is timestamp(3) without time zone; timestamp without time zone in the generated code
            ALTER TABLE model_usage_details ALTER model_name DROP NOT NULL          | public.model_usage_details.model_name is character varying(255); character varying(255) not null in the generated code
            ALTER TABLE model_usage_details DROP user_id                            | public.model_usage_details.user_id is not in the database; integer in the generated code
            ALTER TABLE usage_archive_sweep ADD note text                           | public.usage_archive_sweep.note is text; not in the generated code
            DROP TABLE model_usage_details_archive                                  | public.model_usage_details_archive is not in the database
            ALTER TABLE model_usage_details DROP CONSTRAINT model_usage_details_pkey | public.model_usage_details has the primary key []; [id] in the generated code
            """)
    void each_difference_is_named(String change, String difference) throws SQLException {
        db.execute(change);
        assertThat(differences()).containsExactly(difference);
    }

    @Test
    void what_the_generated_code_does_not_tell_may_differ() throws SQLException {
        db.execute("CREATE TABLE other (id int)");
        db.execute("DROP INDEX ix_model_usage_details_date");
        db.execute("ALTER TABLE model_usage_details ALTER operation SET DEFAULT 'chat'");
        db.execute("ALTER TABLE model_usage_details DROP user_id, ADD user_id integer");
        assertThat(differences()).isEmpty();
    }

    @Test
    void the_check_changes_nothing_and_takes_the_role_of_the_archiver() throws SQLException {
        try (Connection connection = db.connectAsArchiver()) {
            GeneratedCodeCheck.differences(connection, Public.PUBLIC);
            assertThat(connection.getAutoCommit()).isTrue();
        }
        assertThat(db.strings("SELECT relname FROM pg_class WHERE relname = 'generated_columns'"))
                .isEmpty();
    }

    @ParameterizedTest
    @ValueSource(classes = {Public.class, DefaultCatalog.class})
    void main_fails_with_every_difference(Class<?> generated) throws SQLException {
        String url = db.url() + "?user=" + TestDatabase.ARCHIVER + "&password=" + TestDatabase.ARCHIVER;
        GeneratedCodeCheck.main(url, generated.getName());

        db.execute("ALTER TABLE usage_archive_sweep ADD note text, ADD author text");

        assertThatThrownBy(() -> GeneratedCodeCheck.main(url, generated.getName()))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("""
                        The generated code and the database differ:
                          public.usage_archive_sweep.author is text; not in the generated code
                          public.usage_archive_sweep.note is text; not in the generated code""");
    }

    @ParameterizedTest
    @ValueSource(strings = {"com.acme.NoSuchClass", "java.lang.String", "io.usagearchiver.generated.Tables"})
    void what_is_not_a_generated_schema_is_refused(String className) {
        assertThatThrownBy(() -> GeneratedCodeCheck.main(db.url(), className))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith(className + " is not a schema or catalog that jOOQ generated");
    }

    @Test
    void arguments_are_required() {
        assertThatThrownBy(() -> GeneratedCodeCheck.main(db.url()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("arguments: a JDBC URL, then generated classes");
    }

    private List<String> differences() throws SQLException {
        try (Connection connection = db.connectAsArchiver()) {
            return GeneratedCodeCheck.differences(connection, Public.PUBLIC);
        }
    }
}
