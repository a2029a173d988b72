package io.usagearchiver.testing;

import io.usagearchiver.ArchivePair;
import io.usagearchiver.PairNames;
import io.usagearchiver.UsageDetails;
import java.util.List;
import java.util.Map;
import org.jooq.Field;
import org.jooq.SQLDialect;
import org.jooq.Table;
import org.jooq.TableField;
import org.jooq.impl.DSL;

/**
 * The pairs that tests move rows of: those of generated code or, with {@code -Dusagearchiver.test.byNames=true}, the same ones by
 * names alone. What is so of the one kind only has the tag {@link #OF_CODE}.
 */
public final class TestedPair {
    /** The tag of what is a matter of generated code, and not so of names. */
    public static final String OF_CODE = "of-code";

    private static final boolean BY_NAMES = Boolean.getBoolean("usagearchiver.test.byNames");

    /** The usage pair. */
    public static final ArchivePair<?> USAGE = of(UsageDetails.PAIR);

    private TestedPair() {}

    /** A pair of generated code, or the same by the names of its tables, key and ages. */
    public static ArchivePair<?> of(ArchivePair<?> declared) {
        return BY_NAMES ? ArchivePair.of(names(declared).withKeyColumns(columns(declared.key()))) : declared;
    }

    /** What names a pair, but for its key. */
    public static PairNames names(ArchivePair<?> declared) {
        return new PairNames(
                name(declared.hot()),
                name(declared.archive()),
                List.of(),
                List.of(columns(declared.ages())),
                declared.condition().equals(DSL.noCondition())
                        ? null
                        : DSL.using(SQLDialect.POSTGRES).renderInlined(declared.condition()));
    }

    /** The settings of the usage pair: none, or those that name it. */
    public static Map<String, String> settings() {
        return BY_NAMES ? settingsOfNames() : Map.of();
    }

    /** The settings that name the usage pair. */
    public static Map<String, String> settingsOfNames() {
        return Map.of("hotTable", "model_usage_details", "ageColumns", "completed_at, created_at");
    }

    private static String name(Table<?> table) {
        return quoted(table.getSchema().getName()) + "." + quoted(table.getName());
    }

    private static String[] columns(List<? extends TableField<?, ?>> columns) {
        return columns.stream().map(Field::getName).map(TestedPair::quoted).toArray(String[]::new);
    }

    private static String quoted(String name) {
        return '"' + name.replace("\"", "\"\"") + '"';
    }
}
