package io.usagearchiver;

import java.util.Arrays;
import org.jooq.DataType;
import org.jooq.Field;
import org.jooq.Name;
import org.jooq.Record;
import org.jooq.TableField;
import org.jooq.UniqueKey;
import org.jooq.impl.DSL;
import org.jooq.impl.Internal;
import org.jooq.impl.TableImpl;

/** A table as a host's generated code would have it, without the generator. */
public final class ForeignTable extends TableImpl<Record> {
    private static final long serialVersionUID = 1;

    private transient UniqueKey<Record> primaryKey;

    public ForeignTable(String schema, String name) {
        super(DSL.name(name), DSL.schema(DSL.name(schema)));
    }

    public <T> TableField<Record, T> column(String name, DataType<T> type) {
        return createField(DSL.name(name), type, this);
    }

    /** Another table with the columns that this one has by now. */
    public ForeignTable twin(String schema, String name) {
        ForeignTable twin = new ForeignTable(schema, name);
        for (Field<?> column : fields()) {
            twin.column(column.getName(), column.getDataType());
        }
        return twin;
    }

    @SafeVarargs
    final void key(TableField<Record, ?>... columns) {
        Name name = DSL.name(getName() + "_pkey");
        primaryKey = Internal.createUniqueKey(this, name, Arrays.copyOf(columns, columns.length), true);
    }

    @Override
    public UniqueKey<Record> getPrimaryKey() {
        return primaryKey;
    }
}
