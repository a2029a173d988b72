package io.usagearchiver.internal.inspect;

import io.usagearchiver.ArchivePair;
import io.usagearchiver.RestorePreview;
import io.usagearchiver.RowFilter;
import io.usagearchiver.SweepResult;
import io.usagearchiver.internal.postgres.OwnRows;
import io.usagearchiver.internal.rows.CandidateQueries;
import io.usagearchiver.internal.rows.CandidateQuery;
import io.usagearchiver.internal.rows.KeyColumns;
import io.usagearchiver.internal.schema.PairSchema;
import java.util.List;
import org.jooq.Condition;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.Record1;
import org.jooq.Record3;
import org.jooq.Table;
import org.jooq.impl.DSL;
import org.jooq.impl.SQLDataType;

/** Counts what a restore would do. */
public final class RestorePreviewQuery {
    private RestorePreviewQuery() {}

    public static RestorePreview count(DSLContext tx, ArchivePair<?> pair, PairSchema shape, RowFilter filter) {
        Table<?> archive = pair.archive();
        KeyColumns archived = KeyColumns.of(archive, pair);
        KeyColumns hot = KeyColumns.of(pair.hot(), pair);
        Table<?> both = OwnRows.of(archive).leftJoin(OwnRows.of(pair.hot())).on(hot.equal(archived.columns()));
        Condition isHot = hot.columns().get(0).isNotNull();
        // By branches, since no index serves the age as a whole.
        Condition matches = DSL.or(CandidateQueries.matching(pair, filter).stream()
                .map(CandidateQuery::wanted)
                .toList());
        Condition same = shape.identical(archive, pair.hot());
        Condition other = isHot.andNot(same);
        Record3<Long, Long, Long> counts = tx.select(rows(DSL.trueCondition()), rows(isHot.and(same)), rows(other))
                .from(both)
                .where(matches)
                .fetchSingle();
        List<String> ids = tx.select(archived.text())
                .from(both)
                .where(matches)
                .and(other)
                .orderBy(archived.columns())
                .limit(SweepResult.LISTED_IDS)
                .fetch(Record1::value1);
        return new RestorePreview(counts.value1(), counts.value2(), counts.value3(), ids);
    }

    private static Field<Long> rows(Condition which) {
        return DSL.field("count(*) filter (where {0})", SQLDataType.BIGINT, which);
    }
}
