package io.usagearchiver;

import java.time.LocalDateTime;
import org.jspecify.annotations.Nullable;

/**
 * Rows that stay in the hot table although they are expired. All times are naive UTC.
 *
 * @param id for {@link Holds#release}
 * @param table the hot table, as {@code schema.table}
 * @param filter which rows
 * @param reason why
 * @param createdBy the database role that set it
 * @param node where
 * @param createdAt since when
 * @param until when it ends, or null if it has to be released
 * @param releasedAt when it was released, or null
 * @param releasedBy the database role that released it, or null
 * @param active whether it counted, by the database's clock, when it was read
 */
public record Hold(
        long id,
        String table,
        RowFilter filter,
        String reason,
        String createdBy,
        String node,
        LocalDateTime createdAt,
        @Nullable LocalDateTime until,
        @Nullable LocalDateTime releasedAt,
        @Nullable String releasedBy,
        boolean active) {}
