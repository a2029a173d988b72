package io.usagearchiver.internal.rows;

import java.util.Collection;
import java.util.List;
import org.jooq.Condition;
import org.jspecify.annotations.Nullable;

/**
 * Rows of one batch: a stretch of time, or what is wanted of certain keys.
 *
 * @param query what the rows are of
 * @param from where a stretch of time begins; null if nothing is left before it
 * @param to where it ends; null if nothing is left behind it
 * @param keys the candidates; null for a stretch of time, in which nobody has looked for them yet
 * @param rows how many there were when they were looked at; of a stretch of time, at most
 * @param age of the youngest row, or of a younger one
 */
public record Slice(
        CandidateQuery query,
        @Nullable Cut from,
        @Nullable Cut to,
        @Nullable List<String> keys,
        int rows,
        String age) {

    /** What finds these rows and, of a stretch of time, no others. */
    CandidateQuery narrowed() {
        return query.between(from, to);
    }

    /**
     * That a row is one of these, and wanted.
     *
     * @param without keys that are not wanted; those among the candidates are no candidates already
     */
    public Condition wanted(Collection<String> without) {
        return keys == null ? narrowed().wanted().and(query.isNoneOf(without)) : query.wantedAmong(keys);
    }

    /** The same for other ends and keys. */
    public Slice with(String fromAge, String toAge, List<String> otherKeys) {
        return new Slice(
                query,
                from == null ? null : new Cut(fromAge, from.after()),
                to == null ? null : new Cut(toAge, to.after()),
                keys == null ? null : otherKeys,
                rows,
                age);
    }

    /** What those slices have in common whose conditions differ in values alone. */
    public Shape shape() {
        return new Shape(query, side(from), side(to), keys == null);
    }

    private static @Nullable Boolean side(@Nullable Cut cut) {
        return cut == null ? null : cut.after();
    }

    /** See {@link #shape}. */
    public record Shape(
            CandidateQuery query,
            @Nullable Boolean from,
            @Nullable Boolean to,
            boolean inTime) {}
}
