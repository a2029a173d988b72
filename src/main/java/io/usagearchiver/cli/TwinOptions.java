package io.usagearchiver.cli;

import io.usagearchiver.cli.config.BadSettingsException;
import io.usagearchiver.quartz.PluginSettings;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The options of {@code init} that make an archive. */
final class TwinOptions {
    private static final String MONTH = "month";

    @Option(
            names = "--create-archive",
            order = 8,
            description =
                    "Create the archive of each archiver in FILE, or of --plugin's, where it is not there yet: a twin of the"
                            + " live hot table, with its indexes, what the roles need of both tables, and a view of all rows.")
    private boolean createArchive;

    @Option(
            names = "--lean",
            order = 9,
            description =
                    "Give a new archive no more indexes than its key, small ones (BRIN) on the ages, and those of --index.")
    private boolean lean;

    @Option(
            names = "--index",
            order = 10,
            paramLabel = "NAME",
            description = "An index of the hot table that a lean archive gets, too. Repeatable.")
    private List<String> indexes = List.of();

    @Option(
            names = "--partition-by",
            order = 11,
            paramLabel = MONTH,
            description = "Partition a new archive by the month of the age, which has to be one column and in the key;"
                    + " 'maintain' makes the coming partitions.")
    private @Nullable String partitionBy;

    @Option(
            names = "--print",
            order = 12,
            description = "Print the SQL of --create-archive for a migration, and change nothing.")
    private boolean print;

    /** Sees that they go together. */
    void require() {
        if (!createArchive && (lean || !indexes.isEmpty() || partitionBy != null || print)) {
            throw new BadSettingsException(
                    "--lean, --index, --partition-by and --print are about an archive that is made: add --create-archive");
        }
        if (!lean && !indexes.isEmpty()) {
            throw new BadSettingsException("--index " + indexes.get(0)
                    + ": an archive gets all indexes of the hot table unless it is to be --lean");
        }
        if (partitionBy != null && !partitionBy.equals(MONTH)) {
            throw new BadSettingsException("--partition-by " + partitionBy + ": must be " + MONTH);
        }
    }

    boolean print() {
        return print;
    }

    /** What makes the archives; null where none is to be made. */
    @Nullable
    TwinInstaller installer(Collection<PluginSettings> archivers) {
        return createArchive
                ? new TwinInstaller(archivers, lean ? Set.copyOf(indexes) : null, partitionBy != null)
                : null;
    }
}
