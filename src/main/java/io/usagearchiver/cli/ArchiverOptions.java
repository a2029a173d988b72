package io.usagearchiver.cli;

import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The options of a command that is about one archiver of the configuration file. */
final class ArchiverOptions extends ConfigOption {
    @Option(
            names = "--plugin",
            order = 2,
            paramLabel = "NAME",
            description = "The name of the plugin, if FILE has several archivers.")
    private @Nullable String plugin;

    @Nullable
    String plugin() {
        return plugin;
    }
}
