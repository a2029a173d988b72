package io.usagearchiver;

import static io.usagearchiver.generated.Tables.USAGE_ARCHIVE_HOLD;
import static io.usagearchiver.generated.Tables.USAGE_ARCHIVE_SWEEP;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.Table;
import org.jooq.impl.DSL;
import org.jspecify.annotations.Nullable;

/**
 * Compares the live catalog with what moving rows safely in one direction asks for. Defaults, indexes, the order of columns
 * and comments may differ between the tables; columns that both have beyond the generated ones are moved too.
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
     * Checks the tables and what the settings ask for.
     *
     * @throws SchemaDriftException if the tables do not allow rows to be moved, or if replicas are to be waited for, and the
     *     role may not look at them
     */
    static Shape forRun(DSLContext tx, ArchivePair<?> pair, Direction direction, ArchiveSettings settings) {
        Shape shape = run(tx, pair, direction);
        String missing = settings.pace().maxReplicaLag() == null ? null : ReplicaLag.missingPrivilege(tx);
        if (missing != null) {
            throw direction.drift(shape.table(), List.of(missing), "");
        }
        return shape;
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
        LiveTable.Reading live = LiveTable.read(tx, Shape.tables(pair));
        LiveTable hot = live.tables().get(0);
        LiveTable archive = live.tables().get(1);
        checkSide("hot", pair.hot(), hot);
        checkSide("archive", pair.archive(), archive);
        if (hot != null) {
            checkTypes(hot);
            checkCondition(hot);
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
            checkTellsSweeps();
        }
        differences.addAll(new LedgerCheck(tx, live.tables().subList(2, 5)).differences());
        if (hot == null || !differences.isEmpty()) {
            throw direction.drift(TableName.name(pair.hot()),
                    differences.stream().sorted().toList(), "");
        }
        return new Shape(hot.name(), List.copyOf(hot.columns().keySet()), live.fingerprint());
    }

    private void checkSide(String side, Table<?> table, @Nullable LiveTable live) {
        String name = TableName.name(table);
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
        List<String> key = pair.key().stream().map(Field::getName).toList();
        if (!live.isKey(key)) {
            differ(
                    side,
                    name,
                    "has no primary key or full unique index on exactly " + String.join(", ", key) + ", not null");
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
            String found = tx.select(DSL.field("format_type(to_regtype({0}), null)", String.class, DSL.val(type)))
                    .fetchSingle()
                    .value1();
            String generated = found == null ? type : found;
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

    /** An operator without a schema is PostgreSQL's own, and values of a type that has others are compared as text. */
    private void checkCondition(LiveTable hot) {
        String condition = Jooq.configuration().dsl().renderInlined(pair.condition());
        if (!condition.toLowerCase(Locale.ROOT).contains("operator(")) {
            hot.columns().values().stream()
                    .filter(column -> column.ownOperators() && condition.contains('"' + column.name() + '"'))
                    .forEach(column -> differ(
                            "hot",
                            hot.name(),
                            "column " + column.name() + " of the pair's condition is " + column.type()
                                    + ", which has operators of its own; the condition must name them with their schema:"
                                    + " OPERATOR(schema.=)"));
        }
    }

    private void checkSource(LiveTable source) {
        String side = sourceSide();
        source.triggers().stream()
                .filter(LiveTable.Trigger::onDelete)
                .forEach(trigger -> differ(side, source.name(), "has " + trigger.title() + ", which acts on DELETE"));
        source.rules().stream()
                .filter(LiveTable.Rule::onDelete)
                .forEach(rule -> differ(side, source.name(), "has " + rule.title() + ", which acts on DELETE"));
        for (LiveTable.Reference reference : source.references()) {
            String key = "is referenced by " + reference.name() + " of " + reference.table();
            if (reference.action() != null) {
                differ(
                        side,
                        source.name(),
                        key + " on delete " + reference.action() + ": moving a row would change other rows");
            } else if (!reference.enforced()) {
                differ(
                        side,
                        source.name(),
                        key + ", which is not enforced in this session: a row that is moved would be missed there");
            }
        }
        String refusal = source.published()
                ? LedgerCheck.refusal(tx, "delete from only {0} where false", direction.source(pair))
                : null;
        if (refusal != null) {
            differ(
                    side,
                    source.name(),
                    "publishes deletes, which PostgreSQL refuses: " + refusal
                            + "; see its replica identity, and the row filter and column list of its publications");
        }
    }

    private void checkTarget(LiveTable target) {
        String side = targetSide();
        target.triggers().stream()
                .filter(LiveTable.Trigger::onInsert)
                .filter(trigger -> direction == Direction.RESTORE || trigger.eachRow() || trigger.transitions())
                .forEach(trigger -> differ(
                        side,
                        target.name(),
                        "has " + trigger.title() + ", which "
                                + (trigger.eachRow() ? "acts on each INSERT" : "can act on the rows of an INSERT")));
        target.rules().stream()
                .filter(LiveTable.Rule::onInsert)
                .forEach(rule -> differ(side, target.name(), "has " + rule.title() + ", which acts on each INSERT"));
        target.columns().values().stream()
                .filter(LiveTable.Column::always)
                .forEach(column -> differ(
                        side, target.name(), "column " + column.name() + " is GENERATED ALWAYS: it takes no copy"));
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
            } else if (isKey(column) && !twin.collation().equals(column.collation())) {
                differ(
                        targetSide(),
                        target.name(),
                        "column " + column.name() + " has the collation " + twin.collation() + from + column.collation()
                                + "), and keys cannot be compared");
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

    private boolean isKey(LiveTable.Column column) {
        return pair.key().stream().anyMatch(key -> key.getName().equals(column.name()));
    }

    private String sourceSide() {
        return direction == Direction.ARCHIVE ? "hot" : "archive";
    }

    private String targetSide() {
        return direction == Direction.ARCHIVE ? "archive" : "hot";
    }

    /** A role that may not restore is told so before it supersedes a sweep. */
    private void checkPrivilege(String side, Table<?> table, String privilege) {
        // On our own tables it is granted by column.
        String of = table.equals(USAGE_ARCHIVE_HOLD) ? "any_column" : "table";
        Boolean granted = tx.select(DSL.field(
                        "has_" + of + "_privilege(to_regclass({0}), {1})",
                        Boolean.class,
                        TableName.regclass(table),
                        DSL.val(privilege)))
                .fetchSingle()
                .value1();
        if (Boolean.FALSE.equals(granted)) {
            differ(
                    side,
                    TableName.name(table),
                    "grants this role no " + privilege + "; "
                            + (pair == UsageDetails.PAIR || table.equals(USAGE_ARCHIVE_HOLD)
                                    ? "apply sql/06-restore-grants.sql for a role of its own"
                                    : "grant it to a role of its own, as sql/06-restore-grants.sql does"));
        }
    }

    /** A role that also archives loses it when sql/04-grants.sql is applied after sql/06-restore-grants.sql. */
    private void checkTellsSweeps() {
        Field<String> version = DSL.val(USAGE_ARCHIVE_SWEEP.HOLDS_VERSION.getName());
        Boolean granted = tx.select(DSL.field(
                        "coalesce(has_column_privilege(to_regclass({0}), {1}, 'UPDATE'), true)",
                        Boolean.class, TableName.regclass(USAGE_ARCHIVE_SWEEP), version))
                .fetchSingle()
                .value1();
        if (!granted) {
            differ(
                    "ledger",
                    TableName.name(USAGE_ARCHIVE_SWEEP),
                    "grants this role no UPDATE (holds_version); apply sql/06-restore-grants.sql for a role of its own");
        }
    }

    private void differ(String side, String table, String difference) {
        differences.add(side + " " + table + " " + difference);
    }
}
