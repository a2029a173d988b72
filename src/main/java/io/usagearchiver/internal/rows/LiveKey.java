package io.usagearchiver.internal.rows;

import io.usagearchiver.internal.postgres.Jooq;
import io.usagearchiver.internal.postgres.PgType;
import io.usagearchiver.internal.postgres.TableName;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jooq.Configuration;
import org.jooq.Field;
import org.jooq.Record;
import org.jooq.Table;
import org.jooq.impl.DSL;

/**
 * The types of a key's columns in the live table, and the operators by which ORDER BY and indexes compare them: those of the
 * type's default operator class, for a B-tree or, of a type that has none and is no key's, for a hash index. Named with their schema, since a session finds no others than PostgreSQL's own: there
 * {@code =} between two values of {@code citext} would compare them as {@code text}.
 */
record LiveKey(List<Column> columns) {
    /**
     * A column.
     *
     * @param type without length, precision or scale; of a domain, the type that it is of
     * @param operators one for each {@link Comparison}; empty for PostgreSQL's own by their usual names
     */
    private record Column(String type, List<String> operators) {}

    /** The strategies of a B-tree, in their order. */
    enum Comparison {
        LESS(1, "<"),
        LESS_OR_EQUAL(2, "<="),
        EQUAL(3, "="),
        GREATER_OR_EQUAL(4, ">="),
        GREATER(5, ">");

        private final int strategy;
        private final String symbol;

        Comparison(int strategy, String symbol) {
            this.strategy = strategy;
            this.symbol = symbol;
        }
    }

    private static final String COLUMNS = """
            select format_type(base.oid, -1) as type, array(select coalesce((
                select case when n.nspname = 'pg_catalog' then o.oprname::text
                  else 'operator(' || quote_ident(n.nspname) || '.' || o.oprname || ')' end
                from pg_catalog.pg_opclass c
                join pg_catalog.pg_am m on m.oid = c.opcmethod and (m.amname = 'btree' or m.amname = 'hash' and strategy = 3)
                join pg_catalog.pg_amop p on p.amopfamily = c.opcfamily and p.amoplefttype = c.opcintype
                  and p.amoprighttype = c.opcintype and p.amoppurpose = 's'
                  and p.amopstrategy = case m.amname when 'hash' then 1 else strategy end
                join pg_catalog.pg_operator o on o.oid = p.amopopr
                join pg_catalog.pg_namespace n on n.oid = o.oprnamespace
                where c.opcintype = base.oid and c.opcdefault
                order by m.amname limit 1), '')
              from generate_series(1, 5) as strategy order by strategy) as operators
            from unnest({1}) with ordinality as k (name, place)
            join pg_catalog.pg_attribute a
              on a.attrelid = to_regclass({0}) and a.attname = k.name and a.attnum > 0 and not a.attisdropped
            cross join lateral (
              with recursive type_of (oid, kind, base) as (
                select t.oid, t.typtype, t.typbasetype from pg_catalog.pg_type t where t.oid = a.atttypid
                union all
                select t.oid, t.typtype, t.typbasetype from type_of d join pg_catalog.pg_type t on t.oid = d.base
                where d.kind = 'd')
              select type_of.oid from type_of where type_of.kind <> 'd') as base
            order by k.place""";

    /** Reads it, in the transaction that a statement with the key is made for; once a session. */
    static LiveKey of(Configuration transaction, Table<?> table, List<Field<?>> key) {
        Map<Object, Object> known = Jooq.memory(transaction);
        if (known == null) {
            return asGenerated(key);
        }
        List<String> names = key.stream().map(Field::getName).toList();
        String name = "key of " + TableName.name(table) + names;
        if (known.get(name) instanceof LiveKey live) {
            return live;
        }
        LiveKey read = new LiveKey(transaction
                .dsl()
                .fetch(COLUMNS, TableName.regclass(table), DSL.val(names.toArray(String[]::new)))
                .map(LiveKey::column));
        if (read.columns.size() != key.size()) {
            // The statement that needs it tells that the table or a column is missing.
            return asGenerated(key);
        }
        known.put(name, read);
        return read;
    }

    private static Column column(Record row) {
        return new Column(row.get("type", String.class), List.of(row.get("operators", String[].class)));
    }

    private static LiveKey asGenerated(List<Field<?>> key) {
        return new LiveKey(key.stream()
                .map(column -> new Column(PgType.name(column.getDataType()), List.of("", "", "", "", "")))
                .toList());
    }

    /** The type of a column, as it is written in a cast. */
    String type(int column) {
        return columns.get(column).type();
    }

    /** Whether the type of a column is an array. */
    boolean isArray(int column) {
        return type(column).endsWith("[]");
    }

    /** The operator of a column, as it is written between two values. */
    String operator(int column, Comparison comparison) {
        String operator = columns.get(column).operators().get(comparison.strategy - 1);
        return operator.isEmpty() ? comparison.symbol : operator;
    }

    /** The operators of all columns. */
    List<String> operators(Comparison comparison) {
        List<String> operators = new ArrayList<>();
        for (int column = 0; column < columns.size(); column++) {
            operators.add(operator(column, comparison));
        }
        return operators;
    }
}
