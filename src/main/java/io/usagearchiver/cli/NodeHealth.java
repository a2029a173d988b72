package io.usagearchiver.cli;

import io.usagearchiver.ArchiveException;
import io.usagearchiver.Archiver;
import io.usagearchiver.Health;
import io.usagearchiver.SchemaDriftException;
import io.usagearchiver.SweepFailedException;
import io.usagearchiver.SweepListener;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * The health of one archiver: what the database says, and a sweep that failed on this node before it could write that
 * down, until a later one of any node has begun.
 */
final class NodeHealth implements SweepListener {
    private final String name;
    private final Archiver archiver;
    private @Nullable String fault;
    private long faultNanos;

    NodeHealth(String name, Archiver archiver) {
        this.name = name;
        this.archiver = archiver;
    }

    @Override
    public synchronized void sweepFailed(String table, ArchiveException failure) {
        boolean written = failure instanceof SweepFailedException known && known.result() != null;
        if (!written && !(failure instanceof SchemaDriftException)) {
            fault = failure.getMessage();
            faultNanos = System.nanoTime();
        }
    }

    /** The name of the archiver. */
    String name() {
        return name;
    }

    /** Asks the database. */
    synchronized Health read() {
        Health health = archiver.health();
        if (fault != null && health.ok()) {
            Duration sinceFault = Duration.ofNanos(System.nanoTime() - faultNanos);
            Duration sinceSweep = health.sinceLastSweep();
            if (sinceSweep == null || sinceSweep.compareTo(sinceFault) > 0) {
                return new Health(Health.Status.LAST_SWEEP_FAILED, fault, sinceSweep);
            }
            fault = null;
        }
        return health;
    }
}
