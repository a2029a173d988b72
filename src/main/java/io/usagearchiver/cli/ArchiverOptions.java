package io.usagearchiver.cli;

import io.usagearchiver.cli.config.ConfigFile;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The options of a command that is about one archiver of the configuration file. */
class ArchiverOptions extends ConfigOption {
    @Option(
            names = "--plugin",
            order = 2,
            paramLabel = "NAME",
            description = "The name of the plugin, if FILE has several archivers.")
    private @Nullable String plugin;

    /** Reads the file, and makes the log leave out what such a command prints itself. */
    @Override
    ConfigFile read(Function<String, @Nullable String> environment) {
        // For logback.xml, which is read when the first class that logs is loaded.
        System.setProperty("usagearchiver.log.told", "ERROR");
        return super.read(environment);
    }

    @Nullable
    String plugin() {
        return plugin;
    }
}
