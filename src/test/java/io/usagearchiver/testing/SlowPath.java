package io.usagearchiver.testing;

/** As long as it is open, sweeps and restores that begin in this JVM move no slice by one statement. */
public final class SlowPath implements AutoCloseable {
    /** The system property. */
    public static final String PROPERTY = "usagearchiver.fastPath";

    private final String before = System.getProperty(PROPERTY, "true");

    /** Begins it. */
    public SlowPath() {
        this(true);
    }

    /** Begins it, or has everything go the usual way. */
    public SlowPath(boolean slow) {
        System.setProperty(PROPERTY, String.valueOf(!slow));
    }

    @Override
    public void close() {
        System.setProperty(PROPERTY, before);
    }
}
