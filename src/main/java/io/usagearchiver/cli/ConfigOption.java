package io.usagearchiver.cli;

import io.usagearchiver.cli.config.ConfigFile;
import java.nio.file.Path;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The option of every command: its configuration file. */
class ConfigOption {
    @Option(
            names = "--config",
            required = true,
            order = 1,
            paramLabel = "FILE",
            description = "A Quartz properties file with the archiver plugin. In its values, $${NAME} stands for the"
                    + " environment variable NAME.")
    @SuppressWarnings("NullAway.Init")
    private Path config;

    /** Reads the file. */
    ConfigFile read(Function<String, @Nullable String> environment) {
        return ConfigFile.read(config, environment);
    }
}
