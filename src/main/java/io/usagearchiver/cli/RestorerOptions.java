package io.usagearchiver.cli;

import io.usagearchiver.ArchiveSettings;
import io.usagearchiver.Archiver;
import io.usagearchiver.cli.config.BadSettingsException;
import io.usagearchiver.cli.config.ConfigFile;
import io.usagearchiver.cli.config.FileDataSource;
import java.sql.SQLException;
import java.util.Map;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.quartz.SchedulerException;
import picocli.CommandLine.Option;

/** The options of a command whose role may do more than the archiver's: take rows back, or set holds. */
final class RestorerOptions extends ArchiverOptions {
    @Option(
            names = "--data-source",
            order = 3,
            paramLabel = "NAME",
            description = "The data source of FILE whose role may restore rows and set holds; the plugin's own if not"
                    + " named.")
    private @Nullable String dataSource;

    /**
     * Does something with an archiver.
     *
     * @throws BadSettingsException if a value in the file or on the command line is bad
     */
    <T> T with(
            Function<String, @Nullable String> environment,
            UnaryOperator<ArchiveSettings> settings,
            Function<Archiver.Builder, T> work)
            throws SchedulerException, SQLException {
        ConfigFile file = read(environment);
        var plugin = file.archiver(plugin(), Map.of());
        try (FileDataSource connections = file.dataSource(dataSource == null ? plugin.dataSource() : dataSource)) {
            return work.apply(Archiver.builder(plugin.pair(), connections)
                    .settings(settings.apply(plugin.archive()))
                    .firedBy("command line"));
        } catch (IllegalArgumentException e) {
            throw new BadSettingsException(String.valueOf(e.getMessage()));
        }
    }
}
