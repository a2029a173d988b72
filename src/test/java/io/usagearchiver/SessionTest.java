package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.usagearchiver.testing.TestDatabase;
import io.usagearchiver.testing.TestedPair;
import io.usagearchiver.testing.UsageRows;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Connections whose driver or pool lacks what JDBC asks for. */
class SessionTest {
    @AutoClose
    private final TestDatabase db = TestDatabase.create();

    @ParameterizedTest
    @CsvSource({
        "getNetworkTimeout, false",
        "getNetworkTimeout, true",
        "setNetworkTimeout, false",
        "setNetworkTimeout, true",
        "getMetaData, true"
    })
    void a_connection_that_lacks_a_method_is_given_back(String method, boolean runtimeException) throws SQLException {
        List<Connection> opened = new ArrayList<>();
        Archiver archiver = Archiver.builder(TestedPair.USAGE, () -> {
                    Connection connection = db.connectAsArchiver();
                    opened.add(connection);
                    return without(method, connection, runtimeException);
                })
                .build();

        assertThatThrownBy(archiver::sweep)
                .isInstanceOf(RuntimeException.class)
                .hasStackTraceContaining("not supported");
        assertThatThrownBy(archiver::checkSchema).isInstanceOf(RuntimeException.class);
        assertThat(archiver.health().ok()).isFalse();

        assertThat(opened).hasSize(3);
        for (Connection connection : opened) {
            assertThat(connection.isClosed()).isTrue();
        }
    }

    /** As behind a pooler in transaction mode. Its own statements are not there, and others may be under their names. */
    @ParameterizedTest
    @CsvSource({"5, true", "0, false"})
    void a_connection_that_is_led_to_prepared_statements_of_others_is_refused(int prepareThreshold, boolean refused)
            throws SQLException {
        UsageRows rows = new UsageRows(db);
        rows.replaceWithExpired(100);
        String url = db.url() + "?prepareThreshold=" + prepareThreshold;
        try (Connection one = DriverManager.getConnection(url, TestDatabase.ARCHIVER, TestDatabase.ARCHIVER);
                Connection other = DriverManager.getConnection(url, TestDatabase.ARCHIVER, TestDatabase.ARCHIVER)) {
            Archiver archiver = Archiver.builder(TestedPair.USAGE, () -> taking(one, other))
                    .settings(ArchiveSettings.defaults().withBatchSize(10))
                    .build();

            if (refused) {
                assertThatThrownBy(archiver::sweep)
                        .isInstanceOf(SweepFailedException.class)
                        .hasMessageContaining("prepared statements of other clients")
                        .hasMessageContaining("prepareThreshold=0 in the URL of each client");
            } else {
                assertThat(archiver.sweep().rowsMoved()).isEqualTo(100);
            }
        }
        rows.assertMoved("id <= (SELECT rows_moved FROM usage_archive_sweep)");
    }

    /** A connection whose transactions are those of several sessions, in turns. */
    private static Connection taking(Connection... sessions) {
        int[] turn = {0};
        return (Connection) Proxy.newProxyInstance(
                SessionTest.class.getClassLoader(), new Class<?>[] {Connection.class}, (self, method, args) -> {
                    if (method.getName().equals("setAutoCommit") && args[0].equals(false)) {
                        turn[0]++;
                    }
                    try {
                        return method.getName().equals("close")
                                ? null
                                : method.invoke(sessions[turn[0] % sessions.length], args);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }

    private static Connection without(String name, Connection connection, boolean runtimeException) {
        return (Connection) Proxy.newProxyInstance(
                SessionTest.class.getClassLoader(), new Class<?>[] {Connection.class}, (self, method, args) -> {
                    if (method.getName().equals(name)) {
                        throw runtimeException
                                ? new UnsupportedOperationException("not supported")
                                : new SQLFeatureNotSupportedException("not supported");
                    }
                    try {
                        return method.invoke(connection, args);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }
}
