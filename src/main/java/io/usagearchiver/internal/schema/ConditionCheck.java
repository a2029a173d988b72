package io.usagearchiver.internal.schema;

import io.usagearchiver.ArchivePair;
import io.usagearchiver.PairNames;
import io.usagearchiver.internal.postgres.Jooq;
import io.usagearchiver.internal.postgres.OwnRows;
import io.usagearchiver.internal.postgres.SqlState;
import io.usagearchiver.internal.postgres.TableName;
import io.usagearchiver.internal.postgres.WrittenCondition;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.jooq.DSLContext;
import org.jooq.Record;
import org.jooq.exception.DataAccessException;
import org.jooq.impl.DSL;
import org.jspecify.annotations.Nullable;

/** Whether the live hot table can be asked for a pair's condition, and would understand it as it is meant. */
final class ConditionCheck {
    private static final String OWN_OPERATORS = """
            select a.attname::text, format_type(a.atttypid, a.atttypmod)
            from pg_catalog.pg_attribute a
            where a.attrelid = to_regclass({0}) and a.attnum > 0 and not a.attisdropped and a.atttypid >= 16384 and exists (
              with recursive type_of (oid) as (
                select a.atttypid
                union
                select t.typbasetype from type_of join pg_catalog.pg_type t on t.oid = type_of.oid where t.typtype = 'd')
              select from type_of join pg_catalog.pg_type t on t.oid = type_of.oid
              where t.oid >= 16384 and t.typtype = 'b' and t.typcategory <> 'A')
            order by a.attnum""";

    private final DSLContext tx;
    private final ArchivePair<?> pair;
    private final TableMetadata hot;
    private final String condition;
    private final @Nullable PairNames names;

    ConditionCheck(DSLContext tx, ArchivePair<?> pair, TableMetadata hot) {
        this.tx = tx;
        this.pair = pair;
        this.hot = hot;
        this.names = pair.names();
        this.condition = Jooq.configuration().dsl().renderInlined(pair.condition());
    }

    /** What is wrong with it, one sentence each, of the hot table or, of what is written in the settings, in their words. */
    List<String> differences() {
        List<String> differences = new ArrayList<>();
        if (pair.condition().equals(DSL.noCondition())) {
            return differences;
        }
        if (!condition.toLowerCase(Locale.ROOT).contains("operator(")) {
            addOwnOperators(differences);
        }
        if (!hot.rowSecurity()) {
            addRefusal(differences);
        }
        return differences;
    }

    /**
     * An operator without a schema is PostgreSQL's own, and values of a type that has others are compared as text. Domains are
     * of such a type, too, if what they are of is, at whatever depth.
     */
    private void addOwnOperators(List<String> differences) {
        Set<String> written = names == null ? Set.of() : WrittenCondition.names(condition);
        for (Record column : tx.fetch(OWN_OPERATORS, TableName.regclass(pair.hot()))) {
            String name = column.get(0, String.class);
            if (names == null ? condition.contains('"' + name + '"') : written.contains(name)) {
                differences.add(
                        subject() + "column " + name + (names == null ? " of the pair's condition" : "") + " is "
                                + column.get(1, String.class)
                                + ", which has operators of its own; the condition must name them with their schema:"
                                + " OPERATOR(schema.=)");
            }
        }
    }

    /** What it is made of may be missing, or not for this role; a missing right on the table itself is told as such. */
    private void addRefusal(List<String> differences) {
        boolean readable = tx.fetchSingle(
                        "select has_table_privilege(to_regclass({0}), 'SELECT')", TableName.regclass(pair.hot()))
                .get(0, Boolean.class);
        DataAccessException refusal = readable
                ? LedgerCheck.refusal(
                        tx,
                        // The generated code has the columns, and those that the table lacks are told.
                        fault -> names == null && SqlState.isMissing(fault),
                        "select from {0} where {1}",
                        OwnRows.of(pair.hot()),
                        pair.condition())
                : null;
        if (refusal != null) {
            String message = SqlState.message(refusal);
            differences.add(subject()
                    + (names == null ? "cannot be asked for the pair's condition: " : "")
                    // Where functions and types are looked for is not what everybody expects.
                    + (names != null && message.contains("search_path") ? message : SqlState.told(refusal)));
        }
    }

    private String subject() {
        return names == null ? "hot " + hot.name() + " " : "where = '" + names.where() + "': ";
    }
}
