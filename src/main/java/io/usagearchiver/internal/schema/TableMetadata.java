package io.usagearchiver.internal.schema;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A table as the database's catalog has it now.
 *
 * <p>It is told in facts, all that {@link SchemaCheck} and {@link LedgerCheck} judge by; the fingerprint that each batch
 * compares is a hash of them. So what the check would refuse shows as another fingerprint.
 *
 * @param name the canonical name, {@code schema.table}
 * @param kind what is wrong with its kind, or null for a permanent table without inheritance children, ordinary or partitioned
 * @param partitionedBy as in PARTITION BY; null for a table that is not partitioned
 * @param columns by name
 * @param indexes the unique ones
 * @param rowSecurity whether row security applies to this session
 * @param triggers those that fire in this session, but for PostgreSQL's own
 * @param rules those that act in this session
 * @param references foreign keys to this table
 * @param published whether a publication tells of its deletes or updates, or of those of a table that may be a partition
 * @param partitions all that rows are routed to, and those between them and the table
 */
public record TableMetadata(
        String name,
        @Nullable String kind,
        @Nullable String partitionedBy,
        Map<String, Column> columns,
        List<Index> indexes,
        boolean rowSecurity,
        List<Trigger> triggers,
        List<Rule> rules,
        List<Reference> references,
        boolean published,
        List<Partition> partitions) {

    /**
     * A column.
     *
     * @param type with its modifiers
     * @param baseType without them
     * @param collation empty where the type has none
     * @param notNull whether it takes no null
     * @param neverNull whether it holds none either: since PostgreSQL 18 a NOT NULL may be NOT VALID
     * @param always GENERATED ALWAYS, as identity or by an expression
     */
    public record Column(
            String name,
            String type,
            String baseType,
            String collation,
            boolean notNull,
            boolean neverNull,
            boolean always) {}

    /**
     * A unique index.
     *
     * @param plain whether it forbids two rows with one key at any time: valid, immediate, not partial, by the types' own
     *     equality
     * @param primary whether it is the primary key's
     * @param columns of its key
     */
    record Index(boolean plain, boolean primary, List<String> columns) {}

    /**
     * A trigger.
     *
     * @param transitions whether it sees all rows of a statement at once
     */
    record Trigger(
            String name, boolean eachRow, boolean onInsert, boolean onDelete, boolean onUpdate, boolean transitions) {
        String title() {
            return "trigger " + name;
        }

        /** What lets rows pass. */
        String wayOut(String table) {
            return name.equals("repack_trigger")
                    ? "it is pg_repack's, and goes when that is done; if none runs, one was interrupted: DROP TRIGGER "
                            + name + " ON " + table + ", or DROP EXTENSION pg_repack CASCADE and create it anew"
                    : "drop or disable it";
        }
    }

    /** A rule for a statement other than SELECT. */
    record Rule(String name, boolean onInsert, boolean onDelete, boolean onUpdate) {
        String title() {
            return "rule " + name;
        }
    }

    /**
     * A foreign key to the table.
     *
     * @param action what it does to other rows when a row is deleted, or null if it forbids that
     * @param enforced whether it does so in this session
     */
    record Reference(String name, String table, @Nullable String action, boolean enforced) {}

    /**
     * A partition, of the table or of a partition.
     *
     * @param kind what is wrong with its kind, or null
     * @param triggers those that fire in this session, but for PostgreSQL's own
     * @param references foreign keys to this partition, also those that are to the table
     */
    record Partition(
            String name, long oid, @Nullable String kind, List<Trigger> triggers, List<Reference> references) {}

    /** What a table must be that is something else; and one of a pair. */
    static final String ORDINARY = "; it must be a permanent ordinary table";

    static final String PERMANENT = "; it must be a permanent table, ordinary or partitioned";

    static final String ROW_SECURITY = "has row security that applies to this role: rows could be passed over unseen;"
            + " disable it, or give the role BYPASSRLS";

    /** Understands the facts of a table. */
    static TableMetadata of(String name, List<String[]> facts) {
        String[] table = those(facts, "table").findFirst().orElseThrow();
        boolean replica = table[6].equals("replica");
        Set<String> notValidated =
                those(facts, "not validated").map(fact -> fact[1]).collect(Collectors.toSet());
        Map<String, Column> columns = new LinkedHashMap<>();
        those(facts, "column")
                .map(fact -> new Column(
                        fact[1],
                        fact[3],
                        fact[4],
                        fact[5],
                        isTrue(fact[6]),
                        isTrue(fact[6]) && !notValidated.contains(fact[1]),
                        isTrue(fact[7])))
                .forEach(column -> columns.put(column.name(), column));
        boolean partitioned = table[2].equals("p");
        return new TableMetadata(
                name,
                kind(table[2], table[3], those(facts, "child").findAny().isPresent()),
                partitioned ? table[7] : null,
                columns,
                those(facts, "index")
                        .map(fact -> new Index(
                                isTrue(fact[1]), isTrue(fact[3]), columns(fact[7], Integer.parseInt(fact[6]), facts)))
                        .toList(),
                isTrue(table[4]),
                triggers(those(facts, "trigger"), replica),
                those(facts, "rule")
                        .filter(fact -> fires(fact[3], replica))
                        .map(fact -> new Rule(fact[1], fact[2].equals("3"), fact[2].equals("4"), fact[2].equals("2")))
                        .toList(),
                references(those(facts, "reference"), replica),
                those(facts, "publication").findAny().isPresent(),
                those(facts, "partition")
                        .map(fact -> partition(fact, facts, replica))
                        .toList());
    }

    private static Partition partition(String[] partition, List<String[]> facts, boolean replica) {
        String oid = partition[2];
        return new Partition(
                partition[1],
                Long.parseLong(oid),
                kind(partition[3], partition[4], false),
                triggers(those(facts, "trigger of partition").filter(fact -> fact[5].equals(oid)), replica),
                references(those(facts, "reference of partition").filter(fact -> fact[5].equals(oid)), replica));
    }

    private static List<Trigger> triggers(Stream<String[]> facts, boolean replica) {
        return facts.filter(fact -> fires(fact[3], replica))
                .map(fact -> trigger(fact[1], Integer.parseInt(fact[2]), isTrue(fact[4])))
                .toList();
    }

    private static List<Reference> references(Stream<String[]> facts, boolean replica) {
        return facts.map(fact -> new Reference(fact[1], fact[4], action(fact[3]), fires(fact[2], replica)))
                .toList();
    }

    /** The columns of an index's key, by their numbers; an expression is none. */
    private static List<String> columns(String numbers, int ofKey, List<String[]> facts) {
        Map<String, String> names = those(facts, "column").collect(Collectors.toMap(fact -> fact[2], fact -> fact[1]));
        return Stream.of(numbers.split(" "))
                .limit(ofKey)
                .map(number -> names.getOrDefault(number, ""))
                .toList();
    }

    private static Stream<String[]> those(List<String[]> facts, String kind) {
        return facts.stream().filter(fact -> fact[0].equals(kind));
    }

    /** PostgreSQL casts a boolean to {@code true}, and prints it as {@code t}. */
    private static boolean isTrue(String text) {
        return text.equals("true");
    }

    private static @Nullable String kind(String relkind, String persistence, boolean hasChildren) {
        return switch (relkind) {
            case "r", "p" ->
                switch (persistence) {
                    case "u" -> "unlogged: a crash empties it";
                    case "t" -> "temporary";
                    default -> hasChildren && relkind.equals("r") ? "a table with inheritance children" : null;
                };
            case "v" -> "a view";
            case "m" -> "a materialized view";
            case "f" -> "a foreign table";
            default -> "not a table";
        };
    }

    /** What pg_trigger.tgenabled and pg_rewrite.ev_enabled mean in a session. */
    private static boolean fires(String enabled, boolean replica) {
        return enabled.equals("A") || enabled.equals(replica ? "R" : "O");
    }

    /** The bits of pg_trigger.tgtype. */
    private static Trigger trigger(String name, int type, boolean transitions) {
        return new Trigger(name, (type & 1) != 0, (type & 4) != 0, (type & 8) != 0, (type & 16) != 0, transitions);
    }

    private static @Nullable String action(String onDelete) {
        return switch (onDelete) {
            case "c" -> "cascade";
            case "n" -> "set null";
            case "d" -> "set default";
            default -> null;
        };
    }

    /** Whether its rows are in partitions. */
    boolean isPartitioned() {
        return partitionedBy != null;
    }

    /** Whether a key of these columns identifies a row: unique, and never null. */
    boolean isKey(List<String> key) {
        return key.stream().map(columns::get).allMatch(column -> column != null && column.neverNull())
                && indexes.stream()
                        .anyMatch(index -> index.plain()
                                && index.columns().size() == key.size()
                                && index.columns().containsAll(key));
    }
}
