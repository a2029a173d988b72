package io.usagearchiver;

import io.usagearchiver.testing.TestedPair;
import java.util.List;
import java.util.function.Supplier;
import org.jooq.DataType;
import org.jooq.Record;
import org.jooq.TableField;
import org.jooq.impl.SQLDataType;

/** A pair whose key contains its age, so that its archive can be partitioned by month. */
public final class TicksPair implements Supplier<ArchivePair<?>> {
    /** The hot table, with an age of some type. */
    public static String table(String type) {
        return "CREATE TABLE ticks (id bigint, at " + type
                + ", note text, PRIMARY KEY (id, at)); CREATE INDEX ON ticks (at)";
    }

    @Override
    public ArchivePair<?> get() {
        return of(SQLDataType.LOCALDATETIME);
    }

    static ArchivePair<?> of(DataType<?> type) {
        ForeignTable hot = new ForeignTable("public", "ticks");
        TableField<Record, ?> id = hot.column("id", SQLDataType.BIGINT);
        TableField<Record, ?> at = hot.column("at", type);
        return TestedPair.of(ArchivePair.of(hot, hot.twin("public", "ticks_archive"), List.of(id, at), at));
    }
}
