package io.usagearchiver;

import static io.usagearchiver.generated.Tables.USAGE_ARCHIVE_HOLD;
import static io.usagearchiver.generated.Tables.USAGE_ARCHIVE_SWEEP;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.Table;
import org.jooq.impl.DSL;
import org.jspecify.annotations.Nullable;

/**
 * Compares the live catalog with what moving rows safely in one direction asks for. Defaults, indexes, the order of columns and comments
 * may differ between the tables; columns that both have beyond the generated ones are moved too.
 */
final class SchemaCheck {
    private final DSLContext tx;
    private final ArchivePair<?> pair;
    private final Direction direction;
    private final List<String> differences = new ArrayList<>();

    private SchemaCheck(DSLContext tx, ArchivePair<?> pair, Direction direction) {
        this.tx = tx;
        this.pair = pair;
        this.direction = direction;
    }

    /**
     * Checks the tables of a pair, the ledger and the holds.
     *
     * @throws SchemaDriftException with all that is wrong
     */
    static Shape run(DSLContext tx, ArchivePair<?> pair) {
        return run(tx, pair, Direction.ARCHIVE);
    }

    /**
     * Checks what rows that go in {@code direction} need.
     *
     * @throws SchemaDriftException with all that is wrong
     */
    static Shape run(DSLContext tx, ArchivePair<?> pair, Direction direction) {
        return new SchemaCheck(tx, pair, direction).run();
    }

    private Shape run() {
        // Taken first: an ALTER between the two reads then shows as a change, never goes unseen.
        Field<String> fingerprint = Shape.liveFingerprint(pair);
        String before = tx.select(fingerprint).fetchSingle().value1();
        LiveTable hot = LiveTable.read(tx, pair.hot(), pair.key());
        LiveTable archive = LiveTable.read(tx, pair.archive(), pair.key());
        checkSide("hot", pair.hot(), hot);
        checkSide("archive", pair.archive(), archive);
        if (hot != null) {
            checkTypes(hot);
        }
        LiveTable source = direction == Direction.ARCHIVE ? hot : archive;
        LiveTable target = direction == Direction.ARCHIVE ? archive : hot;
        if (source != null) {
            checkSource(source);
        }
        if (target != null) {
            checkTarget(target);
        }
        if (source != null && target != null) {
            compare(source, target);
        }
        if (direction == Direction.RESTORE) {
            checkPrivilege("archive", pair.archive(), "DELETE");
            checkPrivilege("hot", pair.hot(), "INSERT");
            checkPrivilege("holds", USAGE_ARCHIVE_HOLD, "INSERT");
        }
        checkLedger();
        if (hot == null || !differences.isEmpty()) {
            throw new SchemaDriftException(
                    direction,
                    Shape.name(pair.hot()),
                    differences.stream().sorted().toList());
        }
        return new Shape(hot.name(), List.copyOf(hot.columns().keySet()), before == null ? "" : before);
    }

    private void checkSide(String side, Table<?> table, @Nullable LiveTable live) {
        String name = Shape.name(table);
        if (live == null) {
            differ(side, name, "does not exist");
            return;
        }
        if (live.kind() != null) {
            differ(side, name, "is " + live.kind() + "; it must be a permanent ordinary table");
        }
        for (Field<?> column : table.fields()) {
            if (!live.columns().containsKey(column.getName())) {
                differ(side, name, "lacks column " + column.getName() + ", which the generated code has");
            }
        }
        if (!live.keyed()) {
            differ(
                    side,
                    name,
                    "has no primary key or full unique index on exactly "
                            + pair.key().stream().map(Field::getName).collect(Collectors.joining(", "))
                            + ", not null");
        }
        if (live.rowSecurity()) {
            differ(side, name, "has row security that applies to this role: rows could be passed over unseen");
        }
    }

    private void checkTypes(LiveTable hot) {
        List<Field<?>> typed = new ArrayList<>(pair.ages());
        typed.addAll(pair.key());
        for (Field<?> field : typed) {
            LiveTable.Column column = hot.columns().get(field.getName());
            String type = PlainType.name(field.getDataType());
            String generated = tx.select(DSL.field("format_type(to_regtype({0}), null)", String.class, DSL.val(type)))
                    .fetchSingle()
                    .value1();
            // Generated code may name a type of an extension without its schema.
            if (column != null
                    && !column.baseType().equals(generated)
                    && !column.baseType().endsWith("." + type)) {
                differ(
                        "hot",
                        hot.name(),
                        "column " + column.name() + " is " + column.type() + ", the generated code has " + generated);
            }
        }
    }

    private void checkSource(LiveTable source) {
        for (String trigger : source.deleteTriggers()) {
            differ(sourceSide(), source.name(), "has " + trigger + ", which acts on DELETE");
        }
        for (String reference : source.references()) {
            differ(
                    sourceSide(),
                    source.name(),
                    "is referenced by " + reference + ": moving a row would change other rows");
        }
    }

    private void checkTarget(LiveTable target) {
        for (String trigger : target.insertTriggers()) {
            differ(targetSide(), target.name(), "has " + trigger + ", which acts on each INSERT");
        }
        for (LiveTable.Column column : target.columns().values()) {
            if (column.always()) {
                differ(
                        targetSide(),
                        target.name(),
                        "column " + column.name() + " is GENERATED ALWAYS: it takes no copy");
            }
        }
    }

    private void compare(LiveTable source, LiveTable target) {
        String from = " (" + sourceSide() + ": ";
        for (LiveTable.Column column : source.columns().values()) {
            LiveTable.Column twin = target.columns().get(column.name());
            if (twin == null) {
                differ(targetSide(), target.name(), "lacks column " + column.name() + from + column.type() + ")");
            } else if (!twin.type().equals(column.type())) {
                differ(
                        targetSide(),
                        target.name(),
                        "column " + column.name() + " is " + twin.type() + from + column.type() + ")");
            } else if (twin.notNull() && !column.notNull()) {
                differ(
                        targetSide(),
                        target.name(),
                        "column " + column.name() + " is NOT NULL" + from + "null allowed)");
            }
        }
        for (LiveTable.Column column : target.columns().values()) {
            if (!source.columns().containsKey(column.name())) {
                differ(
                        sourceSide(),
                        source.name(),
                        "lacks column " + column.name() + " (" + targetSide() + ": " + column.type() + ")");
            }
        }
    }

    private String sourceSide() {
        return direction == Direction.ARCHIVE ? "hot" : "archive";
    }

    private String targetSide() {
        return direction == Direction.ARCHIVE ? "archive" : "hot";
    }

    /** A role that may not restore is told so before it supersedes a sweep. */
    private void checkPrivilege(String side, Table<?> table, String privilege) {
        Boolean granted = tx.select(DSL.field(
                        "has_table_privilege(to_regclass({0}), {1})",
                        Boolean.class, Shape.regclass(table), DSL.val(privilege)))
                .fetchSingle()
                .value1();
        if (Boolean.FALSE.equals(granted)) {
            differ(
                    side,
                    Shape.name(table),
                    "grants this role no " + privilege + "; "
                            + (pair == UsageDetails.PAIR || table.equals(USAGE_ARCHIVE_HOLD)
                                    ? "apply sql/06-restore-grants.sql for a role of its own"
                                    : "grant it to a role of its own, as sql/06-restore-grants.sql does"));
        }
    }

    private void checkLedger() {
        checkOwn("holds", USAGE_ARCHIVE_HOLD, USAGE_ARCHIVE_HOLD.HOLD_ID);
        if (!checkOwn("ledger", USAGE_ARCHIVE_SWEEP, USAGE_ARCHIVE_SWEEP.SWEEP_ID)) {
            return;
        }
        checkLedgerStates(Shape.name(USAGE_ARCHIVE_SWEEP));
        boolean fenced =
                tx.fetchSingle("""
                        select exists (select from pg_catalog.pg_index x where x.indrelid = to_regclass({0})
                          and x.indisunique and x.indisvalid and x.indnkeyatts = 1
                          and pg_get_indexdef(x.indexrelid, 1, true) = 'table_name'
                          and pg_get_expr(x.indpred, x.indrelid) = '((state)::text = ''RUNNING''::text)')""", Shape.regclass(USAGE_ARCHIVE_SWEEP)).get(0, Boolean.class);
        if (!fenced) {
            differ(
                    "ledger",
                    Shape.name(USAGE_ARCHIVE_SWEEP),
                    "lacks the unique index that allows one RUNNING sweep a table; apply sql/02-ledger.sql");
        }
    }

    /** A sweep that cannot write why it stopped would stay RUNNING in the ledger. */
    private void checkLedgerStates(String name) {
        String allowed = tx.fetchSingle(
                        "select string_agg(pg_get_constraintdef(oid), ' ') from pg_catalog.pg_constraint"
                                + " where conrelid = to_regclass({0}) and conname = 'usage_archive_sweep_state'",
                        Shape.regclass(USAGE_ARCHIVE_SWEEP))
                .get(0, String.class);
        if (allowed != null) {
            Arrays.stream(StopReason.values())
                    .filter(reason -> !allowed.contains("'" + reason + "'"))
                    .forEach(reason ->
                            differ("ledger", name, "does not allow state " + reason + "; apply sql/02-ledger.sql"));
        }
    }

    /** Checks a table of the archiver's own for its columns. Returns whether there is such a table. */
    private boolean checkOwn(String side, Table<?> table, Field<?> key) {
        String name = Shape.name(table);
        LiveTable live = LiveTable.read(tx, table, List.of(key));
        if (live == null) {
            differ(side, name, "does not exist; apply sql/02-ledger.sql");
            return false;
        }
        Arrays.stream(table.fields())
                .map(Field::getName)
                .filter(column -> !live.columns().containsKey(column))
                .forEach(column -> differ(side, name, "lacks column " + column + "; apply sql/02-ledger.sql"));
        return true;
    }

    private void differ(String side, String table, String difference) {
        differences.add(side + " " + table + " " + difference);
    }
}
