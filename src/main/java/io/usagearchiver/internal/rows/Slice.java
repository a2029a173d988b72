package io.usagearchiver.internal.rows;

import java.util.Collection;
import java.util.List;
import org.jooq.Condition;
import org.jspecify.annotations.Nullable;

/**
 * Rows of one batch: a stretch of time, or what is wanted of certain keys.
 *
 * @param query finds these rows, and no others if they are a stretch of time
 * @param keys the candidates; null for a stretch of time, in which nobody has looked for them yet
 * @param rows how many there were when they were looked at; of a stretch of time, at most
 * @param age of the youngest row, or of a younger one
 */
public record Slice(CandidateQuery query, @Nullable List<String> keys, int rows, String age) {
    /**
     * That a row is one of these, and wanted.
     *
     * @param without keys that are not wanted; those among the candidates are no candidates already
     */
    public Condition wanted(Collection<String> without) {
        return keys == null ? query.wanted().and(query.isNoneOf(without)) : query.wantedAmong(keys);
    }
}
