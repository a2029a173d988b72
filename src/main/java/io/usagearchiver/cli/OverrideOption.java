package io.usagearchiver.cli;

import io.usagearchiver.cli.config.BadSettingsException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Option;

/** The option of a command that sweeps, or foresees it: settings that count instead of the file's. */
final class OverrideOption {
    @Option(
            names = "--set",
            order = 3,
            paramLabel = "name=value",
            description = "A setting of the plugin to use instead of FILE's, such as batchSize=5000. Repeatable.")
    private List<String> overrides = List.of();

    /** The values by the names of their settings. */
    Map<String, String> byName() {
        Map<String, String> values = new LinkedHashMap<>();
        for (String override : overrides) {
            int equals = override.indexOf('=');
            if (equals < 0) {
                throw new BadSettingsException(
                        "--set " + override + ": must be name=value, such as --set batchSize=5000");
            }
            values.put(override.substring(0, equals).strip(), override.substring(equals + 1));
        }
        return values;
    }
}
