package io.usagearchiver.internal.schema;

import io.usagearchiver.ArchivePair;
import io.usagearchiver.SchemaDriftException;
import io.usagearchiver.internal.postgres.OwnRows;
import io.usagearchiver.internal.postgres.PgType;
import io.usagearchiver.internal.postgres.SqlFiles;
import io.usagearchiver.internal.postgres.TableName;
import java.util.ArrayList;
import java.util.List;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.Table;
import org.jooq.impl.DSL;
import org.jspecify.annotations.Nullable;

/**
 * Compares the live catalog with what moving rows safely in one direction asks for. Defaults, indexes, the order of columns
 * and comments may differ between the tables; columns that both have beyond the generated ones are moved too.
 */
public final class SchemaCheck {
    private static final String PAIR_OF_ONES_OWN =
            "a pair of code that is generated from these tables takes them (docs/other-tables.md)";

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
    public static PairSchema run(DSLContext tx, ArchivePair<?> pair) {
        return run(tx, pair, Direction.ARCHIVE);
    }

    /**
     * Checks what rows that go in {@code direction} need.
     *
     * @throws SchemaDriftException with all that is wrong
     */
    public static PairSchema run(DSLContext tx, ArchivePair<?> pair, Direction direction) {
        return new SchemaCheck(tx, pair, direction).run();
    }

    private PairSchema run() {
        TableFacts.Reading live = TableFacts.read(tx, PairSchema.tables(pair));
        TableMetadata hot = live.tables().get(0);
        TableMetadata archive = live.tables().get(1);
        checkSide("hot", pair.hot(), hot);
        checkSide("archive", pair.archive(), archive);
        if (hot != null) {
            checkTypes(hot);
        }
        if (hot != null && direction == Direction.ARCHIVE) {
            // A restore does not ask for it.
            new ConditionCheck(tx, pair, hot)
                    .differences()
                    .forEach(difference -> differ("hot", hot.name(), difference));
        }
        TableMetadata source = direction == Direction.ARCHIVE ? hot : archive;
        TableMetadata target = direction == Direction.ARCHIVE ? archive : hot;
        if (source != null) {
            checkSource(source);
        }
        if (target != null) {
            checkTarget(target);
        }
        if (source != null && target != null) {
            differences.addAll(new ColumnComparison(pair, direction, source, target).differences());
        }
        if (direction == Direction.RESTORE) {
            differences.addAll(new GrantCheck(tx, pair, direction).differencesToRestore());
        }
        differences.addAll(new LedgerCheck(tx, live.tables().subList(2, 5)).differences());
        if (hot == null || !differences.isEmpty()) {
            throw direction.drift(
                    TableName.name(pair.hot()), differences.stream().sorted().toList(), "");
        }
        return new PairSchema(hot.name(), List.copyOf(hot.columns().keySet()), live.fingerprint());
    }

    private void checkSide(String side, Table<?> table, @Nullable TableMetadata live) {
        String name = TableName.name(table);
        if (live == null) {
            differ(side, name, "does not exist" + SqlFiles.toMake(name));
            return;
        }
        if (live.kind() != null) {
            differ(side, name, "is " + live.kind() + TableMetadata.PERMANENT);
        }
        new PartitionCheck(live).ofKind().forEach(difference -> differ(side, name, difference));
        for (Field<?> column : table.fields()) {
            if (!live.columns().containsKey(column.getName())) {
                differ(
                        side,
                        name,
                        "lacks column " + column.getName() + ", which the generated code has; " + PAIR_OF_ONES_OWN);
            }
        }
        List<String> key = pair.key().stream().map(Field::getName).toList();
        if (!live.isKey(key)) {
            differ(
                    side,
                    name,
                    "has no primary key or full unique index on exactly " + String.join(", ", key) + ", not null"
                            + (live.isPartitioned()
                                    ? "; that of a table that is partitioned by " + live.partitionedBy()
                                            + " has these columns, too, and so must the pair's key"
                                    : ""));
        }
        if (live.rowSecurity()) {
            differ(side, name, TableMetadata.ROW_SECURITY);
        }
    }

    private void checkTypes(TableMetadata hot) {
        List<Field<?>> typed = new ArrayList<>(pair.ages());
        typed.addAll(pair.key());
        for (Field<?> field : typed) {
            TableMetadata.Column column = hot.columns().get(field.getName());
            String type = PgType.name(field.getDataType());
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
                        "column " + column.name() + " is " + column.type() + ", the generated code has " + generated
                                + "; " + PAIR_OF_ONES_OWN);
            }
        }
    }

    private void checkSource(TableMetadata source) {
        String side = direction.from();
        source.triggers().stream()
                .filter(TableMetadata.Trigger::onDelete)
                .forEach(trigger -> differ(
                        side,
                        source.name(),
                        "has " + trigger.title() + ", which acts on DELETE; " + trigger.wayOut(source.name())));
        source.rules().stream()
                .filter(TableMetadata.Rule::onDelete)
                .forEach(rule -> differ(
                        side, source.name(), "has " + rule.title() + ", which acts on DELETE; drop or disable it"));
        source.references()
                .forEach(reference ->
                        PartitionCheck.harmOf(reference).ifPresent(harm -> differ(side, source.name(), harm)));
        new PartitionCheck(source).ofSource().forEach(difference -> differ(side, source.name(), difference));
        // Nothing is at this place, but PostgreSQL does not know that, and looks at each partition.
        String refusal = source.published()
                ? LedgerCheck.refusal(
                        tx, false, "delete from {0} where ctid = '(0,0)'", OwnRows.of(direction.source(pair)))
                : null;
        if (refusal != null) {
            differ(
                    side,
                    source.name(),
                    "publishes deletes, which PostgreSQL refuses: " + refusal
                            + "; see its replica identity, and the row filter and column list of its publications");
        }
    }

    private void checkTarget(TableMetadata target) {
        String side = direction.into();
        target.triggers().stream()
                .filter(TableMetadata.Trigger::onInsert)
                .filter(trigger -> direction == Direction.RESTORE || trigger.eachRow() || trigger.transitions())
                .forEach(trigger -> differ(
                        side,
                        target.name(),
                        "has " + trigger.title() + ", which "
                                + (trigger.eachRow() ? "acts on each INSERT; " : "can act on the rows of an INSERT; ")
                                + trigger.wayOut(target.name())));
        target.rules().stream()
                .filter(TableMetadata.Rule::onInsert)
                .forEach(rule -> differ(
                        side,
                        target.name(),
                        "has " + rule.title() + ", which acts on each INSERT; drop or disable it"));
        target.columns().values().stream()
                .filter(TableMetadata.Column::always)
                .forEach(column -> differ(
                        side,
                        target.name(),
                        "column " + column.name() + " is GENERATED ALWAYS: it takes no copy"
                                + (direction == Direction.RESTORE
                                        ? ""
                                        : "; DROP EXPRESSION, or SET GENERATED BY DEFAULT where it is an identity")));
        new PartitionCheck(target)
                .ofTarget(tx, direction.target(pair))
                .forEach(difference -> differ(side, target.name(), difference));
    }

    private void differ(String side, String table, String difference) {
        differences.add(side + " " + table + " " + difference);
    }
}
