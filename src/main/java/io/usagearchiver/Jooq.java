package io.usagearchiver;

import java.util.Locale;
import org.jooq.Configuration;
import org.jooq.SQLDialect;
import org.jooq.conf.Settings;
import org.jooq.impl.DefaultConfiguration;

/**
 * jOOQ as the archiver uses it: with settings of its own, so that none that the host has for its own statements ({@code
 * jooq-settings.xml} on the class path, {@code -Dorg.jooq.settings}) changes ours. It does not log statements: with them, at
 * DEBUG, it would log what is in the rows.
 */
final class Jooq {
    private Jooq() {}

    /**
     * A configuration without a connection.
     *
     * @throws ArchiveException if jOOQ itself cannot start, since it cannot read the host's settings
     */
    static Configuration configuration() {
        requireStart();
        return new DefaultConfiguration()
                .set(SQLDialect.POSTGRES)
                .set(new Settings().withExecuteLogging(false).withLocale(Locale.ROOT));
    }

    private static Throwable root(Throwable fault) {
        return fault.getCause() == null ? fault : root(fault.getCause());
    }

    /**
     * Sees that jOOQ has started. It reads the host's settings as it does, whoever uses it first and whatever for, and without
     * it no generated class can be loaded.
     *
     * @throws ArchiveException if it could not
     */
    static void requireStart() {
        try {
            new DefaultConfiguration();
        } catch (LinkageError e) {
            throw new ArchiveException(
                    "jOOQ cannot start: see that the settings file which it is told to read (-Dorg.jooq.settings"
                            + (System.getProperty("org.jooq.settings") == null
                                    ? ""
                                    : "=" + System.getProperty("org.jooq.settings"))
                            + ", or jooq-settings.xml on the class path) can be read, or take it away; the archiver needs"
                            + " none (" + root(e) + ")",
                    e);
        }
    }
}
