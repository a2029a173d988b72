package io.usagearchiver.internal.jdbc;

import java.util.List;
import org.jooq.DSLContext;
import org.jspecify.annotations.Nullable;

/** What writes a statement down, for {@link Session#transaction(TransactionLimits, Wording, java.util.function.BiFunction)}. */
public interface Wording {
    /** The statement, written by the session that is to execute it. */
    Text of(DSLContext dsl);

    /**
     * A statement.
     *
     * @param sql with question marks
     * @param binds their values
     */
    record Text(String sql, List<@Nullable Object> binds) {}
}
