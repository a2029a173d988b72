package io.usagearchiver.testing;

import static org.assertj.core.api.Assertions.assertThat;

import java.sql.Connection;
import java.sql.SQLException;
import org.jooq.DSLContext;
import org.junit.jupiter.api.Test;
import org.quartz.Scheduler;

/** That the tests run on what the build was told to; a server that was given by its URL may be any that is supported. */
class VersionsTest {
    @Test
    void the_tests_run_on_the_versions_of_the_build() throws SQLException {
        String postgres = postgres();
        if (System.getProperty(TestServer.URL_PROPERTY) == null) {
            assertThat(TestServer.major(postgres)).isEqualTo(TestServer.major(version("postgres")));
        }
        assertThat(Integer.parseInt(TestServer.major(postgres))).isGreaterThanOrEqualTo(15);
        assertThat(jar(DSLContext.class)).endsWith("/jooq-" + version("jooq") + ".jar");
        assertThat(jar(Scheduler.class)).endsWith("/quartz-" + version("quartz") + ".jar");
        System.out.printf(
                "Versions: Java %s, PostgreSQL %s, jOOQ %s, Quartz %s%n",
                System.getProperty("java.version"), postgres, version("jooq"), version("quartz"));
    }

    private static String postgres() throws SQLException {
        try (Connection server = TestServer.superuser(TestServer.superuserUrl(), null)) {
            return server.getMetaData().getDatabaseProductVersion();
        }
    }

    private static String version(String of) {
        return System.getProperty("usagearchiver.test." + of);
    }

    private static String jar(Class<?> type) {
        return type.getProtectionDomain().getCodeSource().getLocation().getPath();
    }
}
