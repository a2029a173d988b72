package io.usagearchiver;

import io.usagearchiver.internal.jdbc.Session;
import io.usagearchiver.internal.jdbc.StoppedException;
import io.usagearchiver.internal.jdbc.TransactionLimits;
import io.usagearchiver.internal.postgres.SqlState;
import io.usagearchiver.internal.postgres.TableName;
import io.usagearchiver.internal.schema.ArchivePartitions;
import java.time.YearMonth;
import java.util.ArrayList;
import java.util.List;
import org.jooq.exception.DataAccessException;
import org.jspecify.annotations.Nullable;

/**
 * Makes the coming partitions of an archive that is partitioned by the month of the age: from the month of the oldest hot row
 * to the third after the cutoff's, those that there are not. One that covers a part of a month keeps it from being made.
 *
 * <p>Each is made in a transaction of its own, as a table that is attached then: sweeps and readers go on meanwhile, and no lock
 * is waited for longer than a tenth of a second at a time. What {@code pg_partman} has in its {@code part_config} is left to
 * it. The role must be the archive's owner, and may create in its schema. Safe to run anywhere at any time. Immutable and
 * thread-safe.
 */
public final class PartitionKeeper {
    private final ArchivePair<?> pair;
    private final ConnectionSource connections;
    private final ArchiveSettings settings;

    /** One of a pair; of the settings, the retention period and the timeouts count. */
    public PartitionKeeper(ArchivePair<?> pair, ConnectionSource connections, ArchiveSettings settings) {
        this.pair = pair;
        this.connections = connections;
        this.settings = settings;
    }

    /**
     * What was done.
     *
     * @param archive the archive's name, {@code schema.table}
     * @param made the months whose partitions were made
     * @param leftAlone why none is made here, as the rest of a sentence on the archive; null otherwise
     */
    public record Outcome(
            String archive, List<YearMonth> made, @Nullable String leftAlone) {
        /** What was done. */
        public Outcome {
            made = List.copyOf(made);
        }
    }

    /**
     * Makes what is missing.
     *
     * @param stop keeps further ones from being made, from another thread
     * @throws SweepStoppedException if it was asked to stop
     * @throws ArchiveException if the database does not answer, there is no archive, or a partition is missing that could not be
     *     made; what was made before stands
     */
    public Outcome keep(StopSignal stop) {
        String archive = TableName.name(pair.archive());
        TransactionLimits limits = TransactionLimits.tables(settings);
        List<YearMonth> made = new ArrayList<>();
        try (Session session = Session.open(connections, settings, stop)) {
            String leftAlone = session.retried(limits, tx -> ArchivePartitions.leftAlone(tx, pair));
            if (leftAlone != null) {
                return new Outcome(archive, made, leftAlone);
            }
            while (true) {
                YearMonth next =
                        session.retried(limits, tx -> ArchivePartitions.makeNext(tx, pair, settings.retentionMonths()));
                if (next == null) {
                    return new Outcome(archive, made, null);
                }
                made.add(next);
                session.progressed();
                if (stop.requested()) {
                    throw new StoppedException();
                }
            }
        } catch (StoppedException e) {
            throw new SweepStoppedException("Asked to stop while partitions of " + archive + " were made", e);
        } catch (DataAccessException e) {
            throw new ArchiveException("Could not make a partition of " + archive + ": " + SqlState.message(e), e);
        }
    }
}
