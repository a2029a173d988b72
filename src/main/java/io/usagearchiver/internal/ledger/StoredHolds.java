package io.usagearchiver.internal.ledger;

import static io.usagearchiver.generated.Tables.USAGE_ARCHIVE_HOLD;

import io.usagearchiver.Hold;
import io.usagearchiver.RowFilter;
import io.usagearchiver.generated.tables.UsageArchiveHold;
import io.usagearchiver.internal.postgres.NaiveUtc;
import io.usagearchiver.internal.postgres.TableName;
import java.time.DateTimeException;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jooq.Condition;
import org.jooq.Field;
import org.jooq.Record;
import org.jooq.TableField;
import org.jooq.impl.DSL;
import org.jooq.impl.SQLDataType;
import org.jspecify.annotations.Nullable;

/** The holds as their table has them. Anybody may have written them. */
final class StoredHolds {
    private static final UsageArchiveHold H = USAGE_ARCHIVE_HOLD;

    /** In quotes only where it has to be. */
    private static final String PART =
            "(" + TableName.PLAIN_PART + "|\"(?!" + TableName.PLAIN_PART + "\"([.]|$))([^\"]|\"\")+\")";

    /** The names that {@link TableName#name} writes. The table's constraint has the same text. */
    static final String NAME = "^" + PART + "[.]" + PART + "$";

    private static final Condition NAMED = DSL.condition("{0} ~ {1}", H.TABLE_NAME, DSL.val(NAME));

    /**
     * That there is nothing of its name. Looked up in the catalog, since to_regclass is an error where the role has no
     * right on the schema; and of names alone, since to take another text apart is an error, too.
     */
    static final Condition LOST = DSL.condition(
            "case when {0} then not exists (select from pg_catalog.pg_class c"
                    + " join pg_catalog.pg_namespace n on n.oid = c.relnamespace"
                    + " where n.nspname = (pg_catalog.parse_ident({1}))[1]"
                    + " and c.relname = (pg_catalog.parse_ident({1}))[2]) else false end",
            NAMED, H.TABLE_NAME);

    /** That a hold counts now. */
    static final Condition ACTIVE = H.RELEASED_AT
            .isNull()
            .or(H.RELEASED_AT.gt(NaiveUtc.NOW))
            .and(H.HOLD_UNTIL.isNull().or(H.HOLD_UNTIL.gt(NaiveUtc.NOW)));

    private static final Field<Boolean> IS_ACTIVE = DSL.field(ACTIVE).as("hold_is_active");
    private static final Field<Boolean> IS_NAMED = DSL.field(NAMED).as("hold_is_named");
    private static final Field<Boolean> IS_LOST = DSL.field(LOST).as("hold_is_lost");

    /** The columns and their values, in the same order; null where they are no such object. */
    private static final Field<String[]> COLUMNS = ofColumns("key");

    private static final Field<String[]> VALUES = ofColumns("value");
    private static final Field<String> COLUMN_VALUES =
            H.COLUMN_VALUES.cast(SQLDataType.VARCHAR).as("hold_column_values");

    private StoredHolds() {}

    private static Field<String[]> ofColumns(String part) {
        return DSL.field(
                        "case jsonb_typeof({0}) when 'object' then array(select e.{1} from jsonb_each_text({0}) e"
                                + " order by e.key) end",
                        SQLDataType.VARCHAR.array(), H.COLUMN_VALUES, DSL.raw(part))
                .as("hold_column_" + part + "s");
    }

    /** What {@link #hold} reads. */
    static List<Field<?>> fields() {
        List<Field<?>> fields = new ArrayList<>(List.of(
                H.HOLD_ID,
                H.TABLE_NAME,
                H.ID_MIN,
                H.ID_MAX,
                H.USER_ID,
                H.MODEL_ID,
                H.REASON,
                H.CREATED_BY,
                H.NODE,
                H.RELEASED_BY,
                IS_ACTIVE,
                IS_NAMED,
                IS_LOST,
                COLUMNS,
                VALUES,
                COLUMN_VALUES));
        List.of(H.AGE_FROM, H.AGE_TO, H.CREATED_AT, H.HOLD_UNTIL, H.RELEASED_AT)
                .forEach(moment -> fields.add(NaiveUtc.text(moment).as(textOf(moment))));
        return fields;
    }

    private static String textOf(TableField<?, LocalDateTime> moment) {
        return moment.getName() + "_text";
    }

    /** Holds on a table, and those that may have been meant for it: they name none, or one that is not there. */
    static Condition on(Field<String> table) {
        return H.TABLE_NAME.eq(table).or(DSL.not(NAMED)).or(LOST);
    }

    /** The hold of a row with {@link #fields}; not tried yet. */
    static Hold hold(Record row) {
        List<String> problems = new ArrayList<>();
        if (!row.get(IS_NAMED)) {
            problems.add("table_name " + row.get(H.TABLE_NAME)
                    + ": must be schema.table, a part in quotes where it is not plain lower case, and only there");
        }
        LocalDateTime created = moment(row, H.CREATED_AT, problems);
        LocalDateTime until = moment(row, H.HOLD_UNTIL, problems);
        LocalDateTime released = moment(row, H.RELEASED_AT, problems);
        RowFilter filter = filter(row, problems);
        if (row.get(IS_LOST)) {
            problems = List.of(TableName.missing(row.get(H.TABLE_NAME)));
        }
        return new Hold(
                row.get(H.HOLD_ID),
                row.get(H.TABLE_NAME),
                filter,
                row.get(H.REASON),
                row.get(H.CREATED_BY),
                row.get(H.NODE),
                created == null ? LocalDateTime.MIN : created,
                LocalDateTime.MAX.equals(until) ? null : until,
                released,
                row.get(H.RELEASED_BY),
                row.get(IS_ACTIVE),
                problems.isEmpty() ? null : String.join("; ", problems));
    }

    private static @Nullable RowFilter filter(Record row, List<String> problems) {
        LocalDateTime from = moment(row, H.AGE_FROM, problems);
        LocalDateTime to = moment(row, H.AGE_TO, problems);
        Map<String, String> where = where(row, problems);
        if (!problems.isEmpty()) {
            return null;
        }
        try {
            return new RowFilter(
                    from, to, row.get(H.ID_MIN), row.get(H.ID_MAX), row.get(H.USER_ID), row.get(H.MODEL_ID), where);
        } catch (IllegalArgumentException e) {
            problems.add(String.valueOf(e.getMessage()));
            return null;
        }
    }

    private static Map<String, String> where(Record row, List<String> problems) {
        String stored = row.get(COLUMN_VALUES);
        String[] columns = row.get(COLUMNS);
        Map<String, String> where = new HashMap<>();
        if (stored != null && columns == null) {
            problems.add("column_values " + stored
                    + ": must be an object of columns and their values, such as {\"region\": \"eu\"}");
        } else if (stored != null) {
            List<@Nullable String> values = Arrays.asList(row.get(VALUES));
            for (int i = 0; i < columns.length; i++) {
                String value = values.get(i);
                if (value == null) {
                    problems.add(
                            "column_values " + stored + ": nothing equals null, which " + columns[i] + " is to equal");
                } else {
                    where.put(columns[i], value);
                }
            }
        }
        return where;
    }

    private static @Nullable LocalDateTime moment(
            Record row, TableField<?, LocalDateTime> column, List<String> problems) {
        String text = row.get(textOf(column), String.class);
        try {
            return text == null ? null : NaiveUtc.parse(text);
        } catch (DateTimeException e) {
            problems.add(column.getName() + " " + text + ": must be a timestamp without a zone");
            return null;
        }
    }
}
