package io.usagearchiver.internal.postgres;

import io.usagearchiver.ArchiveException;
import java.lang.module.ModuleDescriptor.Version;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jooq.Configuration;
import org.jooq.Constants;
import org.jooq.SQLDialect;
import org.jooq.conf.Settings;
import org.jooq.impl.DefaultConfiguration;
import org.jspecify.annotations.Nullable;

/**
 * jOOQ as the archiver uses it: with settings of its own, so that none that the host has for its own statements ({@code
 * jooq-settings.xml} on the class path, {@code -Dorg.jooq.settings}) changes ours. It does not log statements: with them, at
 * DEBUG, it would log what is in the rows.
 */
public final class Jooq {
    /** Generated classes call a constructor that came with it. */
    private static final Version OLDEST = Version.parse("3.19");

    private static final Object MEMORY = Jooq.class;

    private Jooq() {}

    /**
     * A configuration without a connection.
     *
     * @throws ArchiveException if the host's jOOQ is too old, or cannot start, since it cannot read the host's settings
     */
    public static Configuration configuration() {
        requireStart();
        return new DefaultConfiguration()
                .set(SQLDialect.POSTGRES)
                .set(new Settings().withExecuteLogging(false).withLocale(Locale.ROOT));
    }

    /** Has what is read once in a session, and in those that share its memory, read anew. */
    public static void forget(Configuration session) {
        Map<Object, Object> memory = memory(session);
        if (memory == null) {
            session.data(MEMORY, new ConcurrentHashMap<>());
        } else {
            memory.clear();
        }
    }

    /** Gives another session's configuration the same memory. */
    public static void share(Configuration session, Configuration other) {
        other.data(MEMORY, session.data(MEMORY));
    }

    /** What was read in a session already; null outside of one, where nothing is to be read: as for a {@code toString}. */
    @SuppressWarnings("unchecked")
    public static @Nullable Map<Object, Object> memory(Configuration transaction) {
        return (Map<Object, Object>) transaction.data(MEMORY);
    }

    /** Read at run time: the compiler would put down the one that it knows. */
    private static String version() {
        try {
            return String.valueOf(Constants.class.getField("VERSION").get(null));
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    private static Throwable root(Throwable fault) {
        return fault.getCause() == null ? fault : root(fault.getCause());
    }

    /**
     * Sees that the host's jOOQ is one that the archiver runs on, and has started. It reads the host's settings as it does,
     * whoever uses it first and whatever for, and without it no generated class can be loaded.
     *
     * @throws ArchiveException if it is not, or could not
     */
    public static void requireStart() {
        String version = version();
        if (Version.parse(version).compareTo(OLDEST) < 0) {
            throw new ArchiveException(
                    "The archiver needs jOOQ " + OLDEST + " or later, and there is jOOQ " + version
                            + " on the class path: name a later one among the host's dependencies (Spring Boot takes its own"
                            + " unless the property jooq.version says otherwise)",
                    null);
        }
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
