package io.usagearchiver.internal.schema;

import static io.usagearchiver.generated.Tables.USAGE_ARCHIVE_BASELINE;
import static io.usagearchiver.generated.Tables.USAGE_ARCHIVE_HOLD;
import static io.usagearchiver.generated.Tables.USAGE_ARCHIVE_SWEEP;

import io.usagearchiver.StopReason;
import io.usagearchiver.internal.postgres.PgType;
import io.usagearchiver.internal.postgres.SqlFiles;
import io.usagearchiver.internal.postgres.SqlState;
import io.usagearchiver.internal.postgres.TableName;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.QueryPart;
import org.jooq.Table;
import org.jooq.exception.DataAccessException;
import org.jooq.impl.DSL;
import org.jspecify.annotations.Nullable;

/**
 * Compares the archiver's own tables with what they are trusted for: that the ledger fences and counts, that all holds are
 * seen, and that none of it is gone after a crash.
 */
final class LedgerCheck {
    private static final String APPLY = "; apply " + SqlFiles.LEDGER;

    /** The columns that the file adds to an older table; the others it makes with the table only. */
    private static final Set<Field<?>> LATER = Set.of(
            USAGE_ARCHIVE_SWEEP.DIRECTION,
            USAGE_ARCHIVE_SWEEP.HOLDS_VERSION,
            USAGE_ARCHIVE_SWEEP.LIVE_UNTIL,
            USAGE_ARCHIVE_HOLD.COLUMN_VALUES);

    private static final String FENCE = "public.usage_archive_sweep_running";

    private final DSLContext tx;
    private final List<@Nullable TableMetadata> live;
    private final List<String> differences = new ArrayList<>();
    private final Map<String, String> types = new HashMap<>();

    /**
     * A check.
     *
     * @param live the ledger, the holds and the baseline
     */
    LedgerCheck(DSLContext tx, List<@Nullable TableMetadata> live) {
        this.tx = tx;
        this.live = live;
    }

    /** All that is wrong. */
    List<String> differences() {
        TableMetadata ledger = live.get(0);
        check("ledger", USAGE_ARCHIVE_SWEEP, ledger);
        check("holds", USAGE_ARCHIVE_HOLD, live.get(1));
        if (live.get(2) != null) {
            check("baseline", USAGE_ARCHIVE_BASELINE, live.get(2));
        }
        if (ledger != null) {
            checkStates(ledger);
            checkFence(ledger);
            String refusal = ledger.published()
                    ? refusal(
                            tx,
                            "update {0} set batches = batches where false",
                            TableName.qualified(USAGE_ARCHIVE_SWEEP))
                    : null;
            if (refusal != null) {
                differ(
                        "ledger",
                        ledger.name(),
                        "publishes updates, which PostgreSQL refuses: " + refusal
                                + "; see its replica identity, and the row filter and column list of its publications");
            }
        }
        return differences;
    }

    private void check(String side, Table<?> table, @Nullable TableMetadata found) {
        String name = TableName.name(table);
        if (found == null) {
            differ(side, name, "does not exist" + APPLY);
            return;
        }
        String kind = found.isPartitioned() ? "a partitioned table" : found.kind();
        if (kind != null) {
            differ(side, name, "is " + kind + TableMetadata.ORDINARY);
        }
        for (Field<?> field : table.fields()) {
            TableMetadata.Column column = found.columns().get(field.getName());
            String type = types.computeIfAbsent(PgType.name(field.getDataType()), this::typeOf);
            if (column == null) {
                differ(
                        side,
                        name,
                        "lacks column " + field.getName()
                                + (LATER.contains(field) ? APPLY : "; add it as " + SqlFiles.LEDGER + " declares it"));
            } else if (!column.baseType().equals(type)) {
                // A moment of another type would be another moment, a hold would seem to have ended.
                differ(side, name, "column " + field.getName() + " is " + column.type() + "; it must be " + type);
            }
        }
        if (found.rowSecurity()) {
            differ(side, name, TableMetadata.ROW_SECURITY);
        }
        Stream.concat(
                        found.triggers().stream()
                                .filter(trigger -> trigger.eachRow() || trigger.transitions())
                                .filter(trigger -> trigger.onInsert() || trigger.onUpdate())
                                .map(TableMetadata.Trigger::title),
                        found.rules().stream()
                                .filter(rule -> rule.onInsert() || rule.onUpdate())
                                .map(TableMetadata.Rule::title))
                .forEach(title -> differ(
                        side,
                        name,
                        "has " + title + ", which could change or swallow what is written; drop or disable it"));
    }

    /** How the catalog calls a type. */
    private String typeOf(String generated) {
        return tx.fetchSingle("select format_type(to_regtype({0}), null)", DSL.val(generated))
                .get(0, String.class);
    }

    /** A sweep that cannot write why it stopped would stay RUNNING in the ledger. */
    private void checkStates(TableMetadata ledger) {
        String allowed = tx.fetchSingle(
                        "select string_agg(pg_get_constraintdef(oid), ' ') from pg_catalog.pg_constraint"
                                + " where conrelid = to_regclass({0}) and conname = 'usage_archive_sweep_state'",
                        TableName.regclass(USAGE_ARCHIVE_SWEEP))
                .get(0, String.class);
        if (allowed != null) {
            Arrays.stream(StopReason.values())
                    .filter(reason -> !allowed.contains("'" + reason + "'"))
                    .forEach(reason -> differ("ledger", ledger.name(), "does not allow state " + reason + APPLY));
        }
    }

    private void checkFence(TableMetadata ledger) {
        boolean fenced =
                tx.fetchSingle("""
                        select exists (select from pg_catalog.pg_index x where x.indrelid = to_regclass({0})
                          and x.indisunique and x.indisvalid and x.indnkeyatts = 1
                          and pg_get_indexdef(x.indexrelid, 1, true) = 'table_name'
                          and pg_get_expr(x.indpred, x.indrelid) = '((state)::text = ''RUNNING''::text)')""", TableName.regclass(USAGE_ARCHIVE_SWEEP)).get(0, Boolean.class);
        if (!fenced) {
            // The file makes none where there is something of its name.
            boolean another = tx.fetchSingle("select to_regclass({0}) is not null", DSL.val(FENCE))
                    .get(0, Boolean.class);
            differ(
                    "ledger",
                    ledger.name(),
                    "lacks the unique index that allows one RUNNING sweep a table"
                            + (another ? "; drop " + FENCE + ", which is another one, and then" : ";") + " apply "
                            + SqlFiles.LEDGER);
        }
    }

    private void differ(String side, String table, String difference) {
        differences.add(side + " " + table + " " + difference);
    }

    /**
     * Why PostgreSQL would refuse a statement, or null if it would not. What publications, types and functions forbid goes by
     * rules that differ between versions: it is asked.
     *
     * @param elsewhere which refusals are told elsewhere
     */
    static @Nullable DataAccessException refusal(
            DSLContext tx, Predicate<DataAccessException> elsewhere, String statement, QueryPart... parts) {
        // A standby has no lock for such a statement, and nothing moves there.
        if (tx.fetchSingle("select pg_is_in_recovery()").get(0, Boolean.class)) {
            return null;
        }
        try {
            // Nested: behind a savepoint, so that the transaction survives.
            tx.transaction(nested -> nested.dsl().fetch("explain " + statement, (Object[]) parts));
            return null;
        } catch (DataAccessException e) {
            if (elsewhere.test(e) || List.of("55P03", "57014").contains(String.valueOf(e.sqlState()))) {
                return null;
            }
            if (SqlState.isTransient(e)) {
                // The transaction may be gone, savepoint and all.
                throw e;
            }
            return e;
        }
    }

    /** Of what publications forbid, what is missing and missing rights are told elsewhere. */
    static @Nullable String refusal(DSLContext tx, String statement, QueryPart... parts) {
        DataAccessException refusal =
                refusal(tx, fault -> SqlState.isMissing(fault) || SqlState.isForbidden(fault), statement, parts);
        return refusal == null ? null : SqlState.told(refusal);
    }
}
