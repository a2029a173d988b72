package io.usagearchiver;

import io.usagearchiver.internal.postgres.TableName;
import java.time.LocalDateTime;
import org.jspecify.annotations.Nullable;

/**
 * Rows that stay in the hot table although they are expired. All times are naive UTC; {@link LocalDateTime#MIN} and {@link
 * LocalDateTime#MAX} stand for {@code -infinity} and {@code infinity}.
 *
 * @param id for {@link Holds#release}
 * @param table the hot table, as {@code schema.table}
 * @param filter which rows, or null where the row makes no sense as a filter
 * @param reason why
 * @param createdBy the database role that set it
 * @param node where
 * @param createdAt since when
 * @param until when it ends, or null if it has to be released; {@code infinity} is null, too
 * @param releasedAt when it was released, or null
 * @param releasedBy the database role that released it, or null
 * @param active whether it counted, by the database's clock, when it was read
 * @param problem why sweeps cannot honour it, or null: correct its row, or release it. See {@link #stopsSweeps}
 */
public record Hold(
        long id,
        String table,
        @Nullable RowFilter filter,
        String reason,
        String createdBy,
        String node,
        LocalDateTime createdAt,
        @Nullable LocalDateTime until,
        @Nullable LocalDateTime releasedAt,
        @Nullable String releasedBy,
        boolean active,
        @Nullable String problem) {

    /**
     * Whether sweeps archive nothing while it counts, since they cannot tell what it was to keep. One on a table that is not
     * there does not stop them: the table may have been dropped.
     */
    public boolean stopsSweeps() {
        return active && problem != null && !problem.equals(TableName.missing(table));
    }
}
