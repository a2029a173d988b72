package io.usagearchiver.internal.schema;

import io.usagearchiver.ArchivePair;
import io.usagearchiver.PairNames;
import io.usagearchiver.SchemaDriftException;
import io.usagearchiver.internal.postgres.NaiveUtc;
import io.usagearchiver.internal.postgres.NamedTable;
import io.usagearchiver.internal.postgres.TableName;
import io.usagearchiver.internal.postgres.WrittenName;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.jooq.Condition;
import org.jooq.DSLContext;
import org.jooq.DataType;
import org.jooq.Field;
import org.jooq.Record;
import org.jooq.TableField;
import org.jooq.impl.DSL;
import org.jooq.impl.DefaultDataType;
import org.jooq.impl.SQLDataType;
import org.jspecify.annotations.Nullable;

/** A pair that is told by names, with the types that its live hot table has, and with that one's primary key. */
public final class LivePair {
    /** What a table is called that somebody may have meant: the same in another schema or other case, or a like one. */
    private static final String NEAR = """
            select format('%I.%I', n.nspname, c.relname)
            from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
            where c.relkind in ('r', 'p') and n.nspname !~ '^pg_|^information_schema$'
              and (lower(c.relname) = lower({1}) or left(c.relname, 4) = left({1}, 4) or right(c.relname, 4) = right({1}, 4))
            order by lower(c.relname) <> lower({1}), n.nspname <> {0}, abs(length(c.relname) - length({1})), 1
            limit 3""";

    /** What to do where there is no archive. */
    static final String TO_MAKE_ARCHIVE =
            "'usage-archiver init --create-archive' makes it, unless archiveTable is to name another one";

    private final ArchivePair<?> told;
    private final PairNames names;
    private final TableMetadata hot;
    private final List<String> differences = new ArrayList<>();

    private LivePair(ArchivePair<?> told, PairNames names, TableMetadata hot) {
        this.told = told;
        this.names = names;
        this.hot = hot;
    }

    /**
     * What a pair is by the live tables.
     *
     * @param pair null if the names do not fit the hot table
     * @param differences why not, one sentence each
     */
    record Reading(@Nullable ArchivePair<?> pair, List<String> differences) {}

    /** Reads a pair by what the catalog has of the hot table; null for none. */
    static Reading of(DSLContext tx, ArchivePair<?> told, @Nullable TableMetadata hot) {
        PairNames names = told.names();
        if (names == null) {
            return new Reading(told, List.of());
        }
        if (hot == null) {
            return new Reading(null, List.of(missing(tx, names)));
        }
        LivePair live = new LivePair(told, names, hot);
        ArchivePair<?> pair = live.pair();
        return new Reading(live.differences.isEmpty() ? pair : null, live.differences);
    }

    /** Reads a pair that is told by names. */
    static Reading of(DSLContext tx, ArchivePair<?> told) {
        return of(tx, told, TableFacts.read(tx, List.of(told.hot())).tables().get(0));
    }

    /**
     * Reads a pair. One of generated code is what it is.
     *
     * @throws SchemaDriftException if its names do not fit the hot table
     */
    public static ArchivePair<?> read(DSLContext tx, ArchivePair<?> told) {
        if (told.names() == null) {
            return told;
        }
        Reading read = of(tx, told);
        if (read.pair() == null) {
            throw new SchemaDriftException(
                    "The tables of " + told.table() + " are not as the settings name them:\n  - "
                            + String.join("\n  - ", read.differences()),
                    read.differences());
        }
        return read.pair();
    }

    /** The columns of a pair's key; none where only the names that it was told by are known. */
    static List<String> keyNames(ArchivePair<?> pair) {
        return pair.names() == null ? pair.key().stream().map(Field::getName).toList() : List.of();
    }

    private static String missing(DSLContext tx, PairNames names) {
        List<String> parts = WrittenName.parts(names.hotTable());
        List<String> near =
                tx.fetch(NEAR, DSL.val(parts.get(0)), DSL.val(parts.get(1))).getValues(0, String.class);
        return "hotTable = '" + names.hotTable() + "': there is no such table in this database"
                + (near.isEmpty() ? "" : "; did you mean " + String.join(", or ", near) + "?");
    }

    private @Nullable ArchivePair<?> pair() {
        NamedTable table = TableName.named(names.hotTable());
        Map<String, TableField<Record, ?>> fields = new HashMap<>();
        List<TableField<Record, ?>> ages = new ArrayList<>();
        for (String name : names(names.ageColumns())) {
            TableMetadata.Column column = column("ageColumns", names.ageColumns(), name);
            if (column != null && isAge(column)) {
                ages.add(fields.computeIfAbsent(name, any -> table.column(name, ageType(column))));
            }
        }
        if (NaiveUtc.kinds(ages).size() > 1) {
            differ("ageColumns", names.ageColumns(), "must be of one type; " + types());
        }
        List<TableField<Record, ?>> key = new ArrayList<>();
        for (String name : key()) {
            TableMetadata.Column column = column("keyColumns", names.keyColumns(), name);
            if (column != null) {
                key.add(fields.computeIfAbsent(
                        name, any -> table.column(name, DefaultDataType.getDefaultDataType(column.baseType()))));
            }
        }
        return differences.isEmpty() ? pair(table, key, ages) : null;
    }

    @SuppressWarnings("unchecked") // The ages are of one type.
    private ArchivePair<?> pair(NamedTable table, List<TableField<Record, ?>> key, List<TableField<Record, ?>> ages) {
        NamedTable archive = TableName.named(names.archiveTable());
        TableField<Record, Object> age = (TableField<Record, Object>) ages.get(0);
        Condition condition = told.condition();
        ArchivePair<?> pair = ages.size() == 1
                ? ArchivePair.of(table, archive, key, age)
                : ArchivePair.of(table, archive, key, age, (TableField<Record, Object>) ages.get(1));
        return condition.equals(DSL.noCondition()) ? pair : pair.where(condition);
    }

    private List<String> key() {
        if (!names.keyColumns().isEmpty()) {
            return names(names.keyColumns());
        }
        return hot.indexes().stream()
                .filter(TableMetadata.Index::primary)
                .map(TableMetadata.Index::columns)
                .findFirst()
                .orElseGet(() -> {
                    List<String> others = hot.indexes().stream()
                            .filter(index -> hot.isKey(index.columns()))
                            .map(index -> told(index.columns()))
                            .toList();
                    differences.add("keyColumns is not set, and hot " + hot.name() + " has no primary key: set it to "
                            + (others.isEmpty()
                                    ? "the columns of a full unique index that take no null, once there is one"
                                    : String.join(", or to ", others)));
                    return List.of();
                });
    }

    private boolean isAge(TableMetadata.Column column) {
        boolean age = NaiveUtc.kind(ageType(column)) != NaiveUtc.Kind.OTHER;
        if (!age) {
            differ(
                    "ageColumns",
                    names.ageColumns(),
                    TableName.part(column.name()) + " of " + hot.name() + " is " + column.type()
                            + ": an age is timestamp, timestamptz or date" + agesThereAre());
        }
        return age;
    }

    private static DataType<?> ageType(TableMetadata.Column column) {
        return switch (column.baseType()) {
            case "timestamp without time zone" -> SQLDataType.LOCALDATETIME;
            case "timestamp with time zone" -> SQLDataType.TIMESTAMPWITHTIMEZONE;
            case "date" -> SQLDataType.LOCALDATE;
            default -> SQLDataType.OTHER;
        };
    }

    private String agesThereAre() {
        String found = hot.columns().values().stream()
                .filter(column -> NaiveUtc.kind(ageType(column)) != NaiveUtc.Kind.OTHER)
                .map(column -> TableName.part(column.name()))
                .collect(Collectors.joining(", "));
        return found.isEmpty() ? ", and it has none" : "; there is " + found;
    }

    private String types() {
        return names(names.ageColumns()).stream()
                .map(hot.columns()::get)
                .map(column -> TableName.part(column.name()) + " is " + column.type())
                .collect(Collectors.joining(", "));
    }

    private TableMetadata.@Nullable Column column(String property, List<String> value, String name) {
        TableMetadata.Column column = hot.columns().get(name);
        if (column == null) {
            differ(
                    property,
                    value,
                    hot.name() + " has no column " + TableName.part(name) + "; it has "
                            + told(List.copyOf(hot.columns().keySet())));
        }
        return column;
    }

    private void differ(String property, List<String> value, String difference) {
        differences.add(property + " = '" + String.join(", ", value) + "': " + difference);
    }

    private static String told(List<String> columns) {
        return columns.stream().map(TableName::part).collect(Collectors.joining(", "));
    }

    private static List<String> names(List<String> canonical) {
        return canonical.stream()
                .flatMap(name -> WrittenName.list(name).stream())
                .toList();
    }
}
