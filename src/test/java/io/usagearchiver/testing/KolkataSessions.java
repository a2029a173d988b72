package io.usagearchiver.testing;

import com.mchange.v2.c3p0.AbstractConnectionCustomizer;
import java.sql.Connection;
import java.sql.SQLException;

/** Makes a c3p0 pool's sessions start in the time zone Asia/Kolkata; pgjdbc starts them in the JVM's. */
public final class KolkataSessions extends AbstractConnectionCustomizer {
    @Override
    public void onAcquire(Connection connection, String pool) throws SQLException {
        TestDatabase.execute(connection, "SET TIME ZONE 'Asia/Kolkata'");
    }
}
