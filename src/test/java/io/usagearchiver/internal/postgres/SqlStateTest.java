package io.usagearchiver.internal.postgres;

import static org.assertj.core.api.Assertions.assertThat;

import java.sql.SQLException;
import org.jooq.exception.DataAccessException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SqlStateTest {
    /** Each class of PostgreSQL's Appendix A with one of its codes at least, what others raise, and what has no code. */
    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            a row       | 02000 03000 09000 0F001 0Z002 10608 20000 21000 22003 22P02 23502 23505 23514 23P01 23001 24000 27000
            a row       | 2D000 2F002 34000 38000 38001 39000 39P01 3B000 40000 40002 40003 44000 54000 54001 54023 55000 55006
            a row       | HV000 HV00B P0000 P0001 P0002 P0003 P0004 XX000 XX001 XX002 AB123 ZZZZZ
            not a row   | 0A000 0B000 0LP01 0P000 25000 25001 25006 26000 28000 28P01 2B000 2BP01 3D000 3F000
            not a row   | 42000 42501 42601 42703 42804 42883 42P01 42P05 42P22 53000 53100 53200 53300 53400
            not a row   | 57000 57014 57P04 58000 58030 58P01 72000 F0000 F0001 99999 '' 1
            in a moment | 08000 08003 08006 08P01 25P02 25P03 40001 40P01 55P03 57P01 57P02 57P03
            """)
    void what_a_fault_is_due_to_is_told_by_its_class(String due, String states) {
        for (String state : states.split(" ")) {
            DataAccessException fault = fault(state.replace("'", ""), "ERROR: no");
            assertThat(SqlState.mayBeOfARow(fault)).as(state).isEqualTo(due.equals("a row"));
            assertThat(SqlState.isTransient(fault)).as(state).isEqualTo(due.equals("in a moment"));
        }
    }

    @Test
    void a_fault_without_a_code_is_not_a_rows() {
        assertThat(SqlState.mayBeOfARow(fault(null, "no"))).isFalse();
        assertThat(SqlState.mayBeOfARow(new DataAccessException("no"))).isFalse();
        assertThat(SqlState.mayBeOfARow(new IllegalStateException())).isFalse();
    }

    @Test
    void of_what_the_server_said_only_the_first_line_is_told() {
        assertThat(SqlState.message(
                        fault("23514", "ERROR: refused\n  Detail: Failing row contains (secret).\n  Where: x")))
                .isEqualTo("ERROR: refused");
        assertThat(SqlState.message(fault("P0001", "\r\n ERROR: refused \r\nsecret")))
                .isEqualTo("ERROR: refused");
        assertThat(SqlState.message(fault("P0001", ""))).isEmpty();
    }

    private static DataAccessException fault(String state, String message) {
        return new DataAccessException("SQL [select]; " + message, new SQLException(message, state));
    }
}
