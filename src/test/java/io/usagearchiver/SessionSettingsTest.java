package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.usagearchiver.testing.TappedConnections;
import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import io.usagearchiver.testing.WholeRun;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a role has set for its sessions changes nothing of what a transaction of the archiver means, and ends none. */
class SessionSettingsTest {
    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    @BeforeEach
    void has_rows() {
        WholeRun.insertRows(db);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '~', textBlock = """
            standard_conforming_strings = off; bytea_output = escape; extra_float_digits = -15; xmlbinary = hex; xmloption = document; array_nulls = off
            DateStyle = 'SQL, DMY'; IntervalStyle = sql_standard; TimeZone = 'America/New_York'; transform_null_equals = on
            quote_all_identifiers = on; row_security = off; default_transaction_isolation = serializable; default_transaction_deferrable = on
            exit_on_error = on; default_transaction_read_only = off; lc_monetary = 'C'; gin_fuzzy_search_limit = 1
            transaction_timeout = '1s'; idle_in_transaction_session_timeout = '1s'; idle_session_timeout = '1s'
            enable_indexscan = off; enable_indexonlyscan = off; enable_tidscan = off; enable_nestloop = off; plan_cache_mode = force_custom_plan
            """)
    void settings_of_the_role_change_nothing(String settings) throws SQLException {
        set(settings.split("; "));

        new WholeRun(db.archiver(), db.restorer()).run();

        WholeRun.assertDone(db);
    }

    @Test
    void a_transaction_may_take_longer_than_the_role_has_it() throws SQLException {
        // Two statements, one and a half seconds together.
        db.execute("CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.7);"
                + " RETURN NULL; END $$; CREATE TRIGGER slow BEFORE INSERT ON model_usage_details_archive"
                + " FOR EACH STATEMENT EXECUTE FUNCTION slow();"
                + " CREATE TRIGGER slow_again AFTER INSERT ON model_usage_details_archive"
                + " FOR EACH STATEMENT EXECUTE FUNCTION slow()");
        set("transaction_timeout = '1s'", "statement_timeout = '1s'", "idle_in_transaction_session_timeout = '1s'");

        SweepResult sweep =
                Archiver.builder(TestedPair.USAGE, db.archiver()).build().sweep();

        assertThat(sweep.rowsMoved()).isEqualTo(40);
        assertThat(sweep.batches()).isEqualTo(2);
    }

    /** Such as a pool may set. Of a role, not even every connection could be opened. */
    @Test
    void the_shortest_timeouts_change_nothing() {
        new WholeRun(shortest(db.archiver()), shortest(db.restorer())).run();

        WholeRun.assertDone(db);
    }

    private static ConnectionSource shortest(ConnectionSource connections) {
        return () -> {
            Connection connection = connections.open();
            TestDatabase.execute(connection, "SET lock_timeout = '1ms'; SET statement_timeout = '1ms'");
            return connection;
        };
    }

    @Test
    void a_role_that_may_not_write_is_left_so() throws SQLException {
        set("default_transaction_read_only = on");

        assertThatExceptionOfType(SchemaDriftException.class)
                .isThrownBy(() -> Archiver.builder(TestedPair.USAGE, db.archiver())
                        .build()
                        .sweep())
                .withMessageContaining("default_transaction_read_only");
        assertThat(new Planner(TestedPair.USAGE, db.archiver(), ArchiveSettings.defaults())
                        .plan(1000, new StopSignal())
                        .backlog()
                        .rows())
                .isEqualTo(40);
    }

    /** A transaction's settings are its own: a pool gives the connection to others. */
    @Test
    void a_session_is_left_as_it_was() throws SQLException {
        try (Connection connection = db.connectAsArchiver()) {
            List<String> before = settings(connection);
            Archiver.builder(TestedPair.USAGE, TappedConnections.keptOpen(connection))
                    .build()
                    .sweep();

            assertThat(settings(connection)).isEqualTo(before);
        }
    }

    private static List<String> settings(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery(
                        "SELECT array_agg(name || '=' || setting ORDER BY name) FROM pg_catalog.pg_settings")) {
            rows.next();
            return List.of((String[]) rows.getArray(1).getArray());
        }
    }

    private void set(String... settings) throws SQLException {
        int version;
        try (Connection connection = db.connectAsOwner()) {
            version = connection.getMetaData().getDatabaseMajorVersion();
        }
        for (String setting : settings) {
            if (version >= 17 || !setting.startsWith("transaction_timeout")) {
                for (String role : List.of(TestDatabase.ARCHIVER, TestDatabase.RESTORER)) {
                    db.execute("ALTER ROLE " + role + " IN DATABASE " + db.name() + " SET " + setting);
                }
            }
        }
    }
}
