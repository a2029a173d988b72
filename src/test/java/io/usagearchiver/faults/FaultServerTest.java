package io.usagearchiver.faults;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.usagearchiver.testing.FaultServer;
import java.sql.SQLException;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

/** The server under the fault tests keeps what it has acknowledged, and nothing else. */
class FaultServerTest {
    @AutoClose
    private final FaultServer server = new FaultServer();

    @Test
    void what_was_acknowledged_survives_a_crash_and_what_was_not_does_not() throws Exception {
        assertThat(server.strings("show fsync")).containsExactly("on");
        assertThat(server.strings("show synchronous_commit")).containsExactly("on");
        server.execute("create table kept (id integer); create unlogged table emptied (id integer);"
                + " insert into emptied values (1)");
        server.execute("insert into kept values (1)");

        server.stopImmediately();
        assertThatThrownBy(server::connect).isInstanceOf(SQLException.class);
        server.startAgain();

        assertThat(server.number("select count(*) from kept")).isEqualTo(1);
        assertThat(server.number("select count(*) from emptied"))
                .as("rows that only a clean stop keeps")
                .isZero();
        assertThat(server.strings("show fsync")).containsExactly("on");
    }
}
