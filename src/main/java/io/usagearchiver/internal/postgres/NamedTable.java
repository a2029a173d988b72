package io.usagearchiver.internal.postgres;

import org.jooq.DataType;
import org.jooq.Record;
import org.jooq.TableField;
import org.jooq.impl.DSL;
import org.jooq.impl.TableImpl;

/** A table that somebody has named, instead of having it generated. It has the columns that were asked for, and no others. */
public final class NamedTable extends TableImpl<Record> {
    private static final long serialVersionUID = 1;

    /** A table without columns. */
    public NamedTable(String schema, String name) {
        super(DSL.name(name), DSL.schema(DSL.name(schema)));
    }

    /** One more of its columns. */
    public <T> TableField<Record, T> column(String name, DataType<T> type) {
        return createField(DSL.name(name), type, this);
    }
}
