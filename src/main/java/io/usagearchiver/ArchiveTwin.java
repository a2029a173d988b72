package io.usagearchiver;

import io.usagearchiver.internal.jdbc.Session;
import io.usagearchiver.internal.jdbc.TransactionLimits;
import io.usagearchiver.internal.postgres.SqlState;
import io.usagearchiver.internal.postgres.TableName;
import io.usagearchiver.internal.schema.Direction;
import io.usagearchiver.internal.schema.SchemaCheck;
import io.usagearchiver.internal.schema.TwinGrants;
import io.usagearchiver.internal.schema.TwinTable;
import java.util.List;
import java.util.Set;
import org.jooq.DSLContext;
import org.jooq.exception.DataAccessException;
import org.jspecify.annotations.Nullable;

/**
 * The archive of a pair where there is none yet: the SQL that makes it as a twin of the live hot table, for {@code init
 * --create-archive} or for a migration.
 *
 * <p>It has the hot table's columns in their order, with their types, collations, NOT NULLs, storage, compression and
 * comments; the same key; and the other indexes, by the same expressions and conditions, but none of them unique. It has no
 * default, identity, generated column, CHECK, foreign key or trigger: rows come with all their values, and an archive has to
 * take whatever the hot table has ever let in. Immutable and thread-safe.
 */
public final class ArchiveTwin {
    private final ArchivePair<?> pair;

    /** The archive of a pair. */
    public ArchiveTwin(ArchivePair<?> pair) {
        this.pair = pair;
    }

    /**
     * What the archive is to be like.
     *
     * @param indexes null for all of the hot table's; else the names of those wanted, beside small BRIN indexes on the ages
     * @param retentionMonths null for an ordinary table; else the retention period of a sweep of this pair, for a table that is
     *     partitioned by the month of the age, with the partitions from that of the oldest hot row to the third month after the
     *     cutoff's
     */
    public record Shape(
            @Nullable Set<String> indexes, @Nullable Integer retentionMonths) {
        /** What the archive is to be like. */
        public Shape {
            indexes = indexes == null ? null : Set.copyOf(indexes);
        }
    }

    /** The archive's name, {@code schema.table}, each part quoted if it is not plain lower case. */
    public String name() {
        return TableName.name(pair.archive());
    }

    /** Whether there is anything of that name. */
    public boolean exists(DSLContext tx) {
        return TwinTable.exists(tx, pair.archive());
    }

    /**
     * The statements that make the archive, in order, for one transaction. Changes nothing but, for this transaction, some
     * settings: the search path, time zone and styles.
     *
     * @throws ArchiveException if the hot table is not there or has no such key, the archive cannot be partitioned so and keep a
     *     unique key, or an index that is named is not there
     */
    public List<String> statements(DSLContext tx, Shape shape) {
        return TwinTable.of(tx, pair).statements(shape.indexes(), shape.retentionMonths());
    }

    /** The GRANT statements that a role lacks on both tables to archive, whether the archive is there or not. */
    public List<String> missingGrants(DSLContext tx, String role) {
        return TwinGrants.missing(tx, pair, Direction.ARCHIVE, role);
    }

    /** The GRANT statements that a role lacks on both tables to take rows back. */
    public List<String> missingRestoreGrants(DSLContext tx, String role) {
        return TwinGrants.missing(tx, pair, Direction.RESTORE, role);
    }

    /**
     * Why a sweep would not be let through, as {@link SchemaDriftException#differences} has it but for rights; empty if it
     * would.
     *
     * @throws ArchiveException if the database does not answer
     */
    public List<String> differences(ConnectionSource connections, ArchiveSettings settings) {
        try (Session session = Session.open(connections, settings, new StopSignal())) {
            session.transaction(TransactionLimits.page(settings), tx -> SchemaCheck.run(tx, pair));
            return List.of();
        } catch (SchemaDriftException e) {
            return e.differences();
        } catch (DataAccessException e) {
            throw new ArchiveException("Could not check the schema of " + pair.table() + ": " + SqlState.message(e), e);
        }
    }
}
