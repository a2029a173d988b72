package consumer;

import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.sql.Connection;
import org.flywaydb.core.Flyway;

/** Stands for the database that a build holds its generated code against. Lives as long as the build's JVM. */
public final class LiveDatabase {
    private LiveDatabase() {}

    /** Starts it on a port, migrates it, and makes a change that no migration knows. */
    public static void main(String[] arguments) throws Exception {
        EmbeddedPostgres postgres = EmbeddedPostgres.builder()
                .setPort(Integer.parseInt(arguments[0]))
                .setServerConfig("listen_addresses", "127.0.0.1")
                .start();
        Flyway.configure().dataSource(postgres.getPostgresDatabase()).load().migrate();
        if (arguments.length > 1 && arguments[1] != null && !arguments[1].isBlank()) {
            try (Connection owner = postgres.getPostgresDatabase().getConnection()) {
                Database.execute(owner, arguments[1]);
            }
        }
    }
}
